//! The state file: one JSON document, replaced as a whole, held by one engine at a time.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::state::Memory;

/// The version of the file that this engine writes, and the only one it reads.
const FORMAT_VERSION: u32 = 1;

/// Why a state directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// It cannot be made, read or written.
    #[error("could not {action} `{path}`")]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// How it failed.
        source: io::Error,
    },
    /// Another engine works in it.
    #[error("state directory `{path}` is in use by another engine")]
    InUse {
        /// The directory.
        path: PathBuf,
    },
    /// It was written by an engine of another version.
    #[error("state file `{path}` has version {found}, expected {FORMAT_VERSION}")]
    Version {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u64,
    },
    /// It is not what an engine writes.
    #[error("could not parse state file `{path}`")]
    Parse {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: serde_json::Error,
    },
}

/// What the engine of a state directory last kept, whether or not it runs; reads only. None where no engine ever was.
///
/// ```
/// assert!(paasta_engine::read_memory(std::path::Path::new("/nowhere")).is_ok_and(|memory| memory.is_none()));
/// ```
pub fn read_memory(dir: &Path) -> Result<Option<Memory>, StoreError> {
    let path = dir.join("state.json");
    match std::fs::read(&path) {
        Ok(bytes) => Ok(Some(parse(&path, &bytes)?.memory)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(StoreError::Io { action: "read", path, source }),
    }
}

/// What the file holds.
#[derive(Serialize, Deserialize)]
struct Document {
    version: u32,
    engine: String,
    memory: Memory,
}

#[derive(Serialize)]
struct DocumentRef<'a> {
    version: u32,
    engine: &'a str,
    memory: &'a Memory,
}

/// A state directory, held until this is dropped.
#[derive(Debug)]
pub(crate) struct Store {
    dir: PathBuf,
    /// The engine's own id: made once, marks its processes.
    pub(crate) engine: String,
    _lock: File,
}

impl Store {
    /// Takes the directory, making it if need be, and reads what it holds. `fresh_id` names a new engine.
    pub(crate) fn open(dir: &Path, fresh_id: &str) -> Result<(Self, Memory), StoreError> {
        let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(dir);
        made.map_err(io("make", dir))?;
        let (dir, lock) = take(dir)?;
        let path = dir.join("state.json");
        match std::fs::read(&path) {
            Ok(bytes) => {
                let document = parse(&path, &bytes)?;
                Ok((Self { dir, engine: document.engine, _lock: lock }, document.memory))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let store = Self { dir, engine: fresh_id.to_owned(), _lock: lock };
                // The id must be known before the first process is marked with it.
                store.save(&store.bytes(&Memory::default())?)?;
                Ok((store, Memory::default()))
            }
            Err(error) => Err(io("read", &path)(error)),
        }
    }

    /// The directory.
    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// The document for `memory`.
    pub(crate) fn bytes(&self, memory: &Memory) -> Result<Vec<u8>, StoreError> {
        let document = DocumentRef { version: FORMAT_VERSION, engine: &self.engine, memory };
        serde_json::to_vec(&document)
            .map_err(|source| StoreError::Parse { path: self.dir.join("state.json"), source })
    }

    /// Replaces the file; when this returns the new one survives a crash of the machine.
    pub(crate) fn save(&self, bytes: &[u8]) -> Result<(), StoreError> {
        let path = self.dir.join("state.json");
        write_durably(&self.dir, &path, bytes).map_err(|source| StoreError::Io {
            action: "write",
            path,
            source,
        })
    }
}

/// Moves a state file aside, so that the next engine begins anew. `before` is done first, while no engine can start;
/// it gets the directory. Says where the file is now.
pub(crate) async fn set_aside<T>(
    dir: &Path,
    before: impl AsyncFnOnce(&Path) -> T,
) -> Result<(T, PathBuf), StoreError> {
    let (dir, _lock) = take(dir)?;
    let done = before(&dir).await;
    let (path, aside) = (dir.join("state.json"), dir.join("state.json.unreadable"));
    std::fs::rename(&path, &aside).map_err(io("move aside", &path))?;
    Ok((done, aside))
}

/// The directory's whole path, and the lock that makes it ours.
fn take(dir: &Path) -> Result<(PathBuf, File), StoreError> {
    let dir = std::fs::canonicalize(dir).map_err(io("find", dir))?;
    let lock_path = dir.join("lock");
    let options = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(&lock_path);
    let lock = options.map_err(io("open", &lock_path))?;
    match rustix::fs::flock(&lock, rustix::fs::FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok((dir, lock)),
        Err(rustix::io::Errno::WOULDBLOCK) => Err(StoreError::InUse { path: dir }),
        Err(error) => Err(io("lock", &lock_path)(error.into())),
    }
}

fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> StoreError + use<> {
    let path = path.to_owned();
    move |source| StoreError::Io { action, path, source }
}

fn parse(path: &Path, bytes: &[u8]) -> Result<Document, StoreError> {
    let wrong = |source| StoreError::Parse { path: path.to_owned(), source };
    let value: serde_json::Value = serde_json::from_slice(bytes).map_err(wrong)?;
    let found = value.get("version").and_then(serde_json::Value::as_u64).unwrap_or(0);
    if found != u64::from(FORMAT_VERSION) {
        return Err(StoreError::Version { path: path.to_owned(), found });
    }
    serde_json::from_value(value).map_err(wrong)
}

fn write_durably(dir: &Path, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let temporary = dir.join("state.json.new");
    let mut file = OpenOptions::new().create(true).write(true).truncate(true).mode(0o600).open(&temporary)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(&temporary, path)?;
    File::open(dir)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_engine_at_a_time_and_its_id_stays() {
        let dir = tempfile::tempdir().expect("a directory");
        let (store, memory) = Store::open(dir.path(), "first").expect("opens");
        assert_eq!(memory, Memory::default());
        assert!(matches!(Store::open(dir.path(), "second"), Err(StoreError::InUse { .. })));
        drop(store);
        let (store, _) = Store::open(dir.path(), "second").expect("opens again");
        assert_eq!(store.engine, "first");
    }

    #[test]
    fn other_versions_are_refused() {
        let dir = tempfile::tempdir().expect("a directory");
        std::fs::write(dir.path().join("state.json"), r#"{"version": 2}"#).expect("writes");
        let error = Store::open(dir.path(), "x").expect_err("another version");
        assert!(error.to_string().ends_with("has version 2, expected 1"), "{error}");
        std::fs::write(dir.path().join("state.json"), "{").expect("writes");
        assert!(matches!(Store::open(dir.path(), "x"), Err(StoreError::Parse { .. })));
    }
}
