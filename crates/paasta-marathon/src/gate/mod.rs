//! Room at Marathon: never more running deployments than configured.

mod room;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use paasta_core::{Action, Gate, Haste, HomeId, LockGuard, NoRoom};
use serde::de::IgnoredAny;
use tokio::time::{Instant, sleep_until, timeout};

use crate::client::Client;
use room::{Ask, Decision, Room, Shares};

/// Longest wait for the list of running deployments: whoever waits here holds its instance's lock.
const READ_MAX: Duration = Duration::from_secs(5);

/// Lets changes through while fewer deployments run at their home than may.
///
/// What can wait ([`Haste::Usual`]) has four fifths of the maximum, three quarters of that where it lets tasks start, so
/// that a person's deploy and the end of old tasks always find room. What runs is read from `/v2/deployments` when
/// somebody asks, at most twice a second, and what was let through since counts besides. A home whose deployments cannot
/// be read has no room. Programs share nothing but what Marathon shows: what others start between two reads is not seen, so
/// that those that begin within the same half second may together start as much as each of them has room for. From the
/// next read on nobody comes in until that has ended.
///
/// ```
/// use paasta_core::NoMaintenance;
/// use paasta_marathon::{MarathonEngine, MarathonServers};
///
/// let engine = MarathonEngine::new(&MarathonServers::default(), Box::new(NoMaintenance)).expect("no TLS needed");
/// let gate = engine.gate(100);
/// # let _ = gate;
/// ```
#[derive(Debug)]
pub struct DeploymentGate {
    homes: BTreeMap<HomeId, Arc<HomeGate>>,
    patience: Duration,
    beginning: Instant,
}

#[derive(Debug)]
struct HomeGate {
    client: Client,
    /// Held by whoever reads.
    reads: tokio::sync::Mutex<()>,
    room: Mutex<Room>,
}

/// One change that was let through.
struct Ticket {
    home: Arc<HomeGate>,
    number: u64,
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.home.room().answered(self.number);
    }
}

impl DeploymentGate {
    /// At most `max` deployments, at least one, at each home.
    pub(crate) fn new(homes: impl Iterator<Item = (HomeId, Client)>, max: usize) -> Self {
        let shares = Shares::new(max);
        let home = |(id, client): (HomeId, Client)| {
            let room = Mutex::new(Room::new(client.endpoint(), shares));
            (id, Arc::new(HomeGate { client, reads: tokio::sync::Mutex::default(), room }))
        };
        Self { homes: homes.map(home).collect(), patience: Duration::ZERO, beginning: Instant::now() }
    }

    /// Whoever finds no room waits for it, and is turned away only when nobody has come in for this long: for programs
    /// that come only once.
    pub fn with_patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// Reads what runs, unless somebody else has meanwhile.
    async fn read(&self, home: &HomeGate, ask: &Ask) -> Decision {
        let _turn = home.reads.lock().await;
        let decision = home.room().ask(self.beginning.elapsed(), ask);
        if decision != Decision::Read {
            return decision;
        }
        let begun = home.room().begin_read();
        let running = match timeout(READ_MAX, home.client.get::<Vec<IgnoredAny>>("/v2/deployments")).await {
            Ok(Ok(deployments)) => Ok(deployments.len()),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err(format!("no answer within {} s", READ_MAX.as_secs())),
        };
        let mut room = home.room();
        let now = self.beginning.elapsed();
        room.read(begun, now, running);
        room.ask(now, ask)
    }
}

impl HomeGate {
    fn room(&self) -> MutexGuard<'_, Room> {
        self.room.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Gate for DeploymentGate {
    async fn enter(&self, action: &Action, haste: Haste) -> Result<LockGuard, NoRoom> {
        // A home that is not there is the engine's to refuse.
        let Some(home) = self.homes.get(home_of(action)) else { return Ok(LockGuard::new(())) };
        let ask = ask_for(action, haste);
        loop {
            // The room is not kept across the wait.
            let decision = home.room().ask(self.beginning.elapsed(), &ask);
            let decision = match decision {
                Decision::Read => self.read(home, &ask).await,
                known => known,
            };
            match decision {
                Decision::Admit(number) => {
                    return Ok(LockGuard::new(Ticket { home: Arc::clone(home), number }));
                }
                Decision::Read => {}
                Decision::Full { reason, again, since } => {
                    if again > since + self.patience {
                        return Err(NoRoom(reason));
                    }
                    sleep_until(self.beginning + again).await;
                }
            }
        }
    }
}

fn home_of(action: &Action) -> &HomeId {
    let (Action::Create { home, .. }
    | Action::Scale { home, .. }
    | Action::KillAndShrink { home, .. }
    | Action::Delete { home, .. }) = action;
    home
}

/// A removal is two changes: Marathon may still end the deployment of the first when the second begins.
fn ask_for(action: &Action, haste: Haste) -> Ask {
    let (deployments, starts_tasks) = match action {
        Action::Create { .. } | Action::Scale { .. } => (1, true),
        Action::KillAndShrink { .. } => (1, false),
        Action::Delete { .. } => (2, false),
    };
    Ask { haste, deployments, starts_tasks }
}
