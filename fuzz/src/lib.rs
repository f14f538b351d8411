//! What each fuzz target checks (CONTRIBUTING.md says how to run them).
//!
//! A target takes bytes and stops the process where a promise is broken. Each is one function here, so that an input that
//! was once found can be run again by whatever calls it.

mod app_ids;
mod deployments;
mod getters;
mod instance;
mod system;
mod tags;
mod yaml;

pub use app_ids::app_ids;
pub use deployments::deployments;
pub use instance::instance;
pub use system::system;
pub use tags::tags;
pub use yaml::yaml;
