//! What an external nerve configurator registers on one host (config.md §9.3).

use paasta_core::{ClusterName, InstanceId, Registration, ServiceName};

use crate::soa::PerService;
use crate::{
    ConfigSource, InstanceType, LoadError, Map, Namespace, Node, SettingError, Soa, SystemConfig, Value,
    parse_json,
};

/// The header that keeps the health checks of several hosts apart.
const CHECK_IP_HEADER: &str = "X-Nerve-Check-IP";
const LOOPBACK: &str = "127.0.0.1";

/// One name that a host serves: nerve checks its health and writes it into discovery.
#[derive(Clone, Debug, PartialEq)]
pub struct NerveService {
    /// `<service>.<namespace>`.
    pub registration: String,
    /// The namespace as [`Soa::namespace`] reads it, with `port` and what else nerve needs.
    pub config: Map,
}

/// A task that runs on this host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalTask {
    /// Of which instance.
    pub id: InstanceId,
    /// The first of its ports on the host.
    pub port: u16,
}

/// The host that is asked about.
#[derive(Clone, Copy, Debug)]
pub struct NerveHost<'a> {
    /// Its address; 127.0.0.1 where it cannot be found out.
    pub ip: Option<&'a str>,
    /// The cluster whose files count. `None` is that of the system configuration; only then may
    /// `register_marathon_services` forbid it all.
    pub cluster: Option<&'a ClusterName>,
}

impl Soa {
    /// What the Marathon tasks of a host are registered as: an entry for each registration that SmartStack balances.
    /// Without a system configuration nothing is. Instances whose configuration is gone are left out; beside the entries
    /// are the services of those that cannot be read.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use paasta_config::{LocalTask, Memory, NerveHost, Soa, SystemConfig};
    ///
    /// let tree = Memory::new()
    ///     .with("web/marathon-pnw.yaml", "main: {}\n")
    ///     .with("web/smartstack.yaml", "main: {proxy_port: 20028}\n");
    /// let system = SystemConfig::from_json(r#"{"cluster": "pnw"}"#)?;
    /// let tasks = [LocalTask { id: "web.main".parse()?, port: 31001 }];
    /// let host = NerveHost { ip: Some("10.0.0.1"), cluster: None };
    /// let (entries, unreadable) = Soa::new(Arc::new(tree)).nerve_marathon_services(Some(&system), &tasks, host)?;
    /// assert_eq!(entries[0].registration, "web.main");
    /// assert!(unreadable.is_empty());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn nerve_marathon_services(
        &self,
        system: Option<&SystemConfig>,
        tasks: &[LocalTask],
        host: NerveHost<'_>,
    ) -> Result<PerService<NerveService>, LoadError> {
        let (mut entries, mut unreadable) = (Vec::new(), Vec::new());
        let Some(system) = system else { return Ok((entries, unreadable)) };
        let cluster = match host.cluster {
            Some(cluster) => cluster.clone(),
            None if !system.register_marathon_services()? => return Ok((entries, unreadable)),
            None => system.cluster()?,
        };
        for task in tasks {
            match self.nerve_task(task, host.ip.unwrap_or(LOOPBACK), &cluster, system) {
                Ok(of_task) => entries.extend(of_task),
                Err(LoadError::NoSuchInstance { .. }) => {}
                Err(error) => unreadable.push((task.id.service().clone(), error)),
            }
        }
        Ok((entries, unreadable))
    }

    fn nerve_task(
        &self,
        task: &LocalTask,
        ip: &str,
        cluster: &ClusterName,
        system: &SystemConfig,
    ) -> Result<Vec<NerveService>, LoadError> {
        let instance = self.instance(&task.id, InstanceType::Marathon, cluster, system)?;
        let group = self.deploy_group(&task.id, InstanceType::Marathon, cluster, system)?;
        let mut entries = Vec::new();
        for name in instance.config().registrations()? {
            let invalid = |message: String| LoadError::InvalidName { message, position: None };
            let registration = Registration::new(name).map_err(|error| invalid(error.to_string()))?;
            let service: ServiceName =
                registration.service().parse().map_err(|error| invalid(format!("{error}")))?;
            let mut config = self.namespace(&service, registration.namespace())?;
            if !Namespace::new(&config).is_in_smartstack() {
                continue;
            }
            let mut set = |key: &str, value: Node| config.insert(Node::text(key), value);
            set("port", Node::new(Value::Int(task.port.into())));
            set("paasta_instance", Node::text(task.id.instance().as_str()));
            set("deploy_group", group.as_deref().map_or_else(Node::null, Node::text));
            let mut headers = Map::new();
            headers.insert(Node::text(CHECK_IP_HEADER), Node::text(ip));
            set("extra_healthcheck_headers", Node::new(Value::Map(headers)));
            let registration = format!("{service}.{}", registration.namespace());
            entries.push(NerveService { registration, config });
        }
        Ok(entries)
    }

    /// The namespaces of the services that run on this host outside of PaaSTA: `runs_on` of service.yaml names it.
    pub fn nerve_classic_services(&self, fqdn: &str) -> Result<PerService<NerveService>, LoadError> {
        let (mut entries, mut unreadable) = (Vec::new(), Vec::new());
        for service in self.services()? {
            match self
                .classic_namespaces(&service, fqdn)
                .and_then(|names| self.nerve_classic(&service, &names))
            {
                Ok(of_service) => entries.extend(of_service),
                Err(error) => unreadable.push((service, error)),
            }
        }
        Ok((entries, unreadable))
    }

    /// The namespaces of the services that Puppet put on this host: `folder` holds a JSON file for each, with its
    /// `namespaces`. Links that lead nowhere are left out.
    pub fn nerve_puppet_services(
        &self,
        folder: &dyn ConfigSource,
    ) -> Result<PerService<NerveService>, LoadError> {
        let (mut entries, mut unreadable) = (Vec::new(), Vec::new());
        for name in folder.list("")? {
            let Ok(service) = ServiceName::new(name) else { continue };
            match puppet_namespaces(folder, &service).and_then(|names| self.nerve_classic(&service, &names)) {
                Ok(of_service) => entries.extend(of_service),
                Err(error) => unreadable.push((service, error)),
            }
        }
        Ok((entries, unreadable))
    }

    fn classic_namespaces(&self, service: &ServiceName, fqdn: &str) -> Result<Vec<String>, LoadError> {
        let own = self.file(service, "service.yaml")?;
        let hosts = own.get_set("runs_on").map(|node| {
            node.as_list().ok_or_else(|| SettingError::new("runs_on", node, "a list of host names"))
        });
        let hosts = hosts.transpose()?.unwrap_or_default();
        if !hosts.iter().any(|host| host.as_str() == Some(fqdn)) {
            return Ok(Vec::new());
        }
        let smartstack = self.file(service, "smartstack.yaml")?;
        Ok(smartstack.iter().filter_map(|(name, _)| name.as_str().map(str::to_owned)).collect())
    }

    /// Each namespace with the port of the service's file `port`: one that a namespace names for itself is never read.
    fn nerve_classic(
        &self,
        service: &ServiceName,
        namespaces: &[String],
    ) -> Result<Vec<NerveService>, LoadError> {
        let port = self.port_file(service)?;
        let entry = |namespace: &String| -> Result<NerveService, LoadError> {
            let mut config = self.namespace(service, namespace)?;
            config.insert(Node::text("port"), port.clone());
            Ok(NerveService { registration: format!("{service}.{namespace}"), config })
        };
        namespaces.iter().map(entry).collect()
    }
}

fn puppet_namespaces(folder: &dyn ConfigSource, service: &ServiceName) -> Result<Vec<String>, LoadError> {
    let Some(bytes) = folder.read(service.as_str())? else { return Ok(Vec::new()) };
    let root = parse_json(&bytes, &folder.show(service.as_str()))?;
    let wrong = |node: &Node, expected| SettingError::new("namespaces", node, expected);
    let namespaces = root.as_map().and_then(|map| map.get("namespaces"));
    let list = namespaces.and_then(Node::as_list);
    let list = list.ok_or_else(|| wrong(namespaces.unwrap_or(&root), "a list of names"))?;
    let name = |node: &Node| node.as_str().map(str::to_owned).ok_or_else(|| wrong(node, "a name"));
    Ok(list.iter().map(name).collect::<Result<_, _>>()?)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{Directory, Memory};

    fn tree() -> Memory {
        Memory::new()
            .with(
                "web/marathon-pnw.yaml",
                "main: {deploy_group: all}\nboth: {registrations: [web.main, api.edge, web.plain]}\nbad: {registrations: 1}\n",
            )
            .with(
                "web/smartstack.yaml",
                "main: {proxy_port: 20001, extra_healthcheck_headers: {Host: x}, port: 9}\nplain: {mode: tcp}\n",
            )
            .with("web/port", "8888\n")
            .with("web/service.yaml", "runs_on: [h1.example.com, h2.example.com]\n")
            .with("api/smartstack.yaml", "edge: {proxy_port: 20002}\n")
            .with("api/service.yaml", "runs_on: h1.example.com\n")
    }

    fn soa() -> Soa {
        Soa::new(Arc::new(tree()))
    }

    fn system(more: &str) -> SystemConfig {
        SystemConfig::from_json(&format!(r#"{{"cluster": "pnw"{more}}}"#)).unwrap()
    }

    fn told(entries: &[NerveService]) -> Vec<String> {
        entries.iter().map(|entry| format!("{} {:?}", entry.registration, entry.config)).collect()
    }

    fn task(id: &str, port: u16) -> LocalTask {
        LocalTask { id: id.parse().unwrap(), port }
    }

    #[test]
    fn tasks_are_registered_under_every_name_that_smartstack_balances() {
        let tasks =
            [task("web.main", 31001), task("web.both", 31002), task("web.gone", 1), task("gone.main", 1)];
        let host = NerveHost { ip: Some("10.0.0.1"), cluster: None };
        let (entries, unreadable) = soa().nerve_marathon_services(Some(&system("")), &tasks, host).unwrap();
        assert!(unreadable.is_empty(), "{unreadable:?}");
        let more = |port, instance, group, ip| {
            format!(
                r#""port": {port}, "paasta_instance": "{instance}", "deploy_group": "{group}", "extra_healthcheck_headers": {{"X-Nerve-Check-IP": "{ip}"}}"#
            )
        };
        let names: Vec<&str> = entries.iter().map(|entry| entry.registration.as_str()).collect();
        assert_eq!(names, ["web.main", "web.main", "api.edge"]);
        let expected = format!(
            r#"api.edge {{"proxy_port": 20002, "mode": "http", {}}}"#,
            more(31002, "both", "pnw.both", "10.0.0.1")
        );
        assert_eq!(told(&entries)[2], expected);
        let headers = entries[0].config.get("extra_healthcheck_headers").unwrap();
        assert_eq!(format!("{headers:?}"), r#"{"X-Nerve-Check-IP": "10.0.0.1"}"#);
        assert_eq!(format!("{:?}", entries[0].config.get("port").unwrap()), "31001");
    }

    #[test]
    fn the_system_configuration_can_forbid_it_where_no_cluster_is_named() {
        let tasks = [task("web.main", 31001), task("web.bad", 1)];
        let cluster = "pnw".parse().unwrap();
        let count = |system: Option<&SystemConfig>, cluster| {
            let host = NerveHost { ip: None, cluster };
            let (entries, unreadable) = soa().nerve_marathon_services(system, &tasks, host).unwrap();
            (entries.len(), unreadable.len())
        };
        let off = system(r#", "register_marathon_services": false"#);
        assert_eq!(count(None, Some(&cluster)), (0, 0));
        assert_eq!(count(Some(&off), None), (0, 0));
        assert_eq!(count(Some(&off), Some(&cluster)), (1, 1));
        assert_eq!(count(Some(&system("")), None), (1, 1));
        let host = NerveHost { ip: None, cluster: None };
        let (entries, _) = soa().nerve_marathon_services(Some(&system("")), &tasks, host).unwrap();
        assert!(told(&entries)[0].contains(r#"{"X-Nerve-Check-IP": "127.0.0.1"}"#));
    }

    #[test]
    fn classic_services_have_the_port_of_their_file() {
        let (entries, unreadable) = soa().nerve_classic_services("h1.example.com").unwrap();
        let names: Vec<&str> = entries.iter().map(|entry| entry.registration.as_str()).collect();
        assert_eq!(names, ["web.main", "web.plain"]);
        assert!(entries.iter().all(|e| format!("{:?}", e.config.get("port").unwrap()) == "8888"));
        let wrong: Vec<&str> = unreadable.iter().map(|(service, _)| service.as_str()).collect();
        assert_eq!(wrong, ["api"], "`runs_on` is no list there");
        assert!(soa().nerve_classic_services("h3.example.com").unwrap().0.is_empty());
    }

    #[test]
    fn puppets_services_are_sorted_and_dangling_links_left_out() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        write("web", r#"{"namespaces": ["plain"]}"#);
        write("api", r#"{"namespaces": ["edge"]}"#);
        write("odd", r#"{"namespaces": "edge"}"#);
        std::os::unix::fs::symlink("nowhere", folder.path().join("linked")).unwrap();
        let (entries, unreadable) = soa().nerve_puppet_services(&Directory::new(folder.path())).unwrap();
        let expected = [
            r#"api.edge {"proxy_port": 20002, "mode": "http", "port": null}"#,
            r#"web.plain {"mode": "tcp", "port": 8888}"#,
        ];
        assert_eq!(told(&entries), expected);
        assert_eq!((unreadable.len(), unreadable[0].0.as_str()), (1, "odd"));
    }
}
