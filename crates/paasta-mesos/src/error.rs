//! Why the master does not say what it was asked.

/// Why the master does not say what it was asked. The messages name the file or the URL, and show no password.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MesosError {
    /// A file cannot be used.
    #[error("could not use `{path}`: {reason}")]
    File {
        /// Which file.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
    /// What says where the master is has no form that is known.
    #[error(
        "could not tell where the Mesos master is from `{value}`: expected `host:port`, `zk://host:port,…/path` or \
         `file:///path`"
    )]
    Form {
        /// What it says, without passwords.
        value: String,
    },
    /// ZooKeeper does not say where the master is.
    #[error("could not learn from ZooKeeper where the Mesos master is ({at}): {reason}")]
    ZooKeeper {
        /// Where it was looked for, without passwords.
        at: String,
        /// What happened.
        reason: String,
    },
    /// It did not answer.
    #[error("could not reach the Mesos master at {url}: {reason}")]
    Unreachable {
        /// Who was called.
        url: String,
        /// What happened.
        reason: String,
    },
    /// It said no.
    #[error("the Mesos master at {url} refused with status {status}: {message}{}", way_in(.status))]
    Refused {
        /// Who was called.
        url: String,
        /// Its HTTP status.
        status: u16,
        /// The beginning of its words.
        message: String,
    },
    /// It answered something that cannot be read.
    #[error("could not read the answer of the Mesos master at {url}: {reason}")]
    Garbled {
        /// Who was called.
        url: String,
        /// What was wrong with the answer.
        reason: String,
    },
    /// Each master names another one as the leader.
    #[error(
        "the Mesos masters sent us from one to the other {count} times, last to {url}: they may be electing a leader"
    )]
    Loop {
        /// The last that was named.
        url: String,
        /// How often we went.
        count: usize,
    },
    /// No HTTP client can be had.
    #[error("could not set up the HTTP client for Mesos: {0}")]
    Http(String),
}

fn way_in(status: &u16) -> &'static str {
    match status {
        401 | 403 => " (who we are is read from `/nail/etc/mesos-slave-secret`: `principal` and `secret`)",
        _ => "",
    }
}
