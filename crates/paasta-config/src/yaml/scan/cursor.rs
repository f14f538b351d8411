//! A place in the text, and what stands there.

/// A place in the text. All counts begin at 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::yaml) struct Mark {
    /// In bytes.
    pub(in crate::yaml) at: usize,
    /// In characters.
    pub(in crate::yaml) index: u32,
    pub(in crate::yaml) line: u32,
    /// In characters.
    pub(in crate::yaml) column: u32,
}

/// Reads a text from its begin to its end. All `n` are bytes ahead of where it stands; looking past the end finds nothing.
pub(super) struct Cursor<'a> {
    pub(super) text: &'a str,
    pub(super) mark: Mark,
}

impl<'a> Cursor<'a> {
    pub(super) fn byte(&self, n: usize) -> Option<u8> {
        self.text.as_bytes().get(self.mark.at + n).copied()
    }

    pub(super) fn is(&self, byte: u8) -> bool {
        self.byte(0) == Some(byte)
    }

    pub(super) fn is_blank(&self) -> bool {
        matches!(self.byte(0), Some(b' ' | b'\t'))
    }

    /// How many bytes the line break takes; 0 where there is none.
    pub(super) fn break_width(&self, n: usize) -> usize {
        match self.byte(n) {
            Some(b'\n') => 1,
            Some(b'\r') if self.byte(n + 1) == Some(b'\n') => 2,
            Some(b'\r') => 1,
            Some(0xC2) if self.byte(n + 1) == Some(0x85) => 2,
            Some(0xE2) if self.byte(n + 1) == Some(0x80) && matches!(self.byte(n + 2), Some(0xA8 | 0xA9)) => {
                3
            }
            _ => 0,
        }
    }

    /// At a line break, or at the end of the text.
    pub(super) fn ends_line(&self, n: usize) -> bool {
        self.byte(n).is_none() || self.break_width(n) > 0
    }

    /// At a blank, a line break, or the end of the text.
    pub(super) fn ends_word(&self, n: usize) -> bool {
        matches!(self.byte(n), Some(b' ' | b'\t')) || self.ends_line(n)
    }

    /// At `---` or `...` that stand alone at the begin of a line.
    pub(super) fn document_indicator(&self) -> Option<u8> {
        let first = self.byte(0).filter(|byte| matches!(byte, b'-' | b'.'))?;
        let is_three = self.byte(1) == Some(first) && self.byte(2) == Some(first);
        (self.mark.column == 0 && is_three && self.ends_word(3)).then_some(first)
    }

    /// Goes on by one character that is no line break.
    pub(super) fn skip(&mut self) {
        let width = match self.byte(0) {
            None => return,
            Some(0..0x80) => 1,
            Some(0x80..0xE0) => 2,
            Some(0xE0..0xF0) => 3,
            Some(0xF0..) => 4,
        };
        self.mark.at += width;
        self.mark.index += 1;
        self.mark.column += 1;
    }

    /// Goes on by `count` characters of ASCII.
    pub(super) fn skip_ascii(&mut self, count: u32) {
        self.mark.at += count as usize;
        self.mark.index += count;
        self.mark.column += count;
    }

    pub(super) fn skip_blanks(&mut self) {
        while self.is_blank() {
            self.skip_ascii(1);
        }
    }

    /// Goes on to the end of the line.
    pub(super) fn skip_line(&mut self) {
        while !self.ends_line(0) {
            self.skip();
        }
    }

    /// Goes past a line break and gives what it counts as; nothing where there is none.
    pub(super) fn take_break(&mut self) -> &'a str {
        let width = self.break_width(0);
        if width == 0 {
            return "";
        }
        let text = if width == 3 { self.since(self.mark.at, 3) } else { "\n" };
        self.mark.index += if self.is(b'\r') && width == 2 { 2 } else { 1 };
        self.mark.at += width;
        self.mark.line += 1;
        self.mark.column = 0;
        text
    }

    fn since(&self, at: usize, width: usize) -> &'a str {
        self.text.get(at..at + width).unwrap_or_default()
    }

    /// What was gone past since `at`.
    pub(super) fn passed(&self, at: usize) -> &'a str {
        self.text.get(at..self.mark.at).unwrap_or_default()
    }
}
