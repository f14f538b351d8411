//! A drain method as somebody outside writes it: a ledger of the tasks that are out of traffic.

use std::collections::BTreeMap;
use std::sync::Mutex;

use async_trait::async_trait;
use paasta_core::{AppId, Health, Task, TaskId, TaskPhase, Timestamp};
use paasta_drain::{DrainError, DrainMethod, DrainState, DrainStatus, DrainTiming, SafeToKill};

/// Keeps in memory when each task was drained; safe ten seconds later.
#[derive(Default)]
struct Ledger(Mutex<BTreeMap<TaskId, Timestamp>>);

impl Ledger {
    fn with<T>(&self, work: impl FnOnce(&mut BTreeMap<TaskId, Timestamp>) -> T) -> Result<T, DrainError> {
        let mut ledger = self.0.lock().map_err(|error| DrainError::Other(error.to_string()))?;
        Ok(work(&mut ledger))
    }
}

#[async_trait]
impl DrainMethod for Ledger {
    fn timing(&self) -> DrainTiming {
        DrainTiming { delay_seconds: Some(10.0), expiration_seconds: None }
    }

    async fn drain(&self, task: &Task, now: Timestamp) -> Result<(), DrainError> {
        self.with(|ledger| {
            ledger.entry(task.id.clone()).or_insert(now);
        })
    }

    async fn stop_draining(&self, task: &Task) -> Result<(), DrainError> {
        self.with(|ledger| {
            ledger.remove(&task.id);
        })
    }

    async fn status(&self, task: &Task) -> Result<DrainStatus, DrainError> {
        let since = self.with(|ledger| ledger.get(&task.id).copied())?;
        Ok(since.map_or(DrainStatus::SERVING, |since| DrainStatus {
            state: DrainState::Draining { since: Some(since), until: None, reason: None, by_us: true },
            safe: SafeToKill::After(since.plus_seconds(10.0)),
        }))
    }
}

#[tokio::test]
async fn a_method_of_ones_own_answers_every_question() -> Result<(), DrainError> {
    let method: Box<dyn DrainMethod> = Box::new(Ledger::default());
    let task = Task {
        id: TaskId::new("t1"),
        app: AppId::new("web.main.git1.config1"),
        host: "host1".to_owned(),
        ports: vec![],
        phase: TaskPhase::Running,
        staged_at: None,
        started_at: None,
        health: Health::Alive,
    };
    let at = Timestamp::from_seconds;
    method.drain(&task, at(100.0)).await?;
    method.drain(&task, at(105.0)).await?;
    assert!(method.is_draining(&task).await?);
    assert!(!method.is_safe_to_kill(&task, at(110.0)).await?);
    assert!(method.is_safe_to_kill(&task, at(110.001)).await?);
    let status = method.status(&task).await?;
    assert_eq!(status.look_again(&method.timing(), at(105.0)), Some(at(110.001)));
    assert!(!method.timing().renewal_due(&status, at(1e6)), "it does not end by itself");
    method.stop_draining(&task).await?;
    method.stop_draining(&task).await?;
    assert!(!method.is_draining(&task).await?);
    Ok(())
}
