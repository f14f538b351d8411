//! Which settings decide a field of the hash input or of the body: the other reading of the tables in
//! marathon-and-bounce.md §1. Fields are known by their name in the hash input and by their name on the wire.

use paasta_config::Feed;
use paasta_config::Layer::{Deployment, Namespace, Secret, System};

/// The settings that may decide a field, the nearest first; none for what PaaSTA sets alike for all.
pub(crate) fn feeds(field: &str) -> Vec<Feed> {
    let end = field.find(['.', '[']).unwrap_or(field.len());
    let (top, rest) = field.split_at(end);
    match top {
        "mem" | "cpus" | "disk" | "gpus" => own(&[top]),
        "cmd" | "args" => own(&["cmd", "args"]),
        "backoff_factor" | "backoffFactor" => own(&["backoff_factor"]),
        "max_launch_delay_seconds" | "maxLaunchDelaySeconds" => own(&["max_launch_delay_seconds"]),
        "accepted_resource_roles" | "acceptedResourceRoles" => own(&["accepted_resource_roles"]),
        "backoffSeconds" => own(&["max_instances", "instances"]),
        "instances" => with(
            own(&["instances", "max_instances", "min_instances"]),
            &[Feed::of(Deployment, "desired_state")],
        ),
        "uris" => vec![Feed::of(System, "dockercfg_location")],
        "port_definitions" | "portDefinitions" | "require_ports" | "requirePorts" => {
            own(&["host_port", "net", "gpus"])
        }
        "force_bounce" => vec![Feed::of(Deployment, "force_bounce")],
        "paasta_secrets" => vec![Feed::of(Secret, rest.trim_start_matches('.'))],
        "constraints" => constraints(),
        "health_checks" | "healthChecks" => health_check(rest),
        "env" => environment(rest.trim_start_matches('.')),
        "container" => container(rest.trim_start_matches('.')),
        _ => Vec::new(),
    }
}

fn own(keys: &[&str]) -> Vec<Feed> {
    keys.iter().map(|key| Feed::instance(key)).collect()
}

fn with(mut feeds: Vec<Feed>, more: &[Feed]) -> Vec<Feed> {
    feeds.extend_from_slice(more);
    feeds
}

/// §1.8.
fn constraints() -> Vec<Feed> {
    let instance = own(&["constraints", "extra_constraints", "deploy_blacklist", "deploy_whitelist", "pool"]);
    let size = own(&["instances", "max_instances"]);
    let others = [
        Feed::of(Namespace, "discover"),
        Feed::of(System, "expected_slave_attributes"),
        Feed::of(System, "deploy_blacklist"),
        Feed::of(System, "deploy_whitelist"),
        Feed::of(System, "auto_hostname_unique_size"),
    ];
    [instance, others.to_vec(), size, vec![Feed::of(Deployment, "desired_state")]].concat()
}

/// §1.9.
fn health_check(rest: &str) -> Vec<Feed> {
    let key = match rest.rsplit_once('.').map_or("", |(_, last)| last) {
        "gracePeriodSeconds" => "healthcheck_grace_period_seconds",
        "intervalSeconds" => "healthcheck_interval_seconds",
        "timeoutSeconds" => "healthcheck_timeout_seconds",
        "maxConsecutiveFailures" => "healthcheck_max_consecutive_failures",
        "command" | "value" => "healthcheck_cmd",
        "path" => {
            let mode = modes();
            return [own(&["healthcheck_uri"]), vec![Feed::of(Namespace, "healthcheck_uri")], mode].concat();
        }
        _ => return with(modes(), &own(&["healthcheck_cmd", "healthcheck_uri"])),
    };
    with(own(&[key]), &modes())
}

fn modes() -> Vec<Feed> {
    let namespace = ["healthcheck_mode", "mode", "proxy_port"].map(|key| Feed::of(Namespace, key));
    with(own(&["healthcheck_mode"]), &namespace)
}

/// §1.7: what the author says wins over PaaSTA's own, but for the port.
fn environment(name: &str) -> Vec<Feed> {
    let own = match name {
        "PAASTA_PORT" => return own(&["container_port"]),
        "PAASTA_DEPLOY_GROUP" => own(&["deploy_group"]),
        "PAASTA_RESOURCE_CPUS" => own(&["cpus"]),
        "PAASTA_RESOURCE_MEM" => own(&["mem"]),
        "PAASTA_RESOURCE_DISK" => own(&["disk"]),
        "PAASTA_RESOURCE_GPUS" => own(&["gpus"]),
        "PAASTA_MONITORING_TEAM" => own(&["monitoring.team"]),
        "PAASTA_DOCKER_IMAGE" | "PAASTA_GIT_SHA" => vec![Feed::of(Deployment, "docker_image")],
        "PAASTA_CLUSTER" => vec![Feed::of(System, "cluster")],
        _ => Vec::new(),
    };
    with(vec![Feed::instance_entry("env", name)], &own)
}

fn registries() -> Vec<Feed> {
    with(own(&["docker_registry"]), &[Feed::of(System, "docker_registry")])
}

/// §1.3, §1.6, §1.10.
fn container(rest: &str) -> Vec<Feed> {
    if rest.starts_with("volumes") {
        return with(own(&["extra_volumes"]), &[Feed::of(System, "volumes")]);
    }
    let Some(rest) = rest.strip_prefix("docker.") else { return own(&["gpus"]) };
    if let Some(key) = rest.strip_prefix("parameters[").and_then(|key| key.strip_suffix(']')) {
        return parameter(key);
    }
    match rest {
        "image" => with(vec![Feed::of(Deployment, "docker_image")], &registries()),
        "network" => own(&["net", "gpus"]),
        "parameters" => own(&["extra_docker_args", "cap_add"]),
        _ if rest.starts_with("portMappings") => own(&["container_port", "host_port", "net", "gpus"]),
        _ => Vec::new(),
    }
}

fn parameter(key: &str) -> Vec<Feed> {
    let own = match key {
        "memory-swap" => own(&["mem"]),
        "cpu-period" => own(&["cfs_period_us"]),
        "cpu-quota" => own(&["cpus", "cpu_burst_add", "cfs_period_us"]),
        "storage-opt" => with(own(&["disk"]), &[Feed::of(System, "enforce_disk_quota")]),
        "cap-add" => own(&["cap_add"]),
        _ => Vec::new(),
    };
    with(own, &[Feed::instance_entry("extra_docker_args", key)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(field: &str, first: &str) {
        let feeds = feeds(field);
        let said = feeds.first().map(|feed| format!("{:?} {}", feed.layer, feed.path.join("/")));
        assert_eq!(said.unwrap_or_default(), first, "{field}");
    }

    #[test]
    fn the_nearest_setting_comes_first() {
        check("mem", "Instance mem");
        check("env.FOO.BAR", "Instance env/FOO.BAR");
        check("env.PAASTA_PORT", "Instance container_port");
        check("container.docker.image", "Deployment docker_image");
        check("container.docker.parameters[cpu-quota]", "Instance cpus");
        check("container.docker.parameters[ulimit]", "Instance extra_docker_args/ulimit");
        check("container.volumes[+]", "Instance extra_volumes");
        check("health_checks[0].gracePeriodSeconds", "Instance healthcheck_grace_period_seconds");
        check("healthChecks[0].command.value", "Instance healthcheck_cmd");
        check("health_checks[+]", "Instance healthcheck_mode");
        check("constraints[-]", "Instance constraints");
        check("paasta_secrets.SECRET(a)", "Secret SECRET(a)");
        check("uris", "System dockercfg_location");
        check("id", "");
    }
}
