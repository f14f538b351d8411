//! Directives, tags, anchors and aliases.

use std::borrow::Cow;

use super::{Result, Scanner, Token};

fn is_word(byte: Option<u8>) -> bool {
    byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
}

impl<'a> Scanner<'a> {
    /// Letters, digits, `_` and `-`.
    fn word(&mut self) -> &'a str {
        let at = self.cursor.mark.at;
        while is_word(self.cursor.byte(0)) {
            self.cursor.skip_ascii(1);
        }
        self.cursor.passed(at)
    }

    pub(super) fn directive(&mut self) -> Result<Token<'a>> {
        self.cursor.skip_ascii(1);
        let name = self.word();
        if name.is_empty() {
            return self.error("could not find expected directive name");
        }
        if !self.cursor.ends_word(0) {
            return self.error("found unexpected non-alphabetical character");
        }
        self.cursor.skip_blanks();
        let token = match name {
            "YAML" => {
                let major = self.version_number()?;
                if !self.cursor.is(b'.') {
                    return self.error("did not find expected digit or '.' character");
                }
                self.cursor.skip_ascii(1);
                Token::Version { major, minor: self.version_number()? }
            }
            "TAG" => {
                let handle = self.tag_handle(true)?;
                if !self.cursor.is_blank() {
                    return self.error("did not find expected whitespace");
                }
                self.cursor.skip_blanks();
                let prefix = self.tag_uri(true, "")?;
                if !self.cursor.ends_word(0) {
                    return self.error("did not find expected whitespace or line break");
                }
                Token::TagPrefix { handle, prefix }
            }
            _ => return self.error("found unknown directive name"),
        };
        self.end_line()?;
        Ok(token)
    }

    fn version_number(&mut self) -> Result<u32> {
        const DIGITS_MAX: usize = 9;
        let at = self.cursor.mark.at;
        while self.cursor.byte(0).is_some_and(|byte| byte.is_ascii_digit()) {
            self.cursor.skip_ascii(1);
        }
        let digits = self.cursor.passed(at);
        match digits.parse() {
            Ok(number) if digits.len() <= DIGITS_MAX => Ok(number),
            _ if digits.is_empty() => self.error("did not find expected version number"),
            _ => self.error("found extremely long version number"),
        }
    }

    pub(super) fn anchor(&mut self, is_alias: bool) -> Result<Token<'a>> {
        self.cursor.skip_ascii(1);
        let name = self.word();
        let ends = self.cursor.ends_word(0)
            || matches!(self.cursor.byte(0), Some(b'?' | b':' | b',' | b']' | b'}' | b'%' | b'@' | b'`'));
        if name.is_empty() || !ends {
            return self.error("did not find expected alphabetic or numeric character");
        }
        Ok(if is_alias { Token::Alias(name) } else { Token::Anchor(name) })
    }

    pub(super) fn tag(&mut self) -> Result<Token<'a>> {
        let token = if self.cursor.byte(1) == Some(b'<') {
            self.cursor.skip_ascii(2);
            let suffix = self.tag_uri(true, "")?;
            if !self.cursor.is(b'>') {
                return self.error("did not find the expected '>'");
            }
            self.cursor.skip_ascii(1);
            Token::Tag { handle: "", suffix }
        } else {
            let handle = self.tag_handle(false)?;
            if handle.len() > 1 && handle.ends_with('!') {
                Token::Tag { handle, suffix: self.tag_uri(false, "")? }
            } else {
                match self.tag_uri(false, handle)? {
                    suffix if suffix.is_empty() => Token::Tag { handle: "", suffix: Cow::Borrowed("!") },
                    suffix => Token::Tag { handle: "!", suffix },
                }
            }
        };
        if self.cursor.ends_word(0) || (self.flow_level > 0 && self.cursor.is(b',')) {
            Ok(token)
        } else {
            self.error("did not find expected whitespace or line break")
        }
    }

    /// `!`, `!word` or `!word!`.
    fn tag_handle(&mut self, is_directive: bool) -> Result<&'a str> {
        let at = self.cursor.mark.at;
        if !self.cursor.is(b'!') {
            return self.error("did not find expected '!'");
        }
        self.cursor.skip_ascii(1);
        let is_bare = self.word().is_empty();
        if self.cursor.is(b'!') {
            self.cursor.skip_ascii(1);
        } else if is_directive && !is_bare {
            return self.error("did not find expected '!'");
        }
        Ok(self.cursor.passed(at))
    }

    /// The rest of a tag. `head` was read as its handle, but is the begin of it.
    fn tag_uri(&mut self, with_flow_indicators: bool, head: &'a str) -> Result<Cow<'a, str>> {
        let at = self.cursor.mark.at;
        let mut escaped: Option<Vec<u8>> = None;
        let mut is_empty = head.is_empty();
        loop {
            match self.cursor.byte(0) {
                Some(b'%') => {
                    let bytes = escaped.get_or_insert_with(|| self.cursor.passed(at).into());
                    let mut bytes = std::mem::take(bytes);
                    self.uri_escape(&mut bytes)?;
                    escaped = Some(bytes);
                }
                Some(b',' | b'[' | b']') if !with_flow_indicators => break,
                Some(
                    byte @ (b';' | b'/' | b'?' | b':' | b'@' | b'&' | b'=' | b'+' | b'$' | b'.' | b'!' | b'~'
                    | b'*' | b'\'' | b'(' | b')' | b',' | b'[' | b']'),
                ) => {
                    self.cursor.skip_ascii(1);
                    escaped.iter_mut().for_each(|bytes| bytes.push(byte));
                }
                Some(byte) if is_word(Some(byte)) => {
                    self.cursor.skip_ascii(1);
                    escaped.iter_mut().for_each(|bytes| bytes.push(byte));
                }
                _ => break,
            }
            is_empty = false;
        }
        if is_empty {
            return self.error("did not find expected tag URI");
        }
        let head = head.get(1..).unwrap_or_default();
        let Some(bytes) = escaped else {
            let rest = self.cursor.passed(at);
            return Ok(if head.is_empty() {
                Cow::Borrowed(rest)
            } else {
                Cow::Owned(format!("{head}{rest}"))
            });
        };
        match String::from_utf8(bytes) {
            Ok(rest) => Ok(Cow::Owned(format!("{head}{rest}"))),
            Err(_) => self.error("found an incorrect trailing UTF-8 octet"),
        }
    }

    /// `%` and two digits.
    fn uri_escape(&mut self, bytes: &mut Vec<u8>) -> Result<()> {
        let digit = |n| self.cursor.byte(n).and_then(|byte| char::from(byte).to_digit(16));
        let (Some(high), Some(low)) = (digit(1), digit(2)) else {
            return self.error("did not find URI escaped octet");
        };
        bytes.push((high * 16 + low) as u8);
        self.cursor.skip_ascii(3);
        Ok(())
    }
}
