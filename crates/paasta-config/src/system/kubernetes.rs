//! Keys that matter on Kubernetes alone.

use super::SystemConfig;
use super::getter::{Read, getters, maps, optional_texts};
use crate::{Map, Node};

getters! {
    /// Whether pods are registered for discovery.
    register_k8s_pods: boolean or false => bool;
    /// Whether pods have hacheck beside them.
    kubernetes_use_hacheck_sidecar: boolean or true => bool;
    /// Whether a pod is ready only if SmartStack says so.
    enable_nerve_readiness_check: boolean or true => bool;
    /// Whether a pod is ready only if Envoy says so.
    enable_envoy_readiness_check: boolean or false => bool;
    /// How many pods of a service may be missing at once.
    pdb_max_unavailable: integer or 0 => i64;
    /// Whether uWSGI services have its exporter beside them unless they say otherwise.
    default_should_run_uwsgi_exporter_sidecar: boolean or false => bool;
}

optional_texts! {
    /// The image of hacheck's sidecar.
    hacheck_sidecar_image_url;
    /// The image of the uWSGI exporter.
    uwsgi_exporter_sidecar_image_url;
}

maps! {
    /// What every pod has, as written.
    pod_defaults;
}

impl SystemConfig {
    /// The kinds of custom resources that PaaSTA writes, as written; none if unset.
    pub fn kubernetes_custom_resources(&self) -> Read<&[Node]> {
        Ok(self.scope().list_or_null("kubernetes_custom_resources")?.unwrap_or_default())
    }

    /// The storage classes that volumes may have.
    pub fn supported_storage_classes(&self) -> Read<Vec<String>> {
        Ok(self.texts("supported_storage_classes")?.unwrap_or_default())
    }

    /// What asks SmartStack alone whether a pod is ready: a command and its arguments.
    pub fn nerve_readiness_check_script(&self) -> Read<Vec<String>> {
        self.command("nerve_readiness_check_script", &["/check_smartstack_up.sh"])
    }

    /// What asks Envoy alone whether a pod is ready: a command and its arguments.
    pub fn envoy_readiness_check_script(&self) -> Read<Vec<String>> {
        let default = ["/check_proxy_up.sh", "--enable-envoy", "--envoy-check-mode", "eds-dir"];
        self.command("envoy_readiness_check_script", &default)
    }

    /// What asks both whether a pod is ready: a command and its arguments.
    pub fn envoy_nerve_readiness_check_script(&self) -> Read<Vec<String>> {
        let default = ["/check_proxy_up.sh", "--enable-smartstack", "--enable-envoy"];
        self.command("envoy_nerve_readiness_check_script", &default)
    }

    fn command(&self, key: &str, default: &[&str]) -> Read<Vec<String>> {
        Ok(self.texts(key)?.unwrap_or_else(|| default.iter().map(|&word| word.to_owned()).collect()))
    }
}
