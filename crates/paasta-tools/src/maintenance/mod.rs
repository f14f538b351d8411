//! Hosts that are to be away: what `paasta_maintenance` and `paasta_cleanup_maintenance` do (monitoring.md §8).

mod cleanup;
mod machines;
mod questions;
mod safety;
pub mod times;
mod verbs;

pub use cleanup::{Forgotten, GRACE_NANOSECONDS, forgotten, reservations};
pub use machines::{Machines, machines};
pub use questions::{Question, answer};
pub use safety::{Danger, Place, in_danger};
pub use verbs::{Change, calls, carry_out, reach};
