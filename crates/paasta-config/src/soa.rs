//! The soa-configs tree: services, their files and their instances (config.md §1).

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};

use paasta_core::{ClusterName, InstanceId, InstanceName, ServiceName};

use crate::deployments::Deployments;
use crate::merge::lay;
use crate::setting::SettingError;
use crate::yaml::{self, Warning};
use crate::{ConfigSource, Directory, LoadError, Map, Node, SystemConfig};

mod adhoc;
mod deploy;
mod facts;
mod instance_type;
mod load;
mod monitoring;
mod namespace;
mod pipeline;
mod secrets;
mod similar;
mod tron;

pub use deploy::{DeployMoment, DeploySettings};
pub use facts::ServiceFacts;
pub use instance_type::InstanceType;
pub use load::Instance;
pub(crate) use load::{deploy_group, interpolated};
pub use namespace::Namespace;
pub use pipeline::{Pipeline, Step};
pub use secrets::{MissingSignature, SecretReference, secret_references};
pub use similar::close_matches;
pub use tron::{TronAction, TronJob};

/// The soa-configs root unless somebody says otherwise.
pub const DEFAULT_SOA_DIR: &str = "/nail/etc/services";

/// A soa-configs tree. Cheap to clone. Files are read anew at each call, as a daemon needs it; [`Soa::cached`] keeps
/// them, for tools that run once.
///
/// ```
/// use std::sync::Arc;
/// use paasta_config::{InstanceType, Memory, Soa, SystemConfig};
///
/// let tree = Memory::new()
///     .with("svc/marathon-pnw.yaml", "main: {cpus: 2}\ncanary: {instances: 3}\n");
/// let soa = Soa::new(Arc::new(tree));
/// let system = SystemConfig::from_json(r#"{"cluster": "pnw", "clusters": ["pnw"]}"#)?;
/// let service = "svc".parse()?;
/// let cluster = system.cluster()?;
/// let names = soa.instances(&service, &cluster, InstanceType::Marathon)?;
/// assert_eq!(names.len(), 2);
/// let canary = soa.instance(&"svc.canary".parse()?, InstanceType::Marathon, &cluster, &system)?;
/// assert_eq!(canary.config().instances()?, 3);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Soa {
    source: Arc<dyn ConfigSource>,
    cache: Option<Arc<Mutex<Documents>>>,
}

/// Parsed files by path.
type Documents = BTreeMap<String, Arc<Document>>;

/// What could be found out for each service, and why not for the others.
pub type PerService<T> = (Vec<T>, Vec<(ServiceName, LoadError)>);

/// A YAML file, read.
#[derive(Debug, Default)]
pub(crate) struct Document {
    /// Its map; empty where the file is missing or empty.
    pub(crate) map: Map,
    /// What was read but is suspicious.
    pub(crate) warnings: Vec<Warning>,
    /// Whether the file holds nothing at all, not even an empty map.
    pub(crate) is_null: bool,
    /// What the file holds instead, where that is neither a map nor nothing.
    other: Option<Node>,
}

impl Soa {
    /// The tree at a directory.
    pub fn open(root: impl AsRef<Path>) -> Self {
        Self::new(Arc::new(Directory::new(root)))
    }

    /// A tree of any kind.
    pub fn new(source: Arc<dyn ConfigSource>) -> Self {
        Self { source, cache: None }
    }

    /// The same tree, but each YAML file is read and parsed once. Errors are not kept.
    #[must_use]
    pub fn cached(self) -> Self {
        Self { cache: Some(Arc::default()), ..self }
    }

    pub(crate) fn is_cached(&self) -> bool {
        self.cache.is_some()
    }

    /// The files below.
    pub fn source(&self) -> &Arc<dyn ConfigSource> {
        &self.source
    }

    /// Every entry of the root, sorted; special folders and plain files included (config.md §1.2).
    pub fn services(&self) -> Result<Vec<ServiceName>, LoadError> {
        let names = self.source.list("")?;
        Ok(names.into_iter().filter_map(|name| ServiceName::new(name).ok()).collect())
    }

    /// The services with an instance of any type in any known cluster, and what hindered looking. The tree is read by
    /// as many threads as there are cores.
    pub fn paasta_services(&self, system: &SystemConfig) -> Result<PerService<ServiceName>, LoadError> {
        const THREADS_MAX: usize = 8;
        let services = self.services()?;
        let threads = std::thread::available_parallelism().map_or(1, usize::from).min(THREADS_MAX);
        let look = |services: &[ServiceName]| -> Vec<Result<bool, LoadError>> {
            services.iter().map(|service| self.has_instances(service, system)).collect()
        };
        let looks: Vec<Result<bool, LoadError>> = std::thread::scope(|scope| {
            let parts = services.chunks(services.len().div_ceil(threads).max(1));
            let running: Vec<_> = parts.map(|part| (part, scope.spawn(move || look(part)))).collect();
            // A thread that did not end as it should is no reason to know less.
            running
                .into_iter()
                .flat_map(|(part, thread)| thread.join().unwrap_or_else(|_| look(part)))
                .collect()
        });
        let (mut found, mut errors) = (Vec::new(), Vec::new());
        for (service, look) in services.into_iter().zip(looks) {
            match look {
                Ok(true) => found.push(service),
                Ok(false) => {}
                Err(error) => errors.push((service, error)),
            }
        }
        Ok((found, errors))
    }

    fn has_instances(&self, service: &ServiceName, system: &SystemConfig) -> Result<bool, LoadError> {
        for cluster in self.clusters(service, system)? {
            if !self.all_instances(service, &cluster)?.is_empty() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The known clusters a service has files for, sorted (config.md §1.4).
    pub fn clusters(
        &self,
        service: &ServiceName,
        system: &SystemConfig,
    ) -> Result<Vec<ClusterName>, LoadError> {
        self.clusters_of(service, system, &InstanceType::ALL)
    }

    /// The same, for files of some types only.
    pub fn clusters_of(
        &self,
        service: &ServiceName,
        system: &SystemConfig,
        types: &[InstanceType],
    ) -> Result<Vec<ClusterName>, LoadError> {
        let files = self.source.list(service.as_str())?;
        let there = |file: &String| {
            files.binary_search(file).is_ok() && self.source.is_file(&format!("{service}/{file}"))
        };
        let mut clusters = system.clusters()?;
        clusters.retain(|cluster| types.iter().any(|kind| there(&kind.file(cluster))));
        clusters.sort();
        clusters.dedup();
        Ok(clusters)
    }

    /// The instances of one type, in file order (config.md §1.5). Templates (`_…`) are left out.
    pub fn instances(
        &self,
        service: &ServiceName,
        cluster: &ClusterName,
        kind: InstanceType,
    ) -> Result<Vec<InstanceName>, LoadError> {
        let document = self.document(service, &kind.file(cluster))?;
        let mut names = Vec::new();
        for (key, value) in document.map.iter() {
            let Some(name) = key.as_str() else {
                return Err(
                    SettingError::new(format!("{key:?}"), key, "a string, as instance names are").into()
                );
            };
            if name.starts_with('_') {
                continue;
            }
            if kind != InstanceType::Tron {
                names.push(instance_name(name, key)?);
                continue;
            }
            // A job that is null, or no map, has no actions.
            for (action, node) in value.as_map().map_or(Ok(Vec::new()), |job| tron::actions(name, job))? {
                names.push(instance_name(&format!("{name}.{action}"), node)?);
            }
        }
        Ok(names)
    }

    /// The instances of all types, by type and then in file order.
    pub fn all_instances(
        &self,
        service: &ServiceName,
        cluster: &ClusterName,
    ) -> Result<Vec<(InstanceName, InstanceType)>, LoadError> {
        let files = self.source.list(service.as_str())?;
        let mut all = Vec::new();
        for kind in InstanceType::ALL {
            if files.binary_search(&kind.file(cluster)).is_ok() {
                let names = self.instances(service, cluster, kind)?;
                all.extend(names.into_iter().map(|name| (name, kind)));
            }
        }
        Ok(all)
    }

    /// The type of an instance: the first, in the order of types, whose file has it.
    pub fn instance_type(&self, id: &InstanceId, cluster: &ClusterName) -> Result<InstanceType, LoadError> {
        let all = self.all_instances(id.service(), cluster)?;
        match all.iter().find(|(name, _)| name == id.instance()) {
            Some((_, kind)) => Ok(*kind),
            None => Err(no_such_instance(id, cluster, &all)),
        }
    }

    /// The service's general map: what every instance starts from (config.md §1.6, layer 2).
    pub fn service_map(&self, service: &ServiceName) -> Result<Map, LoadError> {
        let smartstack = self.document(service, "smartstack.yaml")?;
        let port = match smartstack.map.get("port") {
            Some(port) => port.clone(),
            None => self.port_file(service)?,
        };
        let mut map = Map::new();
        map.insert(Node::text("port"), port);
        // Whatever they hold: it counts where it is read, and most instances read nothing of it.
        for name in ["monitoring", "deploy", "data", "smartstack", "dependencies"] {
            let document = self.document_of_any_kind(service, &format!("{name}.yaml"))?;
            let whole = || Node::new(crate::Value::Map(document.map.clone()));
            map.insert(Node::text(name), document.other.clone().unwrap_or_else(whole));
        }
        for (key, value) in self.document(service, "service.yaml")?.map.iter() {
            map.insert(key.clone(), value.clone());
        }
        Ok(map)
    }

    /// One YAML file of a service as a map; empty where it is missing or empty.
    pub fn file(&self, service: &ServiceName, file: &str) -> Result<Map, LoadError> {
        Ok(self.document(service, file)?.map.clone())
    }

    /// What one YAML file of a service says twice.
    pub fn warnings(&self, service: &ServiceName, file: &str) -> Result<Vec<Warning>, LoadError> {
        Ok(self.document(service, file)?.warnings.clone())
    }

    /// The service's `deployments.json`; `None` where it has none yet.
    pub fn deployments(&self, service: &ServiceName) -> Result<Option<Deployments>, LoadError> {
        let path = format!("{service}/deployments.json");
        let Some(bytes) = self.source.read(&path)? else { return Ok(None) };
        Ok(Some(Deployments::parse(&bytes, &self.source.show(&path))?))
    }

    /// Where the service's code is: `git_url` of service.yaml, if set.
    pub fn git_url(&self, service: &ServiceName) -> Result<Option<String>, LoadError> {
        let document = self.document(service, "service.yaml")?;
        let scope = crate::setting::Scope { map: &document.map, path: "" };
        Ok(scope.text_or_null("git_url")?.map(str::to_owned))
    }

    /// The text integer of the file `port`, else null.
    pub(crate) fn port_file(&self, service: &ServiceName) -> Result<Node, LoadError> {
        let bytes = self.source.read(&format!("{service}/port"))?.unwrap_or_default();
        let port = String::from_utf8_lossy(&bytes).trim().parse().ok();
        Ok(Node::new(port.map_or(crate::Value::Null, crate::Value::Int)))
    }

    /// One YAML file of a service, parsed, which has to be a map; an empty list is none of its entries.
    pub(crate) fn document(&self, service: &ServiceName, file: &str) -> Result<Arc<Document>, LoadError> {
        let document = self.document_of_any_kind(service, file)?;
        match &document.other {
            Some(root) if root.as_list().is_none_or(|list| !list.is_empty()) => {
                Err(SettingError::new("the file", root, "a map").into())
            }
            _ => Ok(document),
        }
    }

    fn document_of_any_kind(&self, service: &ServiceName, file: &str) -> Result<Arc<Document>, LoadError> {
        let path = format!("{service}/{file}");
        let Some(cache) = &self.cache else { return Ok(Arc::new(self.parse(&path)?)) };
        let lock = || cache.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(document) = lock().get(&path) {
            return Ok(document.clone());
        }
        let document = Arc::new(self.parse(&path)?);
        lock().insert(path, document.clone());
        Ok(document)
    }

    fn parse(&self, path: &str) -> Result<Document, LoadError> {
        let Some((path, bytes)) = self.read_linked(path)? else { return Ok(Document::default()) };
        let parsed = yaml::parse(&bytes, &self.source.show(&path))?;
        let is_null = parsed.root.is_null();
        let (map, other) = match parsed.root {
            Node { value: crate::Value::Map(map), .. } => (map, None),
            Node { value: crate::Value::Null, .. } => (Map::new(), None),
            root => (Map::new(), Some(root)),
        };
        Ok(Document { map, warnings: parsed.warnings, is_null, other })
    }

    /// A file, and the path it was found at. A file that holds nothing but the name of a YAML file beside it is a
    /// symbolic link as git writes it where links are not supported, so that file is read instead.
    fn read_linked(&self, path: &str) -> Result<Option<(String, Vec<u8>)>, LoadError> {
        let Some(bytes) = self.source.read(path)? else { return Ok(None) };
        if let (Some(target), Some((folder, _))) = (link_target(&bytes), path.rsplit_once('/')) {
            let target = format!("{folder}/{target}");
            if let Some(bytes) = self.source.read(&target)? {
                return Ok(Some((target, bytes)));
            }
        }
        Ok(Some((path.to_owned(), bytes)))
    }

    /// The instances of a file over their autotuned defaults over `general`.
    fn merged(
        &self,
        id: &InstanceId,
        kind: InstanceType,
        cluster: &ClusterName,
        system: &SystemConfig,
    ) -> Result<Map, LoadError> {
        let service = id.service();
        let document = self.document(service, &kind.file(cluster))?;
        let own = match document.map.get_set(id.instance().as_str()) {
            Some(node) => {
                node.as_map().ok_or_else(|| SettingError::new(id.instance().as_str(), node, "a map"))?
            }
            None => return Err(no_such_instance(id, cluster, &self.all_instances(service, cluster)?)),
        };
        let general = self.service_map(service)?;
        // The registry is the service's alone: what an instance says of it is not read.
        let registry = general.get("docker_registry").cloned();
        let mut merged = general;
        if let Some(autotuned) = self.autotuned(id, kind, cluster, system)? {
            lay(&mut merged, &autotuned);
        }
        lay(&mut merged, own);
        match registry {
            Some(registry) => merged.insert(Node::text("docker_registry"), registry),
            None => drop(merged.remove("docker_registry")),
        }
        Ok(merged)
    }

    fn autotuned(
        &self,
        id: &InstanceId,
        kind: InstanceType,
        cluster: &ClusterName,
        system: &SystemConfig,
    ) -> Result<Option<Map>, LoadError> {
        if !system.auto_config_enabled(kind.as_str())? {
            return Ok(None);
        }
        let file = format!("autotuned_defaults/{}", kind.file(cluster));
        let document = self.document(id.service(), &file)?;
        match document.map.get_set(id.instance().as_str()) {
            None => Ok(None),
            Some(node) => match node.as_map() {
                Some(map) => Ok(Some(map.clone())),
                None => Err(SettingError::new(id.instance().as_str(), node, "a map").into()),
            },
        }
    }
}

fn link_target(bytes: &[u8]) -> Option<&str> {
    const NAME_BYTES_MAX: usize = 255;
    let text = std::str::from_utf8(bytes.get(..bytes.len().min(NAME_BYTES_MAX + 1))?).ok()?;
    let is_name = text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'));
    (text.len() <= NAME_BYTES_MAX && is_name && text.ends_with(".yaml")).then_some(text)
}

fn instance_name(name: &str, key: &Node) -> Result<InstanceName, LoadError> {
    InstanceName::new(name).map_err(|error| LoadError::InvalidName {
        message: error.to_string(),
        position: key.position.clone(),
    })
}

fn no_such_instance(
    id: &InstanceId,
    cluster: &ClusterName,
    all: &[(InstanceName, InstanceType)],
) -> LoadError {
    // A null block is listed, but is no instance.
    let names = all.iter().map(|(name, _)| name.as_str()).filter(|name| *name != id.instance().as_str());
    LoadError::NoSuchInstance {
        service: id.service().to_string(),
        instance: id.instance().to_string(),
        cluster: cluster.clone(),
        close: close_matches(id.instance().as_str(), names),
    }
}
