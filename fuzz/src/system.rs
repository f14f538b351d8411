//! Bytes as system configuration.

use paasta_config::SystemConfig;
use paasta_marathon::{MarathonRenderer, MarathonServers};

/// Any text is read or refused, and so is every value of it.
pub fn system(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let system = match SystemConfig::from_json(text) {
        Err(error) => {
            assert!(!error.to_string().is_empty() && !error.class().is_empty());
            return;
        }
        Ok(system) => system,
    };
    all_getters(&system);
    passwords_stay_hidden(&system);
    // Reading what was read changes nothing.
    assert_eq!(
        format!("{:?}", system.map()),
        format!("{:?}", SystemConfig::from_map((**system.map()).clone()).map())
    );
}

macro_rules! ask {
    ($system:ident: $($getter:ident),* $(,)?) => {
        $(if let Err(error) = $system.$getter() {
            assert!(!error.to_string().is_empty() && !error.class().is_empty());
        })*
    };
}

fn all_getters(system: &SystemConfig) {
    ask! {
        system:
        enable_client_cert_auth, auth_certificate_ttl, pki_backend, ldap_host, ldap_search_base,
        ldap_search_ou, ldap_reader_username, ldap_reader_password, security_check_command, slack_token,
        paasta_native, envoy_admin_endpoint_format, envoy_admin_domain_name, register_native_services,
        maintenance_resource_reservation_enabled, cluster_autoscaling_draining_enabled,
        cluster_autoscaler_max_increase, cluster_autoscaler_max_decrease, cluster_boost_enabled,
        filter_bogus_mesos_cputime_enabled, monitoring_config, taskproc, cluster_autoscaling_resources,
        resource_pool_settings, vault_cluster_map, auto_config_instance_types_enabled, mesos_cli_config,
        boost_regions, hacheck_sidecar_volumes, tron, fsm_template, local_run_default_cluster,
        remote_run_default_cluster, remote_run_default_role, spark_run_default_cluster,
        spark_run_default_pool, dockercfg_location, enforce_disk_quota, auto_hostname_unique_size,
        secret_provider, synapse_host, synapse_haproxy_url_format, cluster_fqdn_format,
        deployd_number_workers, deployd_worker_failure_backoff_factor,
        deployd_maintenance_polling_frequency, deployd_startup_oracle_enabled,
        deployd_max_service_instance_failures, deployd_big_bounce_deadline, deployd_startup_bounce_deadline,
        deployd_log_level, deployd_use_zk_queue, register_marathon_services, vault_environment,
        metrics_provider, deployd_metrics_provider, cluster, clusters, zookeeper, docker_registry, volumes,
        api_endpoints, log_writer, log_reader, marathon_servers, previous_marathon_servers,
        expected_slave_attributes, deploy_blacklist, deploy_whitelist, synapse_port, sensu_host, sensu_port,
        disabled_watchers, default_push_groups, git_config, git_timeout_seconds, dashboard_links,
        service_discovery_providers, soa_dir, coordination, host_maintenance, hacheck_port,
        history_directory, register_k8s_pods, kubernetes_use_hacheck_sidecar, enable_nerve_readiness_check,
        enable_envoy_readiness_check, pdb_max_unavailable, default_should_run_uwsgi_exporter_sidecar,
        hacheck_sidecar_image_url, uwsgi_exporter_sidecar_image_url, pod_defaults,
        kubernetes_custom_resources, supported_storage_classes, nerve_readiness_check_script,
        envoy_readiness_check_script, envoy_nerve_readiness_check_script
    }
    let _ =
        (system.auto_config_enabled("marathon"), system.git_repo("yelpsoa-configs"), system.git_repo("x"));
    let _ = system.vault_ecosystem("c");
    if let Ok(cluster) = system.cluster() {
        let _ = system.api_endpoint(&cluster);
    }
    let _ = MarathonRenderer::from_system(system.map());
    let _ = MarathonServers::from_system(system.map());
}

/// Debug texts end up in logs.
fn passwords_stay_hidden(system: &SystemConfig) {
    for server in system.marathon_servers().unwrap_or_default() {
        // A short password may stand elsewhere by chance.
        let told = server.password.len() >= 8
            && !format!("{:?} {:?}", server.urls, server.user).contains(&server.password);
        assert!(!(told && format!("{server:?}").contains(&server.password)), "{server:?}");
    }
}
