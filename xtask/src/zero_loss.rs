//! `cargo xtask zero-loss`: a real HAProxy, hacheck and real processes under load, bounced time and again; not one request
//! may be lost by it.

mod client;
mod watch;

use std::fmt;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use clap::Args;
use client::{Counts, Load};
use paasta_engine::JournalEntry;
use watch::Watch;
use xtask::tidy::workspace_root;

use crate::ground::{Ground, Up};

/// Tasks of the service that is asked.
const TASKS: usize = 4;
/// Requests per second that there must be.
const RATE_MIN: f64 = 500.0;
/// Clients at once; each is busy for some 120 ms per request.
const CLIENTS: u64 = 100;
/// How long the version that is never healthy may try.
const UNHEALTHY: Duration = Duration::from_secs(12);

#[derive(Args)]
pub(crate) struct Options {
    /// How often the service is bounced in a row
    #[arg(long, default_value_t = 10)]
    bounces: usize,
    /// Folder of binaries that are built already, such as target/debug; otherwise they are built first
    #[arg(long)]
    bin: Option<PathBuf>,
    /// Keep everything in this folder, which must be empty
    #[arg(long)]
    keep: Option<PathBuf>,
}

pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    let Some(_) = find_haproxy() else {
        ensure!(!components_are_required(), "haproxy is not installed");
        eprintln!("skipped: haproxy is not installed (Debian: haproxy)");
        return Ok(());
    };
    let bin = match &options.bin {
        Some(bin) => std::path::absolute(bin)?,
        None => build()?,
    };
    let scratch = tempfile::tempdir().context("could not make a directory")?;
    let place = options.keep.as_deref().unwrap_or(scratch.path());
    let runtime = tokio::runtime::Runtime::new().context("could not start the async runtime")?;
    runtime.block_on(trial(options, &bin, &std::path::absolute(place)?))
}

#[expect(clippy::disallowed_methods, reason = "this is the program that reads it")]
fn components_are_required() -> bool {
    std::env::var_os("PAASTA_REQUIRE_COMPONENTS").is_some()
}

#[expect(clippy::disallowed_methods, reason = "this is the program that reads it")]
fn find_haproxy() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let besides = ["/usr/sbin", "/usr/local/sbin"].map(PathBuf::from);
    std::env::split_paths(&path)
        .chain(besides)
        .map(|folder| folder.join("haproxy"))
        .find(|path| path.is_file())
}

fn build() -> anyhow::Result<PathBuf> {
    let built = Command::new(env!("CARGO"))
        .args(["build", "-p", "paasta-cli", "--bins"])
        .current_dir(workspace_root())
        .status()
        .context("could not start cargo")?;
    ensure!(built.success(), "paasta does not build");
    let own = std::env::current_exe().context("could not find our own binary")?;
    Ok(own.parent().context("our own binary is in no folder")?.to_owned())
}

/// Settings of the service that is asked, and of one beside it that is stopped and started.
fn files(port: u16) -> [(&'static str, String); 3] {
    let instance = |name: &str, group: &str, tasks: usize| {
        format!(
            "{name}:\n  cmd: ./serve\n  instances: {tasks}\n  deploy_group: {group}\n  bounce_method: crossover\n  \
             drain_method: hacheck\n  drain_method_params: {{delay: 2}}\n  healthcheck_mode: http\n  \
             healthcheck_interval_seconds: 1\n  healthcheck_timeout_seconds: 1\n  net: host\n  cpus: 0.1\n  mem: 64\n"
        )
    };
    let settings = instance("main", "web", TASKS) + &instance("beside", "beside", 1);
    let smartstack = format!(
        "main:\n  proxy_port: {port}\n  timeout_server_ms: 10000\n  timeout_client_ms: 10000\n  timeout_connect_ms: \
         1000\n"
    );
    [
        ("deploy.yaml", "pipeline:\n- step: web\n- step: beside\n".to_owned()),
        ("marathon-local.yaml", settings),
        ("smartstack.yaml", smartstack),
    ]
}

async fn trial(options: &Options, bin: &Path, place: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(place)?;
    let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let files = files(port);
    let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (*name, text.as_str())).collect();
    let ground = Ground::new(place, bin, &files)?;
    let up = Up::start(&ground, &["--proxy", "haproxy"])?;
    let first = ground.push("v0", "")?;
    ground.mark("web", &first)?;
    ground.mark("beside", &first)?;
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    ground.wait("the first version to serve", |journal| serving(journal, "main", &first) == TASKS)?;
    reachable(address).await?;
    let watch = Watch::start(stats(&up.said()?)?);

    let mut load = Load::start(address, CLIENTS);
    let mut table = Table::new(&load);
    let mut current = first.clone();
    for round in 1..=options.bounces {
        current = bounce(&ground, &current, &format!("v{round}")).await?;
        table.row(&load, &format!("bounce {round}"));
    }
    let bad = ground.push("bad", "--unhealthy")?;
    next_second().await;
    ground.mark("web", &bad)?;
    ground.wait("the bad version to try", |journal| started(journal, &bad) > 0)?;
    tokio::time::sleep(UNHEALTHY).await;
    ensure!(serving(&ground.journal()?, "main", &bad) == 0, "the bad version serves");
    table.row(&load, "a version that is never healthy");
    next_second().await;
    ground.mark("web", &current)?;
    ground.wait("the bad version to go", |journal| is_gone(journal, &bad))?;
    table.row(&load, "and back");
    ground.run(&["stop", "-s", "hello", "-i", "beside", "-c", "local", "--yes"])?;
    ground.wait("the one beside to stop", |journal| serving(journal, "beside", &first) == 0)?;
    ground.run(&["start", "-s", "hello", "-i", "beside", "-c", "local", "--yes"])?;
    ground.wait("the one beside to start", |journal| serving(journal, "beside", &first) == 1)?;
    table.row(&load, "stop and start of another instance");
    let lost_before = load.counts().failed;
    let allowed = killed_by_hand(&ground, &load, &current).await?;
    table.row(&load, "a task killed by hand in a bounce");
    let rate = load.rate();
    load.stop().await;
    let counts = load.counts();
    let killed = watch.stop().await?.judge(&ground.journal()?)?;
    print!("{table}");
    for failure in load.failures().iter().take(20) {
        println!(
            "  {:.3} s under way: {}",
            failure.ended.duration_since(failure.begun).as_secs_f64(),
            failure.what
        );
    }
    println!(
        "{:.0} requests per second, {} of 2 s, half of the clients keep their connection",
        rate, counts.slow
    );
    ensure!(rate >= RATE_MIN, "only {rate:.0} requests per second, {RATE_MIN} are wanted");
    println!("{killed} tasks were ended, each of them out of HAProxy's rotation before");
    println!(
        "requests lost by bouncing: {lost_before} of {}; by the kill: {allowed} that were under way",
        counts.answered
    );
    ensure!(lost_before == 0, "{lost_before} requests were lost");
    Ok(())
}

/// Where the stats page is, by what `paasta local up` said.
fn stats(said: &str) -> anyhow::Result<SocketAddr> {
    let address = said.split("stats at http://").nth(1).and_then(|rest| rest.split_whitespace().next());
    Ok(address.context("it does not say where HAProxy's stats are")?.parse()?)
}

async fn reachable(address: SocketAddr) -> anyhow::Result<()> {
    let begin = Instant::now();
    while crate::wire::get(address, "/sleep/0").await.is_err() {
        ensure!(begin.elapsed() < Duration::from_secs(60), "nothing answers at {address}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}

/// Tags carry whole seconds.
async fn next_second() {
    tokio::time::sleep(Duration::from_millis(1100)).await;
}

/// Deploys a new version and waits until the old one is gone: its commit.
async fn bounce(ground: &Ground, old: &str, version: &str) -> anyhow::Result<String> {
    let new = ground.push(version, "")?;
    next_second().await;
    ground.mark("web", &new)?;
    ground.wait("the end of a bounce", |journal| {
        serving(journal, "main", &new) == TASKS && is_gone(journal, old)
    })?;
    Ok(new)
}

/// Kills a task of the old version in the middle of a bounce. Only what it had under way may fail: how many that were.
async fn killed_by_hand(ground: &Ground, load: &Load, old: &str) -> anyhow::Result<usize> {
    let failed = load.counts().failed;
    let new = ground.push("last", "")?;
    next_second().await;
    ground.mark("web", &new)?;
    ground.wait("the last bounce to begin", |journal| started(journal, &new) > 0)?;
    let port = *ports_of(&ground.journal()?, "main", old).first().context("nobody serves any more")?;
    let pid = crate::wire::get(SocketAddr::from(([127, 0, 0, 1], port)), "/pid").await?;
    let pid = String::from_utf8(pid)?;
    let begun = Instant::now();
    let under_way = load.under_way();
    ensure!(Command::new("kill").args(["-9", pid.trim()]).status()?.success(), "cannot kill {pid}");
    let ended = Instant::now();
    ground.wait("the end of the last bounce", |journal| {
        serving(journal, "main", &new) == TASKS && is_gone(journal, old)
    })?;
    let failures = load.failures().split_off(failed);
    for failure in &failures {
        let was_under_way = failure.begun <= ended && failure.ended >= begun;
        ensure!(was_under_way, "a request was lost that was not under way at the kill: {}", failure.what);
    }
    ensure!(failures.len() as u64 <= under_way, "more were lost than were under way");
    Ok(failures.len())
}

fn of<'a>(journal: &'a [JournalEntry], instance: &str, sha: &str) -> impl Iterator<Item = &'a JournalEntry> {
    let begin = format!("/hello.{instance}.git{}", &sha[..8]);
    journal.iter().filter(move |entry| entry.note.app.as_str().starts_with(&begin))
}

/// Tasks of a version that are healthy and not on their way out.
fn serving(journal: &[JournalEntry], instance: &str, sha: &str) -> usize {
    let mut tasks = std::collections::BTreeSet::new();
    for entry in of(journal, instance, sha) {
        let Some(task) = entry.note.task.as_ref().map(ToString::to_string) else { continue };
        match entry.note.kind.as_str() {
            "task_healthy" => {
                tasks.insert(task);
            }
            "task_killing" | "task_killed" | "task_exited" | "task_unhealthy" => {
                tasks.remove(&task);
            }
            _ => {}
        }
    }
    tasks.len()
}

fn started(journal: &[JournalEntry], sha: &str) -> usize {
    of(journal, "main", sha).filter(|entry| entry.note.kind == "task_started").count()
}

/// Whether the last that was heard of a version is that its app is gone.
fn is_gone(journal: &[JournalEntry], sha: &str) -> bool {
    let news = of(journal, "main", sha)
        .filter(|entry| matches!(entry.note.kind.as_str(), "app_gone" | "app_created"));
    news.last().is_some_and(|entry| entry.note.kind == "app_gone")
}

/// The ports of the tasks of a version that run.
fn ports_of(journal: &[JournalEntry], instance: &str, sha: &str) -> Vec<u16> {
    let mut ports = std::collections::BTreeMap::new();
    for entry in of(journal, instance, sha) {
        let Some(task) = &entry.note.task else { continue };
        match entry.note.kind.as_str() {
            "task_staged" => drop(ports.insert(task.to_string(), watch::port(entry))),
            "task_killing" | "task_killed" | "task_exited" => drop(ports.remove(&task.to_string())),
            _ => {}
        }
    }
    ports.into_values().flatten().collect()
}

/// What was asked and lost, by what happened meanwhile.
struct Table {
    rows: Vec<(String, Counts, Duration)>,
    before: Counts,
    since: Instant,
}

impl Table {
    fn new(load: &Load) -> Self {
        Self { rows: Vec::new(), before: load.counts(), since: Instant::now() }
    }

    fn row(&mut self, load: &Load, what: &str) {
        let now = load.counts();
        let of_row = Counts {
            answered: now.answered - self.before.answered,
            slow: now.slow - self.before.slow,
            failed: now.failed - self.before.failed,
        };
        let took = self.since.elapsed();
        eprintln!(
            "  {what}: {} answered, {} lost, {:.1} s",
            of_row.answered,
            of_row.failed,
            took.as_secs_f64()
        );
        self.rows.push((what.to_owned(), of_row, took));
        (self.before, self.since) = (now, Instant::now());
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:<38}{:>9}{:>10}{:>6}", "what happened", "seconds", "answered", "lost")?;
        for (what, counts, took) in &self.rows {
            let seconds = took.as_secs_f64();
            writeln!(f, "{what:<38}{seconds:>9.1}{:>10}{:>6}", counts.answered, counts.failed)?;
        }
        Ok(())
    }
}
