//! One look at everything the engine holds, shared by the passes that have the same reason to look.

use std::sync::{Arc, Weak};
use std::time::Duration;

use paasta_core::{App, Clock, Engine, Fleet, InstanceId, Reading, Timestamp};
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
    /// Each home's apps in the order of their ids: all of thousands of instances are looked up in it.
    fleet: Arc<Fleet>,
}

impl SharedFleet {
    /// Nobody has looked yet. The clock is that by which wakes are told.
    pub(crate) fn new(engine: Arc<dyn Engine>, clock: Arc<dyn Clock>) -> Self {
        Self { engine, clock, last: Arc::default() }
    }

    /// What a look showed of that instance that began after `since` and was answered no more than [`SERVES`] ago; whoever
    /// comes while one is under way waits for it. None where a part of it could not be read: what is shared by all must
    /// not let all fail for one lost answer.
    pub(crate) async fn after(&self, since: Timestamp, instance: &InstanceId) -> Option<Fleet> {
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
                let fleet = Arc::new(in_order(self.engine.observe_all().await));
                *last = Some(Look { began, answered: self.clock.now(), fleet: fleet.clone() });
                tokio::spawn(forget(Arc::downgrade(&self.last), began, SERVES));
                fleet
            }
        };
        drop(last);
        is_whole(&fleet).then(|| part(&fleet, instance))
    }
}

fn in_order(mut fleet: Fleet) -> Fleet {
    for home in fleet.homes.values_mut() {
        if let Reading::Known(apps) = home {
            apps.sort_by(|one, other| one.id.as_str().cmp(other.id.as_str()));
        }
    }
    fleet
}

/// The apps of one instance in a fleet that is in order: they stand one after the other, as they begin alike.
fn part(fleet: &Fleet, instance: &InstanceId) -> Fleet {
    let prefix = format!("{}.", instance.short_id());
    let own = |apps: &Vec<App>| {
        let begin = apps.partition_point(|app| app.id.as_str() < prefix.as_str());
        let from_there = apps.get(begin..).unwrap_or_default();
        from_there.iter().take_while(|app| app.id.as_str().starts_with(&prefix)).cloned().collect()
    };
    Fleet {
        homes: fleet.homes.iter().map(|(home, apps)| (home.clone(), apps.as_ref().map(own))).collect(),
        leaving_hosts: fleet.leaving_hosts.clone(),
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

    use paasta_core::{AppId, HomeId};
    use paasta_testkit::{RecordingEngine, SimClock, SimEngine as _};

    use super::*;

    fn somebody() -> InstanceId {
        "s.i".parse().expect("an instance")
    }

    fn app(id: &str) -> App {
        App {
            id: AppId::new(id),
            home: HomeId::new("a"),
            instances: 1,
            tasks: vec![],
            checks: None,
            deploying: false,
            launch: None,
            last_failure: None,
        }
    }

    /// As by asking every app whose it is, which takes too long for thousands of instances.
    #[test]
    fn an_instance_gets_its_own_apps_and_no_others() {
        let ids = [
            "svc.main.git1.config2",
            "svc.main.git0.config1",
            "svc.main2.git0.config1",
            "svc.main--x.git0.config1",
            "svc.mai.git0.config1",
            "svc-a.main.git0.config1",
            "svc--a.main.git0.config1",
            "other.main.git0.config1",
            "svc.main",
            "cron.job",
        ];
        let homes = [(HomeId::new("a"), Reading::Known(ids.map(app).to_vec()))].into();
        let fleet = in_order(Fleet { homes, leaving_hosts: Reading::Known(BTreeSet::new()) });
        for name in
            ["svc.main", "svc.main_x", "svc.main2", "svc.mai", "svc-a.main", "svc_a.main", "none.main"]
        {
            let instance: InstanceId = name.parse().expect("an instance");
            let homes: Vec<_> = fleet.homes.keys().collect();
            let found = part(&fleet, &instance).of(&instance, homes.clone());
            assert_eq!(found, fleet.of(&instance, homes), "{name}");
        }
    }

    #[tokio::test]
    async fn a_look_serves_wakes_from_before_it_and_for_a_while() {
        let engine = Arc::new(RecordingEngine::new(["a", "b"]));
        let clock = SimClock::at(Timestamp::from_millis(1000));
        let shared = SharedFleet::new(engine.clone(), Arc::new(clock.clone()));
        let looks = async |since| {
            let before = engine.world().calls().reads;
            assert!(shared.after(Timestamp::from_millis(since), &somebody()).await.is_some());
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
        assert!(shared.after(Timestamp::from_millis(0), &somebody()).await.is_some());
        let kept = || shared.last.try_lock().is_ok_and(|last| last.is_some());
        let gone =
            |began| forget(Arc::downgrade(&shared.last), Timestamp::from_millis(began), Duration::ZERO);
        gone(999).await;
        assert!(kept(), "that was another look");
        gone(1000).await;
        assert!(!kept());
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
