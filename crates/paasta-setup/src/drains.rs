//! The narrow ports a pass has besides those of `paasta-core`.

use std::collections::BTreeMap;

use async_trait::async_trait;
use paasta_config::Map;
use paasta_core::{Reading, Registration, Task, TaskId};
use paasta_drain::{DrainConfigError, DrainMethod, DrainPlace, DrainTools, from_settings};

/// Builds the drain method of an instance from its merged settings.
pub trait Drains: Send + Sync {
    /// The method, or what is wrong with its name or parameters.
    fn build(
        &self,
        settings: &Map,
        in_smartstack: bool,
        place: &DrainPlace,
    ) -> Result<Box<dyn DrainMethod>, DrainConfigError>;
}

impl Drains for DrainTools {
    fn build(
        &self,
        settings: &Map,
        in_smartstack: bool,
        place: &DrainPlace,
    ) -> Result<Box<dyn DrainMethod>, DrainConfigError> {
        from_settings(settings, in_smartstack, place, self)
    }
}

/// What load balancers say of tasks (marathon-and-bounce.md §4.5).
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
