//! Runs a program some times and tells what it cost.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};

/// What the median run of a program cost.
pub(super) struct Cost {
    pub(super) wall: Duration,
    /// User and system time of the program and its children, to 10 ms.
    pub(super) cpu: Duration,
}

/// Runs `command` once to warm up and then `runs` times; every run must succeed.
pub(super) fn median(runs: usize, mut command: impl FnMut() -> Command) -> anyhow::Result<Cost> {
    once(command())?;
    let cpu_before = children_cpu()?;
    let mut walls = Vec::new();
    for _ in 0..runs {
        walls.push(once(command())?);
    }
    walls.sort();
    let cpu = children_cpu()?.saturating_sub(cpu_before) / u32::try_from(runs)?;
    Ok(Cost { wall: walls[walls.len() / 2], cpu })
}

/// Runs `command` once, cold, as what cannot be repeated must be.
pub(super) fn single(command: Command) -> anyhow::Result<Cost> {
    let cpu_before = children_cpu()?;
    let wall = once(command)?;
    Ok(Cost { wall, cpu: children_cpu()?.saturating_sub(cpu_before) })
}

fn once(mut command: Command) -> anyhow::Result<Duration> {
    let begun = Instant::now();
    let output = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .output()
        .with_context(|| format!("could not start {:?}", command.get_program()))?;
    let wall = begun.elapsed();
    ensure!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(wall)
}

/// The kernel counts in hundredths of a second.
const TICK: Duration = Duration::from_millis(10);

/// What all ended children have used so far (`cutime` and `cstime` of proc(5)).
fn children_cpu() -> anyhow::Result<Duration> {
    let stat = std::fs::read_to_string("/proc/self/stat").context("could not read /proc/self/stat")?;
    let after_name = stat.rsplit_once(") ").context("a strange /proc/self/stat")?.1;
    let ticks: u32 =
        after_name.split(' ').skip(13).take(2).filter_map(|field| field.parse::<u32>().ok()).sum();
    Ok(TICK * ticks)
}
