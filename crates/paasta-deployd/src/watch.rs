//! Hears from the kernel which folders of configuration were stirred, so that a sweep need look at those alone.
//!
//! Every folder is watched by itself, and before its files are looked at: what is written while a new folder is being
//! made is either seen by that look or heard of after it. `notify`'s own recursion has no such order, and watches what
//! nobody reads.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ffi::OsString;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use notify::event::{AccessKind, AccessMode, ModifyKind};
use notify::{Config, ErrorKind, Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::sweep::{Belongs, Enter, SweepRoots, is_hidden};

/// A burst is over when nothing was heard for so long.
const QUIET: Duration = Duration::from_millis(4);
/// A burst that goes on is told after so long.
const BURST_MAX: Duration = Duration::from_millis(40);
/// What was told and not asked for is told again.
const AGAIN: Duration = Duration::from_millis(25);
/// How many links a path may lead through, as for the kernel.
const LINKS_MAX: usize = 40;

/// What was stirred since it was asked last.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Stirred {
    /// Services in whose folders something happened.
    pub(crate) services: BTreeSet<String>,
    /// Services whose folders came, went or gave way to others of that name.
    pub(crate) replaced: BTreeSet<String>,
    /// Something happened to system config.
    pub(crate) system: bool,
    /// A root gave way to another, or is watched no more.
    pub(crate) all: bool,
    /// The kernel had more to say than it could keep.
    pub(crate) overflowed: bool,
    /// Why nothing more will be heard.
    pub(crate) broken: Option<String>,
}

impl Stirred {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Why folders are looked at in a place of notify's.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    Folder(Belongs),
    /// Something of this name here leads to a root.
    Leads(OsString),
}

/// What the watching thread and the sweeps share.
#[derive(Debug, Default)]
pub(crate) struct Ear {
    heard: Mutex<Heard>,
    bell: Notify,
}

#[derive(Debug, Default)]
struct Heard {
    stirred: Stirred,
    places: BTreeMap<PathBuf, BTreeSet<Place>>,
    first: Option<Instant>,
    last: Option<Instant>,
    told: Option<Instant>,
}

impl Ear {
    /// Resolves soon after something was stirred; again and again until it is asked for.
    pub(crate) async fn stirred(&self) {
        loop {
            let rung = self.bell.notified();
            match self.due() {
                Some(at) if at <= Instant::now() => {
                    self.heard().told = Some(Instant::now());
                    return;
                }
                Some(at) => tokio::time::sleep_until(at).await,
                None => rung.await,
            }
        }
    }

    /// Takes what was stirred.
    pub(crate) fn take(&self) -> Stirred {
        let mut heard = self.heard();
        (heard.first, heard.last, heard.told) = (None, None, None);
        std::mem::take(&mut heard.stirred)
    }

    pub(crate) fn is_stirred(&self) -> bool {
        self.heard().first.is_some()
    }

    /// Nothing is watched any more.
    pub(crate) fn close(&self) {
        *self.heard() = Heard::default();
    }

    fn due(&self) -> Option<Instant> {
        let heard = self.heard();
        let (first, last) = (heard.first?, heard.last?);
        let quiet = (last + QUIET).min(first + BURST_MAX);
        Some(heard.told.map_or(quiet, |told| quiet.max(told + AGAIN)))
    }

    fn hear(&self, event: notify::Result<Event>) {
        if event.as_ref().is_ok_and(is_only_reading) {
            return;
        }
        let mut heard = self.heard();
        match event {
            Ok(event) if event.need_rescan() => heard.stirred.overflowed = true,
            Ok(event) => {
                for path in &event.paths {
                    heard.stir(path, &event.kind);
                }
            }
            Err(error) => heard.stirred.broken = Some(reason(&error)),
        }
        if !heard.stirred.is_empty() {
            let now = Instant::now();
            heard.first.get_or_insert(now);
            heard.last = Some(now);
            drop(heard);
            self.bell.notify_one();
        }
    }

    fn heard(&self) -> MutexGuard<'_, Heard> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Every reader opens files, and so do our own sweeps.
fn is_only_reading(event: &Event) -> bool {
    match event.kind {
        EventKind::Access(AccessKind::Close(AccessMode::Write)) => false,
        EventKind::Access(_) => true,
        _ => event.paths.is_empty() && !event.need_rescan(),
    }
}

impl Heard {
    fn stir(&mut self, path: &Path, kind: &EventKind) {
        // Something else may stand there now.
        let moved = matches!(
            kind,
            EventKind::Create(_) | EventKind::Remove(_) | EventKind::Modify(ModifyKind::Name(_))
        );
        let own = self.places.get(path);
        for place in own.into_iter().flatten() {
            match place {
                Place::Folder(Belongs::Service(service)) => {
                    self.stirred.services.insert(service.clone());
                    if moved {
                        self.stirred.replaced.insert(service.clone());
                    }
                }
                Place::Folder(Belongs::System) => {
                    self.stirred.system = true;
                    self.stirred.all |= moved;
                }
                Place::Folder(Belongs::Services) | Place::Leads(_) => self.stirred.all |= moved,
            }
        }
        let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else { return };
        for place in self.places.get(folder).into_iter().flatten() {
            match place {
                Place::Folder(Belongs::Services) => {
                    let Some(name) = name.to_str().filter(|name| !is_hidden(name)) else { continue };
                    self.stirred.services.insert(name.to_owned());
                    if moved {
                        self.stirred.replaced.insert(name.to_owned());
                    }
                }
                Place::Folder(Belongs::Service(service)) => {
                    self.stirred.services.insert(service.clone());
                }
                Place::Folder(Belongs::System) => self.stirred.system = true,
                Place::Leads(root) => self.stirred.all |= moved && root == name,
            }
        }
    }
}

/// A watcher of many single folders.
pub(crate) struct Watch {
    watcher: RecommendedWatcher,
    ear: Arc<Ear>,
    folders: BTreeMap<(u64, u64), Folder>,
    round: u64,
    folders_max: usize,
    failed: Option<String>,
}

/// A folder that is watched, by its first name: for the kernel, other names of it are the same.
#[derive(Debug)]
struct Folder {
    path: PathBuf,
    places: BTreeSet<Place>,
    round: u64,
}

impl Watch {
    /// A watcher that watches nothing yet, and no more than so many folders.
    pub(crate) fn new(ear: Arc<Ear>, folders_max: usize) -> Result<Self, String> {
        let hears = ear.clone();
        let watcher = RecommendedWatcher::new(move |event| hears.hear(event), Config::default());
        let watcher = watcher.map_err(|error| reason(&error))?;
        Ok(Self { watcher, ear, folders: BTreeMap::new(), round: 0, folders_max, failed: None })
    }

    /// How many folders are watched.
    pub(crate) fn len(&self) -> usize {
        self.folders.len()
    }

    /// Why it cannot be relied on, if so.
    pub(crate) fn failed(&self) -> Option<&str> {
        self.failed.as_deref()
    }

    /// Before all folders are entered anew: watches what leads to the roots.
    pub(crate) fn begin(&mut self, roots: &SweepRoots) {
        self.round += 1;
        for root in [&roots.soa_dir, &roots.system_config_dir] {
            for (folder, name) in leads(root) {
                if let Ok(metadata) = std::fs::metadata(&folder) {
                    self.watch(&folder, &metadata, Place::Leads(name));
                }
            }
        }
    }

    /// After all folders were entered: those that were not are watched no more.
    pub(crate) fn end(&mut self) {
        let round = self.round;
        self.drop_folders(|folder| folder.round != round);
    }

    /// Forgets all that is watched.
    pub(crate) fn forget_all(&mut self) {
        self.drop_folders(|_| true);
    }

    /// Forgets what is watched of these services, as other folders may bear the names by now. Gives back all services
    /// that have to be entered again: one folder may have several names.
    pub(crate) fn forget(&mut self, services: &BTreeSet<String>) -> BTreeSet<String> {
        let theirs = |place: &Place| match place {
            Place::Folder(Belongs::Service(service)) => Some(service.clone()),
            _ => None,
        };
        let mut entered = services.clone();
        self.drop_folders(|folder| {
            let of: BTreeSet<String> = folder.places.iter().filter_map(theirs).collect();
            let drop = !of.is_disjoint(services);
            if drop {
                entered.extend(of);
            }
            drop
        });
        entered
    }

    fn drop_folders(&mut self, mut dropped: impl FnMut(&Folder) -> bool) {
        let Self { watcher, ear, folders, .. } = self;
        folders.retain(|_, folder| {
            if !dropped(folder) {
                return true;
            }
            // It may be gone, and its watch with it.
            let _ = watcher.unwatch(&folder.path);
            ear.heard().places.remove(&folder.path);
            false
        });
    }

    fn watch(&mut self, path: &Path, metadata: &Metadata, place: Place) {
        let identity = (metadata.dev(), metadata.ino());
        if let Some(folder) = self.folders.get_mut(&identity) {
            folder.round = self.round;
            if folder.places.insert(place.clone()) {
                self.ear.heard().places.entry(folder.path.clone()).or_default().insert(place);
            }
            return;
        }
        if self.failed.is_some() {
            return;
        }
        if self.folders.len() >= self.folders_max {
            self.failed = Some(format!("there are more than {} folders", self.folders_max));
            return;
        }
        // Another folder may have been watched under this path.
        let taken = self.ear.heard().places.contains_key(path);
        if taken {
            self.drop_folders(|folder| folder.path == path);
        }
        self.ear.heard().places.entry(path.to_owned()).or_default().insert(place.clone());
        match self.watcher.watch(path, RecursiveMode::NonRecursive) {
            Ok(()) => {
                let folder =
                    Folder { path: path.to_owned(), places: BTreeSet::from([place]), round: self.round };
                self.folders.insert(identity, folder);
            }
            Err(error) => {
                self.ear.heard().places.remove(path);
                if path.is_dir() {
                    self.failed = Some(reason(&error));
                }
            }
        }
    }
}

impl Enter for Watch {
    fn enter(&mut self, folder: &Path, metadata: &Metadata, belongs: Belongs) {
        self.watch(folder, metadata, Place::Folder(belongs));
    }
}

/// Where the way to a root may be changed: the folder it is in, and those that hold a link on its way.
fn leads(root: &Path) -> BTreeSet<(PathBuf, OsString)> {
    let mut found = BTreeSet::new();
    let mut ways: VecDeque<PathBuf> = std::path::absolute(root).into_iter().collect();
    let mut links = 0;
    while let Some(way) = ways.pop_front() {
        for (depth, part) in way.ancestors().enumerate() {
            let (Some(folder), Some(name)) = (part.parent(), part.file_name()) else { continue };
            let target = std::fs::read_link(part).ok();
            if depth == 0 || target.is_some() {
                found.insert((folder.to_owned(), name.to_owned()));
            }
            if let Some(target) = target.filter(|_| links < LINKS_MAX) {
                links += 1;
                ways.push_back(folder.join(target));
            }
        }
    }
    found
}

fn reason(error: &notify::Error) -> String {
    match &error.kind {
        ErrorKind::MaxFilesWatch => {
            "the kernel watches no more folders for this user (raise the sysctl `fs.inotify.max_user_watches`)"
                .to_owned()
        }
        ErrorKind::Io(source) if source.raw_os_error() == Some(EMFILE) => {
            "there are too many watchers or open files (raise the sysctl `fs.inotify.max_user_instances`, or the limit of \
             open files)"
                .to_owned()
        }
        _ => error.to_string(),
    }
}

/// Too many open files, which the kernel says of watchers too.
const EMFILE: i32 = 24;

#[cfg(test)]
impl Watch {
    /// As if the kernel had dropped the watch of a folder without a word.
    pub(crate) fn deafen(&mut self, end: &str) {
        let folder = self.folders.values().find(|folder| folder.path.ends_with(end)).expect("it is watched");
        self.watcher.unwatch(&folder.path).expect("it was watched");
    }
}

#[cfg(test)]
impl Ear {
    /// As if the kernel had more to say than it could keep.
    pub(crate) fn overflow(&self) {
        self.hear(Ok(Event::new(EventKind::Other).set_flag(notify::event::Flag::Rescan)));
    }
}
