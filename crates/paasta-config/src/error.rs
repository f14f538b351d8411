//! Why something could not be loaded from soa-configs.

use paasta_core::{ClusterName, NameError};

use crate::deployments::DeploymentsError;
use crate::yaml::YamlError;
use crate::{InstanceType, JsonError, Position, SettingError, SourceError, SystemError};

/// Why a service, or one of its instances, could not be loaded.
///
/// [`LoadError::NoDeployments`] means that there is nothing to do for the instance yet: skip it quietly. All others
/// are worth telling, and none is a reason to stop working on other instances.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// The instance is not deployed yet.
    #[error("`{service}.{instance}` is not deployed: {missing}")]
    NoDeployments {
        /// The service.
        service: String,
        /// The instance.
        instance: String,
        /// What deployments.json lacks.
        missing: String,
    },
    /// No file of the service has such an instance in this cluster.
    #[error("service `{service}` has no instance `{instance}` in cluster `{cluster}`{}", did_you_mean(close))]
    NoSuchInstance {
        /// The service.
        service: String,
        /// The instance.
        instance: String,
        /// The cluster.
        cluster: ClusterName,
        /// Instances of this cluster with a similar name, closest first.
        close: Vec<String>,
    },
    /// Instances of this type are listed and never loaded.
    #[error("`{service}.{instance}` is of type `{kind}`, whose settings cannot be loaded")]
    NotLoadable {
        /// The service.
        service: String,
        /// The instance.
        instance: String,
        /// The type.
        kind: InstanceType,
    },
    /// A name that cannot be an instance, or a registration that is none.
    #[error("{}{message}", position.as_ref().map(|p| format!("{p}: ")).unwrap_or_default())]
    InvalidName {
        /// What is wrong, with the name.
        message: String,
        /// Where it was written.
        position: Option<Position>,
    },
    /// A YAML file cannot be parsed.
    #[error(transparent)]
    Yaml(#[from] YamlError),
    /// A JSON file cannot be parsed.
    #[error(transparent)]
    Json(#[from] JsonError),
    /// A value is not what it should be.
    #[error(transparent)]
    Setting(#[from] SettingError),
    /// A file or directory could not be read.
    #[error(transparent)]
    Io(#[from] SourceError),
    /// The system configuration lacks something, or is wrong.
    #[error(transparent)]
    System(#[from] SystemError),
}

impl LoadError {
    /// The original's name of the error, for machines.
    pub fn class(&self) -> &'static str {
        match self {
            Self::NoDeployments { .. } => "NoDeploymentsAvailable",
            Self::NoSuchInstance { .. } => "NoConfigurationForServiceError",
            Self::NotLoadable { .. } => "NotImplementedError",
            Self::InvalidName { .. } => "InvalidJobNameError",
            Self::Yaml(error) => error.class(),
            Self::Json(_) => "JSONDecodeError",
            Self::Setting(error) => error.class,
            Self::Io(_) => "OSError",
            Self::System(error) => error.class(),
        }
    }

    /// Whether the instance is merely not deployed yet.
    pub fn is_no_deployments(&self) -> bool {
        matches!(self, Self::NoDeployments { .. })
    }

    /// Where the error is, if it is in a file.
    pub fn position(&self) -> Option<&Position> {
        match self {
            Self::InvalidName { position, .. } => position.as_ref(),
            Self::Yaml(error) => Some(&error.position),
            Self::Json(error) => Some(&error.position),
            Self::Setting(error) | Self::System(SystemError::Setting(error)) => error.position.as_ref(),
            _ => None,
        }
    }
}

impl From<DeploymentsError> for LoadError {
    fn from(error: DeploymentsError) -> Self {
        match error {
            DeploymentsError::Json(error) => error.into(),
            DeploymentsError::Setting(error) => error.into(),
        }
    }
}

impl From<NameError> for LoadError {
    fn from(error: NameError) -> Self {
        Self::InvalidName { message: error.to_string(), position: None }
    }
}

fn did_you_mean(close: &[String]) -> String {
    match close {
        [] => String::new(),
        [one] => format!(" (did you mean `{one}`?)"),
        many => format!(" (did you mean one of `{}`?)", many.join("`, `")),
    }
}
