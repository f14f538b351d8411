//! Why a local cluster could not be started, asked or stopped.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

/// What went wrong with a local cluster.
#[derive(Debug, thiserror::Error)]
pub enum LocalError {
    /// The state directory cannot be used.
    #[error("could not use the state directory: `{}`", path.display())]
    StateDir {
        /// The part of it.
        path: PathBuf,
        /// What happened.
        source: io::Error,
    },
    /// There is no place for the state directory.
    #[error("could not choose a state directory: neither XDG_STATE_HOME nor HOME is set")]
    NoStateDir,
    /// Another process holds the state directory.
    #[error("a local cluster is running already in `{}` (process {holder})", state_dir.display())]
    Running {
        /// The directory.
        state_dir: PathBuf,
        /// The process.
        holder: String,
    },
    /// The soa-configs are not there.
    #[error("could not read soa-configs in `{}`", path.display())]
    SoaDir {
        /// Where they were to be.
        path: PathBuf,
        /// What happened.
        source: io::Error,
    },
    /// A port is taken.
    #[error("{what} could not listen on {address}")]
    Port {
        /// Who wanted to listen.
        what: &'static str,
        /// The option that chooses the port.
        option: &'static str,
        /// The address.
        address: SocketAddr,
        /// What happened.
        source: io::Error,
    },
    /// The pointer file could not be written.
    #[error("could not write `{}`, by which commands find the cluster", path.display())]
    Pointer {
        /// Where it was to be.
        path: PathBuf,
        /// What happened.
        source: io::Error,
    },
    /// What the engine knew of its apps and tasks is there, and cannot be read.
    #[error("could not start the engine")]
    EngineState {
        /// What happened.
        source: paasta_engine::StartError,
    },
    /// Services could not be ended.
    #[error("could not end the services of the cluster")]
    Ending {
        /// What happened.
        source: anyhow::Error,
    },
    /// Not every process could be ended.
    #[error("could not end every process of the cluster: {processes} are still there")]
    StillThere {
        /// How many are left.
        processes: usize,
    },
    /// What the engine kept of its tasks cannot be read.
    #[error("could not tell what runs")]
    Kept {
        /// What happened.
        source: paasta_engine::StoreError,
    },
    /// One of the parts could not start.
    #[error("could not start {what}")]
    Part {
        /// Which part.
        what: &'static str,
        /// What happened.
        source: anyhow::Error,
    },
}

impl LocalError {
    /// What to do about it, as a full sentence.
    pub fn hint(&self) -> Option<String> {
        match self {
            LocalError::StateDir { .. } | LocalError::NoStateDir => {
                Some("Choose a directory that you may write to with --state-dir.".to_owned())
            }
            LocalError::Running { .. } => {
                Some("Look at it with `paasta local status`, or stop it with `paasta local down`.".to_owned())
            }
            LocalError::SoaDir { .. } => {
                Some("Name the directory that has one folder per service with --soa-dir.".to_owned())
            }
            LocalError::Port { source, .. } if source.kind() == io::ErrorKind::AddrNotAvailable => {
                Some("Name an address of this machine with --listen.".to_owned())
            }
            LocalError::Port { option, .. } => {
                Some(format!("Choose another port with {option}, or take any free ones with --ports-any."))
            }
            LocalError::EngineState { .. } => Some(
                "Start it with the version of PaaSTA that wrote the file, or end its services with `paasta local down` \
                 (without draining them) and begin anew."
                    .to_owned(),
            ),
            LocalError::Pointer { .. } | LocalError::Kept { .. } | LocalError::Ending { .. } | LocalError::StillThere { .. } | LocalError::Part { .. } => None,
        }
    }
}
