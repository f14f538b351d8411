//! A crossover bounce of twenty real processes against what physics asks for: that tasks start, pass a first check, and
//! drain.

use std::path::Path;
use std::time::Duration;

use anyhow::ensure;
use paasta_engine::JournalEntry;

use super::Bench;
use super::measure::Cost;
use crate::ground::{Ground, Up};

const TASKS: usize = 20;
const DRAIN_SECONDS: f64 = 5.0;

/// What the bounce took beyond 1.05 × (start + first passing check + drain delay), as wall time; it may be two seconds.
pub(super) fn beyond_physics(bench: &Bench, scratch: &Path) -> anyhow::Result<Cost> {
    let settings = format!(
        "main:\n  cmd: ./serve\n  instances: {TASKS}\n  deploy_group: web\n  bounce_method: crossover\n  \
         drain_method: hacheck\n  drain_method_params: {{delay: {DRAIN_SECONDS}}}\n  healthcheck_mode: http\n  \
         healthcheck_interval_seconds: 1\n  healthcheck_timeout_seconds: 1\n  net: host\n  cpus: 0.1\n  mem: 64\n"
    );
    let files = [("deploy.yaml", "pipeline:\n- step: web\n"), ("marathon-local.yaml", &settings)];
    let ground = Ground::new(scratch, &bench.bin, &files)?;
    let _up = Up::start(&ground, &[])?;
    let old = ground.push("one", "")?;
    ground.mark("web", &old)?;
    ground.wait("the first version to serve", |journal| served(journal, &old, 0) == TASKS)?;
    // Tags carry whole seconds.
    std::thread::sleep(Duration::from_millis(1100));
    let new = ground.push("two", "")?;
    let before = ground.journal()?.last().map_or(0, |entry| entry.seq);
    let begun = now();
    ground.mark("web", &new)?;
    let gone = |entry: &&JournalEntry| entry.note.kind == "app_gone" && is_of(entry, &old);
    ground.wait("the end of the bounce", |journal| journal.iter().any(|entry| gone(&entry)))?;
    let journal = ground.journal()?;
    let at = |kind: &str, sha: &str| -> Vec<f64> {
        let own = journal.iter().filter(|entry| entry.note.kind == kind && is_of(entry, sha));
        own.map(|entry| entry.note.at.seconds()).collect()
    };
    ensure!(served(&journal, &new, before) == TASKS, "not all of the new version serve");
    let created = at("app_created", &new).into_iter().fold(f64::INFINITY, f64::min);
    let healthy = at("task_healthy", &new).into_iter().fold(0.0, f64::max);
    let gone = at("app_gone", &old).into_iter().fold(0.0, f64::max);
    let physics = healthy - created + DRAIN_SECONDS;
    let beyond = (gone - begun - 1.05 * physics).max(0.0);
    println!(
        "  {TASKS} tasks bounced in {:.1} s from the tag to the end of the old app; start and first check {:.1} s, drain {:.1} s",
        gone - begun,
        healthy - created,
        DRAIN_SECONDS
    );
    Ok(Cost { wall: Duration::from_secs_f64(beyond), cpu: Duration::ZERO })
}

fn now() -> f64 {
    std::time::UNIX_EPOCH.elapsed().unwrap_or_default().as_secs_f64()
}

fn is_of(entry: &JournalEntry, sha: &str) -> bool {
    entry.note.app.as_str().starts_with(&format!("/hello.main.git{}", &sha[..8]))
}

/// Tasks of a version that have passed a check.
fn served(journal: &[JournalEntry], sha: &str, after: u64) -> usize {
    let healthy =
        |entry: &&JournalEntry| entry.seq > after && entry.note.kind == "task_healthy" && is_of(entry, sha);
    journal.iter().filter(healthy).count()
}
