//! Where a registration is served. Ours: for kinds of discovery that read it here.

use paasta_core::{AppId, InstanceName, ServiceName, TaskId};
use serde::{Deserialize, Serialize};

use crate::{TaskHealth, TaskPhase};

/// Every task of one cluster that is registered under one name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RegistrationEndpoints {
    /// `<service>.<namespace>`.
    pub registration: String,
    /// Its tasks, of all versions, sorted by address and port.
    pub endpoints: Vec<Endpoint>,
    /// What could not be looked at. While there is any, endpoints may be missing: keep those that are known.
    pub unknown: Vec<UnknownEndpoints>,
}

/// One task that is registered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Endpoint {
    /// Its host, as the engine names it.
    pub address: String,
    /// Its first port.
    pub port: u16,
    /// Of which service.
    pub service: ServiceName,
    /// Of which instance.
    pub instance: InstanceName,
    /// Its whole id.
    pub task_id: TaskId,
    /// The version it belongs to.
    pub app_id: AppId,
    /// How far it is in its life.
    pub phase: TaskPhase,
    /// What its health comes to.
    pub health: TaskHealth,
    /// Whether it is being drained; absent where it gave no answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub draining: Option<bool>,
    /// Whether it is to get new traffic: it runs, is healthy and is not drained; absent where it gave no answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub takes_traffic: Option<bool>,
}

/// What could not be looked at.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct UnknownEndpoints {
    /// Of which service.
    pub service: ServiceName,
    /// Of which instance; absent where that could not be told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance: Option<InstanceName>,
    /// Why.
    pub reason: String,
}
