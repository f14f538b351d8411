//! What happened, line by line: all of it goes into a hash, the end of it is kept.

use std::collections::VecDeque;
use std::fmt::{Arguments, Write};

/// Lines that are kept.
const KEPT: usize = 4_000;
const FNV_OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
const FNV_PRIME: u64 = 0x0000_0100_0000_01b3;

/// Whom a line concerns where it concerns no one instance.
pub(crate) const ALL: usize = usize::MAX;

/// The trace of one run.
#[derive(Debug)]
pub(crate) struct Trace {
    kept: VecDeque<Line>,
    hash: u64,
    lines: u64,
    /// Hears every line as it comes.
    pub(crate) hears: Option<fn(&str)>,
}

#[derive(Debug, Default)]
struct Line {
    instance: usize,
    text: String,
}

impl Trace {
    pub(crate) fn new() -> Self {
        Self { kept: VecDeque::new(), hash: FNV_OFFSET, lines: 0, hears: None }
    }

    /// Writes one line about an instance, or about all.
    pub(crate) fn line(&mut self, now: i64, instance: usize, text: Arguments<'_>) {
        let mut line = match self.kept.len() < KEPT {
            true => Line::default(),
            false => self.kept.pop_front().unwrap_or_default(),
        };
        line.instance = instance;
        line.text.clear();
        // Writing to a text does not fail.
        let _ = write!(line.text, "{:>5}.{:03} {text}", now / 1000, now % 1000);
        for byte in line.text.bytes().chain([b'\n']) {
            self.hash = (self.hash ^ u64::from(byte)).wrapping_mul(FNV_PRIME);
        }
        if let Some(hears) = self.hears {
            hears(&line.text);
        }
        self.lines += 1;
        self.kept.push_back(line);
    }

    /// How many lines there were, and the hash over all.
    pub(crate) fn print(&self) -> (u64, u64) {
        (self.lines, self.hash)
    }

    /// The last `most` lines about the instance or about all.
    pub(crate) fn about(&self, instance: usize, most: usize) -> Vec<String> {
        let mine = |line: &&Line| instance == ALL || line.instance == instance || line.instance == ALL;
        let mut lines: Vec<_> =
            self.kept.iter().rev().filter(mine).take(most).map(|line| line.text.clone()).collect();
        lines.reverse();
        lines
    }
}
