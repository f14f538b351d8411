//! Scalars: plain, in quotes, and in blocks.

use std::borrow::Cow;

use super::{Result, Scanner, Style, Token};

/// Line breaks between two lines of one scalar.
#[derive(Default)]
struct Breaks<'a> {
    first: Option<&'a str>,
    others: String,
}

impl<'a> Breaks<'a> {
    fn add(&mut self, text: &'a str) {
        match self.first {
            None => self.first = Some(text),
            Some(_) => self.others.push_str(text),
        }
    }

    /// One line break is a space; of several, the first does not count.
    fn fold(&mut self, out: &mut String) {
        match self.first.take() {
            Some("\n") if self.others.is_empty() => out.push(' '),
            Some("\n") => {}
            Some(first) => out.push_str(first),
            None => {}
        }
        out.push_str(&self.others);
        self.others.clear();
    }
}

impl<'a> Scanner<'a> {
    pub(super) fn plain_scalar(&mut self) -> Result<Token<'a>> {
        let start = self.cursor.mark;
        let indent = self.indent + 1;
        let mut out = Cow::Borrowed("");
        let mut breaks = Breaks::default();
        let mut blanks_at = start.at;
        while !(self.cursor.is(b'#') || self.cursor.document_indicator().is_some()) {
            let word_at = self.cursor.mark.at;
            self.plain_word()?;
            if self.cursor.mark.at == word_at {
                break;
            }
            if breaks.first.is_some() {
                let out = out.to_mut();
                breaks.fold(out);
                out.push_str(self.cursor.passed(word_at));
            } else if let Cow::Owned(out) = &mut out {
                out.push_str(self.cursor.passed(blanks_at));
            } else {
                out = Cow::Borrowed(self.cursor.passed(start.at));
            }
            blanks_at = self.cursor.mark.at;
            loop {
                if self.cursor.is_blank() {
                    let is_indentation =
                        breaks.first.is_some() && i64::from(self.cursor.mark.column) < indent;
                    if is_indentation && self.cursor.is(b'\t') {
                        return self.error("found a tab character that violates indentation");
                    }
                    self.cursor.skip_ascii(1);
                } else if self.cursor.break_width(0) > 0 {
                    breaks.add(self.cursor.take_break());
                } else {
                    break;
                }
            }
            if self.flow_level == 0 && i64::from(self.cursor.mark.column) < indent {
                break;
            }
        }
        self.key_allowed |= breaks.first.is_some();
        Ok(Token::Scalar { text: out, style: Style::Plain })
    }

    /// What ends at a blank, or at an indicator.
    fn plain_word(&mut self) -> Result<()> {
        let in_flow = self.flow_level > 0;
        let bytes = self.cursor.text.as_bytes();
        while let Some(&byte) = bytes.get(self.cursor.mark.at) {
            match byte {
                b' ' | b'\t' | b'\n' | b'\r' => break,
                b':' => {
                    let next = self.cursor.byte(1);
                    if in_flow && matches!(next, Some(b',' | b'?' | b'[' | b']' | b'{' | b'}')) {
                        return self.error("found unexpected ':'");
                    }
                    if self.cursor.ends_word(1) {
                        break;
                    }
                }
                b',' | b'[' | b']' | b'{' | b'}' if in_flow => break,
                0xC2 | 0xE2 if self.cursor.break_width(0) > 0 => break,
                _ => {}
            }
            self.cursor.mark.at += 1;
            if byte & 0xC0 != 0x80 {
                self.cursor.mark.index += 1;
                self.cursor.mark.column += 1;
            }
        }
        Ok(())
    }

    pub(super) fn quoted_scalar(&mut self, quote: u8) -> Result<Token<'a>> {
        let mut out = String::new();
        self.cursor.skip_ascii(1);
        loop {
            if self.cursor.document_indicator().is_some() {
                return self.error("found unexpected document indicator");
            }
            if self.cursor.byte(0).is_none() {
                return self.error("found unexpected end of stream");
            }
            let mut is_broken = self.quoted_word(quote, &mut out)?;
            if self.cursor.is(quote) {
                break;
            }
            let blanks_at = self.cursor.mark.at;
            let mut blanks = "";
            let mut breaks = Breaks::default();
            // After an escaped line break every further one counts.
            let is_escaped = is_broken;
            loop {
                if self.cursor.is_blank() {
                    self.cursor.skip_ascii(1);
                    if !is_broken {
                        blanks = self.cursor.passed(blanks_at);
                    }
                } else if self.cursor.break_width(0) > 0 {
                    let text = self.cursor.take_break();
                    if is_escaped {
                        breaks.others.push_str(text);
                    } else {
                        breaks.add(text);
                    }
                    is_broken = true;
                } else {
                    break;
                }
            }
            if is_broken {
                breaks.fold(&mut out);
            } else {
                out.push_str(blanks);
            }
        }
        self.cursor.skip_ascii(1);
        Ok(Token::Scalar { text: Cow::Owned(out), style: Style::Quoted })
    }

    /// What ends at a blank, at the quote, or at an escaped line break, of which it tells.
    fn quoted_word(&mut self, quote: u8, out: &mut String) -> Result<bool> {
        let mut run_at = self.cursor.mark.at;
        while !self.cursor.ends_word(0) {
            if self.cursor.is(b'\'') && quote == b'\'' && self.cursor.byte(1) == Some(b'\'') {
                self.cursor.skip_ascii(1);
                out.push_str(self.cursor.passed(run_at));
                self.cursor.skip_ascii(1);
            } else if self.cursor.is(quote) {
                break;
            } else if self.cursor.is(b'\\') && quote == b'"' {
                out.push_str(self.cursor.passed(run_at));
                if self.cursor.break_width(1) > 0 {
                    self.cursor.skip_ascii(1);
                    self.cursor.take_break();
                    return Ok(true);
                }
                out.push(self.escape()?);
            } else {
                self.cursor.skip();
                continue;
            }
            run_at = self.cursor.mark.at;
        }
        out.push_str(self.cursor.passed(run_at));
        Ok(false)
    }

    fn escape(&mut self) -> Result<char> {
        let (digits, c) = match self.cursor.byte(1) {
            Some(b'0') => (0, '\0'),
            Some(b'a') => (0, '\x07'),
            Some(b'b') => (0, '\x08'),
            Some(b't' | b'\t') => (0, '\t'),
            Some(b'n') => (0, '\n'),
            Some(b'v') => (0, '\x0B'),
            Some(b'f') => (0, '\x0C'),
            Some(b'r') => (0, '\r'),
            Some(b'e') => (0, '\x1B'),
            Some(b' ') => (0, ' '),
            Some(b'"') => (0, '"'),
            Some(b'/') => (0, '/'),
            Some(b'\\') => (0, '\\'),
            Some(b'N') => (0, '\u{85}'),
            Some(b'_') => (0, '\u{A0}'),
            Some(b'L') => (0, '\u{2028}'),
            Some(b'P') => (0, '\u{2029}'),
            Some(b'x') => (2, ' '),
            Some(b'u') => (4, ' '),
            Some(b'U') => (8, ' '),
            _ => return self.error("found unknown escape character"),
        };
        self.cursor.skip_ascii(2);
        if digits == 0 {
            return Ok(c);
        }
        let mut code = 0u32;
        for n in 0..digits {
            let digit = self.cursor.byte(n).and_then(|byte| char::from(byte).to_digit(16));
            let Some(digit) = digit else { return self.error("did not find expected hexadecimal number") };
            code = (code << 4) | digit;
        }
        let Some(c) = char::from_u32(code) else {
            return self.error("found invalid Unicode character escape code");
        };
        self.cursor.skip_ascii(digits as u32);
        Ok(c)
    }

    pub(super) fn block_scalar(&mut self, is_folded: bool) -> Result<Token<'a>> {
        self.cursor.skip_ascii(1);
        let (keep, increment) = self.block_header()?;
        let mut indent = if increment > 0 { self.indent.max(0) + increment } else { 0 };
        let mut out = String::new();
        let mut last_break = "";
        let mut breaks = String::new();
        let mut was_blank = false;
        self.block_breaks(&mut indent, &mut breaks)?;
        while i64::from(self.cursor.mark.column) == indent && self.cursor.byte(0).is_some() {
            let is_blank = self.cursor.is_blank();
            if is_folded && last_break == "\n" && !was_blank && !is_blank {
                if breaks.is_empty() {
                    out.push(' ');
                }
            } else {
                out.push_str(last_break);
            }
            out.push_str(&breaks);
            breaks.clear();
            was_blank = is_blank;
            let line_at = self.cursor.mark.at;
            self.cursor.skip_line();
            out.push_str(self.cursor.passed(line_at));
            last_break = self.cursor.take_break();
            self.block_breaks(&mut indent, &mut breaks)?;
        }
        if keep != Some(false) {
            out.push_str(last_break);
        }
        if keep == Some(true) {
            out.push_str(&breaks);
        }
        Ok(Token::Scalar { text: Cow::Owned(out), style: Style::Block })
    }

    /// Whether `+` or `-` stands there, and the number, in either order; to the next line.
    fn block_header(&mut self) -> Result<(Option<bool>, i64)> {
        let (mut keep, mut increment) = (None, 0);
        for _ in 0..2 {
            match self.cursor.byte(0) {
                Some(sign @ (b'+' | b'-')) if keep.is_none() => keep = Some(sign == b'+'),
                Some(b'0') if increment == 0 => {
                    return self.error("found an indentation indicator equal to 0");
                }
                Some(digit @ b'1'..=b'9') if increment == 0 => increment = i64::from(digit - b'0'),
                _ => break,
            }
            self.cursor.skip_ascii(1);
        }
        self.end_line()?;
        Ok((keep, increment))
    }

    /// Blanks and a comment up to a line break, and that.
    pub(super) fn end_line(&mut self) -> Result<()> {
        self.cursor.skip_blanks();
        if self.cursor.is(b'#') {
            self.cursor.skip_line();
        }
        if !self.cursor.ends_line(0) {
            return self.error("did not find expected comment or line break");
        }
        self.cursor.take_break();
        Ok(())
    }

    /// Indentation and empty lines. An `indent` of 0 is not known yet and is found here.
    fn block_breaks(&mut self, indent: &mut i64, breaks: &mut String) -> Result<()> {
        let mut deepest = 0;
        loop {
            let is_indentation =
                |scanner: &Self| *indent == 0 || i64::from(scanner.cursor.mark.column) < *indent;
            while is_indentation(self) && self.cursor.is(b' ') {
                self.cursor.skip_ascii(1);
            }
            deepest = deepest.max(i64::from(self.cursor.mark.column));
            if is_indentation(self) && self.cursor.is(b'\t') {
                return self.error("found a tab character where an indentation space is expected");
            }
            if self.cursor.break_width(0) == 0 {
                break;
            }
            breaks.push_str(self.cursor.take_break());
        }
        if *indent == 0 {
            *indent = deepest.max(self.indent + 1).max(1);
        }
        Ok(())
    }
}
