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
    ask!(system: dockercfg_location, enforce_disk_quota, auto_hostname_unique_size, secret_provider, synapse_host);
    ask!(system: synapse_haproxy_url_format, cluster_fqdn_format, deployd_number_workers);
    ask!(system: deployd_worker_failure_backoff_factor, deployd_maintenance_polling_frequency);
    ask!(system: deployd_startup_oracle_enabled, deployd_max_service_instance_failures, deployd_big_bounce_deadline);
    ask!(system: deployd_startup_bounce_deadline, deployd_log_level, deployd_use_zk_queue, register_marathon_services);
    ask!(system: vault_environment, metrics_provider, deployd_metrics_provider, cluster, clusters, zookeeper);
    ask!(system: docker_registry, volumes, api_endpoints, log_writer, log_reader, marathon_servers);
    ask!(system: previous_marathon_servers, expected_slave_attributes, deploy_blacklist, deploy_whitelist);
    ask!(system: synapse_port, sensu_host, sensu_port, disabled_watchers, default_push_groups, git_config);
    ask!(system: dashboard_links, service_discovery_providers, soa_dir, coordination, host_maintenance, hacheck_port);
    let _ = system.auto_config_enabled("marathon");
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
