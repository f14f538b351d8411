//! What is listened on and who serves, from files and from what runs.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::{IpAddr, SocketAddr, TcpListener};

use paasta_config::{LocalTask, Map, Namespace, NerveHost, Soa, SystemConfig};
use paasta_core::{ClusterName, Fleet, InstanceId, Reading, ServiceName, TaskPhase, chain};
use paasta_smartstack::proxy::{Listener, Mode, Server, Wanted};

/// Problems by what they are about.
pub(super) type Problems = BTreeMap<String, String>;

/// Where it is read.
pub(super) struct Registered {
    pub(super) soa: Soa,
    pub(super) system: SystemConfig,
    pub(super) cluster: ClusterName,
    pub(super) listen: IpAddr,
}

impl Registered {
    /// What is registered now. What cannot be read stays as it was before, with the problem beside it.
    pub(super) fn look(&self, fleet: &Fleet, before: &Wanted) -> (Wanted, Problems) {
        let mut problems = Problems::new();
        let listeners = self.listeners(before, &mut problems);
        let servers = self.servers(fleet, before, &mut problems);
        (Wanted { listeners, servers }, problems)
    }

    fn listeners(&self, before: &Wanted, problems: &mut Problems) -> BTreeMap<String, Listener> {
        let services = match self.soa.services() {
            Ok(services) => services,
            Err(error) => {
                problems.insert("soa-configs".to_owned(), chain(&error));
                return before.listeners.clone();
            }
        };
        let mut listeners = BTreeMap::new();
        let mut taken: HashMap<u16, String> = HashMap::new();
        for service in services {
            let of_service = match self.listeners_of(&service, problems) {
                Ok(listeners) => listeners,
                Err(reason) => {
                    problems.insert(format!("smartstack.yaml of {service}"), reason);
                    of_service(&before.listeners, &service)
                }
            };
            for (registration, listener) in of_service {
                if let Some(other) = taken.get(&listener.port) {
                    let reason = format!("its proxy_port {} is that of {other} already", listener.port);
                    problems.insert(registration, reason);
                    continue;
                }
                let is_new = before.listeners.get(&registration).is_none_or(|old| old.port != listener.port);
                if is_new && let Err(error) = TcpListener::bind((self.listen, listener.port)) {
                    let reason = format!("nobody can listen on its proxy_port {}: {error}", listener.port);
                    problems.insert(registration, reason);
                    continue;
                }
                taken.insert(listener.port, registration.clone());
                listeners.insert(registration, listener);
            }
        }
        listeners
    }

    fn listeners_of(
        &self,
        service: &ServiceName,
        problems: &mut Problems,
    ) -> Result<Vec<(String, Listener)>, String> {
        let mut listeners = Vec::new();
        for (registration, _) in self.soa.namespaces(service).map_err(|error| chain(&error))? {
            let Some((_, namespace)) = registration.split_once('.') else { continue };
            let read = self.soa.namespace(service, namespace).map_err(|error| chain(&error));
            match read.and_then(|map| listener(&map, self.listen)) {
                Ok(Some(listener)) => listeners.push((registration, listener)),
                Ok(None) => {}
                Err(reason) => drop(problems.insert(registration, reason)),
            }
        }
        Ok(listeners)
    }

    fn servers(
        &self,
        fleet: &Fleet,
        before: &Wanted,
        problems: &mut Problems,
    ) -> BTreeMap<String, BTreeSet<Server>> {
        let mut servers: BTreeMap<String, BTreeSet<Server>> = BTreeMap::new();
        for (home, apps) in &fleet.homes {
            let apps = match apps {
                Reading::Known(apps) => apps,
                Reading::Unknown(reason) => {
                    problems.insert(format!("what runs at {home}"), reason.clone());
                    return before.servers.clone();
                }
            };
            for app in apps {
                let Ok(id) = app.id.short_id().replace("--", "_").parse::<InstanceId>() else { continue };
                for task in app.tasks.iter().filter(|task| task.phase == TaskPhase::Running) {
                    let (Some(port), Ok(ip)) = (task.ports.first(), task.host.parse::<IpAddr>()) else {
                        continue;
                    };
                    let server = Server { host: task.host.clone(), address: SocketAddr::new(ip, *port) };
                    for registration in self.registrations(&id, *port, before, &server, problems) {
                        servers.entry(registration).or_default().insert(server.clone());
                    }
                }
            }
        }
        servers
    }

    /// The names that a task serves.
    fn registrations(
        &self,
        id: &InstanceId,
        port: u16,
        before: &Wanted,
        server: &Server,
        problems: &mut Problems,
    ) -> Vec<String> {
        let task = LocalTask { id: id.clone(), port };
        let host = NerveHost { ip: None, cluster: Some(&self.cluster) };
        let reason = match self.soa.nerve_marathon_services(Some(&self.system), &[task], host) {
            Ok((entries, unreadable)) if unreadable.is_empty() => {
                return entries.into_iter().map(|entry| entry.registration).collect();
            }
            Ok((_, unreadable)) => unreadable.first().map(|(_, error)| chain(error)).unwrap_or_default(),
            Err(error) => chain(&error),
        };
        problems.insert(id.to_string(), reason);
        let was = before.servers.iter().filter(|(_, servers)| servers.contains(server));
        was.map(|(registration, _)| registration.clone()).collect()
    }
}

fn of_service(listeners: &BTreeMap<String, Listener>, service: &ServiceName) -> Vec<(String, Listener)> {
    let is_its =
        |registration: &str| registration.split_once('.').is_some_and(|(of, _)| of == service.as_str());
    let own = listeners.iter().filter(|(registration, _)| is_its(registration));
    own.map(|(registration, listener)| (registration.clone(), listener.clone())).collect()
}

/// A namespace as HAProxy serves it; nothing if it has no `proxy_port`.
fn listener(map: &Map, listen: IpAddr) -> Result<Option<Listener>, String> {
    let namespace = Namespace::new(map);
    if !namespace.is_in_smartstack() {
        return Ok(None);
    }
    let port = namespace.proxy_port().and_then(|port| u16::try_from(port).ok()).filter(|port| *port > 0);
    let port = port.ok_or("proxy_port is no port from 1 to 65535")?;
    let usual = Listener::default();
    let milliseconds = |key: &str, usual: u64| match namespace.raw(key) {
        None => Ok(usual),
        Some(_) => {
            let given = namespace.timeout_ms(key).and_then(|ms| u64::try_from(ms).ok()).filter(|ms| *ms > 0);
            given.ok_or_else(|| format!("{key} is no number of milliseconds above 0"))
        }
    };
    let retries = match namespace.raw("retries") {
        None => usual.retries,
        Some(_) => {
            let given = namespace.retries().and_then(|retries| u32::try_from(retries).ok());
            given.ok_or("retries is no number from 0 on")?
        }
    };
    let check_ip = if listen.is_unspecified() { IpAddr::from([127, 0, 0, 1]) } else { listen };
    Ok(Some(Listener {
        port,
        mode: match namespace.mode() {
            Some("tcp") => Mode::Tcp,
            _ => Mode::Http,
        },
        check_mode: namespace.healthcheck_mode().and_then(|mode| mode.as_str()).unwrap_or("http").to_owned(),
        check_uri: namespace.healthcheck_uri().as_str().unwrap_or("/status").to_owned(),
        check_headers: [("X-Nerve-Check-IP".to_owned(), check_ip.to_string())].into(),
        connect_ms: milliseconds("timeout_connect_ms", usual.connect_ms)?,
        server_ms: milliseconds("timeout_server_ms", usual.server_ms)?,
        client_ms: milliseconds("timeout_client_ms", usual.client_ms)?,
        retries,
    }))
}

/// What was said already, so that it is said once and again only when it comes back.
#[derive(Debug, Default)]
pub(super) struct Told(BTreeMap<String, String>);

impl Told {
    /// Says what is new among all the problems of a look, and forgets those that are gone.
    pub(super) fn all(&mut self, problems: Problems) {
        self.0.retain(|about, _| about == "haproxy" || problems.contains_key(about));
        for (about, reason) in problems {
            self.once(&about, || reason);
        }
    }

    pub(super) fn once(&mut self, about: &str, reason: impl FnOnce() -> String) {
        let reason = reason();
        if self.0.get(about) != Some(&reason) {
            tracing::warn!("proxy: {about}: {reason}");
            self.0.insert(about.to_owned(), reason);
        }
    }

    pub(super) fn forget(&mut self, about: &str) {
        self.0.remove(about);
    }
}
