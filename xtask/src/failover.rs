//! `cargo xtask failover`: two real deployds, a real ZooKeeper, an engine of idle tasks; leaders die in the middle of
//! bounces, freeze, and lose ZooKeeper, and nothing may be lost by it.

mod fleet;
mod zookeeper;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use clap::Args;
use fleet::{Deployd, Fleet, Watch};
use xtask::tidy::workspace_root;
use zookeeper::ZooKeeper;

use crate::bench::idle;
use crate::recorder::Recorder;

/// Longest wait for anything that must come.
const PATIENCE: Duration = Duration::from_secs(120);

/// Session timeouts that a takeover may last.
const TAKEOVER_MAX: f64 = 1.5;

/// Between two looks at something that is waited for.
const LOOK: Duration = Duration::from_millis(20);

#[derive(Args)]
pub(crate) struct Options {
    /// How often the leader is lost in the middle of bounces
    #[arg(long, default_value_t = 20)]
    rounds: usize,
    /// How long ZooKeeper is away at the end, in seconds
    #[arg(long, default_value_t = 60)]
    outage_seconds: u64,
    /// The session timeout of both deployds, in seconds
    #[arg(long, default_value_t = 4)]
    session_seconds: u64,
    /// Folder of binaries that are built already, such as target/debug; otherwise they are built first
    #[arg(long)]
    bin: Option<PathBuf>,
    /// Keep the logs of both deployds in this folder
    #[arg(long)]
    keep: Option<PathBuf>,
}

pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    if !zookeeper::is_here() {
        ensure!(!components_are_required(), "ZooKeeper is not installed");
        eprintln!("skipped: ZooKeeper is not installed (Debian: zookeeper, libzookeeper-java)");
        return Ok(());
    }
    let bin = match &options.bin {
        Some(bin) => std::path::absolute(bin)?,
        None => build()?,
    };
    let runtime = tokio::runtime::Runtime::new().context("could not start the async runtime")?;
    let scratch = tempfile::tempdir().context("could not make a directory")?;
    let place = options.keep.as_deref().unwrap_or(scratch.path());
    let place = std::path::absolute(place)?;
    runtime.block_on(async { Trial::start(options, &bin, &place).await?.run(options).await })
}

#[expect(clippy::disallowed_methods, reason = "this is the program that reads it")]
fn components_are_required() -> bool {
    std::env::var_os("PAASTA_REQUIRE_COMPONENTS").is_some()
}

fn build() -> anyhow::Result<PathBuf> {
    let built = Command::new(env!("CARGO"))
        .args(["build", "-p", "paasta-deployd", "--bins"])
        .current_dir(workspace_root())
        .status()
        .context("could not start cargo")?;
    ensure!(built.success(), "deployd does not build");
    let own = std::env::current_exe().context("could not find our own binary")?;
    Ok(own.parent().context("our own binary is in no folder")?.to_owned())
}

struct Trial {
    _engine: paasta_engine::EngineServer,
    zookeeper: ZooKeeper,
    fleet: Fleet,
    watch: Watch,
    session: Duration,
    /// Two of them; each talks with the engine through its own recorder.
    candidates: Vec<(Deployd, Recorder)>,
}

impl Trial {
    async fn start(options: &Options, bin: &Path, place: &Path) -> anyhow::Result<Self> {
        std::fs::create_dir_all(place).context("could not make a directory")?;
        let (engine, address) = idle::start(&place.join("engine")).await?;
        let zookeeper = ZooKeeper::start(&place.join("zookeeper")).await?;
        let fleet = Fleet::write(&place.join("soa"))?;
        let mut candidates = Vec::new();
        for name in ["one", "two"] {
            let recorder = Recorder::start(address).await?;
            let deployd = Deployd::new(
                &bin.join("paasta-deployd"),
                &place.join(name),
                fleet.soa(),
                &recorder.url(),
                zookeeper.address(),
                options.session_seconds,
            )?;
            candidates.push((deployd, recorder));
        }
        let watch = Watch::new(address);
        let session = Duration::from_secs(options.session_seconds);
        Ok(Self { _engine: engine, zookeeper, fleet, watch, session, candidates })
    }

    async fn run(mut self, options: &Options) -> anyhow::Result<()> {
        for (deployd, _) in &mut self.candidates {
            deployd.spawn()?;
        }
        self.converged("the first start").await?;
        self.watch.begin_to_count();
        eprintln!(
            "{} instances run; the session timeout is {} s",
            self.fleet.instances(),
            options.session_seconds
        );
        let (mut killed, mut frozen) = (Vec::new(), Vec::new());
        for round in 0..options.rounds {
            match round % 5 {
                4 => frozen.push(self.freeze(round).await.with_context(|| format!("round {round}"))?),
                _ => killed.push(self.kill(round).await.with_context(|| format!("round {round}"))?),
            }
        }
        report("leader killed (kill -9)", &killed, self.session)?;
        report("leader frozen, then waking up", &frozen, self.session)?;
        if options.outage_seconds > 0 {
            self.outage(Duration::from_secs(options.outage_seconds)).await.context("ZooKeeper away")?;
        }
        let floor = self.watch.below_floor();
        ensure!(floor.is_empty(), "served by fewer tasks than wanted: {}", floor.join("; "));
        println!(
            "nothing lost: {} changes of {} instances, capacity never below what is wanted in {} looks",
            self.fleet.changes(),
            self.fleet.instances(),
            self.watch.looks()
        );
        Ok(())
    }

    /// Waits until every instance runs as it was last written, and nothing else does.
    async fn converged(&mut self, after: &str) -> anyhow::Result<()> {
        let begin = Instant::now();
        loop {
            let wrong = match self.watch.look(&self.fleet).await {
                Ok(wrong) => wrong,
                Err(error) => vec![format!("{error:#}")],
            };
            if wrong.is_empty() {
                return Ok(());
            }
            if begin.elapsed() > PATIENCE {
                bail!("not as wanted {} s after {after}: {}", PATIENCE.as_secs(), wrong.join("; "));
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Changes some instances and waits until one of the candidates has begun to act on it: which.
    async fn changed_and_under_way(&mut self, round: usize) -> anyhow::Result<usize> {
        let before: Vec<usize> = self.candidates.iter().map(|(_, recorder)| recorder.count()).collect();
        self.fleet.change(round)?;
        let enough = 1 + round % 7;
        let begin = Instant::now();
        loop {
            for (index, (_, recorder)) in self.candidates.iter().enumerate() {
                if recorder.count() >= before[index] + enough {
                    return Ok(index);
                }
            }
            ensure!(begin.elapsed() < PATIENCE, "nobody acts on a changed file");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// Waits for the other one's next change.
    async fn taken_over(&mut self, by: usize, since: Instant) -> anyhow::Result<Duration> {
        loop {
            self.watch.look(&self.fleet).await.ok();
            if let Some(at) = self.candidates[by].1.first_after(since) {
                return Ok(at.duration_since(since));
            }
            ensure!(since.elapsed() < PATIENCE, "the standby does not act");
            tokio::time::sleep(LOOK).await;
        }
    }

    async fn kill(&mut self, round: usize) -> anyhow::Result<Duration> {
        let leader = self.changed_and_under_way(round).await?;
        self.candidates[leader].0.kill()?;
        let lost = Instant::now();
        // Something is left to do in any case.
        self.fleet.change(round + 1)?;
        let took = self.taken_over(1 - leader, lost).await?;
        self.candidates[leader].0.spawn()?;
        self.converged("a takeover").await?;
        Ok(took)
    }

    /// The leader does not run for longer than its session lasts, as on a machine that swaps; then it goes on where it
    /// was, and must not act any more.
    async fn freeze(&mut self, round: usize) -> anyhow::Result<Duration> {
        let leader = self.changed_and_under_way(round).await?;
        self.candidates[leader].0.signal("STOP")?;
        let lost = Instant::now();
        self.fleet.change(round + 1)?;
        let took = self.taken_over(1 - leader, lost).await?;
        // What it had sent before it froze may still arrive; what it sends when it wakes up must not come.
        let woke = Instant::now();
        self.candidates[leader].0.signal("CONT")?;
        self.converged("a takeover").await?;
        self.fleet.change(round + 2)?;
        self.converged("the change after it").await?;
        if let Some(at) = self.candidates[leader].1.first_after(woke) {
            bail!(
                "the leader that was frozen changed something {:?} after it woke up",
                at.duration_since(woke)
            );
        }
        Ok(took)
    }

    /// Without ZooKeeper nothing is changed once the session may be over; when it is back, work goes on.
    async fn outage(&mut self, length: Duration) -> anyhow::Result<()> {
        self.changed_and_under_way(1).await?;
        self.zookeeper.kill()?;
        let gone = Instant::now();
        // Half of a session is the margin that deployd keeps by default; what it had begun may still arrive.
        tokio::time::sleep(self.session.mul_f64(0.6)).await;
        let quiet = Instant::now();
        self.fleet.change(2)?;
        while gone.elapsed() < length {
            self.watch.look(&self.fleet).await.ok();
            tokio::time::sleep(LOOK * 5).await;
        }
        for (_, recorder) in &self.candidates {
            if let Some(at) = recorder.first_after(quiet) {
                bail!("something was changed {:?} after ZooKeeper went", at.duration_since(gone));
            }
        }
        let back = Instant::now();
        self.zookeeper.spawn().await?;
        self.converged("ZooKeeper's return").await?;
        println!(
            "{:<34} {} s away, no change meanwhile; all as wanted {:.1} s after its return",
            "ZooKeeper stopped",
            length.as_secs(),
            back.elapsed().as_secs_f64()
        );
        Ok(())
    }
}

fn report(what: &str, took: &[Duration], session: Duration) -> anyhow::Result<()> {
    let Some(worst) = took.iter().max() else { return Ok(()) };
    let mean = took.iter().sum::<Duration>().as_secs_f64() / took.len() as f64;
    println!(
        "{what:<34} {} times; first change of the next leader after {mean:.1} s on average, {:.1} s at most \
         ({:.2} session timeouts)",
        took.len(),
        worst.as_secs_f64(),
        worst.as_secs_f64() / session.as_secs_f64()
    );
    ensure!(*worst <= session.mul_f64(TAKEOVER_MAX), "that is longer than {TAKEOVER_MAX} session timeouts");
    Ok(())
}
