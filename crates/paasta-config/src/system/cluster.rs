//! What the cluster is made of: Mesos, its hosts and their autoscaling, Envoy, Tron, defaults of commands.

use std::path::PathBuf;

use super::SystemConfig;
use super::getter::{Read, getters, maps};
use crate::{Map, Node};

/// `tron`: the Tron master of this cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TronMaster {
    /// The Tron cluster's name.
    pub cluster_name: String,
    /// The address of its API.
    pub url: String,
}

getters! {
    /// The URL of Envoy's administration, with `{host:s}`, `{port:d}` and `{endpoint:s}`.
    envoy_admin_endpoint_format: text or "http://{host:s}:{port:d}/{endpoint:s}".to_owned() => String;
    /// The service of `/etc/services` whose port Envoy's administration has.
    envoy_admin_domain_name: text or "envoy-admin".to_owned() => String;
    /// Whether tasks of the native scheduler are registered for discovery.
    register_native_services: boolean or false => bool;
    /// Whether hosts that are drained have their free resources reserved.
    maintenance_resource_reservation_enabled: boolean or true => bool;
    /// Whether the cluster autoscaler drains hosts before it stops them.
    cluster_autoscaling_draining_enabled: boolean or true => bool;
    /// The largest part by which a pool grows at once.
    cluster_autoscaler_max_increase: number or 0.2 => f64;
    /// The largest part by which a pool shrinks at once.
    cluster_autoscaler_max_decrease: number or 0.1 => f64;
    /// Whether pools can be made larger by hand for a while.
    cluster_boost_enabled: boolean or false => bool;
    /// Declared by the original, which does not use it.
    filter_bogus_mesos_cputime_enabled: boolean or false => bool;
}

maps! {
    /// Monitoring of the cluster itself, as written.
    monitoring_config;
    /// Settings of the task processor, as written.
    taskproc;
    /// The pools that the cluster autoscaler works on, as written.
    cluster_autoscaling_resources;
    /// Settings by pool, as written.
    resource_pool_settings;
    /// Which ecosystem's Vault each cluster uses, as written.
    vault_cluster_map;
    /// Which types of instances have autotuned defaults, as written.
    auto_config_instance_types_enabled;
}

impl SystemConfig {
    /// The file that says where the Mesos master is.
    pub fn mesos_cli_config(&self) -> Read<PathBuf> {
        const DEFAULT: &str = "/nail/etc/mesos-cli.json";
        Ok(self.member("mesos_config", "path")?.unwrap_or_else(|| DEFAULT.to_owned()).into())
    }

    /// Regions whose pools can be made larger by hand.
    pub fn boost_regions(&self) -> Read<Vec<String>> {
        Ok(self.texts("boost_regions")?.unwrap_or_default())
    }

    /// The bind mounts of hacheck's sidecar, as written. No default.
    pub fn hacheck_sidecar_volumes(&self) -> Read<&[Node]> {
        self.needed("hacheck_sidecar_volumes", self.scope().list_or_null("hacheck_sidecar_volumes")?)
    }

    /// The Tron master. No default for either member.
    pub fn tron(&self) -> Read<TronMaster> {
        let needed = |key: &str| self.needed(&format!("tron.{key}"), self.member("tron", key)?);
        Ok(TronMaster { cluster_name: needed("cluster_name")?, url: needed("url")? })
    }

    /// The template of `paasta fsm`, if not the packaged one.
    pub fn fsm_template(&self) -> Read<Option<PathBuf>> {
        Ok(self.text("fsm_template")?.map(PathBuf::from))
    }

    /// The cluster of `paasta local-run` where none is given.
    pub fn local_run_default_cluster(&self) -> Read<Option<String>> {
        self.member("local_run_config", "default_cluster")
    }

    /// The cluster of `paasta remote-run` where none is given.
    pub fn remote_run_default_cluster(&self) -> Read<Option<String>> {
        self.member("remote_run_config", "default_cluster")
    }

    /// The Mesos role of `paasta remote-run` where none is given.
    pub fn remote_run_default_role(&self) -> Read<Option<String>> {
        self.member("remote_run_config", "default_role")
    }

    /// The cluster of `paasta spark-run` where none is given.
    pub fn spark_run_default_cluster(&self) -> Read<Option<String>> {
        self.member("spark_run_config", "default_cluster")
    }

    /// The pool of `paasta spark-run` where none is given.
    pub fn spark_run_default_pool(&self) -> Read<Option<String>> {
        self.member("spark_run_config", "default_pool")
    }
}
