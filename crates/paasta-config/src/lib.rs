//! soa-configs and system configuration: the only reader of YAML.
//!
//! Files are read through a [`ConfigSource`], parsed by PyYAML's rules into positioned [`Node`]s, merged, and
//! read through checked getters. What one instance comes to is a [`Wanted`]; a [`Renderer`] (one per engine)
//! turns it into what would run.
//!
//! Start at [`Soa`] (services and instances) and [`SystemConfig`] (the host's own configuration). Nothing here
//! reads the environment or the clock, and nothing is kept between calls unless [`Soa::cached`] is asked for.

mod deployments;
mod error;
mod instance;
mod json;
mod merge;
mod nerve;
mod node;
mod origin;
mod services_file;
mod setting;
mod soa;
mod source;
mod system;
mod validate;
mod wanted;
mod yaml;

pub use deployments::{Deployments, DeploymentsError};
pub use error::LoadError;
pub use instance::{
    BounceHealthParams, Dependency, Healthcheck, HealthcheckMode, InstanceConfig, KubernetesStrategy,
};
pub use json::{JsonError, parse_json};
pub use nerve::{LocalTask, NerveHost, NerveService};
pub use node::{Map, Node, Position, Value};
pub use origin::{Feed, Layer, Origin, Place, changed_origins, origins, places};
pub use paasta_core::{ClusterName, NameError};
pub use services_file::{
    ServicePort, keep_from_old, says_the_same, services_json, services_rfc1700, services_yaml,
    srv_namespaces_fact,
};
pub use setting::SettingError;
pub use soa::{
    DEFAULT_SOA_DIR, DeployMoment, DeploySettings, Instance, InstanceType, MissingSignature, Namespace,
    PerService, Pipeline, SecretReference, ServiceFacts, Soa, Step, TronAction, TronJob, close_matches,
    secret_references,
};
pub use source::{
    ConfigSource, Directory, FILE_BYTES_MAX, Memory, SourceError, check_path, check_regular, read_regular,
};
pub use system::{
    Coordination, CoordinationDriver, DEFAULT_SYSTEM_CONFIG_DIR, Driver, GitRepo, HostMaintenance,
    MarathonServer, NativeCredentials, SYSTEM_CONFIG_DIR_VARIABLE, SystemConfig, SystemError, TronMaster,
};
pub use validate::{Finding, KnownNames, Severity, json_schema, schema_kinds};
pub use wanted::{DeploymentRecord, DesiredState, FieldChange, RenderError, Renderer, Wanted};
pub use yaml::{
    Parsed, Warning, WriteYamlError, YamlError, YamlProblem, parse as parse_yaml, write as write_yaml,
};
