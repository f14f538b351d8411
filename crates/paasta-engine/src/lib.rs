//! The embedded engine for one machine: real processes behind Marathon's REST face.
//!
//! Entry points: [`EngineServer::start`] with a [`Config`] runs an engine inside a program; the binary
//! `paasta-engine` is the same with arguments. [`state::Engine`] is the whole of its behaviour as a pure state
//! machine; around it stand a loop that saves before it answers, an [`Executor`] that runs tasks, and the ports
//! [`Artifacts`] and [`Secrets`] that whoever embeds it fills.
//!
//! What it keeps: no acknowledged change is lost, tasks outlive it and are taken up again, and no process it
//! started is forgotten. It also answers as a Mesos master does, with agents to try locations and maintenance on: by name
//! they are hosts of a cluster, their tasks run here. What it leaves out: other machines, groups, pods, and limits: `cpus`, `mem` and `disk`
//! are kept and told to the task, but a process may use what the machine has.

mod actor;
mod artifacts;
mod config;
mod core_loop;
mod executor;
mod health;
mod journal;
mod rest;
mod secrets;
mod server;
pub mod state;
mod store;

pub use artifacts::{Artifact, ArtifactError, Artifacts, DirectoryArtifacts, EmptyArtifacts};
pub use config::{Agents, Config, PortRange, PortRangeError};
pub use executor::{
    Executor, IdleExecutor, Launch, LaunchError, ProcessExecutor, ProcessSettings, ResolvedEnv, TaskUsage,
};
pub use journal::JournalEntry;
pub use secrets::{NoSecrets, SecretError, SecretText, Secrets};
pub use server::{Abandoned, EngineServer, StartError, StopError, end_abandoned};
pub use store::{StoreError, read_memory};
