//! One service `svc` in memory, in cluster `c`.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::sync::Arc;

use paasta_config::{Instance, InstanceType, LoadError, Memory, Soa, SystemConfig};
use paasta_core::InstanceId;

pub(crate) fn soa(files: &[(&str, &str)]) -> Soa {
    let mut tree = Memory::new();
    for (file, text) in files {
        tree.insert(format!("svc/{file}"), text);
    }
    Soa::new(Arc::new(tree))
}

pub(crate) fn system() -> SystemConfig {
    SystemConfig::from_json(
        r#"{"cluster": "c", "clusters": ["c"], "docker_registry": "r.example.com", "default_push_groups": ["ops"],
            "auto_config_instance_types_enabled": {"marathon": true, "kubernetes": false, "tron": true}}"#,
    )
    .unwrap()
}

pub(crate) fn id(instance: &str) -> InstanceId {
    InstanceId::new("svc".parse().unwrap(), instance.parse().unwrap())
}

pub(crate) fn load(
    files: &[(&str, &str)],
    kind: InstanceType,
    instance: &str,
) -> Result<Instance, LoadError> {
    soa(files).instance(&id(instance), kind, &"c".parse().unwrap(), &system())
}
