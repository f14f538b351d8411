//! A part of one file, looked through for wanted lines.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::fs::File;
use std::io::{self, BufReader, Read as _, Seek as _, SeekFrom};
use std::path::PathBuf;

use crate::query::{PassedOver, Query};
use crate::raw_lines::RawLines;
use crate::{BrokenLines, LogLine};

/// Bytes from a file's end that are looked through first; if too few wanted lines are in them, more are.
const WINDOW_BYTES: u64 = 1024 * 1024;
/// So many times more.
const WINDOW_GROWTH: u64 = 8;
/// Characters of a line that are shown of one that is no log line.
const SHOWN_CHARACTERS: usize = 60;

/// What to look for.
#[derive(Clone, Copy)]
pub(crate) struct Wanted<'a> {
    pub(crate) query: &'a Query,
    pub(crate) delimiter: &'a str,
    /// So many lines are kept, the last ones.
    pub(crate) count: usize,
}

/// What was found.
#[derive(Default)]
pub(crate) struct Scan {
    /// The last wanted lines, each identical one once.
    pub(crate) lines: VecDeque<LogLine>,
    /// The same as stored.
    kept: HashSet<String>,
    /// How many there were.
    pub(crate) found: usize,
    pub(crate) passed_over: BTreeMap<PassedOver, usize>,
    /// Lines that are no log lines; without a path.
    pub(crate) broken: Option<BrokenLines>,
    /// Where the next line begins: after the last whole one.
    pub(crate) next: u64,
}

/// Looks for the last wanted lines among the first `end` bytes of a file. What follows the last delimiter is taken for a
/// line if it is one and `with_rest` says so.
pub(crate) fn last(file: &mut File, end: u64, wanted: Wanted<'_>, with_rest: bool) -> io::Result<Scan> {
    let mut window = WINDOW_BYTES;
    loop {
        let start = end.saturating_sub(window);
        let scan = part(file, (start, end), wanted, with_rest)?;
        if start == 0 || scan.found >= wanted.count {
            return Ok(scan);
        }
        window = window.saturating_mul(WINDOW_GROWTH);
    }
}

/// Looks through a part that begins where a line does.
pub(crate) fn from(file: &mut File, (start, end): (u64, u64), wanted: Wanted<'_>) -> io::Result<Scan> {
    read(file, (start, end), wanted, Edges { skips_first: false, with_rest: false })
}

/// Looks through a part of a file; what is before its first delimiter belongs to a line that began before it.
fn part(file: &mut File, (start, end): (u64, u64), wanted: Wanted<'_>, with_rest: bool) -> io::Result<Scan> {
    read(file, (start, end), wanted, Edges { skips_first: start > 0, with_rest })
}

struct Edges {
    skips_first: bool,
    with_rest: bool,
}

fn read(file: &mut File, (start, end): (u64, u64), wanted: Wanted<'_>, edges: Edges) -> io::Result<Scan> {
    file.seek(SeekFrom::Start(start))?;
    let mut lines = RawLines::new(BufReader::new(file.take(end.saturating_sub(start))), wanted.delimiter);
    let mut scan = Scan::default();
    while let Some(raw) = lines.next()? {
        let is_rest = !raw.is_whole && !edges.with_rest;
        if is_rest || (edges.skips_first && raw.at == 0) {
            continue;
        }
        match raw.text.as_deref().map(|text| (LogLine::parse(text), text)) {
            Some((Some(line), _)) => scan.judge(line, wanted),
            Some((None, text)) if text.trim().is_empty() || !raw.is_whole => {}
            Some((None, text)) => scan.broken_at(start + raw.at, text),
            None => scan.broken_at(start + raw.at, "(too long)"),
        }
    }
    scan.next = start + lines.consumed();
    Ok(scan)
}

impl Scan {
    fn judge(&mut self, line: LogLine, wanted: Wanted<'_>) {
        match wanted.query.judge(&line) {
            Ok(()) if !self.kept.insert(line.raw.clone()) => {}
            Ok(()) => {
                self.found += 1;
                self.lines.push_back(line);
                if self.lines.len() > wanted.count
                    && let Some(first) = self.lines.pop_front()
                {
                    self.kept.remove(&first.raw);
                }
            }
            Err(why) => *self.passed_over.entry(why).or_default() += 1,
        }
    }

    fn broken_at(&mut self, at: u64, text: &str) {
        let first = || BrokenLines {
            path: PathBuf::new(),
            count: 0,
            at,
            beginning: text.chars().take(SHOWN_CHARACTERS).collect(),
        };
        self.broken.get_or_insert_with(first).count += 1;
    }
}
