//! The HTTP API of one cluster (cli.md §4): what its instances are to run, what they run, and what they wait for.
//!
//! [`router`] makes an `axum` router from an [`ApiState`]; [`serve`] serves it. The state names an engine, a
//! renderer and configuration; which engine that is, this crate does not know (the binary `paasta-api` chooses
//! Marathon). Nothing is kept between requests: configuration files are read anew for each. Nothing is changed
//! either: every route only reads.
//!
//! Why an instance waits is not guessed here: the very plan that the next pass would carry out is asked for, and
//! its reasons are passed on as data.
//!
//! | route | answer |
//! |---|---|
//! | `GET /v1/version` | the server's version |
//! | `GET /v1/services` | every instance of this cluster |
//! | `GET /v1/services/{service}` | one service's instances |
//! | `GET /v1/services/{service}/{instance}/status?verbose=` | how one instance does |
//! | `GET /v1/registrations/{registration}/endpoints` | every task that is registered under that name: address, port, health, drain |
//! | `GET /v1/services/{service}/{instance}/tasks/{task}/log?stream=&lines=` | the end of a task's output |
//!
//! The types of the answers are those of `paasta-api-client`. What is not here yet: metastatus, autoscaler, queue
//! and mesh routes of §4.4; authentication, which is left to whatever stands before a listener that is not loopback.

mod assemble;
mod error;
mod routes;
mod serve;
mod state;

pub use routes::router;
pub use serve::{REQUEST_SECONDS_MAX, serve};
pub use state::ApiState;
