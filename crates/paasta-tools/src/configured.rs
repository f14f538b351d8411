//! Which Marathon instances soa-configs names for a cluster, and for which services that cannot be told.

use std::collections::{BTreeMap, BTreeSet};

use paasta_config::{InstanceType, LoadError, Soa};
use paasta_core::{AppId, ClusterName, InstanceId, ServiceName, chain};

/// The instances that are to be, by the beginnings of their app ids: `_` in names is `--` there, and cannot be told from
/// it any more.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Configured {
    short_ids: BTreeSet<String>,
    /// Services that cannot be read, as app ids begin, with the reasons.
    unreadable: BTreeMap<String, (ServiceName, String)>,
    services: usize,
}

/// What soa-configs says of an app.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing<'a> {
    /// Its instance is configured. Which version is wanted is another question.
    Configured,
    /// Its service could not be read, for this reason.
    Unknown(&'a str),
    /// There is no such instance.
    Gone,
}

impl Configured {
    /// Reads every service. What looks empty but may only be half there, such as a link to nowhere or a file of no
    /// bytes, counts as unreadable.
    ///
    /// # Errors
    /// The services could not be listed.
    pub fn read(soa: &Soa, cluster: &ClusterName) -> Result<Self, LoadError> {
        Self::read_some(soa, cluster, |_| true)
    }

    /// Reads only the services of this app. There may be more than one, as names are written in app ids.
    ///
    /// # Errors
    /// The services could not be listed.
    pub fn read_of_app(soa: &Soa, cluster: &ClusterName, app: &AppId) -> Result<Self, LoadError> {
        Self::read_some(soa, cluster, |service| mangled(service) == service_of(app))
    }

    fn read_some(
        soa: &Soa,
        cluster: &ClusterName,
        which: impl Fn(&ServiceName) -> bool,
    ) -> Result<Self, LoadError> {
        let mut configured = Self::default();
        for service in soa.services()? {
            configured.services += 1;
            if which(&service) {
                configured.add(soa, cluster, service);
            }
        }
        Ok(configured)
    }

    fn add(&mut self, soa: &Soa, cluster: &ClusterName, service: ServiceName) {
        let names = soa.instances(&service, cluster, InstanceType::Marathon).map_err(|error| chain(&error));
        let names = names.and_then(|names| match names.is_empty() {
            true => is_really_empty(soa, cluster, &service).map(|()| names),
            false => Ok(names),
        });
        match names {
            Ok(names) => {
                let ids = names.into_iter().map(|name| InstanceId::new(service.clone(), name).short_id());
                self.short_ids.extend(ids);
            }
            Err(reason) => drop(self.unreadable.insert(mangled(&service), (service, reason))),
        }
    }

    /// How many services there are, whatever they hold.
    pub fn services(&self) -> usize {
        self.services
    }

    /// Whether no instance is named at all.
    pub fn is_empty(&self) -> bool {
        self.short_ids.is_empty()
    }

    /// The services that cannot be read, with the reasons.
    pub fn unreadable(&self) -> impl Iterator<Item = &(ServiceName, String)> {
        self.unreadable.values()
    }

    /// What is said of an app whose id has the form of ours.
    pub fn standing(&self, app: &AppId) -> Standing<'_> {
        if self.short_ids.contains(app.short_id()) {
            return Standing::Configured;
        }
        match self.unreadable.get(service_of(app)) {
            Some((_, reason)) => Standing::Unknown(reason),
            None => Standing::Gone,
        }
    }
}

/// As a service's name stands in app ids.
pub(crate) fn mangled(service: &ServiceName) -> String {
    service.as_str().replace('_', "--")
}

fn service_of(app: &AppId) -> &str {
    app.as_str().split('.').next().unwrap_or_default()
}

/// Why a service that seems to have no instances may have some.
fn is_really_empty(soa: &Soa, cluster: &ClusterName, service: &ServiceName) -> Result<(), String> {
    let (source, file) = (soa.source(), InstanceType::Marathon.file(cluster));
    let leads_nowhere = |path: &str| source.link_target(path).is_some() && !source.is_file(path);
    let path = format!("{service}/{file}");
    for link in [service.as_str(), &path] {
        if leads_nowhere(link) {
            return Err(format!("`{}` is a link that leads nowhere", source.show(link)));
        }
    }
    match source.read(&path) {
        Ok(Some(bytes)) if bytes.is_empty() => Err(format!(
            "`{}` is empty, as it is while it is written; remove it, or write `{{}}` into it, if it is to have no instances",
            source.show(&path)
        )),
        Ok(_) => Ok(()),
        Err(error) => Err(chain(&error)),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use paasta_config::Memory;

    use super::*;

    fn read(tree: Memory) -> Configured {
        Configured::read(&Soa::new(Arc::new(tree)), &"prod".parse().unwrap()).unwrap()
    }

    fn app(short_id: &str) -> AppId {
        AppId::new(format!("/{short_id}.gita.configb"))
    }

    #[test]
    fn names_are_compared_as_they_stand_in_app_ids() {
        let configured = read(
            Memory::new()
                .with("my_svc/marathon-prod.yaml", "main: {}\n_template: {}\ncan_ary: null\n")
                .with("dash--ed/marathon-prod.yaml", "main: {}\n")
                .with("other/marathon-test.yaml", "main: {}\n")
                .with("other/kubernetes-prod.yaml", "kube: {}\n"),
        );
        for (short_id, standing) in [
            ("my--svc.main", Standing::Configured),
            ("my--svc.can--ary", Standing::Configured),
            ("dash--ed.main", Standing::Configured),
            ("my--svc.--template", Standing::Gone),
            ("my--svc.gone", Standing::Gone),
            ("other.main", Standing::Gone),
            ("other.kube", Standing::Gone),
            ("nobody.main", Standing::Gone),
        ] {
            assert_eq!(configured.standing(&app(short_id)), standing, "{short_id}");
        }
        assert_eq!((configured.services(), configured.is_empty()), (3, false));
    }

    #[test]
    fn a_service_that_cannot_be_read_keeps_all_of_its_apps() {
        let configured = read(
            Memory::new()
                .with("bro_ken/marathon-prod.yaml", "main: {\n")
                .with("empty/marathon-prod.yaml", "")
                .with("none/marathon-prod.yaml", "{}\n")
                .with("comment/marathon-prod.yaml", "# nothing runs here any more\n"),
        );
        for short_id in ["bro--ken.main", "bro--ken.other", "empty.main"] {
            assert!(matches!(configured.standing(&app(short_id)), Standing::Unknown(_)), "{short_id}");
        }
        for short_id in ["none.main", "comment.main"] {
            assert_eq!(configured.standing(&app(short_id)), Standing::Gone, "{short_id}");
        }
        assert_eq!(configured.unreadable().count(), 2);
    }

    #[test]
    fn links_that_lead_nowhere_are_not_empty() {
        let root = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink(root.path().join("nowhere"), root.path().join("linked")).unwrap();
        std::fs::create_dir(root.path().join("svc")).unwrap();
        std::os::unix::fs::symlink("nowhere.yaml", root.path().join("svc/marathon-prod.yaml")).unwrap();
        let configured = Configured::read(&Soa::open(root.path()), &"prod".parse().unwrap()).unwrap();
        for short_id in ["linked.main", "svc.main"] {
            let standing = configured.standing(&app(short_id));
            assert!(
                matches!(standing, Standing::Unknown(why) if why.contains("leads nowhere")),
                "{standing:?}"
            );
        }
    }
}
