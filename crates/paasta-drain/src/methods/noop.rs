//! `noop`: does nothing; a task may be killed at any time.

use async_trait::async_trait;
use paasta_config::Map;
use paasta_core::{Task, Timestamp};

use crate::{
    DrainConfigError, DrainError, DrainMethod, DrainPlace, DrainState, DrainStatus, DrainTiming, DrainTools,
    SafeToKill,
};

pub(super) fn build(
    _params: &Map,
    _place: &DrainPlace,
    _tools: &DrainTools,
) -> Result<Box<dyn DrainMethod>, DrainConfigError> {
    Ok(Box::new(Noop))
}

struct Noop;

#[async_trait]
impl DrainMethod for Noop {
    fn timing(&self) -> DrainTiming {
        DrainTiming { delay_seconds: Some(0.0), expiration_seconds: None }
    }

    async fn drain(&self, _task: &Task, _now: Timestamp) -> Result<(), DrainError> {
        Ok(())
    }

    async fn stop_draining(&self, _task: &Task) -> Result<(), DrainError> {
        Ok(())
    }

    async fn status(&self, _task: &Task) -> Result<DrainStatus, DrainError> {
        Ok(DrainStatus { state: DrainState::Serving, safe: SafeToKill::Now })
    }
}
