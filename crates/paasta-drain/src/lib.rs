//! Takes traffic off tasks before they are killed.
