//! `paasta stop`.

use std::process::ExitCode;

use super::start_stop_restart::{self, StateArgs, Verb};
use crate::Context;

/// Stop instances until their next deploy
///
/// Tasks are drained first. Undone by `paasta start` and by the next deploy of the group.
#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    #[command(flatten)]
    state: StateArgs,
}

pub(crate) fn run(args: &Args, cx: &mut Context) -> anyhow::Result<ExitCode> {
    start_stop_restart::run(Verb::Stop, &args.state, cx)
}
