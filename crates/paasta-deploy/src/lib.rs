//! Which instances a command means, and how far a deploy has come: decisions only.
