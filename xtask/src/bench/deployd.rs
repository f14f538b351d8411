//! `paasta-deployd` as a process of its own, on an engine of idle tasks behind a proxy that notes when it is spoken to.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::Bench;
use super::engine::Engine;
use super::measure::Cost;
use super::tree::{self, Tree};
use anyhow::{Context, ensure};

/// Of two instances each.
const SERVICES: usize = 2_500;
const EDITS: usize = 100;
const PUSHES: usize = 50;
/// What deployd alone may take with nothing to do.
const RSS_KIB_MAX: u64 = 64 * 1024;
/// Between two looks at an instance with nothing to wait for, as by default.
const RESYNC_SECONDS: u32 = 600;
const PATIENCE: Duration = Duration::from_secs(900);

/// The 99th percentile of the time from an edit to the first request that names its app.
pub(super) fn edit_to_call(bench: &Bench, scratch: &Path) -> anyhow::Result<Cost> {
    let place = Place::start(bench, scratch, SERVICES)?;
    let (mut calls, mut writes) = (Vec::new(), Vec::new());
    for edit in 0..EDITS {
        let service = tree::name(edit * 7 % SERVICES);
        place.proxy.listen_for(&format!("{service}.main"));
        let path = place.tree.soa.join(&service).join("marathon-bench.yaml");
        let text = fs::read_to_string(&path)?.replace("sleep 1000", &format!("sleep {}", 2000 + edit));
        let begun = Instant::now();
        fs::write(&path, text)?;
        let heard = || place.proxy.heard().1.is_some();
        wait(Duration::from_secs(30), "the change reached the engine", heard)?;
        let (call, write) = place.proxy.heard();
        calls.extend(call.map(|at| at.duration_since(begun)));
        writes.extend(write.map(|at| at.duration_since(begun)));
        // Nobody edits a hundred services a minute: what the engine does for the last edit is no part of the next.
        wait_seldom("the end of the bounce", || place.is_settled())?;
    }
    for (what, times) in [("first request", &mut calls), ("first change", &mut writes)] {
        let (median, worst) = (percentile(times, 50), percentile(times, 99));
        println!("  edit to {what}: p50 {median:?}, p99 {worst:?}, of {}", times.len());
    }
    Ok(Cost { wall: percentile(&mut calls, 99), cpu: Duration::ZERO })
}

/// The 99th percentile of the time from a nudge, sent when a tag is there, to the request that creates its version.
pub(super) fn nudge_to_call(bench: &Bench, scratch: &Path) -> anyhow::Result<Cost> {
    tree::remotes(scratch, PUSHES)?;
    let place = Place::start(bench, scratch, SERVICES)?;
    let mut took = Vec::new();
    for push in 0..PUSHES {
        let service = tree::name(push);
        let sha = tree::push(scratch, &service, push)?;
        place.proxy.listen_for(&sha);
        let begun = Instant::now();
        TcpStream::connect(place.nudges)?.write_all(format!("{service}\n").as_bytes())?;
        wait(Duration::from_secs(30), "the tag reached the engine", || place.proxy.heard().1.is_some())?;
        took.extend(place.proxy.heard().1.map(|at| at.duration_since(begun)));
        wait_seldom("the end of the bounce", || place.is_settled())?;
    }
    let (median, worst) = (percentile(&mut took, 50), percentile(&mut took, 99));
    println!("  nudge to first change: p50 {median:?}, p99 {worst:?}, of {}", took.len());
    Ok(Cost { wall: worst, cpu: Duration::ZERO })
}

fn percentile(times: &mut [Duration], percent: usize) -> Duration {
    times.sort();
    times.get((times.len() * percent).div_ceil(100).saturating_sub(1)).copied().unwrap_or_default()
}

/// What deployd alone takes in ten minutes with nothing to do: a quiet time, scaled, and one look at every instance.
pub(super) fn nothing_to_do(bench: &Bench, scratch: &Path) -> anyhow::Result<Cost> {
    const QUIET: Duration = Duration::from_secs(60);
    let place = Place::start(bench, scratch, SERVICES)?;
    let (begun, before) = (Instant::now(), place.cpu()?);
    while begun.elapsed() < QUIET {
        thread::sleep(Duration::from_millis(200));
    }
    let quiet = place.cpu()?.saturating_sub(before);
    let (before, passes) = (place.cpu()?, place.figure("passes_total")?);
    // Every instance is looked at, as they are by and by in the time of a resync.
    let hangup = Command::new("kill").args(["-HUP", &place.deployd.0.id().to_string()]).status()?;
    ensure!(hangup.success(), "could not send SIGHUP");
    wait_seldom("another look at every instance", || {
        place.figure("passes_total").is_ok_and(|now| now >= passes + (2 * SERVICES) as f64)
            && place.is_settled()
    })?;
    let look = place.cpu()?.saturating_sub(before);
    let rss = place.status("VmRSS:")?;
    println!(
        "  quiet for {QUIET:?}: {quiet:?}; one look at all: {look:?}; RSS {rss} KiB, at most {} KiB",
        place.status("VmHWM:")?
    );
    let cpu = quiet * RESYNC_SECONDS / u32::try_from(QUIET.as_secs())? + look;
    println!("  {:.2} % of a core", cpu.as_secs_f64() * 100.0 / f64::from(RESYNC_SECONDS));
    ensure!(rss <= RSS_KIB_MAX, "RSS is {rss} KiB, more than {RSS_KIB_MAX}");
    Ok(Cost { wall: Duration::ZERO, cpu })
}

/// From an edit to twenty new tasks alone, where starting, checking and draining take no time of their own.
pub(super) fn crossover(bench: &Bench, scratch: &Path) -> anyhow::Result<Cost> {
    let place = Place::start(bench, scratch, 1)?;
    let service = tree::name(0);
    let path = place.tree.soa.join(&service).join("marathon-bench.yaml");
    let tasks = |command: &str| {
        let apps = get(place.engine_address, "/v2/apps?embed=apps.tasks").unwrap_or_default();
        (apps.matches(command).count(), apps.matches("TASK_RUNNING").count())
    };
    let edit = |command: &str| -> anyhow::Result<()> {
        let text = format!(
            "main:\n  deploy_group: everything\n  cpus: 0.25\n  mem: 512\n  instances: 20\n  cmd: {command}\n  \
             bounce_method: crossover\n  drain_method: noop\n"
        );
        Ok(fs::write(&path, text)?)
    };
    edit("sleep 1111")?;
    // `canary` is in no file any more and goes on with its one task.
    wait(PATIENCE, "twenty tasks", || tasks("sleep 1111").0 > 0 && tasks("sleep 1111").1 == 21)?;
    wait(PATIENCE, "that all is settled", || place.is_settled())?;
    let begun = Instant::now();
    edit("sleep 2222")?;
    wait(PATIENCE, "the end of the bounce", || {
        let (new, running) = tasks("sleep 2222");
        new > 0 && running == 21 && tasks("sleep 1111").0 == 0
    })?;
    Ok(Cost { wall: begun.elapsed(), cpu: Duration::ZERO })
}

/// A deployd that has nothing left to do.
struct Place {
    tree: Tree,
    deployd: Ended,
    http: SocketAddr,
    nudges: SocketAddr,
    proxy: Arc<Proxy>,
    engine_address: SocketAddr,
    _engine: Engine,
}

impl Place {
    fn start(bench: &Bench, scratch: &Path, services: usize) -> anyhow::Result<Self> {
        let engine = Engine::start(bench, &scratch.join("engine"))?;
        let engine_address = engine.address;
        let (proxy, address) = Proxy::start(engine_address)?;
        let tree = tree::build(scratch, services, &format!("http://{address}"))?;
        let http = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let nudges = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let settings = serde_json::json!({
            "deployd_http_listen": http.to_string(),
            "deployd_nudge_listen": nudges.to_string(),
            "deployd_log_level": "ERROR",
            // Most have no remote, and tags are told by nudges.
            "deployd_regenerate_seconds": 0,
            "deployd_resync_seconds": 1_000_000,
        });
        fs::write(tree.etc.join("deployd.json"), settings.to_string())?;
        let child = Command::new(bench.bin.join("paasta-deployd"))
            .arg("-d")
            .arg(&tree.soa)
            .env("PAASTA_SYSTEM_CONFIG_DIR", &tree.etc)
            .stdin(Stdio::null())
            .spawn()
            .context("could not start paasta-deployd")?;
        let place =
            Self { tree, deployd: Ended(child), http, nudges, proxy, engine_address, _engine: engine };
        wait_seldom("the first passes", || {
            place.figure("passes_total").is_ok_and(|passes| passes >= (2 * services) as f64)
                && place.is_settled()
        })?;
        Ok(place)
    }

    fn is_settled(&self) -> bool {
        let idle = |name| self.figure(name).is_ok_and(|value| value == 0.0);
        let soon = self.figure("unavailable_instances_with_deadline_in_next_3600s");
        idle("workers_busy") && idle("instances_to_bounce_now") && soon.is_ok_and(|soon| soon == 0.0)
    }

    /// The sum of the lines of that name.
    fn figure(&self, name: &str) -> anyhow::Result<f64> {
        let text = get(self.http, "/metrics")?;
        let start = format!("paasta_deployd_{name}{{");
        let lines = text.lines().filter(|line| line.starts_with(&start));
        let values: Vec<f64> = lines.filter_map(|line| line.rsplit_once(' ')?.1.parse().ok()).collect();
        ensure!(!values.is_empty(), "there is no figure `{name}`");
        Ok(values.iter().sum())
    }

    fn cpu(&self) -> anyhow::Result<Duration> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.deployd.0.id()))?;
        let fields = stat.rsplit_once(") ").context("a strange stat")?.1.split(' ');
        let ticks: u32 = fields.skip(11).take(2).filter_map(|field| field.parse::<u32>().ok()).sum();
        Ok(Duration::from_millis(10) * ticks)
    }

    fn status(&self, key: &str) -> anyhow::Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.deployd.0.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix(key)).context("no such line")?;
        Ok(line.split_whitespace().next().context("no number")?.parse()?)
    }
}

/// A process that ends with its owner.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Passes bytes on, and notes when a request came by that holds a text.
#[derive(Default)]
struct Proxy {
    state: Mutex<Noted>,
}

#[derive(Default)]
struct Noted {
    text: Option<String>,
    call: Option<Instant>,
    write: Option<Instant>,
}

impl Proxy {
    fn start(engine: SocketAddr) -> anyhow::Result<(Arc<Self>, SocketAddr)> {
        let (proxy, listener) = (Arc::new(Self::default()), TcpListener::bind("127.0.0.1:0")?);
        let address = listener.local_addr()?;
        let noting = proxy.clone();
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let Ok(server) = TcpStream::connect(engine) else { continue };
                let _ = (client.set_nodelay(true), server.set_nodelay(true));
                let (Ok(from_client), Ok(to_server)) = (client.try_clone(), server.try_clone()) else {
                    continue;
                };
                let noting = noting.clone();
                thread::spawn(move || pass_on(from_client, to_server, |bytes| noting.note(bytes)));
                thread::spawn(move || pass_on(server, client, |_| {}));
            }
        });
        Ok((proxy, address))
    }

    fn listen_for(&self, text: &str) {
        *self.noted() = Noted { text: Some(text.to_owned()), ..Noted::default() };
    }

    fn heard(&self) -> (Option<Instant>, Option<Instant>) {
        let noted = self.noted();
        (noted.call, noted.write)
    }

    fn note(&self, bytes: &[u8]) {
        let now = Instant::now();
        let mut noted = self.noted();
        let Some(text) = &noted.text else { return };
        if !bytes.windows(text.len()).any(|window| window == text.as_bytes()) {
            return;
        }
        noted.call.get_or_insert(now);
        if !bytes.starts_with(b"GET ") {
            noted.write.get_or_insert(now);
        }
    }

    fn noted(&self) -> std::sync::MutexGuard<'_, Noted> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn pass_on(mut from: TcpStream, mut to: TcpStream, mut note: impl FnMut(&[u8])) {
    let mut bytes = vec![0; 64 * 1024];
    while let Ok(length) = from.read(&mut bytes) {
        let Some(read) = bytes.get(..length).filter(|read| !read.is_empty()) else { break };
        note(read);
        if to.write_all(read).is_err() {
            break;
        }
    }
    let _ = to.shutdown(std::net::Shutdown::Both);
}

fn get(address: SocketAddr, path: &str) -> anyhow::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

fn wait(patience: Duration, what: &str, holds: impl FnMut() -> bool) -> anyhow::Result<()> {
    wait_by(patience, Duration::from_millis(2), what, holds)
}

/// Whoever asks for figures asks seldom: each answer is a walk over all instances, by the process that is measured.
fn wait_seldom(what: &str, holds: impl FnMut() -> bool) -> anyhow::Result<()> {
    wait_by(PATIENCE, Duration::from_secs(1), what, holds)
}

fn wait_by(
    patience: Duration,
    every: Duration,
    what: &str,
    mut holds: impl FnMut() -> bool,
) -> anyhow::Result<()> {
    let deadline = Instant::now() + patience;
    while !holds() {
        ensure!(Instant::now() < deadline, "waited in vain for {what}");
        thread::sleep(every);
    }
    Ok(())
}
