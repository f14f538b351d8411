//! The loop while leadership comes and goes, with passes that are written down instead of run.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use paasta_core::{Election as _, InstanceId, ServiceName, Standing, SystemClock};
use paasta_deployd::{
    Because, Configs, CountChange, Files, Handle, HostsLooked, Inbox, InboxEntry, Listing, Maintenance,
    OnceError, OnceLimits, PassReport, PassResult, Ports, RegenerateResult, RunError, RunPass, Scope,
    Settings, Swept, Wake, run, run_once,
};
use paasta_zookeeper::FileElection;
use tokio::sync::{Notify, mpsc, oneshot};

/// A world of these instances. Passes of service `hangs` never end, those of `poison` panic or fail in turn, the first two
/// of `flaky` fail. Tags of `tagless` cannot be looked at, those of `tagless-twice` not at first.
#[derive(Default)]
struct World {
    instances: Vec<&'static str>,
    passes: Mutex<BTreeMap<String, Vec<Because>>>,
    regenerations: Mutex<BTreeMap<String, usize>>,
    /// Passes that were dropped before they ended.
    dropped: Arc<Mutex<usize>>,
    consumed: Mutex<Vec<String>>,
    settings: Mutex<Option<Settings>>,
    hosts: Mutex<HostsLooked>,
    looked: Notify,
}

struct Ends(Arc<Mutex<usize>>, bool);

impl Drop for Ends {
    fn drop(&mut self) {
        if !self.1 {
            *self.0.lock().expect("lock") += 1;
        }
    }
}

#[async_trait]
impl RunPass for World {
    async fn run_pass(&self, instance: &InstanceId, wake: Wake) -> PassReport {
        let count = {
            let mut passes = self.passes.lock().expect("lock");
            let passes = passes.entry(instance.to_string()).or_default();
            passes.push(wake.because);
            passes.len()
        };
        let mut ends = Ends(self.dropped.clone(), false);
        match instance.service().as_str() {
            "hangs" => std::future::pending().await,
            "poison" if count % 2 == 0 => panic!("rendering broke"),
            "flaky" if count < 3 => {
                ends.1 = true;
                PassReport::failed("refused with status 500")
            }
            "poison" => {
                ends.1 = true;
                PassReport::failed("refused with status 500")
            }
            "slow" if count < 3 => {
                ends.1 = true;
                PassReport::new(PassResult::LookAgain { seconds: 0.0 })
            }
            _ => {
                ends.1 = true;
                PassReport::new(PassResult::Steady)
            }
        }
    }
}

#[async_trait]
impl Configs for World {
    async fn list(&self, scope: &Scope) -> Result<Listing, String> {
        let all = self.instances.iter().map(|name| name.parse::<InstanceId>().expect("an instance"));
        Ok(Listing::of(scope.clone(), all.filter(|id| scope.holds(id.service()))))
    }

    async fn regenerate(&self, service: &ServiceName) -> RegenerateResult {
        let mut regenerations = self.regenerations.lock().expect("lock");
        let count = regenerations.entry(service.to_string()).or_default();
        *count += 1;
        match service.as_str() {
            "tagless" => RegenerateResult::Failed("no answer".to_owned()),
            "tagless-twice" if *count < 3 => RegenerateResult::Failed("no answer".to_owned()),
            _ => RegenerateResult::Unchanged,
        }
    }

    async fn settings(&self) -> Result<Option<Settings>, String> {
        Ok(self.settings.lock().expect("lock").clone())
    }
}

#[async_trait]
impl Files for World {
    async fn sweep(&self) -> Swept {
        Swept::default()
    }

    async fn stirred(&self) {
        std::future::pending().await
    }
}

#[async_trait]
impl Maintenance for World {
    async fn look(&self, _known: &std::collections::BTreeSet<String>) -> Result<HostsLooked, String> {
        self.looked.notify_one();
        Ok(self.hosts.lock().expect("lock").clone())
    }
}

#[async_trait]
impl Inbox for World {
    fn take(&self) -> BoxStream<'static, InboxEntry> {
        let now = paasta_core::Clock::now(&SystemClock);
        let entry = |key: &str, instance: &str| InboxEntry {
            key: key.to_owned(),
            instance: instance.parse().expect("an instance"),
            wait_until: now,
            bounce_by: now,
        };
        let entries =
            [entry("entry-1", "fine.main"), entry("entry-2", "gone.main"), entry("entry-3", "poison.main")];
        futures_util::stream::iter(entries).chain(futures_util::stream::pending()).boxed()
    }

    async fn consume(&self, key: &str) -> Result<(), String> {
        self.consumed.lock().expect("lock").push(key.to_owned());
        Ok(())
    }
}

impl World {
    fn of(instances: &[&'static str]) -> Arc<Self> {
        Arc::new(Self { instances: instances.to_vec(), ..Self::default() })
    }

    fn passes(&self, instance: &str) -> usize {
        self.passes.lock().expect("lock").get(instance).map_or(0, Vec::len)
    }

    fn regenerations(&self, service: &str) -> usize {
        self.regenerations.lock().expect("lock").get(service).copied().unwrap_or_default()
    }

    fn reasons(&self, instance: &str) -> Vec<Because> {
        self.passes.lock().expect("lock").get(instance).cloned().unwrap_or_default()
    }

    fn ports(self: &Arc<Self>) -> Ports {
        Ports::new(Arc::new(SystemClock), self.clone(), self.clone(), self.clone())
    }
}

fn settings() -> Settings {
    Settings {
        regenerate_seconds: 0.0,
        pass_gap_seconds: 0.01,
        failure_backoff_factor_seconds: 0.01,
        stopped_seconds: 0.05,
        maintenance_polling_seconds: 0.05,
        shutdown_seconds_max: 0.3,
        ..Settings::default()
    }
}

fn stream<T: Send + 'static>() -> (mpsc::UnboundedSender<T>, BoxStream<'static, T>) {
    let (says, heard) = mpsc::unbounded_channel();
    let heard = futures_util::stream::unfold(heard, |mut heard| async { Some((heard.recv().await?, heard)) });
    (says, heard.boxed())
}

struct Running {
    handle: Handle,
    stop: oneshot::Sender<()>,
    ended: tokio::task::JoinHandle<Result<(), RunError>>,
}

fn start(ports: Ports) -> Running {
    let handle = Handle::new(settings(), Arc::new(SystemClock));
    let (stop, stopped) = oneshot::channel::<()>();
    let shutdown = async { stopped.await.unwrap_or_default() };
    let ended = tokio::spawn(run(handle.clone(), ports, shutdown));
    Running { handle, stop, ended }
}

impl Running {
    async fn end(self) {
        self.stop.send(()).expect("it runs");
        self.ended.await.expect("no panic").expect("no error");
    }
}

#[track_caller]
fn soon(what: &str, mut holds: impl FnMut() -> bool) -> impl Future<Output = ()> {
    let (place, until) = (std::panic::Location::caller(), Instant::now() + Duration::from_secs(10));
    let what = what.to_owned();
    async move {
        while !holds() {
            assert!(Instant::now() < until, "{what} did not happen ({place})");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

#[tokio::test]
async fn without_leadership_passes_are_dropped_and_with_it_all_begin_again() {
    let world = World::of(&["hangs.main", "fine.main"]);
    let (says, standing) = stream();
    let running = start(Ports { standing, ..world.ports() });
    says.send(Standing::Waiting { leader: Some("other.example.org".into()) }).expect("heard");
    soon("the listing", || running.handle.snapshot().instances == 2).await;
    assert_eq!(running.handle.snapshot().standing_detail.as_deref(), Some("other.example.org"));
    assert_eq!((world.passes("hangs.main"), world.passes("fine.main")), (0, 0));
    let service = || ServiceName::new("fine").expect("a service");
    let refused = running.handle.nudge(service()).expect_err("another one leads");
    assert_eq!(refused.to_string(), "this deployd stands by: `other.example.org` leads");

    says.send(Standing::Leading).expect("heard");
    soon("the first passes", || world.passes("hangs.main") == 1 && world.passes("fine.main") == 1).await;
    running.handle.nudge(service()).expect("it leads");

    says.send(Standing::Lost("the session ended".into())).expect("heard");
    soon("the end of the pass", || *world.dropped.lock().expect("lock") == 1).await;
    soon("nothing under way", || running.handle.snapshot().running.is_empty()).await;
    assert_eq!(running.handle.snapshot().standing, "lost");
    assert!(running.handle.nudge(service()).is_err());

    says.send(Standing::Leading).expect("heard");
    soon("passes of all", || world.passes("hangs.main") == 2 && world.passes("fine.main") == 2).await;
    assert!(running.handle.snapshot().queue.iter().all(|entry| entry.failures == 0));

    let asked = Instant::now();
    running.end().await;
    assert!(asked.elapsed() < Duration::from_secs(5), "it took {:?}", asked.elapsed());
    assert_eq!(*world.dropped.lock().expect("lock"), 2, "what hangs is abandoned");
}

#[tokio::test]
async fn of_two_on_one_machine_one_leads_and_the_other_takes_over() {
    let folder = tempfile::tempdir().expect("a folder");
    let stand = |name: &str| FileElection::new(folder.path(), "/paasta-deployd-leader", name).stand();
    let (one, two) = (World::of(&["fine.main"]), World::of(&["fine.main"]));
    let first = start(Ports { standing: stand("one"), ..one.ports() });
    soon("the first leads", || one.passes("fine.main") == 1).await;
    let second = start(Ports { standing: stand("two"), ..two.ports() });
    soon("the second stands by", || second.handle.snapshot().standing_detail.as_deref() == Some("one")).await;
    assert_eq!(two.passes("fine.main"), 0);
    first.end().await;
    soon("the second leads", || two.passes("fine.main") == 1).await;
    second.end().await;
}

#[tokio::test]
async fn poison_is_seen_and_tried_for_ever_and_delays_nobody() {
    let world = World::of(&["poison.a", "poison.b", "poison.c", "poison.d", "poison.e", "fine.main"]);
    let running = start(world.ports());
    soon("retries of all", || ["poison.a", "poison.e"].iter().all(|name| world.passes(name) >= 5)).await;
    let snapshot = running.handle.snapshot();
    let seen = snapshot.queue.iter().find(|entry| entry.failures >= 3 && entry.last.is_some());
    let seen = seen.expect("one that waits for its next try");
    assert!(seen.wait_until > seen.last_at.expect("it had a pass"), "{seen:?}");
    let PassResult::Failed(reason) = &seen.last.as_ref().expect("checked").result else { panic!("{seen:?}") };
    assert!(reason.contains("rendering broke") || reason.contains("status 500"), "{reason}");
    assert_eq!(world.passes("fine.main"), 1);
    running.end().await;
}

#[tokio::test]
async fn hosts_counts_entries_nudges_and_reloads_reach_their_instances() {
    let world = World::of(&["fine.main", "auto.main", "poison.main"]);
    *world.hosts.lock().expect("lock") = HostsLooked {
        leaving: ["h".to_owned()].into(),
        apps: [paasta_core::AppId::new("/auto.main.gitx.configy")].into(),
    };
    let (says, counts) = stream();
    let ports =
        Ports { counts, maintenance: Some(world.clone()), inbox: Some(world.clone()), ..world.ports() };
    let running = start(ports);
    soon("the pass for the host", || world.reasons("auto.main").contains(&Because::HostLeaves)).await;
    assert_eq!(running.handle.snapshot().leaving_hosts, ["h"]);
    soon("entries of others are consumed", || world.consumed.lock().expect("lock").len() >= 2).await;
    let mut consumed = world.consumed.lock().expect("lock").clone();
    consumed.sort();
    assert_eq!(consumed, ["entry-1", "entry-2"], "one is done, one is of no instance, one fails");

    says.send(CountChange::Of("auto.main".parse().expect("an instance"))).expect("heard");
    soon("the pass for the count", || world.reasons("auto.main").contains(&Because::CountChanged)).await;

    *world.settings.lock().expect("lock") = Some(Settings { workers: 7, ..settings() });
    assert!(running.handle.reload());
    soon("passes of all", || world.reasons("fine.main").contains(&Because::EverythingChanged)).await;
    assert_eq!(running.handle.snapshot().workers, 7);
    running.handle.nudge("fine".parse().expect("a service")).expect("it leads");
    let handle = running.handle.clone();
    running.end().await;
    assert!(!handle.reload(), "nobody listens any more");
}

fn once(
    world: &Arc<World>,
    tries: u32,
    patience: Duration,
) -> impl Future<Output = Result<(), OnceError>> + use<> {
    let settings = Settings { regenerate_backoff_seconds_max: 0.01, ..settings() };
    let handle = Handle::new(settings, Arc::new(SystemClock));
    run_once(handle, world.ports(), OnceLimits { tries, patience }, std::future::pending())
}

#[tokio::test]
async fn once_ends_when_all_is_as_wanted() {
    let world = World::of(&["slow.main", "fine.main"]);
    once(&world, 6, Duration::from_secs(10)).await.expect("all is well");
    assert_eq!((world.passes("slow.main"), world.passes("fine.main")), (3, 1));
}

#[tokio::test]
async fn once_tries_what_fails_again_and_goes_on_with_the_others_meanwhile() {
    let world = World::of(&["fine.main", "flaky.main", "slow.main", "tagless-twice.main"]);
    once(&world, 6, Duration::from_secs(10)).await.expect("all is well in the end");
    assert_eq!((world.passes("flaky.main"), world.passes("slow.main")), (3, 3));
    assert_eq!(world.regenerations("tagless-twice"), 3);

    let world = World::of(&["fine.main", "poison.main", "slow.main", "tagless.main"]);
    let Err(OnceError::Unsettled(left)) = once(&world, 4, Duration::from_secs(10)).await else {
        panic!("two fail for ever")
    };
    let left: Vec<(&str, &str)> = left.iter().map(|one| (one.what.as_str(), one.reason.as_str())).collect();
    let expected = [
        ("tagless", "its deployments.json could not be regenerated: no answer"),
        ("poison.main", "it panicked: rendering broke"),
    ];
    assert_eq!(left, expected);
    assert!(world.passes("poison.main") >= 4 && world.regenerations("tagless") >= 4);
    assert_eq!((world.passes("slow.main"), world.passes("fine.main")), (3, 1));
}

#[tokio::test]
async fn once_names_what_fails_and_what_does_not_end() {
    let world = World::of(&["poison.main", "fine.main"]);
    let error = once(&world, 1, Duration::from_secs(10)).await.expect_err("one fails");
    assert!(error.to_string().starts_with("1 is not as wanted:\n  poison.main: "), "{error}");
    assert_eq!((world.passes("poison.main"), world.passes("fine.main")), (1, 1));

    let world = World::of(&["hangs.main", "fine.main"]);
    let Err(OnceError::Unsettled(left)) = once(&world, 6, Duration::from_millis(300)).await else {
        panic!("it hangs")
    };
    assert_eq!((left.len(), left[0].what.as_str()), (1, "hangs.main"));

    let world = World::of(&["fine.main"]);
    let handle = Handle::new(settings(), Arc::new(SystemClock));
    let (_says, standing) = stream();
    let ports = Ports { standing, ..world.ports() };
    let limits = OnceLimits { patience: Duration::from_millis(100), ..OnceLimits::default() };
    let error = run_once(handle, ports, limits, std::future::pending()).await;
    assert!(error.expect_err("it does not lead").to_string().contains("fine.main: no pass has ended yet"));
}
