//! Bounce methods, and what to do next with one instance: decisions only.
