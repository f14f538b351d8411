//! The documented exit codes: 0 fine, 1 failed or found what it looks for, 2 wrong usage, 130 interrupted.

use std::process::ExitCode;

use crate::context::ClosedPipe;
use crate::report::{UsageError, holds};

/// The command failed, or found what it looks for.
pub const EXIT_FAILED: u8 = 1;
/// The command line makes no sense.
pub const EXIT_USAGE: u8 = 2;
/// Ctrl-C.
pub const EXIT_INTERRUPTED: u8 = 130;

/// Ended by Ctrl-C; nothing is printed for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("interrupted")]
pub struct Interrupted;

pub(crate) fn code_of(error: &anyhow::Error) -> ExitCode {
    if holds::<Interrupted>(error) {
        ExitCode::from(EXIT_INTERRUPTED)
    } else if holds::<UsageError>(error) {
        ExitCode::from(EXIT_USAGE)
    } else if is_closed_pipe(error) {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(EXIT_FAILED)
    }
}

/// Whether nothing is to be said of it.
pub(crate) fn is_quiet(error: &anyhow::Error) -> bool {
    holds::<Interrupted>(error) || is_closed_pipe(error)
}

/// Whether our own reader went away, as in `paasta list | head -1`.
fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<std::io::Error>())
        .filter_map(std::io::Error::get_ref)
        .any(|inner| inner.is::<ClosedPipe>())
}
