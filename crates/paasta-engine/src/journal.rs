//! The journal: what happened to apps and tasks, in order, with times.
//!
//! One JSON line per event in `journal.jsonl`, appended before the state that made it is saved: after a crash an
//! event may be told twice, never lost. The file is turned over once at a bound.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::state::Note;

/// Events kept in memory for readers.
const ENTRIES_MAX: usize = 20_000;
/// The size at which the file is turned over, in bytes.
const FILE_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// One event with its number.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JournalEntry {
    /// Grows by one per event, across restarts.
    pub seq: u64,
    /// What happened.
    #[serde(rename = "event")]
    pub note: Note,
}

/// The journal of one state directory.
#[derive(Debug)]
pub(crate) struct Journal {
    path: PathBuf,
    file: File,
    bytes: u64,
    entries: VecDeque<JournalEntry>,
    next: u64,
}

impl Journal {
    /// Opens or makes the journal in `dir`. A line torn by a crash is passed over.
    pub(crate) fn open(dir: &Path) -> io::Result<Self> {
        let path = dir.join("journal.jsonl");
        let mut entries = VecDeque::new();
        read_into(&older(&path), &mut entries)?;
        let torn = read_into(&path, &mut entries)?;
        let mut file = OpenOptions::new().create(true).append(true).open(&path)?;
        if torn {
            file.write_all(b"\n")?;
        }
        let bytes = file.metadata()?.len();
        let next = entries.back().map_or(1, |entry| entry.seq + 1);
        Ok(Self { path, file, bytes, entries, next })
    }

    /// Appends events.
    pub(crate) fn append(&mut self, notes: impl IntoIterator<Item = Note>) -> io::Result<()> {
        let mut text = String::new();
        for note in notes {
            let entry = JournalEntry { seq: self.next, note };
            self.next += 1;
            text.push_str(&serde_json::to_string(&entry).map_err(io::Error::other)?);
            text.push('\n');
            self.entries.push_back(entry);
        }
        while self.entries.len() > ENTRIES_MAX {
            self.entries.pop_front();
        }
        if text.is_empty() {
            return Ok(());
        }
        if self.bytes > FILE_BYTES_MAX {
            std::fs::rename(&self.path, older(&self.path))?;
            self.file = OpenOptions::new().create(true).append(true).open(&self.path)?;
            self.bytes = 0;
        }
        self.bytes += text.len() as u64;
        self.file.write_all(text.as_bytes())
    }

    /// Events after number `since`, oldest first.
    pub(crate) fn since(&self, since: u64) -> Vec<JournalEntry> {
        let start = self.entries.partition_point(|entry| entry.seq <= since);
        self.entries.iter().skip(start).cloned().collect()
    }
}

fn older(path: &Path) -> PathBuf {
    path.with_extension("1.jsonl")
}

/// Reads what can be read; says whether the last line was torn.
fn read_into(path: &Path, entries: &mut VecDeque<JournalEntry>) -> io::Result<bool> {
    let mut text = Vec::new();
    match File::open(path) {
        Ok(mut file) => file.read_to_end(&mut text)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error),
    };
    for line in text.split(|byte| *byte == b'\n') {
        if let Ok(entry) = serde_json::from_slice::<JournalEntry>(line) {
            entries.push_back(entry);
        }
    }
    while entries.len() > ENTRIES_MAX {
        entries.pop_front();
    }
    Ok(text.last().is_some_and(|byte| *byte != b'\n'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use paasta_core::Timestamp;

    fn note(kind: &str) -> Note {
        Note {
            at: Timestamp::from_millis(5),
            kind: kind.to_owned(),
            app: crate::state::PathId::parse("a").expect("an id"),
            task: None,
            instances: None,
            message: None,
        }
    }

    #[test]
    fn numbers_go_on_after_a_torn_line() {
        let dir = tempfile::tempdir().expect("a directory");
        let mut journal = Journal::open(dir.path()).expect("opens");
        journal.append([note("one"), note("two")]).expect("appends");
        drop(journal);
        let path = dir.path().join("journal.jsonl");
        let mut file = OpenOptions::new().append(true).open(&path).expect("opens");
        file.write_all(b"{\"seq\":3,\"ev").expect("writes");
        let mut journal = Journal::open(dir.path()).expect("opens");
        journal.append([note("three")]).expect("appends");
        let kinds: Vec<_> = Journal::open(dir.path()).expect("opens").since(1);
        let kinds: Vec<_> = kinds.iter().map(|e| (e.seq, e.note.kind.as_str())).collect();
        assert_eq!(kinds, [(2, "two"), (3, "three")]);
    }
}
