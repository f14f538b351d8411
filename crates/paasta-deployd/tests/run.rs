//! The loop over real files, a real socket and tasks, with passes that are written down instead of run.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use futures_util::StreamExt;
use paasta_core::{AppId, Change, InstanceId, ServiceName, SystemClock};
use paasta_deployd::{
    ConfigFiles, Configs, Handle, Listing, NudgeListener, PassAlerts, PassReport, PassResult, Ports,
    RegenerateResult, RunPass, Scope, Settings, SweepRoots, Wake, run,
};
use tokio::io::AsyncWriteExt;
use tokio::sync::{mpsc, oneshot};

/// Lists `<soa-dir>/<service>/marathon-here.yaml` as one instance `main` per service; panics for `poison`.
struct Fake {
    soa_dir: PathBuf,
    passes: Mutex<BTreeMap<String, u32>>,
    regenerations: Mutex<BTreeMap<String, u32>>,
    told: Mutex<Vec<(String, PassResult)>>,
}

impl PassAlerts for Fake {
    fn pass_ended(&self, instance: &InstanceId, report: &PassReport) {
        self.told.lock().expect("lock").push((instance.to_string(), report.result.clone()));
    }
}

#[async_trait]
impl Configs for Fake {
    async fn list(&self, scope: &Scope) -> Result<Listing, String> {
        let found = std::fs::read_dir(&self.soa_dir).map_err(|error| error.to_string())?;
        let names = found.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        let services = names.filter_map(|name| ServiceName::new(name).ok()).filter(|name| scope.holds(name));
        let ids = services.map(|name| format!("{name}.main").parse().expect("an instance"));
        Ok(Listing::of(scope.clone(), ids))
    }

    async fn regenerate(&self, service: &ServiceName) -> RegenerateResult {
        *self.regenerations.lock().expect("lock").entry(service.to_string()).or_default() += 1;
        RegenerateResult::Unchanged
    }
}

#[async_trait]
impl RunPass for Fake {
    async fn run_pass(&self, instance: &InstanceId, _wake: Wake) -> PassReport {
        *self.passes.lock().expect("lock").entry(instance.to_string()).or_default() += 1;
        match instance.service().as_str() {
            "poison" => panic!("rendering broke"),
            "hangs" => std::future::pending().await,
            _ => PassReport::new(PassResult::Steady),
        }
    }
}

struct Running {
    fake: Arc<Fake>,
    handle: Handle,
    nudge: SocketAddr,
    changes: mpsc::UnboundedSender<Change>,
    stop: oneshot::Sender<()>,
    ended: tokio::task::JoinHandle<Result<(), paasta_deployd::RunError>>,
    root: tempfile::TempDir,
}

async fn start(services: &[&str]) -> Running {
    let root = tempfile::tempdir().expect("a folder");
    let (soa_dir, system_config_dir) = (root.path().join("soa"), root.path().join("etc"));
    std::fs::create_dir_all(&system_config_dir).expect("made");
    for service in services {
        std::fs::create_dir_all(soa_dir.join(service)).expect("made");
    }
    let fake = Arc::new(Fake {
        soa_dir: soa_dir.clone(),
        passes: Mutex::default(),
        regenerations: Mutex::default(),
        told: Mutex::default(),
    });
    let settings = Settings {
        file_sweep_seconds: 0.05,
        regenerate_seconds: 0.0,
        pass_gap_seconds: 0.01,
        failure_backoff_factor_seconds: 0.01,
        pass_seconds_max: 0.2,
        shutdown_seconds_max: 0.5,
        ..Settings::default()
    };
    let handle = Handle::new(settings, Arc::new(SystemClock));
    let nudges = NudgeListener::bind(([127, 0, 0, 1], 0).into()).expect("bound");
    let nudge = nudges.local_addr();
    let (changes, heard) = mpsc::unbounded_channel();
    let files = Arc::new(ConfigFiles::new(SweepRoots { soa_dir, system_config_dir }));
    let ports = Ports {
        changes: tokio_stream(heard),
        nudges: Some(nudges),
        alerts: Some(fake.clone()),
        ..Ports::new(Arc::new(SystemClock), fake.clone(), fake.clone(), files)
    };
    let (stop, stopped) = oneshot::channel::<()>();
    let shutdown = async { stopped.await.unwrap_or_default() };
    let ended = tokio::spawn(run(handle.clone(), ports, shutdown));
    Running { fake, handle, nudge, changes, stop, ended, root }
}

fn tokio_stream(heard: mpsc::UnboundedReceiver<Change>) -> futures_util::stream::BoxStream<'static, Change> {
    futures_util::stream::unfold(heard, |mut heard| async { Some((heard.recv().await?, heard)) }).boxed()
}

impl Running {
    fn passes(&self, service: &str) -> u32 {
        *self.fake.passes.lock().expect("lock").get(&format!("{service}.main")).unwrap_or(&0)
    }

    fn regenerations(&self, service: &str) -> u32 {
        *self.fake.regenerations.lock().expect("lock").get(service).unwrap_or(&0)
    }

    fn write(&self, path: &str) {
        let path = self.root.path().join(path);
        std::fs::create_dir_all(path.parent().expect("below")).expect("made");
        std::fs::write(path, "x").expect("written");
    }
}

#[track_caller]
fn soon(what: &str, mut holds: impl FnMut() -> bool) -> impl Future<Output = ()> {
    let (place, until) = (std::panic::Location::caller(), Instant::now() + Duration::from_secs(10));
    let what = what.to_owned();
    std::future::poll_fn(move |context| {
        if holds() {
            return std::task::Poll::Ready(());
        }
        assert!(Instant::now() < until, "{what} did not happen ({place})");
        let waker = context.waker().clone();
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(5)).await;
            waker.wake();
        });
        std::task::Poll::Pending
    })
}

#[tokio::test]
async fn files_engine_and_nudges_lead_to_passes() {
    let running = start(&["one", "two"]).await;
    soon("the first passes", || running.passes("one") == 1 && running.passes("two") == 1).await;
    soon("the first regeneration", || running.regenerations("one") == 1).await;

    running.write("soa/one/marathon-here.yaml");
    soon("a pass after an edit", || running.passes("one") == 2).await;
    assert_eq!(running.passes("two"), 1);

    running.changes.send(Change::App(AppId::new("/two.main.gitx.configy"))).expect("heard");
    soon("a pass after an engine event", || running.passes("two") == 2).await;

    let mut stream = tokio::net::TcpStream::connect(running.nudge).await.expect("connected");
    stream.write_all(b"two\n").await.expect("written");
    drop(stream);
    soon("a regeneration after a nudge", || running.regenerations("two") == 2).await;

    running.write("soa/three/service.yaml");
    soon("a pass of a new service", || running.passes("three") == 1).await;

    running.write("etc/cluster.json");
    soon("passes of all", || running.passes("one") == 3 && running.passes("three") == 2).await;

    running.stop.send(()).expect("heard");
    running.ended.await.expect("no panic").expect("no error");
}

#[tokio::test]
async fn poison_and_a_pass_that_hangs_are_failures_of_their_own() {
    let running = start(&["poison", "hangs", "fine"]).await;
    soon("retries of the panicking pass", || running.passes("poison") >= 3).await;
    soon("retries of the pass that hangs", || running.passes("hangs") >= 2).await;
    soon("the reasons", || {
        let snapshot = serde_json::to_string(&running.handle.snapshot()).expect("JSON");
        snapshot.contains("it panicked: rendering broke")
            && snapshot.contains("the pass took longer than 0.2 s")
    })
    .await;
    assert_eq!(running.passes("fine"), 1);

    let asked = Instant::now();
    running.stop.send(()).expect("heard");
    running.ended.await.expect("no panic").expect("no error");
    assert!(asked.elapsed() < Duration::from_secs(5), "shutting down took {:?}", asked.elapsed());
}

#[tokio::test]
async fn people_are_told_how_passes_ended() {
    let running = start(&["poison", "fine"]).await;
    let told = |name: &str, is: fn(&PassResult) -> bool| {
        let told = running.fake.told.lock().expect("lock");
        told.iter().any(|(instance, result)| instance == name && is(result))
    };
    soon("word of the good pass", || told("fine.main", |result| *result == PassResult::Steady)).await;
    soon("word of the bad one", || {
        told(
            "poison.main",
            |result| matches!(result, PassResult::Failed(why) if why.contains("rendering broke")),
        )
    })
    .await;
    running.stop.send(()).expect("heard");
    running.ended.await.expect("no panic").expect("no error");
}
