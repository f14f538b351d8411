//! `test`: remembers in this process what was drained; a test says when a task is safe.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use paasta_config::Map;
use paasta_core::{Task, TaskId, Timestamp};

use crate::{
    DrainConfigError, DrainError, DrainMethod, DrainPlace, DrainState, DrainStatus, DrainTiming, DrainTools,
    SafeToKill,
};

pub(super) fn build(
    _params: &Map,
    _place: &DrainPlace,
    tools: &DrainTools,
) -> Result<Box<dyn DrainMethod>, DrainConfigError> {
    Ok(Box::new(Test(tools.test_drains.clone())))
}

/// What the method `test` remembers. Clones share it; whoever builds the methods owns it.
#[derive(Clone, Debug, Default)]
pub struct TestDrains(Arc<Mutex<Drains>>);

#[derive(Debug, Default)]
struct Drains {
    downed: BTreeSet<TaskId>,
    safe: BTreeSet<TaskId>,
}

impl TestDrains {
    /// Declares one drained task safe to kill, the first by its id, and says which.
    pub fn mark_one_safe(&self) -> Option<TaskId> {
        self.with(|drains| {
            let task = drains.downed.pop_first()?;
            drains.safe.insert(task.clone());
            Some(task)
        })
    }

    fn with<T>(&self, work: impl FnOnce(&mut Drains) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

struct Test(TestDrains);

#[async_trait]
impl DrainMethod for Test {
    fn timing(&self) -> DrainTiming {
        DrainTiming::default()
    }

    async fn drain(&self, task: &Task, _now: Timestamp) -> Result<(), DrainError> {
        self.0.with(|drains| {
            if !drains.safe.contains(&task.id) {
                drains.downed.insert(task.id.clone());
            }
        });
        Ok(())
    }

    async fn stop_draining(&self, task: &Task) -> Result<(), DrainError> {
        self.0.with(|drains| {
            drains.downed.remove(&task.id);
            drains.safe.remove(&task.id);
        });
        Ok(())
    }

    async fn status(&self, task: &Task) -> Result<DrainStatus, DrainError> {
        let (downed, safe) =
            self.0.with(|drains| (drains.downed.contains(&task.id), drains.safe.contains(&task.id)));
        if !downed && !safe {
            return Ok(DrainStatus::SERVING);
        }
        Ok(DrainStatus {
            state: DrainState::Draining { since: None, until: None, reason: None, by_us: true },
            safe: if safe { SafeToKill::Now } else { SafeToKill::NotYet },
        })
    }
}
