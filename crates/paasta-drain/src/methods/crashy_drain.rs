//! `crashy_drain`: fails whatever it is asked.

use async_trait::async_trait;
use paasta_config::Map;
use paasta_core::{Task, Timestamp};

use crate::{DrainConfigError, DrainError, DrainMethod, DrainPlace, DrainStatus, DrainTiming, DrainTools};

pub(super) fn build(
    _params: &Map,
    _place: &DrainPlace,
    _tools: &DrainTools,
) -> Result<Box<dyn DrainMethod>, DrainConfigError> {
    Ok(Box::new(CrashyDrain))
}

struct CrashyDrain;

#[async_trait]
impl DrainMethod for CrashyDrain {
    fn timing(&self) -> DrainTiming {
        DrainTiming::default()
    }

    async fn drain(&self, _task: &Task, _now: Timestamp) -> Result<(), DrainError> {
        Err(DrainError::Crash)
    }

    async fn stop_draining(&self, _task: &Task) -> Result<(), DrainError> {
        Err(DrainError::Crash)
    }

    async fn status(&self, _task: &Task) -> Result<DrainStatus, DrainError> {
        Err(DrainError::Crash)
    }
}
