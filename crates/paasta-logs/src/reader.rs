//! Reads back what the `file` writer wrote.

use std::collections::{HashSet, VecDeque};
use std::fs::File;
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};

use crate::path_format::PathFormat;
use crate::raw_lines::RawLines;
use crate::{Follower, LogLine, PathFormatError, Query};

/// Lines that one answer holds at most; of more, the last are kept.
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
    /// Files that could not be read. The lines of the others are there.
    pub problems: Vec<ReadError>,
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

    /// All wanted lines, at most the last million. Reads every file of the service from its beginning.
    pub fn all(&self, query: &Query) -> Read {
        self.last(query, LINES_MAX)
    }

    /// The last `count` wanted lines.
    pub fn last(&self, query: &Query, count: usize) -> Read {
        let mut read = Read::default();
        for path in self.files(query, &mut read.problems) {
            match self.last_of(&path, query, count) {
                Ok(lines) => read.lines.extend(lines),
                Err(source) => read.problems.push(ReadError { path, source }),
            }
        }
        read.lines = merged(read.lines);
        read.lines.drain(..read.lines.len().saturating_sub(count));
        read
    }

    /// Whatever is written from now on, as [`Follower::poll`] is asked for it.
    pub fn follow(&self, query: &Query) -> Follower {
        Follower::new(self.clone(), query.clone())
    }

    /// The files of the query's service.
    pub(crate) fn files(&self, query: &Query, problems: &mut Vec<ReadError>) -> Vec<PathBuf> {
        self.path_format.files(&query.service).unwrap_or_else(|source| {
            problems.push(ReadError { path: PathBuf::from(&query.service), source });
            Vec::new()
        })
    }

    fn last_of(&self, path: &Path, query: &Query, count: usize) -> io::Result<VecDeque<LogLine>> {
        let mut lines = RawLines::new(BufReader::new(File::open(path)?), &self.line_delimiter);
        let mut last = VecDeque::new();
        while let Some(raw) = lines.next()? {
            let line = raw.text.as_deref().and_then(LogLine::parse);
            last.extend(line.filter(|line| query.wants(line)));
            if last.len() > count {
                last.pop_front();
            }
        }
        Ok(last)
    }
}

/// In order of time, each identical line once.
pub(crate) fn merged(mut lines: Vec<LogLine>) -> Vec<LogLine> {
    let mut seen = HashSet::new();
    lines.retain(|line| seen.insert(line.raw.clone()));
    lines.sort_by_key(|line| line.at);
    lines
}
