//! What long-running and ad-hoc instances may hold, by kind of file (config.md §8.3).

use super::rule::{
    Alternative, Bounds, COUNT, Choice, FREE_LIST, FREE_MAP, Form, INTEGER, Key, Members, NUMBER, Others,
    Rule, TEXT_MAP, TEXTS, UNIQUE_LISTS, UNIQUE_MAPS, UNIQUE_TEXTS,
};
use super::tables::{key, required};

pub(super) const MARATHON_INSTANCE: Rule =
    Rule::Map(&Members { keys: MARATHON, others: Others::Refused, choices: CHOICES });
pub(super) const KUBERNETES_INSTANCE: Rule =
    Rule::Map(&Members { keys: KUBERNETES, others: Others::Refused, choices: CHOICES });
pub(super) const ADHOC_INSTANCE: Rule =
    Rule::Map(&Members { keys: ADHOC, others: Others::Refused, choices: &[] });
pub(super) const AUTOTUNED_INSTANCE: Rule =
    Rule::Map(&Members { keys: AUTOTUNED, others: Others::Refused, choices: &[] });

/// Keys that more than one kind of file has, with the same meaning.
mod common {
    use super::*;

    pub(super) const ARGS: Key = key("args", TEXTS, "Arguments of the image's entry point; excludes `cmd`.");
    pub(super) const AUTOSCALING: Key = key(
        "autoscaling",
        FREE_MAP,
        "How the number of copies follows the load, while `max_instances` is set.",
    );
    pub(super) const BACKOFF_FACTOR: Key =
        key("backoff_factor", INTEGER, "By how much the pause between failing starts grows each time.");
    pub(super) const BOUNCE_HEALTH_PARAMS: Key =
        key("bounce_health_params", HEALTH_PARAMS, "What a new task must show before it counts as happy.");
    pub(super) const BOUNCE_PRIORITY: Key = key("bounce_priority", INTEGER, "Read by nobody any more.");
    pub(super) const CAP_ADD: Key = key("cap_add", TEXTS, "Linux capabilities that the container gets.");
    pub(super) const CFS_PERIOD_US: Key = key(
        "cfs_period_us",
        Rule::Integer(Bounds::between(1_000.0, 1_000_000.0)),
        "The period of the CPU quota, in microseconds.",
    );
    pub(super) const CMD: Key = key("cmd", Rule::Text, "The command to run; excludes `args`.");
    pub(super) const CONSTRAINTS: Key =
        key("constraints", UNIQUE_LISTS, "Where tasks may run; replaces all that would be computed.");
    pub(super) const CONTAINER_PORT: Key = key("container_port", NUMBER, "The port inside of the container.");
    pub(super) const CPU_BURST_ADD: Key = key(
        "cpu_burst_add",
        Rule::Number(Bounds { least: Some(0.0), ..Bounds::NONE }),
        "CPUs allowed beyond `cpus` while bursting.",
    );
    pub(super) const CPUS: Key = key("cpus", POSITIVE, "CPUs that are guaranteed.");
    pub(super) const DEPENDENCIES_REFERENCE: Key =
        key("dependencies_reference", Rule::Text, "A group of dependencies.yaml, for the egress firewall.");
    pub(super) const DEPLOY_BLACKLIST: Key =
        key("deploy_blacklist", FREE_LIST, "Pairs of location type and value where no task may run.");
    pub(super) const DEPLOY_GROUP: Key =
        key("deploy_group", Rule::Text, "The step of deploy.yaml that deploys it.");
    pub(super) const DEPLOY_WHITELIST: Key =
        key("deploy_whitelist", FREE_LIST, "A location type, and the values where tasks may run.");
    pub(super) const DISK: Key = key("disk", POSITIVE, "Disk in MiB.");
    pub(super) const DRAIN_METHOD: Key = key(
        "drain_method",
        Rule::Words(&["noop", "hacheck", "http", "test"]),
        "How traffic is taken off a task before it is killed.",
    );
    pub(super) const DRAIN_METHOD_PARAMS: Key =
        key("drain_method_params", FREE_MAP, "What the drain method is given.");
    pub(super) const ENV: Key = key("env", ENVIRONMENT, "Environment variables; numbers need quotes.");
    pub(super) const EXTRA_CONSTRAINTS: Key =
        key("extra_constraints", UNIQUE_LISTS, "Constraints in addition to those that are computed.");
    pub(super) const EXTRA_DOCKER_ARGS: Key =
        key("extra_docker_args", TEXT_MAP, "Options for `docker run`, in this order.");
    pub(super) const EXTRA_VOLUMES: Key =
        key("extra_volumes", UNIQUE_MAPS, "Bind mounts, each with `hostPath`, `containerPath`, `mode`.");
    pub(super) const GPUS: Key = key("gpus", COUNT, "GPUs.");
    pub(super) const HEALTHCHECK_CMD: Key = key(
        "healthcheck_cmd",
        Rule::Text,
        "The command that asks for health; needs `healthcheck_mode: cmd`.",
    );
    pub(super) const HEALTHCHECK_GRACE_PERIOD_SECONDS: Key = key(
        "healthcheck_grace_period_seconds",
        NUMBER,
        "Seconds after the start in which failures do not count.",
    );
    pub(super) const HEALTHCHECK_INTERVAL_SECONDS: Key =
        key("healthcheck_interval_seconds", NUMBER, "Seconds between health checks.");
    pub(super) const HEALTHCHECK_MAX_CONSECUTIVE_FAILURES: Key = key(
        "healthcheck_max_consecutive_failures",
        INTEGER,
        "Failures in a row after which a task is killed.",
    );
    pub(super) const HEALTHCHECK_MODE: Key =
        key("healthcheck_mode", Rule::Words(&["cmd", "http", "https", "tcp"]), "How health is asked for.");
    pub(super) const HEALTHCHECK_TIMEOUT_SECONDS: Key =
        key("healthcheck_timeout_seconds", NUMBER, "Seconds after which a health check has failed.");
    pub(super) const HEALTHCHECK_URI: Key =
        key("healthcheck_uri", Rule::Text, "The path that health checks ask.");
    pub(super) const HOST_PORT: Key = key(
        "host_port",
        Rule::Integer(Bounds::between(0.0, 65_535.0)),
        "A fixed port of the host; 0 lets the scheduler pick.",
    );
    pub(super) const INSTANCES: Key = key("instances", COUNT, "How many copies run.");
    pub(super) const MARATHON_SHARD: Key =
        key("marathon_shard", COUNT, "Which of the Marathon servers runs it.");
    pub(super) const MAX_INSTANCES: Key =
        key("max_instances", COUNT, "The most copies that the autoscaler may run.");
    pub(super) const MAX_LAUNCH_DELAY_SECONDS: Key =
        key("max_launch_delay_seconds", INTEGER, "The longest pause between failing starts, in seconds.");
    pub(super) const MEM: Key = key("mem", Rule::Number(Bounds::above(32.0)), "Memory in MiB.");
    pub(super) const MIN_INSTANCES: Key =
        key("min_instances", COUNT, "The fewest copies that the autoscaler may run.");
    pub(super) const MONITORING: Key =
        key("monitoring", super::MONITORING, "Whom to alert, over what monitoring.yaml says.");
    pub(super) const NET: Key = key("net", Rule::Text, "The network of the container.");
    pub(super) const POOL: Key = key("pool", Rule::Text, "The pool of hosts it runs on.");
    pub(super) const PREVIOUS_MARATHON_SHARDS: Key =
        key("previous_marathon_shards", FREE_LIST, "Marathon servers on which it may still run.");
    pub(super) const REGISTRATIONS: Key =
        key("registrations", UNIQUE_TEXTS, "Names it is discovered under, as `service.namespace`.");
    pub(super) const REPLICATION_THRESHOLD: Key =
        key("replication_threshold", COUNT, "Percent of copies below which an alert is raised.");
    pub(super) const SFN_AUTOSCALING: Key = key("sfn_autoscaling", FREE_MAP, "Read by nobody here.");
    pub(super) const SIDECAR_RESOURCE_REQUIREMENTS: Key =
        key("sidecar_resource_requirements", FREE_MAP, "CPUs and memory of the side containers.");
}

const MARATHON: &[Key] = &[
    common::ARGS,
    common::AUTOSCALING,
    common::BACKOFF_FACTOR,
    common::BOUNCE_HEALTH_PARAMS,
    key("bounce_margin_factor", FRACTION, "The fraction of copies that must stay up during a bounce."),
    key("bounce_method", Rule::Text, "How an old version is replaced by a new one."),
    common::BOUNCE_PRIORITY,
    key("bounce_start_deadline", NUMBER, "Seconds by which the first bounce may begin later."),
    common::CAP_ADD,
    common::CFS_PERIOD_US,
    common::CMD,
    common::CONSTRAINTS,
    common::CONTAINER_PORT,
    common::CPU_BURST_ADD,
    common::CPUS,
    common::DEPENDENCIES_REFERENCE,
    common::DEPLOY_BLACKLIST,
    common::DEPLOY_GROUP,
    common::DEPLOY_WHITELIST,
    common::DISK,
    common::DRAIN_METHOD,
    common::DRAIN_METHOD_PARAMS,
    common::ENV,
    common::EXTRA_CONSTRAINTS,
    common::EXTRA_DOCKER_ARGS,
    common::EXTRA_VOLUMES,
    common::GPUS,
    common::HEALTHCHECK_CMD,
    common::HEALTHCHECK_GRACE_PERIOD_SECONDS,
    common::HEALTHCHECK_INTERVAL_SECONDS,
    common::HEALTHCHECK_MAX_CONSECUTIVE_FAILURES,
    common::HEALTHCHECK_MODE,
    common::HEALTHCHECK_TIMEOUT_SECONDS,
    common::HEALTHCHECK_URI,
    common::HOST_PORT,
    common::INSTANCES,
    common::MARATHON_SHARD,
    common::MAX_INSTANCES,
    common::MAX_LAUNCH_DELAY_SECONDS,
    common::MEM,
    common::MIN_INSTANCES,
    common::MONITORING,
    common::NET,
    common::POOL,
    common::PREVIOUS_MARATHON_SHARDS,
    common::REGISTRATIONS,
    common::REPLICATION_THRESHOLD,
    key("security", SECURITY, "Firewall settings."),
    common::SFN_AUTOSCALING,
];

const KUBERNETES: &[Key] = &[
    key(
        "anti_affinity",
        Rule::Either(&[FREE_MAP, UNIQUE_MAPS]),
        "Services and instances it does not share a host with.",
    ),
    common::ARGS,
    common::AUTOSCALING,
    key("aws_ebs_volumes", UNIQUE_MAPS, "EBS volumes to mount."),
    common::BACKOFF_FACTOR,
    common::BOUNCE_HEALTH_PARAMS,
    key(
        "bounce_margin_factor",
        Rule::Number(Bounds::between(0.0, 1.0)),
        "The fraction of copies that must stay up during a bounce.",
    ),
    key(
        "bounce_method",
        Rule::Words(&["crossover", "brutal", "downthenup"]),
        "How an old version is replaced by a new one.",
    ),
    common::BOUNCE_PRIORITY,
    common::CAP_ADD,
    common::CFS_PERIOD_US,
    key("cmd", Rule::Either(&[Rule::Text, FREE_LIST]), "The command to run; excludes `args`."),
    common::CONSTRAINTS,
    common::CONTAINER_PORT,
    common::CPU_BURST_ADD,
    common::CPUS,
    common::DEPENDENCIES_REFERENCE,
    common::DEPLOY_BLACKLIST,
    common::DEPLOY_GROUP,
    common::DEPLOY_WHITELIST,
    common::DISK,
    common::DRAIN_METHOD,
    common::DRAIN_METHOD_PARAMS,
    common::ENV,
    common::EXTRA_CONSTRAINTS,
    common::EXTRA_DOCKER_ARGS,
    common::EXTRA_VOLUMES,
    key("fs_group", INTEGER, "The group that owns mounted volumes."),
    common::GPUS,
    common::HEALTHCHECK_CMD,
    common::HEALTHCHECK_GRACE_PERIOD_SECONDS,
    common::HEALTHCHECK_INTERVAL_SECONDS,
    common::HEALTHCHECK_MAX_CONSECUTIVE_FAILURES,
    common::HEALTHCHECK_MODE,
    common::HEALTHCHECK_TIMEOUT_SECONDS,
    common::HEALTHCHECK_URI,
    common::HOST_PORT,
    key("iam_role", Rule::Text, "The IAM role of the pod."),
    key("iam_role_provider", Rule::Words(&["kiam", "aws"]), "Who hands out the IAM role."),
    common::INSTANCES,
    key("lifecycle", FREE_MAP, "Hooks that run before a container stops."),
    common::MARATHON_SHARD,
    common::MAX_INSTANCES,
    common::MAX_LAUNCH_DELAY_SECONDS,
    common::MEM,
    common::MIN_INSTANCES,
    common::MONITORING,
    key("monitoring_blacklist", FREE_LIST, "Locations that replication alerts leave out."),
    common::NET,
    key("node_selectors", FREE_MAP, "Labels that a node must have."),
    key("persistent_volumes", UNIQUE_MAPS, "Volumes that outlive the pod."),
    key("pod_management_policy", Rule::Text, "Whether pods start one after the other."),
    common::POOL,
    common::PREVIOUS_MARATHON_SHARDS,
    key("prometheus_path", Rule::Text, "The path that Prometheus scrapes."),
    key("prometheus_port", INTEGER, "The port that Prometheus scrapes."),
    key("prometheus_shard", Rule::Text, "The Prometheus that scrapes it."),
    common::REGISTRATIONS,
    common::REPLICATION_THRESHOLD,
    key("routable_ip", Rule::Bool, "Whether pods get addresses that are reachable from outside."),
    key("secret_volumes", UNIQUE_MAPS, "Secrets to mount as files."),
    key("security", SECURITY_OUTBOUND, "Firewall settings."),
    key("service_account_name", Rule::Text, "The service account of the pod."),
    common::SFN_AUTOSCALING,
    common::SIDECAR_RESOURCE_REQUIREMENTS,
];

const ADHOC: &[Key] = &[
    common::ARGS,
    common::CAP_ADD,
    common::CFS_PERIOD_US,
    common::CMD,
    common::CPU_BURST_ADD,
    common::CPUS,
    common::DEPLOY_GROUP,
    common::DISK,
    common::ENV,
    common::EXTRA_DOCKER_ARGS,
    common::EXTRA_VOLUMES,
    common::GPUS,
    common::MEM,
    common::NET,
    common::POOL,
    key("role", Rule::Text, "The Mesos role."),
];

const AUTOTUNED: &[Key] = &[
    common::CPU_BURST_ADD,
    common::CPUS,
    key("disk", Rule::Number(Bounds::above(128.0)), "Disk in MiB."),
    common::MAX_INSTANCES,
    common::MEM,
    common::MIN_INSTANCES,
    common::SIDECAR_RESOURCE_REQUIREMENTS,
];

const POSITIVE: Rule = Rule::Number(Bounds::above(0.0));
const FRACTION: Rule = Rule::Number(Bounds { above: Some(0.0), least: None, most: Some(1.0) });

pub(super) const ENVIRONMENT: Rule =
    Rule::Map(&Members { keys: &[], others: Others::Named(&VARIABLE, &Rule::Text), choices: &[] });

const VARIABLE: Form = Form {
    noun: "the name of an environment variable (letters, digits and `_`, no digit first)",
    pattern: "^[A-Za-z_][A-Za-z0-9_]*$",
    fits: |name| {
        name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
    },
};

const HEALTH_PARAMS: Rule = Rule::Map(&Members {
    keys: &[
        key("check_haproxy", Rule::Bool, "Whether HAProxy must see the task up."),
        key("haproxy_min_fraction_up", FRACTION, "Of the HAProxies asked, the fraction that must see it up."),
        key("min_task_uptime", NUMBER, "Seconds that the task must have been up."),
    ],
    others: Others::Free,
    choices: &[],
});

const MONITORING: Rule = Rule::Map(&Members {
    keys: &[
        key("page", Rule::Bool, "Whether alerts page somebody."),
        key("team", Rule::Text, "The team that is alerted."),
    ],
    others: Others::Free,
    choices: &[],
});

const OUTBOUND: Key = key(
    "outbound_firewall",
    Rule::Words(&["block", "monitor"]),
    "What happens to connections that no dependency allows.",
);

const SECURITY: Rule = Rule::Map(&Members {
    // The original's schema and its check contradict each other about `accept` and `allow`.
    keys: &[
        key(
            "inbound_firewall",
            Rule::Words(&["allow", "reject"]),
            "What happens to connections from outside.",
        ),
        OUTBOUND,
    ],
    others: Others::Free,
    choices: &[],
});

const SECURITY_OUTBOUND: Rule = Rule::Map(&Members { keys: &[OUTBOUND], others: Others::Free, choices: &[] });

const CHOICES: &[Choice] = &[HEALTHCHECK, DRAIN];

const HEALTHCHECK: Choice = Choice {
    keys: &["healthcheck_mode", "healthcheck_cmd"],
    alternatives: [
        Alternative { required: &[], keys: &[("healthcheck_mode", Rule::Words(&["tcp", "http", "https"]))] },
        Alternative {
            required: &["healthcheck_cmd"],
            keys: &[("healthcheck_cmd", Rule::Text), ("healthcheck_mode", Rule::Words(&["cmd"]))],
        },
    ],
    none: "`healthcheck_mode: cmd` has no `healthcheck_cmd` beside it",
    none_hint: "Add `healthcheck_cmd` with the command that asks for health, or choose the mode `http`, `https` or `tcp`.",
    both: "`healthcheck_cmd` has no `healthcheck_mode` beside it",
    both_hint: "Add `healthcheck_mode: cmd`, or drop `healthcheck_cmd`.",
};

const DRAIN: Choice = Choice {
    keys: &["drain_method", "drain_method_params"],
    alternatives: [
        Alternative { required: &[], keys: &[("drain_method", Rule::Words(&["noop", "hacheck", "test"]))] },
        Alternative {
            required: &["drain_method_params"],
            keys: &[("drain_method", Rule::Words(&["http"])), ("drain_method_params", HTTP_PARAMS)],
        },
    ],
    none: "`drain_method: http` lacks some of its parameters",
    none_hint: "Give `drain_method_params` the maps `drain`, `stop_draining`, `is_draining` and `is_safe_to_kill`.",
    both: "`drain_method_params` are those of `http`, but `drain_method` is not set",
    both_hint: "Add `drain_method: http`.",
};

const HTTP_PARAMS: Rule = Rule::Map(&Members {
    keys: &[
        required("drain", FREE_MAP, "The request that takes the task out of traffic."),
        required("is_draining", FREE_MAP, "The request that tells whether it is out."),
        required("is_safe_to_kill", FREE_MAP, "The request that tells whether it may be killed."),
        required("stop_draining", FREE_MAP, "The request that puts it back."),
    ],
    others: Others::Free,
    choices: &[],
});
