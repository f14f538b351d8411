//! Reads back what the `file` writer wrote.

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use crate::path_format::PathFormat;
use crate::query::PassedOver;
use crate::scan::{self, Scan, Wanted};
use crate::{Follower, LogLine, PathFormatError, Query};

/// Lines of a file that one answer holds at most; of more, the last are kept.
const LINES_MAX: usize = 1_000_000;

/// Reads the files of one `path_format`.
#[derive(Clone, Debug)]
pub struct FileReader {
    pub(crate) path_format: PathFormat,
    pub(crate) line_delimiter: String,
}

/// What was read, and what could not be.
#[derive(Debug, Default)]
pub struct Read {
    /// The lines, the earliest first; those without a readable time before all others.
    pub lines: Vec<LogLine>,
    /// Whether there are earlier wanted lines.
    pub has_earlier: bool,
    /// Files that were looked at.
    pub files: usize,
    /// How many lines were not wanted, and why. Of large files only the end is looked at while that holds lines enough.
    pub passed_over: BTreeMap<PassedOver, usize>,
    /// What is no log line, at most one entry for each file.
    pub broken: Vec<BrokenLines>,
    /// Files that could not be read. The lines of the others are there.
    pub problems: Vec<ReadError>,
}

/// Lines of a file that are no log lines, and so are left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokenLines {
    /// Which file.
    pub path: PathBuf,
    /// How many there are.
    pub count: usize,
    /// Where the first of them begins, in bytes.
    pub at: u64,
    /// How it begins.
    pub beginning: String,
}

impl fmt::Display for BrokenLines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, count, at, beginning } = self;
        let (lines, first) = if *count == 1 { ("line is", "it") } else { ("lines are", "the first") };
        let path = path.display();
        write!(
            f,
            "{count} {lines} left out of `{path}`, for want of the form of log lines; {first} begins at byte {at}: {beginning:?}"
        )
    }
}

/// A file, or a directory of such, that could not be read.
#[derive(Debug, thiserror::Error)]
#[error("could not read logs from `{path}`")]
pub struct ReadError {
    /// Which; the whole format where no single file is to blame.
    pub path: PathBuf,
    /// What happened.
    pub source: io::Error,
}

impl FileReader {
    /// Reads what a [`FileWriter`](crate::FileWriter) of the same format writes.
    pub fn new(path_format: &str) -> Result<Self, PathFormatError> {
        Ok(Self { path_format: PathFormat::parse(path_format)?, line_delimiter: "\n".to_owned() })
    }

    /// Lines end by this instead of a line feed.
    pub fn line_delimiter(mut self, delimiter: impl Into<String>) -> Self {
        self.line_delimiter = delimiter.into();
        self
    }

    /// The format as it was given.
    pub fn path_format(&self) -> String {
        self.path_format.to_string()
    }

    /// All wanted lines, at most the last million of each file.
    pub fn all(&self, query: &Query) -> Read {
        self.last(query, LINES_MAX)
    }

    /// The last `count` wanted lines. Only as much of each file's end is read as is needed for them.
    pub fn last(&self, query: &Query, count: usize) -> Read {
        let mut read = Read::default();
        for path in self.files(query, &mut read.problems) {
            let scanned = self.open_and_scan(&path, query, count, true).map(|(_, scan)| scan);
            read.add(path, scanned);
        }
        read.merge(count);
        read
    }

    /// The last `count` wanted lines, and then whatever is written, as [`Follower::poll`] is asked for it: no line is missed
    /// in between, and none comes twice. A line that has no end yet comes when it has.
    pub fn last_and_follow(&self, query: &Query, count: usize) -> (Read, Follower) {
        let mut read = Read::default();
        let mut follower = Follower::new(self.clone(), query.clone());
        for path in self.files(query, &mut read.problems) {
            let scanned = self.open_and_scan(&path, query, count, false);
            let scanned = scanned.and_then(|(file, scan)| {
                follower.begin_at(&path, file, scan.next)?;
                Ok(scan)
            });
            read.add(path, scanned);
        }
        read.merge(count);
        (read, follower)
    }

    /// Whatever is written from now on, as [`Follower::poll`] is asked for it.
    pub fn follow(&self, query: &Query) -> Follower {
        let (read, mut follower) = self.last_and_follow(query, 0);
        follower.problems = read.problems;
        follower
    }

    /// The files of the query's service.
    pub(crate) fn files(&self, query: &Query, problems: &mut Vec<ReadError>) -> Vec<PathBuf> {
        self.path_format.files(&query.service).unwrap_or_else(|source| {
            problems.push(ReadError { path: PathBuf::from(self.path_format.to_string()), source });
            Vec::new()
        })
    }

    fn open_and_scan(
        &self,
        path: &Path,
        query: &Query,
        count: usize,
        with_rest: bool,
    ) -> io::Result<(File, Scan)> {
        let mut file = File::open(path)?;
        let end = file.metadata()?.len();
        let wanted = Wanted { query, delimiter: &self.line_delimiter, count };
        let scan = scan::last(&mut file, end, wanted, with_rest)?;
        Ok((file, scan))
    }
}

impl Read {
    /// Adds what a file holds.
    pub(crate) fn add(&mut self, path: PathBuf, scanned: io::Result<Scan>) {
        match scanned {
            Ok(scan) => {
                self.files += 1;
                self.has_earlier |= scan.found > scan.lines.len();
                self.lines.extend(scan.lines);
                self.broken.extend(scan.broken.map(|broken| BrokenLines { path, ..broken }));
                for (why, count) in scan.passed_over {
                    *self.passed_over.entry(why).or_default() += count;
                }
            }
            // It was taken away between being listed and being opened.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(source) => self.problems.push(ReadError { path, source }),
        }
    }

    /// Puts the lines in order of time, each identical one once, and keeps the last.
    pub(crate) fn merge(&mut self, count: usize) {
        let mut seen = HashSet::new();
        self.lines.retain(|line| seen.insert(line.raw.clone()));
        self.lines.sort_by_key(|line| line.at);
        let surplus = self.lines.len().saturating_sub(count);
        self.has_earlier |= surplus > 0;
        self.lines.drain(..surplus);
    }
}
