//! Interactive runs (config.md §2.6, adhoc).

use paasta_core::{ClusterName, InstanceId, InstanceName, ServiceName};

use super::{Instance, InstanceType, Soa};
use crate::{LoadError, Map, Node, SystemConfig, Value};

/// The instance that a local run takes unless told otherwise.
const INTERACTIVE: &str = "interactive";

/// What it has where it does not say: cpus, MiB of memory, MiB of disk.
const DEFAULTS: [(&str, i64); 3] = [("cpus", 4), ("mem", 10_240), ("disk", 1_024)];

impl Soa {
    /// The instance of an interactive run: adhoc instance `interactive` where the service has one, else an empty one
    /// (service.yaml does not count then); with 4 cpus, 10 GiB of memory and 1 GiB of disk where it does not say.
    pub fn interactive(
        &self,
        service: &ServiceName,
        cluster: &ClusterName,
        system: &SystemConfig,
    ) -> Result<Instance, LoadError> {
        let id = InstanceId::new(service.clone(), InstanceName::new(INTERACTIVE)?);
        let mut instance = match self.instance(&id, InstanceType::Adhoc, cluster, system) {
            Err(LoadError::NoSuchInstance { .. }) => Instance {
                namespace: self.namespace(service, INTERACTIVE)?,
                kind: InstanceType::Adhoc,
                cluster: cluster.clone(),
                settings: Map::new(),
                id,
            },
            loaded => loaded?,
        };
        for (key, value) in DEFAULTS {
            if instance.settings.get(key).is_none() {
                instance.settings.insert(Node::text(key), Node::new(Value::Int(value)));
            }
        }
        Ok(instance)
    }
}
