//! What goes wrong, by what a caller may do about it.

use paasta_config::Position;
use paasta_core::TaskId;

/// Why a drain operation did not succeed. What it means is the caller's business (marathon-and-bounce.md §6.4).
#[derive(Debug, thiserror::Error)]
pub enum DrainError {
    /// The task has no port to ask about.
    #[error("task `{task}` has no ports, so its registrations cannot be addressed")]
    NoPorts {
        /// Which task.
        task: TaskId,
    },
    /// The task is on no host yet.
    #[error("task `{task}` has no host yet")]
    NoHost {
        /// Which task.
        task: TaskId,
    },
    /// Nobody answered, or not in time.
    #[error("could not reach `{url}`")]
    Unreachable {
        /// What was asked.
        url: String,
        /// What happened.
        source: reqwest::Error,
    },
    /// An order was not taken.
    #[error("`{url}` answered {status}: {body}")]
    Refused {
        /// What was asked.
        url: String,
        /// The HTTP status.
        status: u16,
        /// The beginning of the answer.
        body: String,
    },
    /// Whoever answered says that the answer is elsewhere. Nothing was sent there.
    #[error(
        "`{url}` answered {status} and redirects to `{location}`; redirects are not followed, so name the URL that answers"
    )]
    Redirected {
        /// What was asked.
        url: String,
        /// The HTTP status.
        status: u16,
        /// Where it leads.
        location: String,
    },
    /// An answer that says neither up nor down.
    #[error("could not read the answer of `{url}`: status {status}, {body:?}")]
    Unreadable {
        /// What was asked.
        url: String,
        /// The HTTP status.
        status: u16,
        /// The beginning of the answer.
        body: String,
    },
    /// The service answered with a status that its drain parameters do not list.
    #[error("`{url}` answered {status}, expected {expected}")]
    StatusCodeNotAcceptable {
        /// What was asked.
        url: String,
        /// The HTTP status.
        status: u16,
        /// What is acceptable.
        expected: String,
    },
    /// The method fails on purpose.
    #[error("drain method `crashy_drain` fails on purpose")]
    Crash,
    /// Whatever else a method of another crate meets.
    #[error("{0}")]
    Other(String),
}

/// Why a drain method could not be built from the settings.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DrainConfigError {
    /// No such method.
    #[error("{}drain_method: unknown drain method `{value}`, expected one of: {expected}", at(.position))]
    UnknownMethod {
        /// Where the name was written, if it was.
        position: Option<Position>,
        /// The value as written.
        value: String,
        /// The names there are.
        expected: String,
    },
    /// A parameter is missing, unknown, or of the wrong kind.
    #[error("{}drain_method_params{key}: {found}, expected {expected}", at(.position))]
    Param {
        /// Where it was written, if it was.
        position: Option<Position>,
        /// The path below `drain_method_params`, with its leading dot; empty for the whole.
        key: String,
        /// What was found there.
        found: String,
        /// What should be.
        expected: String,
    },
    /// The instance is registered nowhere, so there is nothing to take it out of.
    #[error("drain method `{method}` needs at least one registration")]
    NoRegistrations {
        /// Which method.
        method: &'static str,
    },
}

fn at(position: &Option<Position>) -> String {
    position.as_ref().map(|position| format!("{position}: ")).unwrap_or_default()
}
