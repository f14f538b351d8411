//! A file cut into lines, with a bound on what is held in memory.

use std::io::{self, BufRead};

/// Bytes of a line that are read; a longer one is skipped.
pub(crate) const LINE_BYTES_MAX: usize = 1024 * 1024;

/// Cuts bytes at a delimiter.
pub(crate) struct RawLines<R> {
    from: R,
    delimiter: Vec<u8>,
    /// Bytes of whole lines that were read, delimiters included.
    consumed: u64,
}

/// What was read up to a delimiter, or the rest.
pub(crate) struct RawLine {
    /// The line; `None` if it is too long.
    pub(crate) text: Option<String>,
    /// Whether its delimiter was there.
    pub(crate) is_whole: bool,
}

impl<R: BufRead> RawLines<R> {
    pub(crate) fn new(from: R, delimiter: &str) -> Self {
        Self { from, delimiter: delimiter.as_bytes().to_vec(), consumed: 0 }
    }

    /// Bytes of whole lines that were read so far.
    pub(crate) fn consumed(&self) -> u64 {
        self.consumed
    }

    /// The next line; `None` at the end.
    pub(crate) fn next(&mut self) -> io::Result<Option<RawLine>> {
        let end = self.delimiter.last().copied().unwrap_or(b'\n');
        let mut bytes = Vec::new();
        let mut read_total = 0;
        let mut too_long = false;
        loop {
            let read = self.from.read_until(end, &mut bytes)?;
            read_total += read as u64;
            let is_whole = bytes.ends_with(&self.delimiter);
            if is_whole || read == 0 {
                if read_total == 0 {
                    return Ok(None);
                }
                self.consumed += if is_whole { read_total } else { 0 };
                let line = bytes.strip_suffix(self.delimiter.as_slice()).unwrap_or(&bytes);
                let text = (!too_long).then(|| String::from_utf8_lossy(line).into_owned());
                return Ok(Some(RawLine { text, is_whole }));
            }
            if bytes.len() > LINE_BYTES_MAX {
                too_long = true;
                bytes.drain(..bytes.len() - self.delimiter.len());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(text: &str, delimiter: &str) -> (Vec<(Option<String>, bool)>, u64) {
        let mut lines = RawLines::new(text.as_bytes(), delimiter);
        let mut all = Vec::new();
        while let Some(line) = lines.next().unwrap() {
            all.push((line.text, line.is_whole));
        }
        (all, lines.consumed())
    }

    #[test]
    fn lines_are_cut_at_their_delimiter() {
        let some = |text: &str, whole| (Some(text.to_owned()), whole);
        assert_eq!(cut("a\nb", "\n"), (vec![some("a", true), some("b", false)], 2));
        assert_eq!(cut("a\nb\r\nc\r\n", "\r\n"), (vec![some("a\nb", true), some("c", true)], 8));
        assert_eq!(cut("", "\n"), (vec![], 0));
    }
}
