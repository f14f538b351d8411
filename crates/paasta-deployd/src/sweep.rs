//! Finds changed configuration files by looking at all of them: events get lost, a sweep does not.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::Metadata;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use paasta_core::ServiceName;

/// The folder of what all services share.
const SHARED: &str = "_shared";

/// Where configuration stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SweepRoots {
    /// soa-configs: one folder per service.
    pub soa_dir: PathBuf,
    /// System config: every `.json` below it counts.
    pub system_config_dir: PathBuf,
}

/// Remembers how the files looked: name, modification time, size and inode of each, no contents.
#[derive(Debug)]
pub struct FileSweep {
    roots: SweepRoots,
    seen: Option<Look>,
}

/// What a sweep found changed since the one before.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Services whose own files changed.
    pub services: BTreeSet<ServiceName>,
    /// Whether something changed that may concern every instance.
    pub everything: bool,
}

#[derive(Debug)]
struct Look {
    services: BTreeMap<String, ServicePrint>,
    system: u64,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct ServicePrint {
    /// What concerns the service's own instances.
    own: u64,
    /// What may concern instances of others: namespaces that they register in, shared secrets.
    shared: u64,
}

impl FileSweep {
    /// A sweep that has seen nothing: the first one finds nothing changed and only remembers.
    pub fn new(roots: SweepRoots) -> Self {
        Self { roots, seen: None }
    }

    /// Looks at every file. What cannot be read counts as unchanged. Blocks.
    pub fn sweep(&mut self) -> Swept {
        let look = self.look();
        let swept = match &self.seen {
            Some(before) => difference(before, &look),
            None => Swept::default(),
        };
        self.seen = Some(look);
        swept
    }

    fn look(&self) -> Look {
        let before = self.seen.as_ref();
        let services = match names(&self.roots.soa_dir) {
            Ok(names) => names
                .into_iter()
                .filter_map(|name| {
                    let print = service_print(&self.roots.soa_dir.join(&name), &name);
                    let old = || before.and_then(|look| look.services.get(&name)).copied();
                    Some((name.clone(), print.ok().flatten().or_else(old)?))
                })
                .collect(),
            Err(_) => before.map(|look| look.services.clone()).unwrap_or_default(),
        };
        let mut system = DefaultHasher::new();
        let system = match system_print(&self.roots.system_config_dir, &mut system, 0) {
            Ok(()) => system.finish(),
            Err(_) => before.map(|look| look.system).unwrap_or_default(),
        };
        Look { services, system }
    }
}

fn difference(before: &Look, after: &Look) -> Swept {
    let mut swept = Swept { services: BTreeSet::new(), everything: before.system != after.system };
    let names: BTreeSet<&String> = before.services.keys().chain(after.services.keys()).collect();
    for name in names {
        let (old, new) = (before.services.get(name), after.services.get(name));
        if old == new {
            continue;
        }
        // A service that comes or goes brings or takes no namespace that others could have used before; secrets that
        // all share may be referred to before they are there.
        swept.everything |= match (old, new) {
            (Some(old), Some(new)) => old.shared != new.shared,
            _ => name == SHARED,
        };
        if let Ok(service) = ServiceName::new(name.clone()) {
            swept.services.insert(service);
        }
    }
    swept
}

/// The print of one service's folder; nothing if it is not a folder.
fn service_print(dir: &Path, name: &str) -> io::Result<Option<ServicePrint>> {
    if !dir.is_dir() {
        return Ok(None);
    }
    let (mut own, mut shared) = (DefaultHasher::new(), DefaultHasher::new());
    for file in names(dir)? {
        let path = dir.join(&file);
        match file.as_str() {
            "smartstack.yaml" => {
                add(&path, &mut shared)?;
                add(&path, &mut own)?;
            }
            "service.yaml" | "monitoring.yaml" | "deployments.json" => add(&path, &mut own)?,
            "secrets" if name == SHARED => add_all(&path, ".json", &mut shared)?,
            "secrets" => add_all(&path, ".json", &mut own)?,
            "autotuned_defaults" => add_all(&path, ".yaml", &mut own)?,
            _ if file.starts_with("marathon-") => add(&path, &mut own)?,
            _ => {}
        }
    }
    Ok(Some(ServicePrint { own: own.finish(), shared: shared.finish() }))
}

fn add_all(dir: &Path, ending: &str, into: &mut DefaultHasher) -> io::Result<()> {
    if !dir.is_dir() {
        return Ok(());
    }
    for file in names(dir)?.iter().filter(|file| file.ends_with(ending)) {
        add(&dir.join(file), into)?;
    }
    Ok(())
}

/// How deep folders of system config are looked into.
const SYSTEM_CONFIG_DEPTH_MAX: usize = 16;

fn system_print(dir: &Path, into: &mut DefaultHasher, depth: usize) -> io::Result<()> {
    for file in names(dir)? {
        let path = dir.join(&file);
        if path.is_dir() && !path.is_symlink() {
            if depth < SYSTEM_CONFIG_DEPTH_MAX {
                system_print(&path, into, depth + 1)?;
            }
        } else if file.ends_with(".json") {
            add(&path, into)?;
        }
    }
    Ok(())
}

/// A file that vanished between listing and looking is not there; that is a print of its own.
fn add(path: &Path, into: &mut DefaultHasher) -> io::Result<()> {
    match std::fs::metadata(path) {
        Ok(metadata) => {
            path.hash(into);
            print(&metadata).hash(into);
            Ok(())
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

fn print(metadata: &Metadata) -> (i64, i64, u64, u64, u64) {
    (metadata.mtime(), metadata.mtime_nsec(), metadata.len(), metadata.ino(), metadata.dev())
}

/// The names in a folder, sorted; those that are not Unicode cannot be services or files of ours.
fn names(dir: &Path) -> io::Result<Vec<String>> {
    let mut names: Vec<String> = std::fs::read_dir(dir)?
        .filter_map(|entry| entry.map(|entry| entry.file_name().into_string().ok()).transpose())
        .collect::<io::Result<_>>()?;
    names.sort();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Place {
        root: tempfile::TempDir,
        sweep: FileSweep,
    }

    impl Place {
        fn new() -> Self {
            let root = tempfile::tempdir().expect("a folder");
            let (soa_dir, system_config_dir) = (root.path().join("soa"), root.path().join("etc"));
            for dir in [&soa_dir, &system_config_dir] {
                std::fs::create_dir(dir).expect("made");
            }
            Self { sweep: FileSweep::new(SweepRoots { soa_dir, system_config_dir }), root }
        }

        fn write(&self, path: &str, text: &str) {
            let path = self.root.path().join(path);
            std::fs::create_dir_all(path.parent().expect("below the root")).expect("made");
            std::fs::write(path, text).expect("written");
        }

        #[track_caller]
        fn expect(&mut self, services: &[&str], everything: bool) {
            let swept = self.sweep.sweep();
            let found: Vec<&str> = swept.services.iter().map(ServiceName::as_str).collect();
            assert_eq!((found.as_slice(), swept.everything), (services, everything));
        }
    }

    #[test]
    fn changes_are_found_and_told_apart() {
        let mut place = Place::new();
        place.write("soa/one/marathon-here.yaml", "main: {}");
        place.write("soa/two/smartstack.yaml", "main: {}");
        place.expect(&[], false);
        place.expect(&[], false);
        place.write("soa/one/marathon-here.yaml", "main: {cpus: 1}");
        place.expect(&["one"], false);
        place.write("soa/two/smartstack.yaml", "main: {proxy_port: 1}");
        place.expect(&["two"], true);
        place.write("soa/one/README.md", "nobody reads this");
        place.expect(&[], false);
        place.write("soa/one/secrets/key.json", "{}");
        place.write("soa/three/service.yaml", "{}");
        place.expect(&["one", "three"], false);
        place.write("soa/one/monitoring.yaml", "{}");
        place.expect(&["one"], false);
        place.write("soa/_shared/secrets/key.json", "{}");
        place.expect(&["_shared"], true);
        place.write("soa/_shared/secrets/key.json", "{ }");
        place.expect(&["_shared"], true);
        place.write("etc/deep/cluster.json", "{}");
        place.expect(&[], true);
        std::fs::remove_dir_all(place.root.path().join("soa/one")).expect("removed");
        place.expect(&["one"], false);
    }

    #[test]
    fn the_same_size_at_another_time_is_a_change() {
        let mut place = Place::new();
        place.write("soa/one/deployments.json", "1");
        place.expect(&[], false);
        place.write("soa/one/new", "2");
        let dir = place.root.path().join("soa/one");
        std::fs::rename(dir.join("new"), dir.join("deployments.json")).expect("renamed");
        place.expect(&["one"], false);
    }

    #[test]
    fn what_cannot_be_read_is_unchanged() {
        let mut place = Place::new();
        place.write("soa/one/marathon-here.yaml", "main: {}");
        place.expect(&[], false);
        let (soa, away) = (place.root.path().join("soa"), place.root.path().join("away"));
        std::fs::rename(&soa, &away).expect("moved");
        place.expect(&[], false);
        std::fs::rename(&away, &soa).expect("moved back");
        place.expect(&[], false);
    }
}
