//! The parts of the development tasks that tests call.

pub mod tidy;
