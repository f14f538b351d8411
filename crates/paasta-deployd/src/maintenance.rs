//! [`Maintenance`] over whoever knows the hosts of a cluster, and an engine.

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use paasta_core::{AppId, Engine, LeavingHosts, Reading};

use crate::ports::{HostsLooked, Maintenance};

/// Asks which hosts are about to leave; the engine is asked only where there is one that was not known to.
pub(crate) struct EngineHosts {
    pub(crate) leaving: Box<dyn LeavingHosts>,
    pub(crate) engine: Arc<dyn Engine>,
}

#[async_trait]
impl Maintenance for EngineHosts {
    async fn look(&self, known: &BTreeSet<String>) -> Result<HostsLooked, String> {
        let leaving = match self.leaving.leaving_hosts().await {
            Reading::Known(leaving) => leaving,
            Reading::Unknown(reason) => return Err(reason),
        };
        let new: BTreeSet<&String> = leaving.difference(known).collect();
        let apps = if new.is_empty() { BTreeSet::new() } else { self.apps_on(&new).await? };
        Ok(HostsLooked { leaving, apps })
    }
}

impl EngineHosts {
    async fn apps_on(&self, hosts: &BTreeSet<&String>) -> Result<BTreeSet<AppId>, String> {
        let fleet = self.engine.observe_all().await;
        let mut apps = BTreeSet::new();
        for home in fleet.homes.values() {
            let home = match home {
                Reading::Known(apps) => apps,
                Reading::Unknown(reason) => return Err(reason.clone()),
            };
            let there = home.iter().filter(|app| app.tasks.iter().any(|task| hosts.contains(&task.host)));
            apps.extend(there.map(|app| app.id.clone()));
        }
        Ok(apps)
    }
}
