//! One look at everything the engine holds, shared by the passes that have the same reason to look.

use std::sync::{Arc, Weak};
use std::time::Duration;

use paasta_core::{Clock, Engine, Fleet, Reading, Timestamp};
use tokio::sync::Mutex;

/// How long a look serves after it has been answered.
const SERVES: Duration = Duration::from_secs(5);

/// The last look, and who can look again. Time alone would not do: a look that began before something happened must
/// not serve the pass that was woken by it.
pub(crate) struct SharedFleet {
    engine: Arc<dyn Engine>,
    clock: Arc<dyn Clock>,
    last: Arc<Mutex<Option<Look>>>,
}

struct Look {
    began: Timestamp,
    answered: Timestamp,
    fleet: Arc<Fleet>,
}

impl SharedFleet {
    /// Nobody has looked yet. The clock is that by which wakes are told.
    pub(crate) fn new(engine: Arc<dyn Engine>, clock: Arc<dyn Clock>) -> Self {
        Self { engine, clock, last: Arc::default() }
    }

    /// What a look showed that began after `since` and was answered no more than [`SERVES`] ago; whoever comes while
    /// one is under way waits for it. None where a part of it could not be read: what is shared by all must not let
    /// all fail for one lost answer.
    pub(crate) async fn after(&self, since: Timestamp) -> Option<Arc<Fleet>> {
        let mut last = self.last.lock().await;
        let now = self.clock.now();
        let fleet = match last.as_ref() {
            Some(look) if look.began > since && now.since(look.answered) <= SERVES => look.fleet.clone(),
            _ => {
                if now <= since {
                    // In the same millisecond nobody could tell which was first.
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
                // Two of them at once would take much room.
                *last = None;
                let began = self.clock.now();
                let fleet = Arc::new(self.engine.observe_all().await);
                *last = Some(Look { began, answered: self.clock.now(), fleet: fleet.clone() });
                tokio::spawn(forget(Arc::downgrade(&self.last), began, SERVES));
                fleet
            }
        };
        is_whole(&fleet).then_some(fleet)
    }
}

/// Everything that runs takes much room, and nobody may look there for a long time.
async fn forget(last: Weak<Mutex<Option<Look>>>, began: Timestamp, serves: Duration) {
    tokio::time::sleep(serves).await;
    let Some(last) = last.upgrade() else { return };
    let mut last = last.lock().await;
    if last.as_ref().is_some_and(|look| look.began == began) {
        *last = None;
    }
}

fn is_whole(fleet: &Fleet) -> bool {
    let listed = fleet.homes.values().all(|home| matches!(home, Reading::Known(_)));
    listed && matches!(fleet.leaving_hosts, Reading::Known(_))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use paasta_core::HomeId;
    use paasta_testkit::{RecordingEngine, SimClock, SimEngine as _};

    use super::*;

    #[tokio::test]
    async fn a_look_serves_wakes_from_before_it_and_for_a_while() {
        let engine = Arc::new(RecordingEngine::new(["a", "b"]));
        let clock = SimClock::at(Timestamp::from_millis(1000));
        let shared = SharedFleet::new(engine.clone(), Arc::new(clock.clone()));
        let looks = async |since| {
            let before = engine.world().calls().reads;
            assert!(shared.after(Timestamp::from_millis(since)).await.is_some());
            (engine.world().calls().reads - before) / 2
        };
        assert_eq!(looks(0).await, 1);
        assert_eq!(looks(999).await, 0, "it is younger");
        assert_eq!(looks(1000).await, 1, "which of both was first is not known");
        clock.advance(5.0);
        assert_eq!(looks(999).await, 0);
        clock.advance(0.001);
        assert_eq!(looks(999).await, 1, "it is too old");
    }

    #[tokio::test]
    async fn a_look_is_forgotten_when_it_serves_no_more() {
        let clock = SimClock::at(Timestamp::from_millis(1000));
        let shared = SharedFleet::new(Arc::new(RecordingEngine::new(["a"])), Arc::new(clock));
        let fleet = Arc::downgrade(&shared.after(Timestamp::from_millis(0)).await.expect("it is whole"));
        let gone =
            |began| forget(Arc::downgrade(&shared.last), Timestamp::from_millis(began), Duration::ZERO);
        gone(999).await;
        assert!(fleet.upgrade().is_some(), "that was another look");
        gone(1000).await;
        assert!(fleet.upgrade().is_none());
    }

    #[test]
    fn a_part_that_is_unknown_is_not_shared() {
        let homes = |home| [(HomeId::new("a"), Reading::Known(vec![])), (HomeId::new("b"), home)].into();
        let none = || Reading::Known(BTreeSet::new());
        assert!(is_whole(&Fleet { homes: homes(Reading::Known(vec![])), leaving_hosts: none() }));
        let silent = Reading::Unknown("no answer".to_owned());
        assert!(!is_whole(&Fleet { homes: homes(silent), leaving_hosts: none() }));
        let leaving_hosts = Reading::Unknown("no answer".to_owned());
        assert!(!is_whole(&Fleet { homes: homes(Reading::Known(vec![])), leaving_hosts }));
    }
}
