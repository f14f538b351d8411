//! What every request is answered from.

use std::sync::Arc;

use paasta_config::{LoadError, Renderer, Soa, SystemConfig};
use paasta_core::{Clock, ClusterName, Counts, Engine};

use paasta_setup::{Discovery, Drains, Limits};

use crate::error::Failure;

/// What every request is answered from. Cheap to clone.
#[derive(Clone)]
pub struct ApiState {
    /// Whose API it is.
    pub cluster: ClusterName,
    /// Where services and instances are described; read anew for each request.
    pub soa: Soa,
    /// The system configuration.
    pub system: SystemConfig,
    /// What turns wanted instances into what would run.
    pub renderer: Arc<dyn Renderer>,
    /// What runs them.
    pub engine: Arc<dyn Engine>,
    /// Builds drain methods, to ask tasks whether they drain.
    pub drains: Arc<dyn Drains>,
    /// What load balancers see; none where nobody can be asked.
    pub discovery: Option<Arc<dyn Discovery>>,
    /// Bounds on asking tasks.
    pub limits: Limits,
    /// Autoscaled counts.
    pub counts: Arc<dyn Counts>,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

impl ApiState {
    /// Reads configuration on a thread that may block.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&ApiState) -> Result<T, LoadError> + Send + 'static,
    ) -> Result<T, Failure> {
        let state = self.clone();
        match tokio::task::spawn_blocking(move || read(&state)).await {
            Ok(outcome) => outcome.map_err(|error| load_failure(&error)),
            Err(error) => Err(Failure::internal(&error)),
        }
    }
}

/// What is not there is 404; what is there and wrong is 500.
fn load_failure(error: &LoadError) -> Failure {
    use axum::http::StatusCode;
    match error {
        LoadError::NoSuchInstance { .. } => Failure::of(StatusCode::NOT_FOUND, "no_such_instance", error),
        LoadError::NoDeployments { .. } => Failure::of(StatusCode::NOT_FOUND, "not_deployed", error),
        _ => Failure::of(StatusCode::INTERNAL_SERVER_ERROR, "configuration", error),
    }
}
