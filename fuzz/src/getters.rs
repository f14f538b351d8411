//! Every getter over a service's files. None may stop the process, whatever it answers.

use paasta_config::{InstanceConfig, InstanceType, Soa, SystemConfig};
use paasta_core::{InstanceId, Reading, ServiceName};

macro_rules! ask {
    ($on:expr => $($getter:ident),* $(,)?) => {
        $(let _ = $on.$getter();)*
    };
}

pub(crate) fn of_instance(config: &InstanceConfig<'_>, count: &Reading<Option<i64>>) {
    ask! {
        config => deploy_group, instances, min_instances, max_instances, is_autoscaled, autoscaling_path, registrations,
        first_registration, nerve_namespace, pool, container_port, cmd, args, env, cpus, mem, disk, monitoring, team,
        replication_threshold, bounce_method, bounce_margin_factor, bounce_health_params, drain_method,
        drain_method_params, bounce_start_deadline, healthcheck_mode, healthcheck, cpu_burst_add, cfs_period_us, gpus,
        extra_volumes, aws_ebs_volumes, persistent_volumes, secret_volumes, role, deploy_blacklist, deploy_whitelist,
        constraints, extra_constraints, net, cap_add, extra_docker_args, inbound_firewall, outbound_firewall,
        dependencies_reference, dependencies, autoscaling, iam_role, iam_role_provider, fs_group, backoff_factor,
        max_launch_delay_seconds, accepted_resource_roles, host_port, marathon_shard, previous_marathon_shards,
        kubernetes_strategy, service_account_name, node_selectors, anti_affinity, sidecar_resource_requirements,
        lifecycle, prometheus_shard, prometheus_path, prometheus_port, routable_ip, pod_management_policy,
        monitoring_blacklist, new_autoscaling,
    }
    let _ = (config.instance_count(count), config.backoff_seconds(count), config.healthcheck_target("h", 1));
    let namespace = config.namespace();
    ask! {
        namespace => mode, proxy_port, healthcheck_mode, healthcheck_uri, discover, is_in_smartstack, advertise,
        extra_advertise, routes,
    }
}

pub(crate) fn of_service(soa: &Soa, system: &SystemConfig, service: &ServiceName) {
    if let Ok(facts) = soa.service_facts(service) {
        ask! {
            facts => git_url, description, external_link, encryption_key, port, runs_on, deployed_to, env_runs_on,
            needs_puppet_help, data,
        }
        let _ = facts.docker_registry(system);
    }
    if let Ok(settings) = soa.deploy_settings(service) {
        ask!(settings => slack_channel, slack_notify, production_deploy_group);
        let _ = settings.allowed_push_groups(system);
    }
    let _ = (soa.pipeline(service), soa.namespaces(service), soa.team(service, None), soa.git_url(service));
    let _ = soa.paasta_services(system);
    let Ok(cluster) = system.cluster() else { return };
    for (name, kind) in soa.all_instances(service, &cluster).unwrap_or_default().into_iter().take(8) {
        let id = InstanceId::new(service.clone(), name);
        if let Ok(instance) = soa.instance(&id, kind, &cluster, system) {
            of_instance(&instance.config(), &Reading::Known(None));
        }
        if kind == InstanceType::Tron
            && let Ok(action) = soa.tron_action(&id, &cluster, system)
        {
            ask! {
                action => command, executor, runs_in_container, service, deploy_group, monitoring, requires, retries,
                spark_cluster, spark_pool, spark_cluster_manager, spark_args,
            }
        }
    }
    for job in soa.tron_jobs(service, &cluster).unwrap_or_default() {
        ask!(job => actions, cleanup_action, schedule, node, deploy_group);
    }
    let _ = soa.interactive(service, &cluster, system);
}
