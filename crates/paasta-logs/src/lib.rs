//! Writes and reads service logs, events and audit lines.
