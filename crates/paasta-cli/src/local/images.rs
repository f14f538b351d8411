//! What the engine asks for: a service's checkout for an image's name.

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use paasta_config::{Soa, SystemConfig};
use paasta_core::ServiceName;
use paasta_engine::{Artifact, ArtifactError, Artifacts};

use super::checkout::{CheckoutError, Checkouts, RemoteOf};

/// Finds a service's git remote in soa-configs as they are then.
pub(super) fn remotes(soa_dir: PathBuf, system_config_dir: PathBuf) -> Box<RemoteOf> {
    Box::new(move |service: &ServiceName| {
        let system = SystemConfig::load(&system_config_dir)
            .map_err(|error| format!("{:#}", anyhow::Error::new(error)))?;
        paasta_deployments::git_url(&Soa::open(&soa_dir), &system, service)
            .map_err(|error| format!("{:#}", anyhow::Error::new(error)))
    })
}

/// What the engine asks for images.
pub(super) struct Images(pub(super) Arc<Checkouts>);

#[async_trait]
impl Artifacts for Images {
    async fn resolve(&self, image: &str) -> Result<Artifact, ArtifactError> {
        let image = image.to_owned();
        match self.0.resolve(&image).await {
            Ok(path) => Ok(Artifact::Directory(path)),
            Err(error @ (CheckoutError::NotOurs { .. } | CheckoutError::NoRemote { .. })) => {
                Err(ArtifactError::NotFound { image, reason: error.to_string() })
            }
            Err(error) => Err(ArtifactError::Unavailable { image, reason: error.to_string() }),
        }
    }
}
