//! A file cut into lines, with a bound on what is held in memory.

use std::io::{self, BufRead};

/// Bytes of a line that are read; a longer one is skipped.
pub(crate) const LINE_BYTES_MAX: usize = 1024 * 1024;

/// Cuts bytes at a delimiter.
pub(crate) struct RawLines<R> {
    from: R,
    delimiter: Vec<u8>,
    /// Bytes that were read.
    position: u64,
    /// Bytes of whole lines that were read, delimiters included.
    consumed: u64,
}

/// What was read up to a delimiter, or the rest.
pub(crate) struct RawLine {
    /// Where it begins, in bytes from where reading began.
    pub(crate) at: u64,
    /// The line; `None` if it is too long. What is no UTF-8 is replaced.
    pub(crate) text: Option<String>,
    /// Whether its delimiter was there.
    pub(crate) is_whole: bool,
}

impl<R: BufRead> RawLines<R> {
    pub(crate) fn new(from: R, delimiter: &str) -> Self {
        Self { from, delimiter: delimiter.as_bytes().to_vec(), position: 0, consumed: 0 }
    }

    /// Bytes of whole lines that were read so far.
    pub(crate) fn consumed(&self) -> u64 {
        self.consumed
    }

    /// The next line; `None` at the end.
    pub(crate) fn next(&mut self) -> io::Result<Option<RawLine>> {
        let at = self.position;
        let mut line = Line::default();
        loop {
            let taken = match self.from.fill_buf() {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                buffer => line.take(buffer?, &self.delimiter),
            };
            self.from.consume(taken);
            self.position += taken as u64;
            let is_whole = line.bytes.ends_with(&self.delimiter);
            if is_whole {
                self.consumed = self.position;
            } else if taken > 0 {
                line.forget_if_too_long(self.delimiter.len());
                continue;
            } else if self.position == at {
                return Ok(None);
            }
            return Ok(Some(RawLine { at, text: line.text(&self.delimiter), is_whole }));
        }
    }
}

/// What is known of the line that is being read.
#[derive(Default)]
struct Line {
    bytes: Vec<u8>,
    is_too_long: bool,
}

impl Line {
    /// Takes bytes up to what may be the end of a delimiter; gives their number.
    fn take(&mut self, buffer: &[u8], delimiter: &[u8]) -> usize {
        let end = delimiter.last().copied().unwrap_or(b'\n');
        let taken = buffer.iter().position(|byte| *byte == end).map_or(buffer.len(), |index| index + 1);
        self.bytes.extend_from_slice(&buffer[..taken]);
        taken
    }

    /// Of what is too long only that is kept which may begin a delimiter.
    fn forget_if_too_long(&mut self, delimiter_length: usize) {
        if self.bytes.len() > LINE_BYTES_MAX + delimiter_length {
            self.is_too_long = true;
            self.bytes.drain(..self.bytes.len() - delimiter_length);
        }
    }

    fn text(&self, delimiter: &[u8]) -> Option<String> {
        let line = self.bytes.strip_suffix(delimiter).unwrap_or(&self.bytes);
        let fits = !self.is_too_long && line.len() <= LINE_BYTES_MAX;
        fits.then(|| String::from_utf8_lossy(line).into_owned())
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufReader, Read};

    use proptest::prelude::*;

    use super::*;

    fn cut(bytes: &[u8], delimiter: &str, buffer: usize) -> (Vec<(Option<String>, bool)>, u64) {
        let mut lines = RawLines::new(BufReader::with_capacity(buffer, bytes), delimiter);
        let mut all = Vec::new();
        while let Some(line) = lines.next().unwrap() {
            all.push((line.text, line.is_whole));
        }
        (all, lines.consumed())
    }

    #[test]
    fn lines_are_cut_at_their_delimiter() {
        let some = |text: &str, whole| (Some(text.to_owned()), whole);
        for buffer in [1, 3, 100] {
            assert_eq!(cut(b"a\nb", "\n", buffer), (vec![some("a", true), some("b", false)], 2));
            let crlf = (vec![some("a\nb", true), some("c", true)], 8);
            assert_eq!(cut(b"a\nb\r\nc\r\n", "\r\n", buffer), crlf);
            assert_eq!(cut(b"", "\n", buffer), (vec![], 0));
            let broken = "a\u{fffd}b";
            assert_eq!(cut(b"a\xffb\n", "\n", buffer), (vec![some(broken, true)], 4));
        }
    }

    /// Says how much was asked of it.
    struct Endless(u64);

    impl Read for Endless {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let count = buffer.len().min(usize::try_from(self.0).unwrap());
            buffer[..count].fill(b'x');
            self.0 -= count as u64;
            Ok(count)
        }
    }

    #[test]
    fn a_line_without_an_end_is_not_held_in_memory() {
        let long = 20 * LINE_BYTES_MAX as u64;
        let after = b"\nshort\n".as_slice();
        let mut lines = RawLines::new(BufReader::new(Endless(long).chain(after)), "\n");
        let first = lines.next().unwrap().unwrap();
        assert_eq!((first.at, first.text, first.is_whole), (0, None, true));
        let second = lines.next().unwrap().unwrap();
        assert_eq!((second.at, second.text.as_deref(), second.is_whole), (long + 1, Some("short"), true));
        assert!(lines.next().unwrap().is_none());
        let longest = "x".repeat(LINE_BYTES_MAX);
        assert_eq!(cut(longest.as_bytes(), "\n", 1000).0, [(Some(longest.clone()), false)]);
        assert_eq!(cut(format!("{longest}x\n").as_bytes(), "\n", 1000).0, [(None, true)]);
    }

    proptest! {
        #[test]
        fn lines_put_together_are_the_text(
            lines in prop::collection::vec("[ab\r\u{e9}]{0,6}", 0..8),
            rest in "[ab]{0,3}",
            delimiter in prop::sample::select(vec!["\n", "\r\n", "--", "\0"]),
            buffer in 1..20usize,
        ) {
            // One that ends by a part of its delimiter would end elsewhere.
            let lines: Vec<String> = lines.into_iter().map(|line| line.replace('\r', "c")).collect();
            let text: String = lines.iter().map(|line| format!("{line}{delimiter}")).collect();
            let (found, consumed) = cut(format!("{text}{rest}").as_bytes(), delimiter, buffer);
            let mut expected: Vec<_> = lines.into_iter().map(|line| (Some(line), true)).collect();
            if !rest.is_empty() {
                expected.push((Some(rest), false));
            }
            prop_assert_eq!(found, expected);
            prop_assert_eq!(consumed, text.len() as u64);
        }
    }
}
