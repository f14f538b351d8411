//! Whatever value stands at whatever key, rendering answers, and answers alike.

#![expect(clippy::unwrap_used, reason = "a test stops where something is missing")]

use std::collections::BTreeMap;
use std::sync::Arc;

use paasta_config::{DeploymentRecord, DesiredState, Map, Node, SystemConfig, Value, Wanted};
use paasta_core::Reading;
use paasta_marathon::{MarathonRenderer, config_hash, render_app};
use proptest::prelude::*;

/// Every key that rendering reads of an instance.
const KEYS: &[&str] = &[
    "accepted_resource_roles",
    "args",
    "backoff_factor",
    "cap_add",
    "cfs_period_us",
    "cmd",
    "constraints",
    "container_port",
    "cpu_burst_add",
    "cpus",
    "deploy_blacklist",
    "deploy_group",
    "deploy_whitelist",
    "disk",
    "docker_registry",
    "env",
    "extra_constraints",
    "extra_docker_args",
    "extra_volumes",
    "gpus",
    "healthcheck_cmd",
    "healthcheck_grace_period_seconds",
    "healthcheck_interval_seconds",
    "healthcheck_max_consecutive_failures",
    "healthcheck_mode",
    "healthcheck_timeout_seconds",
    "healthcheck_uri",
    "host_port",
    "instances",
    "marathon_shard",
    "max_instances",
    "max_launch_delay_seconds",
    "mem",
    "min_instances",
    "monitoring",
    "nerve_ns",
    "net",
    "pool",
    "previous_marathon_shards",
    "registrations",
];

const OF_SYSTEM: &[&str] = &[
    "auto_hostname_unique_size",
    "deploy_blacklist",
    "deploy_whitelist",
    "docker_registry",
    "dockercfg_location",
    "enforce_disk_quota",
    "expected_slave_attributes",
    "volumes",
];

const OF_NAMESPACE: &[&str] = &["discover", "healthcheck_mode", "healthcheck_uri", "mode", "proxy_port"];

/// Texts that mean something somewhere.
const WORDS: &[&str] = &[
    "",
    "a",
    "region",
    "http",
    "tcp",
    "cmd",
    "bridge",
    "host",
    "team",
    "hostPath",
    "containerPath",
    "mode",
    "RO",
    "/a/",
    "1e3",
    "SECRET(s)",
    "SECRET(s)\n",
    "a.b",
    "svc.main",
    "é\u{1F600}\u{7f}",
    "nan",
];

fn word() -> impl Strategy<Value = String> {
    prop_oneof![3 => prop::sample::select(WORDS).prop_map(str::to_owned), 1 => any::<String>()]
}

fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        (-2_i64..12).prop_map(Value::Int),
        any::<i64>().prop_map(Value::Int),
        "-?[1-9][0-9]{19,40}".prop_map(Value::BigInt),
        prop_oneof![any::<f64>(), Just(f64::NAN), Just(f64::INFINITY), Just(-0.0), Just(0.5)]
            .prop_map(Value::Float),
        word().prop_map(Value::String),
        Just(Value::Date("2021-04-01".to_owned())),
        Just(Value::Date("2001-12-14 21:59:43.100000-05:00".to_owned())),
        prop::collection::vec(any::<u8>(), 0..6).prop_map(Value::Bytes),
    ]
}

fn node() -> impl Strategy<Value = Node> {
    let leaf = scalar().prop_map(Node::new);
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(|list| Node::new(Value::List(list))),
            prop::collection::vec((inner.clone(), inner.clone()), 0..3).prop_map(pairs),
            prop::collection::vec(scalar().prop_map(Node::new), 0..3).prop_map(set),
            prop::collection::vec((scalar().prop_map(Node::new), inner), 0..4)
                .prop_map(|entries| Node::new(Value::Map(entries.into_iter().collect()))),
        ]
    })
}

fn pairs(pairs: Vec<(Node, Node)>) -> Node {
    let pair = |(key, value)| Node::new(Value::Tuple(vec![key, value]));
    Node::new(Value::List(pairs.into_iter().map(pair).collect()))
}

fn set(members: Vec<Node>) -> Node {
    Node::new(Value::Set(members.into_iter().map(|member| (member, Node::null())).collect()))
}

/// Some of these keys, each with any value.
fn map_of(keys: &'static [&'static str], at_most: usize) -> impl Strategy<Value = Map> {
    prop::collection::vec((prop::sample::select(keys).prop_map(Node::text), node()), 0..=at_most)
        .prop_map(|entries| entries.into_iter().collect())
}

fn reading() -> impl Strategy<Value = Reading<Option<i64>>> {
    prop_oneof![
        Just(Reading::Known(None)),
        any::<i64>().prop_map(|count| Reading::Known(Some(count))),
        Just(Reading::Unknown("nobody answers".to_owned())),
    ]
}

fn wanted() -> impl Strategy<Value = Wanted> {
    let deployment = (word(), any::<bool>(), prop::option::of(word()));
    (map_of(KEYS, 4), map_of(OF_SYSTEM, 2), map_of(OF_NAMESPACE, 2), deployment, reading()).prop_map(
        |(settings, odd, namespace, (image, stopped, force_bounce), autoscaled_count)| {
            let base = r#"{"docker_registry": "r", "volumes": [{"hostPath": "/a", "containerPath": "/b", "mode": "RO"}],
                "marathon_servers": [{"url": ["http://h"], "user": "", "password": ""}]}"#;
            let mut system = (**SystemConfig::from_json(base).unwrap().map()).clone();
            for (key, value) in odd.iter() {
                system.insert(key.clone(), value.clone());
            }
            Wanted {
                id: "s_v.main".parse().unwrap(),
                cluster: "c".parse().unwrap(),
                settings,
                deployment: DeploymentRecord {
                    docker_image: format!("i{image}"),
                    git_sha: String::new(),
                    desired_state: if stopped { DesiredState::Stop } else { DesiredState::Start },
                    force_bounce,
                },
                namespace,
                system: Arc::new(system),
                autoscaled_count,
                secret_signatures: BTreeMap::from([("SECRET(s)".to_owned(), Some("signature".to_owned()))]),
            }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn rendering_always_answers_and_always_alike(wanted in wanted()) {
        let rendered = render_app(&wanted);
        prop_assert_eq!(&rendered, &render_app(&wanted.clone()));
        if let Ok(renderer) = MarathonRenderer::from_system(&wanted.system) {
            let _ = renderer.homes(&wanted);
        }
        match rendered {
            Err(error) => prop_assert!(!error.class.is_empty() && !error.message.is_empty()),
            Ok(app) => {
                prop_assert!(app.app.belongs_to(&wanted.id));
                let force = wanted.deployment.force_bounce.as_deref().unwrap_or_default();
                let hashed = app.hash_input.strip_suffix(force).unwrap_or_default();
                prop_assert!(hashed.is_ascii());
                prop_assert!(serde_json::from_str::<serde_json::Value>(hashed).is_ok(), "{}", hashed);
                prop_assert!(serde_json::from_str::<serde_json::Value>(&app.body).is_ok(), "{}", app.body);
                prop_assert_eq!(app.config_hash, config_hash(&app.hash_input));
            }
        }
    }
}
