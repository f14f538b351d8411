//! `paasta restart`.

use std::process::ExitCode;

use super::start_stop_restart::{self, StateArgs, Verb};
use crate::Context;

/// Replace instances by new copies of what they run
///
/// By the instance's own bounce method, so without losing a request.
#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    #[command(flatten)]
    state: StateArgs,
}

pub(crate) fn run(args: &Args, cx: &mut Context) -> anyhow::Result<ExitCode> {
    start_stop_restart::run(Verb::Restart, &args.state, cx)
}
