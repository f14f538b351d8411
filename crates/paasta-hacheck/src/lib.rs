//! A hacheck server (marathon-and-bounce.md §7): says whether a local service may get traffic.
//!
//! Load balancers ask it instead of the service. It answers from its spool first, where somebody may have taken
//! the service out of traffic, and then by a real check of the service on this machine. Draining a task means to
//! post `status=down` here ([`Spool`] keeps that in files, so it survives a restart), waiting until every load
//! balancer has noticed, and only then killing it.
//!
//! [`Hacheck::builder`] is the way in; [`Hacheck::serve`] runs it on a listener, in a program of its own (the
//! binary `paasta-hacheck`) or within another one.
//!
//! Left out: checks of MySQL and SMTP (answered with 501, unless the spool says down), and targets on other
//! machines: only 127.0.0.1 is ever checked, so the server cannot be used to reach others.

mod answer;
mod cache;
mod check;
mod counts;
mod handle;
mod recent;
mod route;
mod server;
mod spool;
mod tls;

pub use counts::Counts;
pub use route::{Kind, Name, NameError, Target};
pub use server::{Builder, Hacheck, HacheckError};
pub use spool::{Down, Entry, Spool, SpoolError};
