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

const MARATHON: &[Key] = &[
    key("args", TEXTS, "Arguments of the image's entry point; excludes `cmd`."),
    key("autoscaling", FREE_MAP, "How the number of copies follows the load, while `max_instances` is set."),
    key("backoff_factor", INTEGER, "By how much the pause between failing starts grows each time."),
    key("bounce_health_params", HEALTH_PARAMS, "What a new task must show before it counts as happy."),
    key("bounce_margin_factor", FRACTION, "The fraction of copies that must stay up during a bounce."),
    key("bounce_method", Rule::Text, "How an old version is replaced by a new one."),
    key("bounce_priority", INTEGER, "Read by nobody any more."),
    key("bounce_start_deadline", NUMBER, "Seconds by which the first bounce may begin later."),
    key("cap_add", TEXTS, "Linux capabilities that the container gets."),
    key(
        "cfs_period_us",
        Rule::Integer(Bounds::between(1_000.0, 1_000_000.0)),
        "The period of the CPU quota, in microseconds.",
    ),
    key("cmd", Rule::Text, "The command to run; excludes `args`."),
    key("constraints", UNIQUE_LISTS, "Where tasks may run; replaces all that would be computed."),
    key("container_port", NUMBER, "The port inside of the container."),
    key(
        "cpu_burst_add",
        Rule::Number(Bounds { least: Some(0.0), ..Bounds::NONE }),
        "CPUs allowed beyond `cpus` while bursting.",
    ),
    key("cpus", POSITIVE, "CPUs that are guaranteed."),
    key("dependencies_reference", Rule::Text, "A group of dependencies.yaml, for the egress firewall."),
    key("deploy_blacklist", FREE_LIST, "Pairs of location type and value where no task may run."),
    key("deploy_group", Rule::Text, "The step of deploy.yaml that deploys it."),
    key("deploy_whitelist", FREE_LIST, "A location type, and the values where tasks may run."),
    key("disk", POSITIVE, "Disk in MiB."),
    key(
        "drain_method",
        Rule::Words(&["noop", "hacheck", "http", "test"]),
        "How traffic is taken off a task before it is killed.",
    ),
    key("drain_method_params", FREE_MAP, "What the drain method is given."),
    key("env", ENVIRONMENT, "Environment variables; numbers need quotes."),
    key("extra_constraints", UNIQUE_LISTS, "Constraints in addition to those that are computed."),
    key("extra_docker_args", TEXT_MAP, "Options for `docker run`, in this order."),
    key("extra_volumes", UNIQUE_MAPS, "Bind mounts, each with `hostPath`, `containerPath`, `mode`."),
    key("gpus", COUNT, "GPUs."),
    key("healthcheck_cmd", Rule::Text, "The command that asks for health; needs `healthcheck_mode: cmd`."),
    key(
        "healthcheck_grace_period_seconds",
        NUMBER,
        "Seconds after the start in which failures do not count.",
    ),
    key("healthcheck_interval_seconds", NUMBER, "Seconds between health checks."),
    key("healthcheck_max_consecutive_failures", INTEGER, "Failures in a row after which a task is killed."),
    key("healthcheck_mode", Rule::Words(&["cmd", "http", "https", "tcp"]), "How health is asked for."),
    key("healthcheck_timeout_seconds", NUMBER, "Seconds after which a health check has failed."),
    key("healthcheck_uri", Rule::Text, "The path that health checks ask."),
    key(
        "host_port",
        Rule::Integer(Bounds::between(0.0, 65_535.0)),
        "A fixed port of the host; 0 lets the scheduler pick.",
    ),
    key("instances", COUNT, "How many copies run."),
    key("marathon_shard", COUNT, "Which of the Marathon servers runs it."),
    key("max_instances", COUNT, "The most copies that the autoscaler may run."),
    key("max_launch_delay_seconds", INTEGER, "The longest pause between failing starts, in seconds."),
    key("mem", Rule::Number(Bounds::above(32.0)), "Memory in MiB."),
    key("min_instances", COUNT, "The fewest copies that the autoscaler may run."),
    key("monitoring", MONITORING, "Whom to alert, over what monitoring.yaml says."),
    key("net", Rule::Text, "The network of the container."),
    key("pool", Rule::Text, "The pool of hosts it runs on."),
    key("previous_marathon_shards", FREE_LIST, "Marathon servers on which it may still run."),
    key("registrations", UNIQUE_TEXTS, "Names it is discovered under, as `service.namespace`."),
    key("replication_threshold", COUNT, "Percent of copies below which an alert is raised."),
    key("security", SECURITY, "Firewall settings."),
    key("sfn_autoscaling", FREE_MAP, "Read by nobody here."),
];

const KUBERNETES: &[Key] = &[
    key(
        "anti_affinity",
        Rule::Either(&[FREE_MAP, UNIQUE_MAPS]),
        "Services and instances it does not share a host with.",
    ),
    key("args", TEXTS, "Arguments of the image's entry point; excludes `cmd`."),
    key("autoscaling", FREE_MAP, "How the number of copies follows the load, while `max_instances` is set."),
    key("aws_ebs_volumes", UNIQUE_MAPS, "EBS volumes to mount."),
    key("backoff_factor", INTEGER, "By how much the pause between failing starts grows each time."),
    key("bounce_health_params", HEALTH_PARAMS, "What a new task must show before it counts as happy."),
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
    key("bounce_priority", INTEGER, "Read by nobody any more."),
    key("cap_add", TEXTS, "Linux capabilities that the container gets."),
    key(
        "cfs_period_us",
        Rule::Integer(Bounds::between(1_000.0, 1_000_000.0)),
        "The period of the CPU quota, in microseconds.",
    ),
    key("cmd", Rule::Either(&[Rule::Text, FREE_LIST]), "The command to run; excludes `args`."),
    key("constraints", UNIQUE_LISTS, "Where tasks may run; replaces all that would be computed."),
    key("container_port", NUMBER, "The port inside of the container."),
    key(
        "cpu_burst_add",
        Rule::Number(Bounds { least: Some(0.0), ..Bounds::NONE }),
        "CPUs allowed beyond `cpus` while bursting.",
    ),
    key("cpus", POSITIVE, "CPUs that are guaranteed."),
    key("dependencies_reference", Rule::Text, "A group of dependencies.yaml, for the egress firewall."),
    key("deploy_blacklist", FREE_LIST, "Pairs of location type and value where no task may run."),
    key("deploy_group", Rule::Text, "The step of deploy.yaml that deploys it."),
    key("deploy_whitelist", FREE_LIST, "A location type, and the values where tasks may run."),
    key("disk", POSITIVE, "Disk in MiB."),
    key(
        "drain_method",
        Rule::Words(&["noop", "hacheck", "http", "test"]),
        "How traffic is taken off a task before it is killed.",
    ),
    key("drain_method_params", FREE_MAP, "What the drain method is given."),
    key("env", ENVIRONMENT, "Environment variables; numbers need quotes."),
    key("extra_constraints", UNIQUE_LISTS, "Constraints in addition to those that are computed."),
    key("extra_docker_args", TEXT_MAP, "Options for `docker run`, in this order."),
    key("extra_volumes", UNIQUE_MAPS, "Bind mounts, each with `hostPath`, `containerPath`, `mode`."),
    key("fs_group", INTEGER, "The group that owns mounted volumes."),
    key("gpus", COUNT, "GPUs."),
    key("healthcheck_cmd", Rule::Text, "The command that asks for health; needs `healthcheck_mode: cmd`."),
    key(
        "healthcheck_grace_period_seconds",
        NUMBER,
        "Seconds after the start in which failures do not count.",
    ),
    key("healthcheck_interval_seconds", NUMBER, "Seconds between health checks."),
    key("healthcheck_max_consecutive_failures", INTEGER, "Failures in a row after which a task is killed."),
    key("healthcheck_mode", Rule::Words(&["cmd", "http", "https", "tcp"]), "How health is asked for."),
    key("healthcheck_timeout_seconds", NUMBER, "Seconds after which a health check has failed."),
    key("healthcheck_uri", Rule::Text, "The path that health checks ask."),
    key(
        "host_port",
        Rule::Integer(Bounds::between(0.0, 65_535.0)),
        "A fixed port of the host; 0 lets the scheduler pick.",
    ),
    key("iam_role", Rule::Text, "The IAM role of the pod."),
    key("iam_role_provider", Rule::Words(&["kiam", "aws"]), "Who hands out the IAM role."),
    key("instances", COUNT, "How many copies run."),
    key("lifecycle", FREE_MAP, "Hooks that run before a container stops."),
    key("marathon_shard", COUNT, "Which of the Marathon servers runs it."),
    key("max_instances", COUNT, "The most copies that the autoscaler may run."),
    key("max_launch_delay_seconds", INTEGER, "The longest pause between failing starts, in seconds."),
    key("mem", Rule::Number(Bounds::above(32.0)), "Memory in MiB."),
    key("min_instances", COUNT, "The fewest copies that the autoscaler may run."),
    key("monitoring", MONITORING, "Whom to alert, over what monitoring.yaml says."),
    key("monitoring_blacklist", FREE_LIST, "Locations that replication alerts leave out."),
    key("net", Rule::Text, "The network of the container."),
    key("node_selectors", FREE_MAP, "Labels that a node must have."),
    key("persistent_volumes", UNIQUE_MAPS, "Volumes that outlive the pod."),
    key("pod_management_policy", Rule::Text, "Whether pods start one after the other."),
    key("pool", Rule::Text, "The pool of hosts it runs on."),
    key("previous_marathon_shards", FREE_LIST, "Marathon servers on which it may still run."),
    key("prometheus_path", Rule::Text, "The path that Prometheus scrapes."),
    key("prometheus_port", INTEGER, "The port that Prometheus scrapes."),
    key("prometheus_shard", Rule::Text, "The Prometheus that scrapes it."),
    key("registrations", UNIQUE_TEXTS, "Names it is discovered under, as `service.namespace`."),
    key("replication_threshold", COUNT, "Percent of copies below which an alert is raised."),
    key("routable_ip", Rule::Bool, "Whether pods get addresses that are reachable from outside."),
    key("secret_volumes", UNIQUE_MAPS, "Secrets to mount as files."),
    key("security", SECURITY_OUTBOUND, "Firewall settings."),
    key("service_account_name", Rule::Text, "The service account of the pod."),
    key("sfn_autoscaling", FREE_MAP, "Read by nobody here."),
    key("sidecar_resource_requirements", FREE_MAP, "CPUs and memory of the side containers."),
];

const ADHOC: &[Key] = &[
    key("args", TEXTS, "Arguments of the image's entry point; excludes `cmd`."),
    key("cap_add", TEXTS, "Linux capabilities that the container gets."),
    key(
        "cfs_period_us",
        Rule::Integer(Bounds::between(1_000.0, 1_000_000.0)),
        "The period of the CPU quota, in microseconds.",
    ),
    key("cmd", Rule::Text, "The command to run; excludes `args`."),
    key(
        "cpu_burst_add",
        Rule::Number(Bounds { least: Some(0.0), ..Bounds::NONE }),
        "CPUs allowed beyond `cpus` while bursting.",
    ),
    key("cpus", POSITIVE, "CPUs that are guaranteed."),
    key("deploy_group", Rule::Text, "The step of deploy.yaml that deploys it."),
    key("disk", POSITIVE, "Disk in MiB."),
    key("env", ENVIRONMENT, "Environment variables; numbers need quotes."),
    key("extra_docker_args", TEXT_MAP, "Options for `docker run`, in this order."),
    key("extra_volumes", UNIQUE_MAPS, "Bind mounts, each with `hostPath`, `containerPath`, `mode`."),
    key("gpus", COUNT, "GPUs."),
    key("mem", Rule::Number(Bounds::above(32.0)), "Memory in MiB."),
    key("net", Rule::Text, "The network of the container."),
    key("pool", Rule::Text, "The pool of hosts it runs on."),
    key("role", Rule::Text, "The Mesos role."),
];

const AUTOTUNED: &[Key] = &[
    key(
        "cpu_burst_add",
        Rule::Number(Bounds { least: Some(0.0), ..Bounds::NONE }),
        "CPUs allowed beyond `cpus` while bursting.",
    ),
    key("cpus", POSITIVE, "CPUs that are guaranteed."),
    key("disk", Rule::Number(Bounds::above(128.0)), "Disk in MiB."),
    key("max_instances", COUNT, "The most copies that the autoscaler may run."),
    key("mem", Rule::Number(Bounds::above(32.0)), "Memory in MiB."),
    key("min_instances", COUNT, "The fewest copies that the autoscaler may run."),
    key("sidecar_resource_requirements", FREE_MAP, "CPUs and memory of the side containers."),
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
