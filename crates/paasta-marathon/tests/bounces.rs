//! Which changes bounce a service and which do not, key by key (config.md §2.2, §2.6), alone and in the midst of other
//! settings.

#[path = "support/tree.rs"]
mod tree;

use proptest::prelude::*;
use tree::Tree;

/// One change of one key.
struct Row {
    key: &'static str,
    /// YAML, or nothing where the key is not there.
    before: &'static str,
    after: &'static str,
    /// Other keys that must be so for the row to hold, as a flow map; an empty value must not be there.
    with: &'static [(&'static str, &'static str)],
    /// The smartstack.yaml that must be so; nothing where it does not matter.
    smartstack: &'static str,
    bounces: bool,
}

const fn row(
    key: &'static str,
    before: &'static str,
    after: &'static str,
    with: &'static [(&'static str, &'static str)],
    smartstack: &'static str,
    bounces: bool,
) -> Row {
    Row { key, before, after, with, smartstack, bounces }
}

const fn yes(key: &'static str, before: &'static str, after: &'static str) -> Row {
    row(key, before, after, &[], "", true)
}

const fn no(key: &'static str, before: &'static str, after: &'static str) -> Row {
    row(key, before, after, &[], "", false)
}

const NONE: &str = "{}";
const HTTP: &str = "main: {proxy_port: 20001}\nother: {proxy_port: 20002, mode: tcp}\n";
const FREE: &[(&str, &str)] = &[("constraints", "")];
const FIXED: &[(&str, &str)] = &[("constraints", "[[pool, LIKE, x]]")];
const DOCKER: &[(&str, &str)] = &[("gpus", "")];
const MODE_HTTP: &[(&str, &str)] = &[("healthcheck_mode", "http")];
const MODE_TCP: &[(&str, &str)] = &[("healthcheck_mode", "tcp")];
const MODE_CMD: &[(&str, &str)] = &[("healthcheck_mode", "cmd"), ("healthcheck_cmd", "/bin/check")];
const NO_MODE: &[(&str, &str)] = &[("healthcheck_mode", ""), ("registrations", ""), ("nerve_ns", "")];
const REGISTERED: &[(&str, &str)] = &[("healthcheck_mode", ""), ("nerve_ns", "")];

/// Every key of the two tables, each both ways where it depends.
#[rustfmt::skip]
const ROWS: &[Row] = &[
    yes("cpus", "1", "2"),
    yes("cpus", "", "2"),
    no("cpus", "", "1"),
    yes("cpus", "1", "1.0"),
    yes("cpu_burst_add", "1", "0.5"),
    no("cpu_burst_add", "", "1"),
    yes("cfs_period_us", "100000", "200000"),
    no("cfs_period_us", "", "100000"),
    yes("mem", "512", "513"),
    yes("mem", "512", "512.0"),
    yes("disk", "1024", "2048"),
    yes("disk", "1024", "1024.0"),
    yes("gpus", "", "0"),
    yes("gpus", "1", "2"),
    no("gpus", "", "null"),
    row("cmd", "sleep 1", "sleep 2", &[("args", "")], "", true),
    row("cmd", "", "sleep 2", &[("args", "")], "", true),
    row("cmd", "[sleep, '1']", "sleep 1", &[("args", "")], "", false),
    row("args", "[a]", "[b]", &[("cmd", "")], "", true),
    row("args", "[a, b]", "[b, a]", &[("cmd", "")], "", true),
    row("args", "", "[]", &[("cmd", "")], "", false),
    row("args", "", "null", &[("cmd", "")], "", true),
    row("args", "", "null", &[("cmd", "x")], "", false),
    yes("env", "{A: 1}", "{A: 2}"),
    yes("env", "{A: 1}", "{A: 1.0}"),
    yes("env", "{A: x}", "{B: x}"),
    no("env", "{A: 1, B: yes}", "{B: 'True', A: '1'}"),
    no("env", "", "{PAASTA_PORT: 1}"),
    yes("extra_volumes", "", "[{hostPath: /a, containerPath: /a, mode: RO}]"),
    yes("extra_volumes", "[{hostPath: /a, containerPath: /a, mode: RO}]", "[{hostPath: /a, containerPath: /a, mode: RW}]"),
    yes("extra_volumes", "[{hostPath: /a, containerPath: /a, mode: RO}]", "[{hostPath: /a/, containerPath: /a, mode: RO}]"),
    no("extra_volumes", "[{hostPath: /a, containerPath: /b, mode: RO}, {hostPath: /c, containerPath: /d, mode: RW}]",
        "[{mode: RW, hostPath: /c, containerPath: /d}, {hostPath: /a, containerPath: /b, mode: RO}]"),
    no("aws_ebs_volumes", "", "[{volume_id: v, fs_type: ext4, partition: 1, container_path: /a, mode: RW}]"),
    no("persistent_volumes", "", "[{container_path: /a, size: 1, mode: RW}]"),
    no("secret_volumes", "", "[{container_path: /a, secret_name: s}]"),
    yes("deploy_group", "canary", "'{service}.c'"),
    no("deploy_group", "", "c.main"),
    no("deploy_group", "'{cluster}.{instance}'", "c.main"),
    row("pool", "", "spot", FREE, "", true),
    row("pool", "7", "'7'", FREE, "", true),
    row("pool", "", "default", FREE, "", false),
    row("pool", "", "spot", FIXED, "", false),
    no("role", "", "other"),
    row("deploy_blacklist", "", "[[rack, r1]]", FREE, "", true),
    row("deploy_blacklist", "", "[[rack, r1]]", FIXED, "", false),
    row("deploy_whitelist", "", "[region, [a]]", FREE, "", true),
    row("deploy_whitelist", "[region, [a, b]]", "[region, [b, a]]", FREE, "", true),
    row("deploy_whitelist", "", "null", FREE, "", false),
    row("deploy_whitelist", "", "[region, [a]]", FIXED, "", false),
    yes("constraints", "", "[]"),
    yes("constraints", "[[a, LIKE, 2]]", "[[a, LIKE, 3]]"),
    no("constraints", "[[a, LIKE, 2]]", "[[a, LIKE, '2']]"),
    no("constraints", "", "null"),
    row("extra_constraints", "", "[[x, GROUP_BY]]", FREE, "", true),
    row("extra_constraints", "[[x, LIKE, yes]]", "[[x, LIKE, 'True']]", FREE, "", false),
    row("extra_constraints", "", "[[x, GROUP_BY]]", FIXED, "", false),
    row("net", "", "host", DOCKER, "", true),
    row("net", "host", "none", DOCKER, "", true),
    row("net", "", "bridge", DOCKER, "", false),
    row("net", "bridge", "BRIDGE", DOCKER, "", false),
    row("net", "", "host", &[("gpus", "1")], "", false),
    yes("cap_add", "", "[SYS_PTRACE]"),
    yes("cap_add", "[A, B]", "[B, A]"),
    yes("extra_docker_args", "{a: '1', b: '2'}", "{b: '2', a: '1'}"),
    yes("extra_docker_args", "{a: '1'}", "{a: 1}"),
    no("extra_docker_args", "", "{}"),
    yes("monitoring", "", "{team: ops}"),
    no("monitoring", "{team: ops}", "{team: ops, page: true, runbook: y/x}"),
    no("monitoring", "", "{page: true}"),
    no("monitoring", "", "{team: ''}"),
    no("security", "", "{outbound_firewall: block}"),
    no("dependencies_reference", "", "main"),
    no("dependencies", "", "{main: []}"),
    no("branch", "", "x"),
    no("desired_state", "", "stop"),
    no("instances", "1", "7"),
    no("min_instances", "", "2"),
    no("max_instances", "", "9"),
    no("autoscaling", "", "{setpoint: 0.5}"),
    yes("container_port", "", "8080"),
    no("container_port", "", "8888"),
    row("registrations", "[svc.main]", "[svc.other]", REGISTERED, HTTP, true),
    row("registrations", "", "[svc.main, svc.other]", REGISTERED, HTTP, false),
    row("registrations", "[svc.main]", "[another.main]", REGISTERED, HTTP, false),
    row("registrations", "[svc.main]", "[svc.other]", &[], NONE, false),
    row("nerve_ns", "", "other", &[("registrations", ""), ("healthcheck_mode", "")], HTTP, true),
    row("nerve_ns", "", "other", &[("registrations", "[svc.main]")], HTTP, false),
    no("drain_method", "", "noop"),
    no("drain_method_params", "", "{delay: 5}"),
    no("replication_threshold", "", "90"),
    no("iam_role", "", "arn"),
    no("iam_role_provider", "", "aws"),
    no("fs_group", "", "1"),
    row("healthcheck_mode", "http", "tcp", &[], "", true),
    row("healthcheck_mode", "", "http", NO_MODE, NONE, true),
    row("healthcheck_mode", "", "http", NO_MODE, HTTP, false),
    row("healthcheck_mode", "", "null", NO_MODE, HTTP, false),
    row("healthcheck_uri", "", "/health", MODE_HTTP, "", true),
    row("healthcheck_uri", "", "/status", MODE_HTTP, NONE, false),
    row("healthcheck_uri", "", "/health", MODE_TCP, "", false),
    row("healthcheck_cmd", "/bin/a", "/bin/b", &[("healthcheck_mode", "cmd")], "", true),
    row("healthcheck_cmd", "", "/bin/b", MODE_HTTP, "", false),
    row("healthcheck_grace_period_seconds", "", "61", MODE_TCP, "", true),
    row("healthcheck_grace_period_seconds", "60", "60.0", MODE_TCP, "", true),
    row("healthcheck_grace_period_seconds", "", "60", MODE_TCP, "", false),
    row("healthcheck_grace_period_seconds", "", "61", NO_MODE, NONE, false),
    row("healthcheck_interval_seconds", "", "11", MODE_CMD, "", true),
    row("healthcheck_interval_seconds", "", "11", NO_MODE, NONE, false),
    row("healthcheck_timeout_seconds", "", "7.5", MODE_HTTP, "", true),
    row("healthcheck_timeout_seconds", "", "7.5", NO_MODE, NONE, false),
    row("healthcheck_max_consecutive_failures", "", "2", MODE_TCP, "", true),
    row("healthcheck_max_consecutive_failures", "", "2", NO_MODE, NONE, false),
    no("bounce_start_deadline", "", "60"),
    no("network_mode", "", "host"),
    no("bounce_priority", "", "1"),
    no("sfn_autoscaling", "", "{}"),
    no("bounce_method", "", "brutal"),
    no("bounce_health_params", "", "{check_haproxy: false}"),
    no("bounce_margin_factor", "", "0.5"),
    yes("backoff_factor", "", "3"),
    yes("backoff_factor", "2", "2.0"),
    no("backoff_factor", "", "2"),
    no("backoff_seconds", "", "77"),
    yes("max_launch_delay_seconds", "", "301"),
    no("max_launch_delay_seconds", "", "300"),
    yes("accepted_resource_roles", "", "['*']"),
    no("accepted_resource_roles", "", "null"),
    yes("host_port", "", "31000"),
    no("host_port", "", "0"),
    no("marathon_shard", "", "0"),
    no("previous_marathon_shards", "", "[0]"),
    no("service_account_name", "", "x"),
    no("node_selectors", "", "{a: b}"),
    no("anti_affinity", "", "{service: svc}"),
    no("lifecycle", "", "{pre_stop_command: x}"),
    no("prometheus_port", "", "9090"),
    no("docker_registry", "", "elsewhere.example.com"),
    no("git_url", "", "file:///nowhere"),
];

#[test]
fn each_key_bounces_as_the_table_says() {
    let wrong: Vec<String> = ROWS.iter().filter_map(|row| complaint(&Tree::default(), row)).collect();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// What is wrong with a row in these surroundings.
fn complaint(surroundings: &Tree, row: &Row) -> Option<String> {
    let mut tree = surroundings.clone();
    for (key, value) in row.with {
        put(&mut tree, key, value);
    }
    if !row.smartstack.is_empty() {
        tree.files.insert("svc/smartstack.yaml".into(), row.smartstack.into());
    }
    let mut render = |value| {
        put(&mut tree, row.key, value);
        (tree.render(), tree.instance_text())
    };
    let (before, text) = render(row.before);
    let (after, after_text) = render(row.after);
    let bounced = match (before, after) {
        (Ok(before), Ok(after)) => before.app != after.app,
        (before, after) => return Some(format!("{text}{before:?}\n{after_text}{after:?}")),
    };
    (bounced != row.bounces).then(|| {
        let verb = if bounced { "bounces" } else { "does not bounce" };
        format!("{}: from `{}` to `{}` {verb} in\n{text}", row.key, row.before, row.after)
    })
}

fn put(tree: &mut Tree, key: &str, value: &str) {
    if value.is_empty() { unset(tree, key) } else { tree.set(key, value) }
}

fn unset(tree: &mut Tree, key: &str) {
    tree.instance.retain(|(present, _)| present != key);
}

/// Values that settings may have around a change.
const AROUND: &[(&str, &[&str])] = &[
    ("cpus", &["0.1", "2", "1.0"]),
    ("cpu_burst_add", &["0", "0.5"]),
    ("cfs_period_us", &["10000"]),
    ("mem", &["512", "500.1"]),
    ("disk", &["100", "2048.5"]),
    ("gpus", &["1"]),
    ("cmd", &["sleep 1", "[a, b]"]),
    ("args", &["[-v]"]),
    ("env", &["{X: 1}", "{PAASTA_CLUSTER: over, S: SECRET(s)}"]),
    ("extra_volumes", &["[{hostPath: /v, containerPath: /v, mode: RW}]"]),
    ("deploy_group", &["canary"]),
    ("pool", &["big", "7"]),
    ("deploy_blacklist", &["[[region, z]]"]),
    ("deploy_whitelist", &["[region, [a, b]]"]),
    ("constraints", &["[[q, LIKE, 1]]"]),
    ("extra_constraints", &["[[p, UNIQUE]]"]),
    ("net", &["host", "none", "bridge"]),
    ("cap_add", &["[NET_ADMIN]"]),
    ("extra_docker_args", &["{z: '1', y: 2}"]),
    ("monitoring", &["{team: a}", "{page: false}"]),
    ("instances", &["0", "3"]),
    ("max_instances", &["4"]),
    ("min_instances", &["2"]),
    ("container_port", &["9000"]),
    ("registrations", &["[svc.main]", "[svc.other, svc.main]"]),
    ("healthcheck_mode", &["http", "https", "tcp", "cmd"]),
    ("healthcheck_uri", &["/u"]),
    ("healthcheck_timeout_seconds", &["1.5"]),
    ("backoff_factor", &["1.5"]),
    ("max_launch_delay_seconds", &["60"]),
    ("accepted_resource_roles", &["[a]"]),
    ("host_port", &["31001"]),
    ("bounce_method", &["downthenup"]),
];

/// A valid instance, its smartstack.yaml and its system, of any kind. No host is reserved for one task: with that, the
/// number of instances bounces too (`counts_bounce_where_they_cross_the_size_of_unique_hosts`).
fn surroundings() -> impl Strategy<Value = Tree> {
    let choices: Vec<_> = AROUND
        .iter()
        .map(|(key, values)| {
            let absent = (Just(None), 2);
            let present = prop::sample::select(values.to_vec()).prop_map(move |value| Some((*key, value)));
            prop_oneof![absent.1 => absent.0, 1 => present]
        })
        .collect();
    let smartstack =
        prop::sample::select(vec!["", "{}", HTTP, "main: {proxy_port: 1, healthcheck_uri: /x}\n"]);
    (choices, smartstack, any::<[bool; 4]>(), any::<u64>()).prop_map(|(chosen, smartstack, flags, order)| {
        let mut tree = Tree { autoscaled_count: Some(3), ..Tree::default() };
        for (key, value) in chosen.into_iter().flatten() {
            tree.set(key, value);
        }
        if tree.instance.iter().any(|(key, _)| key == "cmd") {
            unset(&mut tree, "args");
        }
        tree.set("healthcheck_cmd", "/bin/true");
        shuffle(&mut tree.instance, order);
        tree.files.insert("svc/smartstack.yaml".into(), smartstack.into());
        if flags[0] {
            tree.system.insert("enforce_disk_quota".into(), true.into());
        }
        if flags[1] {
            let attributes =
                serde_json::json!([{"region": "a", "rack": "r2"}, {"region": "b", "rack": "r1"}]);
            tree.system.insert("expected_slave_attributes".into(), attributes);
        }
        if flags[2] {
            tree.deployment.insert("force_bounce".into(), "20210301T010203".into());
            tree.deployment.insert("desired_state".into(), "stop".into());
        }
        if flags[3] {
            tree.files.insert("svc/service.yaml".into(), "description: x\nlabels: {a: b}\n".into());
            tree.system.insert("deploy_blacklist".into(), serde_json::json!([["rack", "r9"]]));
        }
        tree
    })
}

/// Another order from the same numbers each time.
fn shuffle<T>(list: &mut [T], mut seed: u64) {
    for place in (1..list.len()).rev() {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        list.swap(place, (seed >> 33) as usize % (place + 1));
    }
}

/// `cmd` and `args` exclude each other.
fn clear_for(tree: &mut Tree, row: &Row) {
    match row.key {
        "cmd" => unset(tree, "args"),
        "args" => unset(tree, "cmd"),
        _ => {}
    }
    if row.with.iter().any(|(key, value)| *key == "cmd" && !value.is_empty()) {
        unset(tree, "args");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    /// The table holds in any surroundings.
    #[test]
    fn each_key_bounces_alike_in_any_surroundings(
        tree in surroundings(),
        rows in prop::collection::vec(0..ROWS.len(), 16),
    ) {
        prop_assert!(tree.render().is_ok(), "{:?}\n{}", tree.render(), tree.instance_text());
        for row in rows.into_iter().map(|row| &ROWS[row]) {
            let mut tree = tree.clone();
            clear_for(&mut tree, row);
            let complaint = complaint(&tree, row);
            prop_assert!(complaint.is_none(), "{}\n{tree:?}", complaint.unwrap());
        }
    }

    /// Neither the order of an instance's keys nor that of its environment or volumes matters.
    #[test]
    fn order_changes_nothing_where_it_means_nothing(tree in surroundings(), order in any::<u64>()) {
        let mut one = tree.clone();
        one.set("env", "{A: 1, B: two, C: [3], D: SECRET(s)}");
        one.set("extra_volumes", "[{hostPath: /1, containerPath: /2, mode: RO}, {hostPath: /3, containerPath: /4, mode: RW}]");
        let mut other = one.clone();
        other.set("env", "{D: SECRET(s), C: [3], B: two, A: 1}");
        other.set("extra_volumes", "[{containerPath: /4, mode: RW, hostPath: /3}, {mode: RO, hostPath: /1, containerPath: /2}]");
        shuffle(&mut other.instance, order);
        prop_assert_eq!(one.render(), other.render());
        prop_assert_eq!(one.render(), one.render());
    }
}

/// A stop or a new count bounces where it crosses the size up to which each task has a host of its own.
#[test]
fn counts_bounce_where_they_cross_the_size_of_unique_hosts() {
    let app = |instances: &str, max: &str, state: &str, count: Option<i64>| {
        let mut tree = Tree { autoscaled_count: count, ..Tree::default() };
        put(&mut tree, "instances", instances);
        put(&mut tree, "max_instances", max);
        tree.system.insert("auto_hostname_unique_size".into(), 5.into());
        tree.deployment.insert("desired_state".into(), state.into());
        tree.render().unwrap().app
    };
    let small = app("5", "", "start", None);
    assert_eq!(app("1", "", "start", None), small);
    let large = app("6", "", "start", None);
    assert_ne!(large, small);
    assert_eq!(app("600", "", "start", None), large);
    assert_eq!(app("6", "", "stop", None), small, "stopped, it is small");
    // Where it is autoscaled the greatest count decides, stopped or not.
    assert_eq!(app("", "6", "start", Some(2)), large);
    assert_eq!(app("", "6", "stop", Some(2)), large);
    assert_eq!(app("100", "5", "start", Some(2)), small);
    // Zero is no greatest count: the desired one decides.
    assert_eq!(app("100", "0", "start", None), small);
}
