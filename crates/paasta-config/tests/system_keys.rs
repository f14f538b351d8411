//! Every key of the system configuration (config.md §3.2): what it reads as, what it is without, what it must not be.

use std::fmt::Debug;

use paasta_config::{SystemConfig, SystemError};

type Read = fn(&SystemConfig) -> Result<String, SystemError>;

/// A key, what gets it, a value, what that reads as, and what a missing key reads as: `-` for an error that names it.
struct Row {
    key: &'static str,
    read: Read,
    value: &'static str,
    expected: &'static str,
    missing: &'static str,
}

fn show(value: impl Debug) -> String {
    format!("{value:?}")
}

macro_rules! rows {
    ($($key:literal $($get:ident).+ ($($argument:expr)?): $value:literal => $expected:literal, $missing:literal;)*) => {
        &[$(Row {
            key: $key,
            read: |s| Ok(show(s.$($get)+($($argument)?)?)),
            value: $value,
            expected: $expected,
            missing: $missing,
        }),*]
    };
}

#[rustfmt::skip]
const ROWS: &[Row] = rows! {
    "cluster" cluster(): r#""c""# => r#""c""#, "-";
    "clusters" clusters(): r#"["b", "a"]"# => r#"["b", "a"]"#, "[]";
    "zookeeper" zookeeper(): r#""zk://h:2181/mesos""# => r#""h:2181/mesos""#, "-";
    "docker_registry" docker_registry(): r#""r:443""# => r#""r:443""#, "-";
    "volumes" volumes(): r#"[{"mode": "RO"}]"# => r#"[{"mode": "RO"}]"#, "-";
    "hacheck_sidecar_volumes" hacheck_sidecar_volumes(): "[]" => "[]", "-";
    "dockercfg_location" dockercfg_location(): r#""file:///x""# => r#""file:///x""#, r#""file:///root/.dockercfg""#;
    "dashboard_links" dashboard_links(): r#"{"c": {"Marathon": "http://m"}}"# => r#"{"c": {"Marathon": "http://m"}}"#, "-";
    "api_endpoints" api_endpoints(): r#"{"c": "http://a"}"# => r#"[("c", "http://a")]"#, "[]";
    "log_writer" log_writer(): r#"{"driver": "null"}"# => r#"Driver { driver: "null", options: {} }"#, "-";
    "log_reader" log_reader(): r#"{"driver": "file", "options": {"a": 1}}"# => r#"Driver { driver: "file", options: {"a": 1} }"#, "-";
    "metrics_provider" metrics_provider(): r#""m""# => r#"Some("m")"#, "None";
    "deployd_metrics_provider" deployd_metrics_provider(): r#""d""# => r#"Some("d")"#, "None";
    "sensu_host" sensu_host(): r#""h""# => r#"Some("h")"#, r#"Some("localhost")"#;
    "sensu_port" sensu_port(): r#""3031""# => "3031", "3030";
    "synapse_port" synapse_port(): "3213" => "3213", "3212";
    "synapse_host" synapse_host(): r#""h""# => r#""h""#, r#""localhost""#;
    "synapse_haproxy_url_format" synapse_haproxy_url_format(): r#""f""# => r#""f""#, r#""http://{host:s}:{port:d}/;csv;norefresh;scope={scope:s}""#;
    "service_discovery_providers" service_discovery_providers(): r#"{"envoy": {}}"# => r#"Some(["envoy"])"#, "None";
    "envoy_admin_endpoint_format" envoy_admin_endpoint_format(): r#""f""# => r#""f""#, r#""http://{host:s}:{port:d}/{endpoint:s}""#;
    "envoy_admin_domain_name" envoy_admin_domain_name(): r#""e""# => r#""e""#, r#""envoy-admin""#;
    "cluster_fqdn_format" cluster_fqdn_format(): r#""f""# => r#""f""#, r#""paasta-{cluster:s}.yelp""#;
    "marathon_servers" marathon_servers(): "[]" => "[]", "[]";
    "previous_marathon_servers" previous_marathon_servers(): "[]" => "[]", "[]";
    "mesos_config" mesos_cli_config(): r#"{"path": "/m"}"# => r#""/m""#, r#""/nail/etc/mesos-cli.json""#;
    "expected_slave_attributes" expected_slave_attributes(): r#"[{"region": "a"}]"# => r#"Some([{"region": "a"}])"#, "None";
    "auto_hostname_unique_size" auto_hostname_unique_size(): "5" => "5", "-1";
    "auto_config_instance_types_enabled" auto_config_instance_types_enabled(): r#"{"marathon": true}"# => r#"{"marathon": true}"#, "{}";
    "deploy_blacklist" deploy_blacklist(): r#"[["habitat", "a"]]"# => r#"[["habitat", "a"]]"#, "[]";
    "deploy_whitelist" deploy_whitelist(): r#"["region", ["a"]]"# => r#"Some(["region", ["a"]])"#, "None";
    "enforce_disk_quota" enforce_disk_quota(): "true" => "true", "false";
    "monitoring_config" monitoring_config(): r#"{"a": 1}"# => r#"{"a": 1}"#, "{}";
    "register_marathon_services" register_marathon_services(): "false" => "false", "true";
    "register_native_services" register_native_services(): "true" => "true", "false";
    "maintenance_resource_reservation_enabled" maintenance_resource_reservation_enabled(): "false" => "false", "true";
    "deployd_number_workers" deployd_number_workers(): "8" => "8", "4";
    "deployd_worker_failure_backoff_factor" deployd_worker_failure_backoff_factor(): "1" => "1", "30";
    "deployd_maintenance_polling_frequency" deployd_maintenance_polling_frequency(): "1" => "1", "30";
    "deployd_startup_oracle_enabled" deployd_startup_oracle_enabled(): "false" => "false", "true";
    "deployd_max_service_instance_failures" deployd_max_service_instance_failures(): "1" => "1", "20";
    "deployd_big_bounce_deadline" deployd_big_bounce_deadline(): "60" => "60.0", "604800.0";
    "deployd_startup_bounce_deadline" deployd_startup_bounce_deadline(): "0.5" => "0.5", "604800.0";
    "deployd_log_level" deployd_log_level(): r#""DEBUG""# => r#""DEBUG""#, r#""INFO""#;
    "deployd_use_zk_queue" deployd_use_zk_queue(): "false" => "false", "true";
    "disabled_watchers" disabled_watchers(): r#"["A"]"# => r#"["A"]"#, "[]";
    "security_check_command" security_check_command(): r#""x""# => r#"Some("x")"#, "None";
    "local_run_config" local_run_default_cluster(): r#"{"default_cluster": "c"}"# => r#"Some("c")"#, "None";
    "remote_run_config" remote_run_default_cluster(): r#"{"default_cluster": "c"}"# => r#"Some("c")"#, "None";
    "remote_run_config" remote_run_default_role(): r#"{"default_role": "r"}"# => r#"Some("r")"#, "None";
    "spark_run_config" spark_run_default_cluster(): r#"{"default_cluster": "c"}"# => r#"Some("c")"#, "None";
    "spark_run_config" spark_run_default_pool(): r#"{"default_pool": "p"}"# => r#"Some("p")"#, "None";
    "paasta_native" paasta_native(): r#"{"principal": "p", "secret": "hush"}"# => r#"NativeCredentials { principal: Some("p"), .. }"#, "NativeCredentials { principal: None, .. }";
    "taskproc" taskproc(): r#"{"a": 1}"# => r#"{"a": 1}"#, "{}";
    "tron" tron(): r#"{"cluster_name": "t", "url": "http://t"}"# => r#"TronMaster { cluster_name: "t", url: "http://t" }"#, "-";
    "vault_environment" vault_environment(): r#""v""# => r#"Some("v")"#, "None";
    "vault_cluster_map" vault_ecosystem("c"): r#"{"c": "v"}"# => r#"Some("v")"#, "None";
    "vault_cluster_map" vault_cluster_map(): r#"{"c": "v"}"# => r#"{"c": "v"}"#, "{}";
    "secret_provider" secret_provider(): r#""p""# => r#""p""#, r#""paasta_tools.secret_providers""#;
    "slack" slack_token(): r#"{"token": "t"}"# => r#"Some("t")"#, "None";
    "git_config" git_repo("r"): r#"{"git_user": "u", "repos": {"r": {"repo_name": "n", "git_server": "s", "deploy_server": "d"}}}"# => r#"GitRepo { git_user: "u", repo_name: "n", git_server: "s", deploy_server: "d" }"#, "-";
    "git_config" git_repo("yelpsoa-configs"): r#"{"git_user": "u"}"# => r#"GitRepo { git_user: "u", repo_name: "yelpsoa-configs", git_server: "sysgit.yelpcorp.com", deploy_server: "sysgit.yelpcorp.com" }"#, r#"GitRepo { git_user: "git", repo_name: "yelpsoa-configs", git_server: "sysgit.yelpcorp.com", deploy_server: "sysgit.yelpcorp.com" }"#;
    "ldap_host" ldap_host(): r#""l""# => r#"Some("l")"#, "None";
    "ldap_search_base" ldap_search_base(): r#""l""# => r#"Some("l")"#, "None";
    "ldap_search_ou" ldap_search_ou(): r#""l""# => r#"Some("l")"#, "None";
    "ldap_reader_username" ldap_reader_username(): r#""l""# => r#"Some("l")"#, "None";
    "ldap_reader_password" ldap_reader_password(): r#""l""# => r#"Some("l")"#, "None";
    "default_push_groups" default_push_groups(): r#"["g"]"# => r#"Some(["g"])"#, "None";
    "enable_client_cert_auth" enable_client_cert_auth(): "false" => "false", "true";
    "auth_certificate_ttl" auth_certificate_ttl(): r#""1h""# => r#""1h""#, r#""11h""#;
    "pki_backend" pki_backend(): r#""p""# => r#""p""#, r#""paastaca""#;
    "fsm_template" fsm_template(): r#""/t""# => r#"Some("/t")"#, "None";
    "cluster_autoscaling_resources" cluster_autoscaling_resources(): r#"{"a": 1}"# => r#"{"a": 1}"#, "{}";
    "resource_pool_settings" resource_pool_settings(): r#"{"a": 1}"# => r#"{"a": 1}"#, "{}";
    "cluster_autoscaling_draining_enabled" cluster_autoscaling_draining_enabled(): "false" => "false", "true";
    "cluster_autoscaler_max_increase" cluster_autoscaler_max_increase(): "0.5" => "0.5", "0.2";
    "cluster_autoscaler_max_decrease" cluster_autoscaler_max_decrease(): "1" => "1.0", "0.1";
    "cluster_boost_enabled" cluster_boost_enabled(): "true" => "true", "false";
    "boost_regions" boost_regions(): r#"["r"]"# => r#"["r"]"#, "[]";
    "register_k8s_pods" register_k8s_pods(): "true" => "true", "false";
    "kubernetes_custom_resources" kubernetes_custom_resources(): r#"[{"a": 1}]"# => r#"[{"a": 1}]"#, "[]";
    "kubernetes_use_hacheck_sidecar" kubernetes_use_hacheck_sidecar(): "false" => "false", "true";
    "hacheck_sidecar_image_url" hacheck_sidecar_image_url(): r#""i""# => r#"Some("i")"#, "None";
    "enable_nerve_readiness_check" enable_nerve_readiness_check(): "false" => "false", "true";
    "enable_envoy_readiness_check" enable_envoy_readiness_check(): "true" => "true", "false";
    "nerve_readiness_check_script" nerve_readiness_check_script(): r#"["a"]"# => r#"["a"]"#, r#"["/check_smartstack_up.sh"]"#;
    "envoy_readiness_check_script" envoy_readiness_check_script(): r#"["a"]"# => r#"["a"]"#, r#"["/check_proxy_up.sh", "--enable-envoy", "--envoy-check-mode", "eds-dir"]"#;
    "envoy_nerve_readiness_check_script" envoy_nerve_readiness_check_script(): r#"["a"]"# => r#"["a"]"#, r#"["/check_proxy_up.sh", "--enable-smartstack", "--enable-envoy"]"#;
    "supported_storage_classes" supported_storage_classes(): r#"["s"]"# => r#"["s"]"#, "[]";
    "pdb_max_unavailable" pdb_max_unavailable(): "1" => "1", "0";
    "pod_defaults" pod_defaults(): r#"{"a": 1}"# => r#"{"a": 1}"#, "{}";
    "uwsgi_exporter_sidecar_image_url" uwsgi_exporter_sidecar_image_url(): r#""i""# => r#"Some("i")"#, "None";
    "default_should_run_uwsgi_exporter_sidecar" default_should_run_uwsgi_exporter_sidecar(): "true" => "true", "false";
    "filter_bogus_mesos_cputime_enabled" filter_bogus_mesos_cputime_enabled(): "true" => "true", "false";
};

#[test]
fn a_good_value_is_read() {
    for row in ROWS {
        let system = SystemConfig::from_json(&format!("{{\"{}\": {}}}", row.key, row.value)).unwrap();
        assert_eq!((row.read)(&system).unwrap(), row.expected, "{}", row.key);
    }
}

#[test]
fn a_missing_value_is_its_default_or_named_with_the_directory() {
    let system = SystemConfig::load_optional("/nowhere").unwrap();
    for row in ROWS {
        match (row.read)(&system) {
            Ok(value) => assert_eq!(value, row.missing, "{}", row.key),
            Err(error) => {
                assert_eq!(row.missing, "-", "{}: {error}", row.key);
                let class = if row.key == "tron" { "TronNotConfigured" } else { "PaastaNotConfiguredError" };
                assert_eq!(error.class(), class);
                let message = error.to_string();
                assert!(
                    message.contains(&format!("`{}", row.key)) && message.contains("`/nowhere`"),
                    "{message}"
                );
            }
        }
    }
}

#[test]
fn a_value_of_the_wrong_type_is_named_with_its_place() {
    for row in ROWS {
        let wrong = if row.value.starts_with('{') { "7" } else { "{\"wrong\": 1}" };
        let system = SystemConfig::from_json(&format!("{{\n \"{}\": {wrong}}}", row.key)).unwrap();
        let Err(SystemError::Setting(error)) = (row.read)(&system) else {
            panic!("{} takes {wrong}", row.key)
        };
        let column = row.key.len() + 6;
        assert_eq!(error.position.as_ref().unwrap().to_string(), format!("memory:2:{column}"));
        assert!(error.to_string().contains(&format!(" {}: ", row.key)), "{error}");
        assert!(error.expected.starts_with("a"), "{error}");
    }
}

#[test]
fn numbers_at_the_edge_are_checked() {
    for value in
        ["1e400", "NaN", "-Infinity", "123456789012345678901234567890", "65536", "-1", "\"x\"", "1.5"]
    {
        let system = SystemConfig::from_json(&format!("{{\"sensu_port\": {value}}}")).unwrap();
        assert!(system.sensu_port().is_err(), "{value}");
    }
    let system =
        SystemConfig::from_json(r#"{"deployd_number_workers": 123456789012345678901234567890}"#).unwrap();
    assert!(system.deployd_number_workers().is_err());
}
