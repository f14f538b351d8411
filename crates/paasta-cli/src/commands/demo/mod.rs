//! `paasta demo`: a service deployed, bounced, drained, stopped and healed on this machine.

mod cluster;
mod load;
mod stage;
mod steps;
mod summary;
mod watch;

use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context as _;

use self::cluster::Cluster;
use self::stage::Stage;
use self::steps::Show;
use self::summary::Summary;
use crate::report::HintExt as _;
use crate::waiting::is_interrupt;
use crate::{Context, Interrupted};

/// Deploy, bounce, drain, stop and heal a small service on this machine, and count what it lost
///
/// Everything happens in a temporary directory: a git remote, soa-configs, and a local cluster of its own. Fails if a
/// promise was broken.
#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// Leave the cluster running at the end, and say what to try next
    #[arg(long)]
    keep: bool,
}

/// A port of this machine.
fn on_this_machine(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

pub(crate) fn run(args: &Args, cx: &mut Context) -> anyhow::Result<ExitCode> {
    let program = cx.environment.program.clone().context("could not find our own binary")?;
    let service = demo_service(&program)?;
    let root =
        tempfile::Builder::new().prefix("paasta-demo-").tempdir().context("could not make a directory")?;
    let stage = Stage::build(root.path(), &service)?;
    // The show writes as it goes, while the context runs it.
    let mut out = std::mem::replace(&mut cx.stdout, Box::new(std::io::sink()));
    let mut kept = args.keep;
    let outcome = cx.block_on_uninterrupted(async {
        let played = tokio::select! {
            played = play(&program, &stage, &mut *out) => played,
            Ok(()) = tokio::signal::ctrl_c() => Err(Interrupted.into()),
        };
        let interrupted = played.as_ref().is_err_and(is_interrupt);
        kept &= !interrupted;
        // However it ended, no process may be left that nobody knows of.
        let down = if kept { Ok(()) } else { cluster::down(&program, &stage, !interrupted).await };
        let summary = played?;
        down.map(|()| summary)
    });
    cx.stdout = out;
    if kept {
        let kept = root.keep();
        summary::what_next(&mut cx.stdout, &program, &kept)?;
    }
    Ok(if outcome?.kept_every_promise() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn play(program: &Path, stage: &Stage, out: &mut (dyn Write + Send)) -> anyhow::Result<Summary> {
    let cluster = Arc::new(Cluster::start(program, stage).await?);
    Show::new(out, stage, &cluster).perform().await
}

/// The service lies beside `paasta`.
fn demo_service(program: &Path) -> anyhow::Result<PathBuf> {
    let service = program.with_file_name("paasta-demo-service");
    if !service.is_file() {
        return Err(anyhow::anyhow!("there is no `{}`", service.display())).hint(
            "Build the whole workspace (`cargo build --workspace --bins`), or run `cargo xtask demo`.",
        );
    }
    Ok(service)
}
