//! What load balancers say of tasks.

use std::collections::BTreeMap;

use async_trait::async_trait;

use crate::{Reading, Registration, Task, TaskId};

/// Tells which tasks load balancers see (marathon-and-bounce.md §4.5). The pass asks it, and what knows the load balancers
/// of a cluster answers.
#[async_trait]
pub trait Discovery: Send + Sync {
    /// Per task, whether enough load balancers see it. A task that is left out is unknown.
    async fn seen(&self, question: &DiscoveryQuestion<'_>) -> BTreeMap<TaskId, Reading<bool>>;
}

/// What a [`Discovery`] is asked.
#[derive(Clone, Copy, Debug)]
pub struct DiscoveryQuestion<'a> {
    /// Under which name the tasks are discovered.
    pub registration: &'a Registration,
    /// The tasks, of all versions.
    pub tasks: &'a [&'a Task],
    /// Of the load balancers asked, the part that must see a task.
    pub min_fraction_up: f64,
}
