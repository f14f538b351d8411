//! Finds changed configuration files by looking at them: events get lost, a sweep does not.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::Metadata;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use paasta_core::{Clock as _, ServiceName, SystemClock};

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

/// Remembers how the files looked (name, times, size and inode of each) and a print of what they held. Contents are read
/// only where the look differs, so that a tree that was copied, linked or touched wakes nobody.
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
    /// Whether the system config is among that.
    pub system: bool,
    /// Whether files of soa-configs are among that.
    pub shared: bool,
}

/// Whose files are in a folder.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Belongs {
    /// The services' folders are.
    Services,
    /// Those of this service, or some of them.
    Service(String),
    /// System config is.
    System,
}

/// Hears of every folder before its files are looked at, so that whoever watches it misses none.
pub(crate) trait Enter {
    fn enter(&mut self, folder: &Path, metadata: &Metadata, belongs: Belongs);
}

impl Swept {
    pub(crate) fn merge(&mut self, other: Swept) {
        self.services.extend(other.services);
        self.everything |= other.everything;
        self.system |= other.system;
        self.shared |= other.shared;
    }
}

/// Nobody watches.
impl Enter for () {
    fn enter(&mut self, _: &Path, _: &Metadata, _: Belongs) {}
}

#[derive(Debug)]
struct Look {
    services: BTreeMap<String, Print>,
    system: Print,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Print {
    /// Names, times, sizes and inodes.
    looks: u64,
    /// What concerns the service's own instances.
    own: u64,
    /// What may concern instances of others: namespaces that they register in, shared secrets.
    shared: u64,
    /// A file was changed so shortly before that another change might look the same.
    young: bool,
}

/// File systems tell times in steps of some milliseconds, some of them in seconds.
const YOUNG_SECONDS: f64 = 2.5;

/// How a file is to be trusted that looks as before.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Trust {
    /// It holds what it held.
    Looks,
    /// Somebody says that it was written.
    Contents,
}

impl FileSweep {
    /// A sweep that has seen nothing: the first one finds nothing changed and only remembers.
    pub fn new(roots: SweepRoots) -> Self {
        Self { roots, seen: None }
    }

    /// Looks at every file. What cannot be read counts as unchanged. Blocks.
    pub fn sweep(&mut self) -> Swept {
        self.sweep_all(&mut ())
    }

    pub(crate) fn roots(&self) -> &SweepRoots {
        &self.roots
    }

    pub(crate) fn sweep_all(&mut self, enter: &mut dyn Enter) -> Swept {
        let look = self.look(enter);
        let swept = match &self.seen {
            Some(before) => difference(before, &look),
            None => Swept::default(),
        };
        self.seen = Some(look);
        swept
    }

    /// Looks at these services alone, and at system config if it is said to have changed. What was never swept is swept
    /// whole.
    pub(crate) fn sweep_some(
        &mut self,
        services: &BTreeSet<String>,
        system: bool,
        enter: &mut dyn Enter,
    ) -> Swept {
        let Some(seen) = &mut self.seen else { return self.sweep_all(enter) };
        let mut swept = Swept::default();
        // Where the whole folder is away its services are not gone.
        if self.roots.soa_dir.is_dir() {
            for name in services.iter().filter(|name| !is_hidden(name)) {
                let old = seen.services.get(name).copied();
                let dir = self.roots.soa_dir.join(name);
                let Ok(new) = service_print(&dir, name, old, Trust::Contents, enter) else { continue };
                compare(name, old, new, &mut swept);
                match new {
                    Some(new) => seen.services.insert(name.clone(), new),
                    None => seen.services.remove(name),
                };
            }
        }
        let dir = &self.roots.system_config_dir;
        if system && let Ok(new) = system_print(dir, Some(seen.system), Trust::Contents, enter) {
            swept.system |= seen.system.own != new.own;
            swept.everything |= swept.system;
            seen.system = new;
        }
        swept
    }

    fn look(&self, enter: &mut dyn Enter) -> Look {
        let before = self.seen.as_ref();
        let soa_dir = &self.roots.soa_dir;
        if let Ok(metadata) = std::fs::metadata(soa_dir) {
            enter.enter(soa_dir, &metadata, Belongs::Services);
        }
        let services = match names(soa_dir) {
            Ok(names) => names
                .into_iter()
                .filter(|name| !is_hidden(name))
                .filter_map(|name| {
                    let old = before.and_then(|look| look.services.get(&name)).copied();
                    let print = service_print(&soa_dir.join(&name), &name, old, Trust::Looks, enter);
                    Some((name, print.unwrap_or(old)?))
                })
                .collect(),
            Err(_) => before.map(|look| look.services.clone()).unwrap_or_default(),
        };
        let old = before.map(|look| look.system);
        let system = system_print(&self.roots.system_config_dir, old, Trust::Looks, enter);
        Look { services, system: system.unwrap_or(old.unwrap_or_default()) }
    }
}

fn difference(before: &Look, after: &Look) -> Swept {
    let system = before.system.own != after.system.own;
    let mut swept = Swept { everything: system, system, ..Swept::default() };
    let names: BTreeSet<&String> = before.services.keys().chain(after.services.keys()).collect();
    for name in names {
        let print = |look: &Look| look.services.get(name).copied();
        compare(name, print(before), print(after), &mut swept);
    }
    swept
}

fn compare(name: &str, old: Option<Print>, new: Option<Print>, swept: &mut Swept) {
    let held = |print: Option<Print>| print.map(|print| (print.own, print.shared));
    if held(old) == held(new) {
        return;
    }
    // A service that comes or goes brings or takes no namespace that others could have used before; secrets that
    // all share may be referred to before they are there.
    swept.shared |= match (old, new) {
        (Some(old), Some(new)) => old.shared != new.shared,
        _ => name == SHARED,
    };
    swept.everything |= swept.shared;
    if let Ok(service) = ServiceName::new(name) {
        swept.services.insert(service);
    }
}

/// Whom a file concerns.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Concerns {
    Own,
    Others,
    Both,
}

struct Found {
    path: PathBuf,
    metadata: Metadata,
    concerns: Concerns,
}

/// The print of one service's folder; nothing if it is not a folder.
fn service_print(
    dir: &Path,
    name: &str,
    old: Option<Print>,
    trust: Trust,
    enter: &mut dyn Enter,
) -> io::Result<Option<Print>> {
    if !enter_folder(dir, &Belongs::Service(name.to_owned()), enter)? {
        return Ok(None);
    }
    let mut found = Vec::new();
    for file in names(dir)? {
        let path = dir.join(&file);
        let mut all = |ending, concerns| {
            if enter_folder(&path, &Belongs::Service(name.to_owned()), enter)? {
                add_all(&path, ending, concerns, &mut found)?;
            }
            io::Result::Ok(())
        };
        match file.as_str() {
            "secrets" if name == SHARED => all(".json", Concerns::Others)?,
            "secrets" => all(".json", Concerns::Own)?,
            "autotuned_defaults" => all(".yaml", Concerns::Own)?,
            "smartstack.yaml" => add(path, Concerns::Both, &mut found)?,
            "service.yaml" | "monitoring.yaml" | "deployments.json" => {
                add(path, Concerns::Own, &mut found)?;
            }
            _ if file.starts_with("marathon-") => add(path, Concerns::Own, &mut found)?,
            _ => {}
        }
    }
    print(&found, old, trust).map(Some)
}

/// Whether it is a folder; one that is has been entered.
fn enter_folder(dir: &Path, belongs: &Belongs, enter: &mut dyn Enter) -> io::Result<bool> {
    match std::fs::metadata(dir) {
        Ok(metadata) if metadata.is_dir() => {
            enter.enter(dir, &metadata, belongs.clone());
            Ok(true)
        }
        Ok(_) => Ok(false),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

fn add_all(dir: &Path, ending: &str, concerns: Concerns, found: &mut Vec<Found>) -> io::Result<()> {
    for file in names(dir)?.iter().filter(|file| file.ends_with(ending) && !is_hidden(file)) {
        add(dir.join(file), concerns, found)?;
    }
    Ok(())
}

/// How deep folders of system config are looked into.
const SYSTEM_CONFIG_DEPTH_MAX: usize = 16;

fn system_print(dir: &Path, old: Option<Print>, trust: Trust, enter: &mut dyn Enter) -> io::Result<Print> {
    let mut found = Vec::new();
    add_system(dir, &mut found, enter, 0)?;
    print(&found, old, trust)
}

fn add_system(dir: &Path, found: &mut Vec<Found>, enter: &mut dyn Enter, depth: usize) -> io::Result<()> {
    enter_folder(dir, &Belongs::System, enter)?;
    for file in names(dir)? {
        let path = dir.join(&file);
        if path.is_dir() && !path.is_symlink() {
            if depth < SYSTEM_CONFIG_DEPTH_MAX {
                add_system(&path, found, enter, depth + 1)?;
            }
        } else if file.ends_with(".json") {
            add(path, Concerns::Own, found)?;
        }
    }
    Ok(())
}

/// A file that vanished between listing and looking is not there; that is a print of its own.
fn add(path: PathBuf, concerns: Concerns, found: &mut Vec<Found>) -> io::Result<()> {
    match std::fs::metadata(&path) {
        Ok(metadata) => {
            found.push(Found { path, metadata, concerns });
            Ok(())
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

fn print(found: &[Found], old: Option<Print>, trust: Trust) -> io::Result<Print> {
    let mut looks = DefaultHasher::new();
    for file in found {
        (&file.path, look_of(&file.metadata)).hash(&mut looks);
    }
    let looks = looks.finish();
    if let Some(old) = old.filter(|old| trust == Trust::Looks && old.looks == looks && !old.young) {
        return Ok(old);
    }
    let now = SystemClock.now().seconds();
    let (mut own, mut shared) = (DefaultHasher::new(), DefaultHasher::new());
    for file in found {
        let contents = contents(&file.path, &file.metadata)?;
        for (into, others) in [(&mut own, false), (&mut shared, true)] {
            let concerned = match file.concerns {
                Concerns::Both => true,
                Concerns::Own => !others,
                Concerns::Others => others,
            };
            if concerned {
                (&file.path, contents).hash(into);
            }
        }
    }
    let young = found.iter().any(|file| changed_at(&file.metadata) + YOUNG_SECONDS > now);
    Ok(Print { looks, own: own.finish(), shared: shared.finish(), young })
}

fn look_of(metadata: &Metadata) -> [i64; 6] {
    let identity = [metadata.len(), metadata.ino(), metadata.dev()].map(u64::cast_signed);
    let [size, inode, device] = identity;
    let modified = metadata.mtime().wrapping_mul(1_000_000_000).wrapping_add(metadata.mtime_nsec());
    [modified, metadata.ctime(), metadata.ctime_nsec(), size, inode, device]
}

fn changed_at(metadata: &Metadata) -> f64 {
    metadata.mtime().max(metadata.ctime()) as f64
}

/// Files that are larger are told apart by their looks.
const CONTENTS_BYTES_MAX: u64 = 16 << 20;

/// A print of what a file holds; nothing if it is not there any more.
fn contents(path: &Path, metadata: &Metadata) -> io::Result<u64> {
    let mut hasher = DefaultHasher::new();
    if metadata.len() > CONTENTS_BYTES_MAX || !metadata.is_file() {
        look_of(metadata).hash(&mut hasher);
        return Ok(hasher.finish());
    }
    let file = match std::fs::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        // What nobody may read now has another print than what it held.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return Ok(1),
        Err(error) => return Err(error),
    };
    let mut held = Vec::new();
    file.take(CONTENTS_BYTES_MAX).read_to_end(&mut held)?;
    held.hash(&mut hasher);
    Ok(hasher.finish())
}

/// As an editor's or a copier's own files are, on their way to their names.
pub(crate) fn is_hidden(name: &str) -> bool {
    name.starts_with('.')
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
