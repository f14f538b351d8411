//! Bounce methods, and what to do next with one instance. Decisions only: no engine, no clock, no IO.
//!
//! One pass asks twice. [`plan`] says what to create, scale, drain and ask, from what was seen ([`Observed`]) and
//! what is wanted ([`Desired`]); whoever carries it out collects the [`Outcomes`]; [`settle`] then says what may be
//! killed and deleted, and when to look again. Both say why as data ([`Why`]). [`check`] judges any plan against
//! the promise of its method and is called before acting.
//!
//! How many tasks an autoscaled instance should have is decided in [`autoscaling`].
//!
//! A bounce method ([`BounceMethod`]) is one file and one line in [`METHODS`]. Rendering, identity and drain
//! protocols are elsewhere; nothing here knows which engine it stands on.
//!
//! ```
//! use paasta_bounce::{BounceInput, MarginFactor, method};
//! use paasta_core::TaskId;
//!
//! let old = [TaskId::new("a"), TaskId::new("b"), TaskId::new("c")];
//! let decision = method("crossover")?.decide(&BounceInput {
//!     instances: 3,
//!     new_app_exists: true,
//!     happy_new: 1,
//!     old_serving: &old,
//!     old_draining: 0,
//!     old_pending: 0,
//!     margin: MarginFactor::default(),
//! });
//! assert_eq!(decision.drain, [TaskId::new("c")]);
//! # Ok::<(), paasta_bounce::UnknownMethod>(())
//! ```

pub mod autoscaling;
mod check;
mod classes;
mod health;
mod margin;
mod method;
mod methods;
mod plan;
mod settle;
mod values;
mod why;

pub use check::{Violation, check, check_settled};
pub use health::{Happiness, HealthParams, happiness};
pub use margin::{MarginError, MarginFactor};
pub use method::{BounceDecision, BounceInput, BounceMethod, METHODS, Promise, UnknownMethod, method};
pub use plan::plan;
pub use settle::settle;
pub use values::{
    AppBook, Desired, Drain, DrainState, HomeKill, Observed, Outcome, Outcomes, Place, Plan, Safety, Scale,
    Settled,
};
pub use why::{Counts, WaitingOn, Why};
