//! Who is kept from traffic: one file per entry (marathon-and-bounce.md §7.2).

use std::fs;
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use paasta_core::Timestamp;
use serde::{Deserialize, Serialize};

use crate::Name;

/// Begins the names of files that are being written; no service's name can hold it.
const UNFINISHED: &str = "~";

/// Entries as files below one directory, `<name>` or `<name>:<port>`. The files are the truth: whoever else
/// writes or removes one is heeded at the next question. Clones share the directory. Blocks while it reads and
/// writes.
#[derive(Clone, Debug)]
pub struct Spool {
    root: PathBuf,
    /// Held over each change that depends on what was there before.
    changing: Arc<Mutex<()>>,
}

/// Why, since when and until when something is kept from traffic. Times are seconds since 1970.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Why.
    pub reason: String,
    /// When it ends by itself.
    #[serde(default)]
    pub expiration: Option<f64>,
    /// When it began; absent in files of old.
    #[serde(default)]
    pub creation: Option<f64>,
}

/// An entry that keeps a service from traffic.
#[derive(Clone, Debug, PartialEq)]
pub struct Down {
    /// The entry's name: the service's, or `all`.
    pub name: Name,
    /// The entry.
    pub entry: Entry,
}

/// Why the spool could not be read or changed.
#[derive(Debug, thiserror::Error)]
#[error("could not {doing} `{path}`")]
pub struct SpoolError {
    /// What was attempted.
    pub doing: &'static str,
    /// The file or directory.
    pub path: PathBuf,
    /// What happened.
    pub source: io::Error,
}

impl Spool {
    /// Entries below `root`, which is made if it is not there.
    pub fn open(root: impl Into<PathBuf>) -> Result<Self, SpoolError> {
        let root = root.into();
        fs::create_dir_all(&root).map_err(|source| SpoolError {
            doing: "make spool directory",
            path: root.clone(),
            source,
        })?;
        Ok(Self { root, changing: Arc::default() })
    }

    /// What keeps a service from traffic at `now`, if anything does: the entry `all`, the entry of its name, or
    /// the one of its name and port, in this order. Entries past their expiration are removed.
    pub fn lookup(&self, name: &Name, port: u16, now: Timestamp) -> Result<Option<Down>, SpoolError> {
        let _changing = self.change();
        let asked = [(Name::all(), 0), (name.clone(), 0), (name.clone(), port)];
        for (name, port) in asked {
            if let Some(entry) = self.current(&name, port, now)? {
                return Ok(Some(Down { name, entry }));
            }
        }
        Ok(None)
    }

    /// Keeps a service from traffic from `now` on; port 0 means all its ports. Where it is so already for an
    /// equal reason and no `creation` is given, the old one stays.
    pub fn down(&self, name: &Name, port: u16, wanted: Entry, now: Timestamp) -> Result<(), SpoolError> {
        let _changing = self.change();
        let before = self.current(name, port, now)?.filter(|entry| entry.reason == wanted.reason);
        let creation = wanted.creation.or(before.and_then(|entry| entry.creation)).or(Some(now.seconds()));
        self.write(&self.path(name, port), &Entry { creation, ..wanted })
    }

    /// Gives a service its traffic back. It may have it already.
    pub fn up(&self, name: &Name, port: u16) -> Result<(), SpoolError> {
        let _changing = self.change();
        self.remove(&self.path(name, port))
    }

    /// Every entry with its file's name, sorted, expired ones included.
    pub fn entries(&self) -> Result<Vec<(String, Entry)>, SpoolError> {
        let list = |source| SpoolError { doing: "list spool directory", path: self.root.clone(), source };
        let mut entries = Vec::new();
        for file in fs::read_dir(&self.root).map_err(list)? {
            let name = file.map_err(list)?.file_name().to_string_lossy().into_owned();
            if name.starts_with(UNFINISHED) {
                continue;
            }
            entries.extend(self.read(&self.root.join(&name))?.map(|entry| (name, entry)));
        }
        entries.sort_by(|a, b| a.0.cmp(&b.0));
        Ok(entries)
    }

    fn change(&self) -> MutexGuard<'_, ()> {
        self.changing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn path(&self, name: &Name, port: u16) -> PathBuf {
        match port {
            0 => self.root.join(name.as_str()),
            port => self.root.join(format!("{name}:{port}")),
        }
    }

    fn current(&self, name: &Name, port: u16, now: Timestamp) -> Result<Option<Entry>, SpoolError> {
        let path = self.path(name, port);
        let Some(entry) = self.read(&path)? else { return Ok(None) };
        if entry.expiration.is_some_and(|expiration| expiration < now.seconds()) {
            self.remove(&path)?;
            return Ok(None);
        }
        Ok(Some(entry))
    }

    fn read(&self, path: &Path) -> Result<Option<Entry>, SpoolError> {
        match fs::read(path) {
            Ok(bytes) => Ok(Some(parse(&String::from_utf8_lossy(&bytes)))),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(source) => Err(SpoolError { doing: "read spool file", path: path.to_owned(), source }),
        }
    }

    fn remove(&self, path: &Path) -> Result<(), SpoolError> {
        match fs::remove_file(path) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(SpoolError { doing: "remove spool file", path: path.to_owned(), source: error })
            }
            _ => Ok(()),
        }
    }

    /// Readers see the old entry or the new one, never a part.
    fn write(&self, path: &Path, entry: &Entry) -> Result<(), SpoolError> {
        let write = |source| SpoolError { doing: "write spool file", path: path.to_owned(), source };
        let json = serde_json::to_vec(entry).map_err(|error| write(error.into()))?;
        let mut unfinished =
            tempfile::Builder::new().prefix(UNFINISHED).tempfile_in(&self.root).map_err(write)?;
        unfinished.write_all(&json).map_err(write)?;
        unfinished.persist(path).map_err(|error| write(error.error))?;
        Ok(())
    }
}

/// A file's content; one of old is the reason alone.
fn parse(text: &str) -> Entry {
    serde_json::from_str(text).unwrap_or_else(|_| Entry {
        reason: text.trim().to_owned(),
        expiration: None,
        creation: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: f64) -> Timestamp {
        Timestamp::from_seconds(seconds)
    }

    fn entry(reason: &str, expiration: Option<f64>, creation: Option<f64>) -> Entry {
        Entry { reason: reason.to_owned(), expiration, creation }
    }

    fn name(text: &str) -> Name {
        Name::new(text).unwrap()
    }

    struct Fixture {
        directory: tempfile::TempDir,
        spool: Spool,
    }

    fn fixture() -> Fixture {
        let directory = tempfile::tempdir().unwrap();
        let spool = Spool::open(directory.path().join("spool")).unwrap();
        Fixture { directory, spool }
    }

    #[test]
    fn an_entry_keeps_its_creation_while_its_reason_is_the_same() {
        let Fixture { spool, .. } = &fixture();
        let web = name("web.main");
        let since = |now: f64| spool.lookup(&web, 80, at(now)).unwrap().unwrap().entry.creation;
        spool.down(&web, 80, entry("r", Some(50.0), None), at(10.0)).unwrap();
        spool.down(&web, 80, entry("r", Some(60.0), None), at(20.0)).unwrap();
        assert_eq!(since(55.0), Some(10.0), "and the expiration is the new one");
        spool.down(&web, 80, entry("other", None, None), at(30.0)).unwrap();
        assert_eq!(since(30.0), Some(30.0));
        spool.down(&web, 80, entry("other", None, Some(5.5)), at(40.0)).unwrap();
        assert_eq!(since(40.0), Some(5.5));
    }

    #[test]
    fn an_expired_entry_is_removed_and_begins_anew() {
        let Fixture { spool, directory } = &fixture();
        let web = name("web.main");
        spool.down(&web, 80, entry("r", Some(50.0), None), at(10.0)).unwrap();
        assert!(spool.lookup(&web, 80, at(50.0)).unwrap().is_some(), "not past yet");
        assert_eq!(spool.lookup(&web, 80, at(50.001)).unwrap(), None);
        assert!(!directory.path().join("spool/web.main:80").exists());
        spool.down(&web, 80, entry("r", Some(90.0), None), at(60.0)).unwrap();
        assert_eq!(spool.lookup(&web, 80, at(60.0)).unwrap().unwrap().entry.creation, Some(60.0));
    }

    #[test]
    fn all_comes_before_the_name_and_the_name_before_its_port() {
        let Fixture { spool, .. } = &fixture();
        let web = name("web.main");
        let found = |port| {
            let down = spool.lookup(&web, port, at(0.0)).unwrap();
            down.map(|down| format!("{} {}", down.name, down.entry.reason))
        };
        spool.down(&web, 80, entry("port", None, None), at(0.0)).unwrap();
        assert_eq!((found(80).as_deref(), found(81)), (Some("web.main port"), None));
        spool.down(&web, 0, entry("name", None, None), at(0.0)).unwrap();
        assert_eq!(found(81).as_deref(), Some("web.main name"));
        spool.down(&Name::all(), 0, entry("all", None, None), at(0.0)).unwrap();
        assert_eq!(found(80).as_deref(), Some("all all"));
        spool.up(&Name::all(), 0).unwrap();
        spool.up(&web, 0).unwrap();
        spool.up(&web, 0).unwrap();
        assert_eq!(found(80).as_deref(), Some("web.main port"));
    }

    #[test]
    fn files_are_the_format_others_know() {
        let Fixture { spool, directory } = &fixture();
        let web = name("web.main");
        spool.down(&web, 80, entry("r", Some(2.5), Some(1.5)), at(0.0)).unwrap();
        let text = fs::read_to_string(directory.path().join("spool/web.main:80")).unwrap();
        let json: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(json, serde_json::json!({"reason": "r", "expiration": 2.5, "creation": 1.5}));

        fs::write(directory.path().join("spool/old"), "by hand\n").unwrap();
        let down = spool.lookup(&name("old"), 80, at(0.0)).unwrap().unwrap();
        assert_eq!(down.entry, entry("by hand", None, None));
        let names: Vec<String> = spool.entries().unwrap().into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["old", "web.main:80"]);
    }

    #[test]
    fn what_cannot_be_read_is_an_error_not_up() {
        let Fixture { spool, directory } = &fixture();
        fs::create_dir(directory.path().join("spool/web.main")).unwrap();
        let error = spool.lookup(&name("web.main"), 80, at(0.0)).unwrap_err();
        assert!(error.to_string().contains("could not read spool file"), "{error}");
    }
}
