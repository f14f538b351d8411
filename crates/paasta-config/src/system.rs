//! The system configuration: what one host knows of its cluster (config.md §3).

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use crate::merge::join;
use crate::setting::{Scope, SettingError};
use crate::{JsonError, Map, NameError, Node, SourceError, parse_json};

mod access;
mod cluster;
mod getter;
mod keys;
mod kubernetes;
mod load;

pub use access::{GitRepo, NativeCredentials};
pub use cluster::TronMaster;
pub use keys::{Coordination, CoordinationDriver, Driver, HostMaintenance, MarathonServer};

/// Where the system configuration is unless somebody says otherwise.
pub const DEFAULT_SYSTEM_CONFIG_DIR: &str = "/etc/paasta";

/// The environment variable by which programs let people say otherwise. This library never reads it.
pub const SYSTEM_CONFIG_DIR_VARIABLE: &str = "PAASTA_SYSTEM_CONFIG_DIR";

/// The system configuration: all `*.json` files of a directory, joined.
///
/// ```
/// use paasta_config::SystemConfig;
///
/// let system = SystemConfig::from_json(r#"{"cluster": "pnw-prod", "zookeeper": "zk://h:2181/mesos"}"#)?;
/// assert_eq!(system.cluster()?.as_str(), "pnw-prod");
/// assert_eq!(system.zookeeper()?, "h:2181/mesos");
/// assert!(system.docker_registry().unwrap_err().to_string().contains("`docker_registry`"));
/// # Ok::<(), paasta_config::SystemError>(())
/// ```
#[derive(Clone)]
pub struct SystemConfig {
    map: Arc<Map>,
    directory: Arc<str>,
}

/// Why the system configuration, or a value of it, cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum SystemError {
    /// A setting without a default is missing, or null.
    #[error("the system configuration in `{directory}` does not set `{setting}`")]
    NotConfigured {
        /// The missing key.
        setting: String,
        /// Where it was looked for.
        directory: String,
    },
    /// The directory is not there, not readable, or a file vanished while it was read.
    #[error("there is no system configuration in `{directory}`: {reason}")]
    NoDirectory {
        /// The directory that was to be read.
        directory: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A file could not be read.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// A file is not JSON.
    #[error("could not parse the system configuration")]
    Json(#[from] JsonError),
    /// A file's top level is not a map.
    #[error("the system configuration file `{file}` holds {kind}, not a map")]
    NotAMap {
        /// The file.
        file: String,
        /// What it holds.
        kind: &'static str,
    },
    /// Two files set the same key.
    #[error("`{key}` is set twice in the system configuration: at {first} and at {second}")]
    Duplicate {
        /// The key path.
        key: String,
        /// Where it was set first, by the order of file names.
        first: String,
        /// Where it was set again.
        second: String,
    },
    /// A value is of the wrong type.
    #[error("the system configuration is wrong")]
    Setting(#[from] SettingError),
    /// A value cannot be a name.
    #[error("the system configuration is wrong")]
    Name(#[from] NameError),
}

impl SystemError {
    /// The original's name of the error.
    pub fn class(&self) -> &'static str {
        match self {
            Self::NotConfigured { setting, .. } if setting.starts_with("tron.") => "TronNotConfigured",
            Self::NotConfigured { setting, .. } if setting.contains("marathon_servers[") => {
                "MarathonNotConfigured"
            }
            Self::NotConfigured { .. } | Self::NoDirectory { .. } => "PaastaNotConfiguredError",
            Self::Duplicate { .. } => "DuplicateKeyError",
            Self::Json(_) => "JSONDecodeError",
            Self::Source(_) => "OSError",
            Self::NotAMap { .. } | Self::Setting(_) | Self::Name(_) => "InvalidSystemConfig",
        }
    }
}

/// Keys alone: among the values are passwords.
impl fmt::Debug for SystemConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys: Vec<&Node> = self.map.iter().map(|(key, _)| key).collect();
        f.debug_struct("SystemConfig").field("directory", &self.directory).field("keys", &keys).finish()
    }
}

impl SystemConfig {
    /// Reads every `*.json` below `directory` and joins them (config.md §3.1). Files this process may not read are
    /// skipped, which is how credentials are kept from some.
    pub fn load(directory: impl AsRef<Path>) -> Result<Self, SystemError> {
        let directory = directory.as_ref();
        let mut map = Map::new();
        for (file, bytes) in load::files(directory)? {
            add(&mut map, parse_json(&bytes, &file)?, &file)?;
        }
        Ok(Self { map: Arc::new(map), directory: directory.display().to_string().into() })
    }

    /// As [`SystemConfig::load`], but empty where there is no such directory.
    pub fn load_optional(directory: impl AsRef<Path>) -> Result<Self, SystemError> {
        match Self::load(directory) {
            Err(SystemError::NoDirectory { directory, .. }) => {
                Ok(Self { map: Arc::default(), directory: directory.into() })
            }
            other => other,
        }
    }

    /// A configuration made by the caller.
    pub fn from_map(map: Map) -> Self {
        Self { map: Arc::new(map), directory: "memory".into() }
    }

    /// A configuration from one JSON text.
    pub fn from_json(text: &str) -> Result<Self, SystemError> {
        let mut map = Map::new();
        add(&mut map, parse_json(text.as_bytes(), "memory")?, "memory")?;
        Ok(Self::from_map(map))
    }

    /// Everything, joined; unknown keys included.
    pub fn map(&self) -> &Arc<Map> {
        &self.map
    }

    /// Where it was read from.
    pub fn directory(&self) -> &str {
        &self.directory
    }

    fn scope(&self) -> Scope<'_> {
        Scope { map: &self.map, path: "" }
    }

    fn needed<T>(&self, setting: &str, value: Option<T>) -> Result<T, SystemError> {
        value.ok_or_else(|| SystemError::NotConfigured {
            setting: setting.to_owned(),
            directory: self.directory.to_string(),
        })
    }
}

fn add(map: &mut Map, node: Node, file: &str) -> Result<(), SystemError> {
    let Some(file_map) = node.as_map() else {
        return Err(SystemError::NotAMap { file: file.to_owned(), kind: node.kind() });
    };
    let place = |node: &Node| node.position.as_ref().map_or_else(|| "memory".to_owned(), ToString::to_string);
    join(map, file_map, "").map_err(|twice| SystemError::Duplicate {
        key: twice.path,
        first: place(&twice.first),
        second: place(&twice.second),
    })
}
