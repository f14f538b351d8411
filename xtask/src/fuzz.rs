//! `cargo xtask fuzz`: the fuzz targets of `fuzz/`, each for some seconds, as many at a time as there are cores.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, bail, ensure};
use clap::Args;
use xtask::tidy::workspace_root;

/// The version that CI installs.
const CARGO_FUZZ: &str = "0.13.2";

/// What one input may take: more is a finding.
const LIMITS: &[&str] = &["-rss_limit_mb=1024", "-timeout=10", "-print_final_stats=1"];

#[derive(Args)]
pub(crate) struct Options {
    /// How long each target runs
    #[arg(long, default_value_t = 30)]
    seconds: u32,
    /// How many run at a time [default: one per core]
    #[arg(long)]
    jobs: Option<usize>,
    /// The targets; all if none is named
    targets: Vec<String>,
}

pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    let fuzz = workspace_root().join("fuzz");
    let targets = chosen(&fuzz, &options.targets)?;
    let programs = build(&fuzz)?;
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let (queue, failed) = (Mutex::new(targets.into_iter()), Mutex::new(Vec::new()));
    let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).next();
    std::thread::scope(|scope| {
        for _ in 0..options.jobs.unwrap_or(cores).max(1) {
            scope.spawn(|| {
                while let Some(target) = next() {
                    if let Err(error) = one(&fuzz, &programs, &target, options.seconds) {
                        eprintln!("fuzz: {target}: {error:#}");
                        failed.lock().unwrap_or_else(PoisonError::into_inner).push(target);
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().unwrap_or_else(PoisonError::into_inner);
    ensure!(failed.is_empty(), "found something: {}", failed.join(", "));
    Ok(())
}

/// The targets that were asked for, each of which has its file and its seeds.
fn chosen(fuzz: &Path, asked: &[String]) -> anyhow::Result<Vec<String>> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(fuzz.join("fuzz_targets")).context("there are no fuzz targets")? {
        let path = entry?.path();
        all.extend(path.file_stem().map(|stem| stem.to_string_lossy().into_owned()));
    }
    all.sort();
    if let Some(unknown) = asked.iter().find(|target| !all.contains(target)) {
        bail!("there is no fuzz target `{unknown}`, only {}", all.join(", "));
    }
    Ok(if asked.is_empty() { all } else { asked.to_vec() })
}

/// Builds all targets and says where they are. No sanitizer: the workspace has no `unsafe` code, and so this works
/// with a stable compiler.
fn build(fuzz: &Path) -> anyhow::Result<PathBuf> {
    let host = host()?;
    let built = Command::new(env!("CARGO"))
        .args(["fuzz", "build", "--sanitizer", "none", "--target", &host])
        .current_dir(fuzz)
        .status()
        .context("could not start cargo")?;
    ensure!(
        built.success(),
        "the fuzz targets do not build; do you have `cargo install cargo-fuzz --locked --version {CARGO_FUZZ}` \
         and a C++ compiler?"
    );
    Ok(fuzz.join("target").join(host).join("release"))
}

fn host() -> anyhow::Result<String> {
    let output = Command::new("rustc").arg("-vV").output().context("could not start rustc")?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).context("rustc does not name its host")
}

fn one(fuzz: &Path, programs: &Path, target: &str, seconds: u32) -> anyhow::Result<()> {
    let folder = |kind: &str| -> anyhow::Result<PathBuf> {
        let folder = fuzz.join(kind).join(target);
        std::fs::create_dir_all(&folder)?;
        Ok(folder)
    };
    // The first folder takes what is found, the seeds stay as they are.
    let (found, artifacts) = (folder("found")?, folder("artifacts")?);
    let mut command = Command::new(programs.join(target));
    command.args(LIMITS).arg(format!("-max_total_time={seconds}"));
    command.arg(format!("-max_len={}", length_max(target)));
    command.arg(format!("-artifact_prefix={}/", artifacts.display()));
    let dictionary = fuzz.join("dictionaries").join(format!("{target}.dict"));
    if dictionary.exists() {
        command.arg(format!("-dict={}", dictionary.display()));
    }
    command.arg(found).arg(fuzz.join("corpus").join(target));
    let output = command.stdin(Stdio::null()).output().context("could not start it")?;
    tell(target, seconds, &output)
}

/// The longest input that is made up; seeds and names are shorter than trees.
fn length_max(target: &str) -> usize {
    match target {
        "app_ids" => 512,
        _ => 4096,
    }
}

fn tell(target: &str, seconds: u32, output: &Output) -> anyhow::Result<()> {
    let log = String::from_utf8_lossy(&output.stderr);
    if output.status.success() {
        let runs = log.lines().find_map(|line| line.strip_prefix("stat::number_of_executed_units:"));
        println!("fuzz: {target}: {} inputs in {seconds} s, nothing found", runs.unwrap_or("?").trim());
        return Ok(());
    }
    let first =
        log.lines().position(|line| line.contains("panicked at") || line.contains("ERROR: libFuzzer"));
    let shown: Vec<&str> = log.lines().skip(first.unwrap_or(0)).take(60).collect();
    let unit: Vec<&str> = log.lines().filter(|line| line.contains("Test unit written to")).collect();
    bail!("{}\n{}\n{}", output.status, shown.join("\n"), unit.join("\n"))
}
