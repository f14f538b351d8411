//! `paasta start`.

use std::process::ExitCode;

use super::start_stop_restart::{self, StateArgs, Verb};
use crate::Context;

/// Let instances run as configured
///
/// Also a way to bounce them: a new copy of what is deployed takes the place of the old one.
#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    #[command(flatten)]
    state: StateArgs,
}

pub(crate) fn run(args: &Args, cx: &mut Context) -> anyhow::Result<ExitCode> {
    start_stop_restart::run(Verb::Start, &args.state, cx)
}
