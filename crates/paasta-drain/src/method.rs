//! The trait, and what every method is built from.

use async_trait::async_trait;
use paasta_core::{InstanceName, Registration, ServiceName, Task, Timestamp};

use crate::{ClientError, DrainError, DrainStatus, DrainTiming, HttpClients, TestDrains, http_clients};

/// Takes traffic off a task before it is killed. Every call may be repeated; what was done lives outside this
/// process, so that another process goes on where this one ended.
#[cfg_attr(feature = "test-support", mockall::automock)]
#[async_trait]
pub trait DrainMethod: Send + Sync {
    /// How long draining takes and lasts, as far as that is known without asking.
    fn timing(&self) -> DrainTiming;

    /// Takes traffic off the task, or renews that for another [`DrainTiming::expiration_seconds`].
    async fn drain(&self, task: &Task, now: Timestamp) -> Result<(), DrainError>;

    /// Gives the task its traffic back.
    async fn stop_draining(&self, task: &Task) -> Result<(), DrainError>;

    /// Asks once how the task stands. Enough for every question about it in one pass.
    async fn status(&self, task: &Task) -> Result<DrainStatus, DrainError>;

    /// Whether traffic is being taken off the task. Asks.
    async fn is_draining(&self, task: &Task) -> Result<bool, DrainError> {
        Ok(self.status(task).await?.is_draining())
    }

    /// Whether the task has no traffic left to lose. Asks.
    async fn is_safe_to_kill(&self, task: &Task, now: Timestamp) -> Result<bool, DrainError> {
        Ok(self.status(task).await?.is_safe_to_kill(now))
    }
}

/// Whose tasks a method drains.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DrainPlace {
    /// The service.
    pub service: ServiceName,
    /// The instance.
    pub instance: InstanceName,
    /// Where its tasks are registered, in the order of the settings.
    pub registrations: Vec<Registration>,
}

/// What all methods of one program share. Cheap to clone.
#[derive(Clone, Debug)]
pub struct DrainTools {
    /// Carry every request.
    pub http: HttpClients,
    /// What the method `test` remembers.
    pub test_drains: TestDrains,
    /// Where hacheck listens on every machine, for instances that do not name a port.
    pub hacheck_port: u16,
}

/// Where hacheck listens unless somebody says otherwise (marathon-and-bounce.md §6.2).
pub const HACHECK_PORT: u16 = 6666;

impl DrainTools {
    /// Tools whose requests say `User-Agent: <program> <version>`.
    pub fn new(program: &str, version: &str) -> Result<Self, ClientError> {
        let http = http_clients(program, version)?;
        Ok(Self { http, test_drains: TestDrains::default(), hacheck_port: HACHECK_PORT })
    }

    /// The same with another port of hacheck: key `hacheck_port` of the system configuration.
    pub fn with_hacheck_port(mut self, port: u16) -> Self {
        self.hacheck_port = port;
        self
    }
}
