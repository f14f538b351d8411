//! A drain method whose state a test owns.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use paasta_core::{Clock, Task, TaskId, Timestamp};
use paasta_drain::{DrainError, DrainMethod, DrainState, DrainStatus, DrainTiming, SafeToKill};

use crate::{SimClock, lock};

/// The drains of all tasks, with hacheck's habits: a drain takes a delay until it is safe, and ends by itself.
/// Clones share them.
#[derive(Clone, Debug)]
pub struct SimDrains {
    clock: SimClock,
    timing: DrainTiming,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    down: BTreeMap<TaskId, Down>,
    broken_hosts: BTreeSet<String>,
    asked: BTreeMap<TaskId, usize>,
    told: usize,
}

#[derive(Clone, Copy, Debug)]
struct Down {
    since: Timestamp,
    until: Timestamp,
    by_us: bool,
}

impl SimDrains {
    /// Drains that are safe after `delay_seconds` and end after `expiration_seconds`.
    pub fn new(clock: SimClock, delay_seconds: f64, expiration_seconds: f64) -> Self {
        let timing =
            DrainTiming { delay_seconds: Some(delay_seconds), expiration_seconds: Some(expiration_seconds) };
        Self { clock, timing, state: Arc::default() }
    }

    /// Every call about a task on these hosts fails from now on.
    pub fn break_hosts(&self, hosts: impl IntoIterator<Item = &'static str>) {
        lock(&self.state).broken_hosts = hosts.into_iter().map(str::to_owned).collect();
    }

    /// Somebody else takes traffic off a task, for a day.
    pub fn drain_by_hand(&self, task: &TaskId) {
        let since = self.clock.now();
        let down = Down { since, until: since.plus_seconds(86_400.0), by_us: false };
        lock(&self.state).down.insert(task.clone(), down);
    }

    /// The tasks that take no traffic now.
    pub fn drained(&self) -> BTreeSet<TaskId> {
        let now = self.clock.now();
        lock(&self.state)
            .down
            .iter()
            .filter(|(_, down)| now < down.until)
            .map(|(task, _)| task.clone())
            .collect()
    }

    /// Whether a task may be killed now without losing requests.
    pub fn is_safe(&self, task: &TaskId) -> bool {
        lock(&self.state).status(task, self.clock.now(), self.timing).is_safe_to_kill(self.clock.now())
    }

    /// Whether calls about tasks on this host fail.
    pub fn is_broken(&self, host: &str) -> bool {
        lock(&self.state).broken_hosts.contains(host)
    }

    /// How often the task asked most was asked how it stands, and how often any task was told anything; both since
    /// this was asked last.
    pub fn take_counts(&self) -> (usize, usize) {
        let mut state = lock(&self.state);
        let asked = std::mem::take(&mut state.asked).into_values().max().unwrap_or(0);
        (asked, std::mem::take(&mut state.told))
    }

    /// The method over these drains.
    pub fn method(&self) -> SimDrain {
        SimDrain(self.clone())
    }
}

impl State {
    fn status(&self, task: &TaskId, now: Timestamp, timing: DrainTiming) -> DrainStatus {
        match self.down.get(task) {
            Some(down) if now < down.until => DrainStatus {
                state: DrainState::Draining {
                    since: Some(down.since),
                    until: Some(down.until),
                    reason: None,
                    by_us: down.by_us,
                },
                safe: SafeToKill::After(down.since.plus_seconds(timing.delay_seconds.unwrap_or(0.0))),
            },
            _ => DrainStatus::SERVING,
        }
    }

    fn reach(&self, task: &Task) -> Result<(), DrainError> {
        match self.broken_hosts.contains(&task.host) {
            true => Err(DrainError::Other(format!("`{}` does not answer", task.host))),
            false => Ok(()),
        }
    }
}

/// The method over [`SimDrains`].
#[derive(Clone, Debug)]
pub struct SimDrain(SimDrains);

#[async_trait]
impl DrainMethod for SimDrain {
    fn timing(&self) -> DrainTiming {
        self.0.timing
    }

    async fn drain(&self, task: &Task, now: Timestamp) -> Result<(), DrainError> {
        let mut state = lock(&self.0.state);
        state.told += 1;
        state.reach(task)?;
        let until = now.plus_seconds(self.0.timing.expiration_seconds.unwrap_or(f64::MAX));
        // A repeated drain is renewed; it keeps its beginning.
        let since = state.down.get(&task.id).filter(|down| now < down.until).map_or(now, |down| down.since);
        state.down.insert(task.id.clone(), Down { since, until, by_us: true });
        Ok(())
    }

    async fn stop_draining(&self, task: &Task) -> Result<(), DrainError> {
        let mut state = lock(&self.0.state);
        state.told += 1;
        state.reach(task)?;
        state.down.remove(&task.id);
        Ok(())
    }

    async fn status(&self, task: &Task) -> Result<DrainStatus, DrainError> {
        let mut state = lock(&self.0.state);
        *state.asked.entry(task.id.clone()).or_default() += 1;
        state.reach(task)?;
        Ok(state.status(&task.id, self.0.clock.now(), self.0.timing))
    }
}
