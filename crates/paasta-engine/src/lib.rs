//! The embedded engine for one machine: real processes behind Marathon's REST face.
