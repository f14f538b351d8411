//! What was created when, and by which settings: the port to the event log.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{AppId, ClusterName, HomeId, InstanceId, Timestamp};

/// A version of an instance that a pass created, with all that decided it.
///
/// Secrets are in it as references only; plain values of the environment are in it as they are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Created {
    /// When.
    pub at: Timestamp,
    /// In which cluster.
    pub cluster: ClusterName,
    /// Of which instance.
    pub instance: InstanceId,
    /// Where.
    pub home: HomeId,
    /// Its id.
    pub app: AppId,
    /// The exact text that was hashed ([`crate::Rendered::hash_input`]).
    pub hash_input: String,
    /// How many tasks it was to have.
    pub instances: usize,
    /// The deployed commit.
    pub git_sha: String,
    /// The token of the last start, stop or restart.
    pub force_bounce: Option<String>,
    /// The versions that stood there, the largest first.
    pub replaces: Vec<AppId>,
    /// Per setting that decided it, where it was written: `file:line:column`, or a file.
    pub settings: BTreeMap<String, String>,
    /// Whether the engine said that it is created; else its answer was lost.
    pub confirmed: bool,
}

/// Where created versions are written down, so that a bounce can be explained later.
pub trait History: Send + Sync {
    /// Writes one record. May wait for a disk, so it is called where that is allowed.
    ///
    /// # Errors
    /// Why it is not written. Nothing else depends on it: a caller tells it and goes on.
    fn created(&self, record: &Created) -> Result<(), String>;
}
