//! Bytes as deployments.json.

use paasta_config::Deployments;
use paasta_core::{ClusterName, InstanceName, ServiceName};
use serde_json::Value;

/// Any bytes are read or refused; every entry of what is read can be asked for; and what the writer takes for its own
/// document says the same to the reader.
pub fn deployments(data: &[u8]) {
    let ours = paasta_deployments::Deployments { service: "svc".to_owned(), entries: Vec::new() };
    let _ = ours.differences(data);
    let same = ours.same_as(data);
    let read = match Deployments::parse(data, "svc/deployments.json") {
        Err(error) => {
            assert!(!same, "the writer takes it for its own, the reader cannot read it: {error}");
            assert!(!error.to_string().is_empty());
            return;
        }
        Ok(read) => read,
    };
    let groups: Vec<&str> = read.groups().collect();
    assert!(!same || groups.is_empty());
    for group in &groups {
        let _ = (read.git_sha(group), read.docker_image(group));
    }
    let Ok(json) = serde_json::from_slice::<Value>(data) else { return };
    let Some(controls) = json["v2"]["controls"].as_object() else { return };
    for key in controls.keys().take(20) {
        if let Some((service, cluster, instance)) = parts(key) {
            for group in groups.iter().copied().map(Some).chain([None]).take(20) {
                ask(&read, (&service, &cluster, &instance), group);
            }
        }
    }
}

fn ask(read: &Deployments, id: (&ServiceName, &ClusterName, &InstanceName), group: Option<&str>) {
    match read.record(id.0, id.1, id.2, group) {
        Ok(Some(record)) => {
            let group = group.expect("without a group nothing is deployed");
            assert_eq!(read.git_sha(group), Some(record.git_sha.as_str()));
            assert_eq!(read.docker_image(group), Some(record.docker_image.as_str()));
        }
        Ok(None) => {}
        Err(error) => assert!(!error.key.is_empty()),
    }
}

/// `<service>:<cluster>.<instance>`.
fn parts(key: &str) -> Option<(ServiceName, ClusterName, InstanceName)> {
    let (service, branch) = key.split_once(':')?;
    let (cluster, instance) = branch.split_once('.')?;
    Some((service.parse().ok()?, cluster.parse().ok()?, instance.parse().ok()?))
}
