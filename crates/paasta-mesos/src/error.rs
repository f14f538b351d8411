//! Why a master or an agent does not say what it was asked.

use std::fmt;

/// Who was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    /// A master.
    Master,
    /// A master's answers that something before it keeps, as `use_mesos_cache` wants it.
    Cache,
    /// An agent.
    Agent,
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Master => "the Mesos master",
            Self::Cache => "the cache of the Mesos master (`use_mesos_cache`)",
            Self::Agent => "the Mesos agent",
        })
    }
}

/// Why a master or an agent does not say what it was asked. The messages name the file or the URL, and show no password.
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
    #[error("could not reach {peer} at {url}: {reason}")]
    Unreachable {
        /// Who was asked.
        peer: Peer,
        /// Where.
        url: String,
        /// What happened.
        reason: String,
    },
    /// It said no.
    #[error("{peer} at {url} refused with status {status}: {message}{}", way_in(.status))]
    Refused {
        /// Who was asked.
        peer: Peer,
        /// Where.
        url: String,
        /// Its HTTP status.
        status: u16,
        /// The beginning of its words.
        message: String,
    },
    /// It answered something that cannot be read.
    #[error("could not read the answer of {peer} at {url}: {reason}")]
    Garbled {
        /// Who was asked.
        peer: Peer,
        /// Where.
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
    /// Nobody leads: the master that the others name does not say so of itself.
    #[error("no Mesos master leads, as far as the one at {url} knows: they may be electing a leader")]
    NoLeader {
        /// Who was asked last.
        url: String,
    },
    /// What was scheduled is not what is.
    #[error(
        "somebody else changed the maintenance schedule of the Mesos master at the same time, and what was asked is not in \
         it: run this again"
    )]
    ScheduleChanged,
    /// How the master was started does not tell what is asked.
    #[error("could not use the flags of the Mesos master: {reason}")]
    Flags {
        /// What is wrong with them.
        reason: String,
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
