//! A default changes and every app must move; meanwhile people deploy.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use serde_json::Value;

use super::engine::Engine;
use super::measure::Cost;
use super::{Bench, tree};
use crate::recorder::Recorder;
use crate::wire;

/// Services that nobody looks at; two instances each.
const OTHERS: usize = 500;
/// Services that somebody deploys meanwhile, one after the other.
const PEOPLE: usize = 100;
/// Longest wait for anything that must come.
const PATIENCE: Duration = Duration::from_secs(600);

/// From a person's edit to the first change at the engine that holds what they wrote, the 99th of a hundred, as wall
/// time; no CPU time is taken.
pub(super) fn measure(bench: &Bench, scratch: &Path) -> anyhow::Result<Cost> {
    let runtime = tokio::runtime::Runtime::new().context("could not start the async runtime")?;
    runtime.block_on(trial(bench, scratch))
}

async fn trial(bench: &Bench, scratch: &Path) -> anyhow::Result<Cost> {
    let engine = Engine::start(bench, &scratch.join("engine"))?;
    let address = engine.address;
    let recorder = Recorder::start(address).await?;
    let tree = tree::build(scratch, OTHERS + PEOPLE, &recorder.url())?;
    let system = tree.etc.join("paasta.json");
    set(&system, "deployd_regenerate_seconds", 0.into())?;
    let _deployd = Running::start(bench, &tree)?;
    // Beside a bounce, listing every app is no small thing to ask of the engine.
    let seldom = Duration::from_millis(500);
    wait("every app to run", seldom, async || Ok(unmoved(address).await? == 2 * (OTHERS + PEOPLE))).await?;
    // A volume more: every body changes.
    let volumes =
        serde_json::json!([{"hostPath": "/etc/hosts", "containerPath": "/etc/hosts", "mode": "RO"}]);
    let before = recorder.count();
    set(&system, "volumes", volumes)?;
    let often = Duration::from_millis(1);
    wait("the big bounce", often, async || Ok(recorder.count() > before + 20)).await?;
    let mut took = Vec::new();
    let mut left = unmoved(address).await?;
    for index in OTHERS..OTHERS + PEOPLE {
        if took.len() % 10 == 9 {
            left = unmoved(address).await?;
            ensure!(left > 0, "nothing bounced any more after {} people", took.len());
        }
        let service = tree::name(index);
        let path = tree.soa.join(&service).join("marathon-bench.yaml");
        let text = fs::read_to_string(&path)?.replace("NUMBER: '", "NUMBER: 'person-");
        let fresh = path.with_extension("fresh");
        fs::write(&fresh, text)?;
        let edited = Instant::now();
        fs::rename(&fresh, &path)?;
        // Nobody else's body says that, nor does this service's own one for the changed default.
        let theirs = format!("person-{index}\"");
        let asked = || recorder.first_saying(&theirs, edited);
        wait("a person's deploy", often, async || Ok(asked().is_some())).await?;
        let at = asked().context("it was there")?;
        took.push(at.duration_since(edited));
    }
    took.sort();
    let at = |share: usize| took[(took.len() * share).div_ceil(100).saturating_sub(1)];
    eprintln!(
        "  first request of {PEOPLE} people while {} instances bounce: median {:?}, 99 % {:?}, slowest {:?}; {left} had yet \
         to go at the end",
        2 * OTHERS,
        at(50),
        at(99),
        at(100)
    );
    Ok(Cost { wall: at(99), cpu: Duration::ZERO })
}

/// How many apps run that the change of the default has not reached.
async fn unmoved(engine: std::net::SocketAddr) -> anyhow::Result<usize> {
    let list: Value = serde_json::from_slice(&wire::get(engine, "/v2/apps").await?)?;
    let apps = list["apps"].as_array().context("no list of apps")?;
    Ok(apps.iter().filter(|app| !app["container"].to_string().contains("/etc/hosts")).count())
}

async fn wait(
    what: &str,
    every: Duration,
    mut there: impl AsyncFnMut() -> anyhow::Result<bool>,
) -> anyhow::Result<()> {
    let begin = Instant::now();
    while !there().await? {
        ensure!(begin.elapsed() < PATIENCE, "waited {} s for {what}", PATIENCE.as_secs());
        tokio::time::sleep(every).await;
    }
    Ok(())
}

fn set(path: &Path, key: &str, value: Value) -> anyhow::Result<()> {
    let mut system: Value = serde_json::from_str(&fs::read_to_string(path)?)?;
    system[key] = value;
    let fresh = path.with_extension("fresh");
    fs::write(&fresh, system.to_string())?;
    fs::rename(&fresh, path).context("could not write the system config")
}

struct Running(Child);

impl Running {
    fn start(bench: &Bench, tree: &tree::Tree) -> anyhow::Result<Self> {
        let child = Command::new(bench.bin.join("paasta-deployd"))
            .arg("--system-config-dir")
            .arg(&tree.etc)
            .arg("-d")
            .arg(&tree.soa)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(fs::File::create(tree.etc.with_file_name("deployd.log"))?)
            .spawn()
            .context("could not start paasta-deployd")?;
        Ok(Self(child))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}
