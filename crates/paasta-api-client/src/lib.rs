//! What the HTTP API of one cluster says, and a client that asks it.
//!
//! The fields are those of the original's schema (cli.md §4.5), so that its clients can read our answers; what is
//! ours besides is documented as such: [`Bounce`], and the ids, phases and health of tasks. Unknown fields are
//! ignored when reading.
//!
//! [`ApiClient`] has bounded timeouts and errors that name the cluster and the URL. This crate knows neither how a
//! server finds its answers nor how anybody shows them.
//!
//! ```
//! use paasta_api_client::InstanceStatus;
//!
//! let answer = r#"{"service": "web", "instance": "main", "git_sha": "12345678", "marathon":
//!     {"desired_state": "start", "app_count": 1, "bounce_method": "crossover", "running_instance_count": 3}}"#;
//! let status: InstanceStatus = serde_json::from_str(answer)?;
//! assert_eq!(status.marathon.expect("a long-running instance").running_instance_count, Some(3));
//! # Ok::<(), serde_json::Error>(())
//! ```

mod client;
mod error;
mod marathon;
mod queue;
mod registration;
mod status;

pub use client::{ApiClient, Timeouts};
pub use error::{ApiError, ErrorBody, ErrorDetail};
pub use marathon::{
    AppStatus, AutoscalingInfo, Bounce, DeployStatus, FailureStatus, MarathonStatus, TaskHealth, TaskPhase,
    TaskStatus, Why,
};
pub use queue::{DeployQueue, DeployQueueEntry};
pub use registration::{Endpoint, RegistrationEndpoints, UnknownEndpoints};
pub use status::{InstanceList, InstanceStatus, ServiceList, StatusQuery, TaskLogAnswer, WantedState};
