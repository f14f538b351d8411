//! From text to tokens, as libyaml cuts it: its rules for indentation, tabs, and keys that turn out to be keys only at
//! their `:`. No input makes it panic, and its work grows with the text alone.

use std::borrow::Cow;
use std::collections::VecDeque;

mod cursor;
mod scalar;
mod tag;

use cursor::Cursor;
pub(super) use cursor::Mark;

/// A key without `?` ends on its line, within this many characters.
const SIMPLE_KEY_CHARACTERS_MAX: u32 = 1024;

pub(super) type Result<T> = std::result::Result<T, SyntaxError>;

/// What is wrong with the text, and where.
#[derive(Debug)]
pub(super) struct SyntaxError {
    pub(super) mark: Mark,
    pub(super) problem: &'static str,
}

/// A piece of the text that means something.
#[derive(Debug)]
pub(super) enum Token<'a> {
    StreamEnd,
    Version { major: u32, minor: u32 },
    TagPrefix { handle: &'a str, prefix: Cow<'a, str> },
    DocumentStart,
    DocumentEnd,
    BlockSequenceStart,
    BlockMappingStart,
    BlockEnd,
    FlowSequenceStart,
    FlowSequenceEnd,
    FlowMappingStart,
    FlowMappingEnd,
    BlockEntry,
    FlowEntry,
    Key,
    Value,
    Alias(&'a str),
    Anchor(&'a str),
    Tag { handle: &'a str, suffix: Cow<'a, str> },
    Scalar { text: Cow<'a, str>, style: Style },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    Plain,
    Quoted,
    Block,
}

/// A token and where it begins and ends.
#[derive(Debug)]
pub(super) struct Placed<'a> {
    pub(super) token: Token<'a>,
    pub(super) start: Mark,
    pub(super) end: Mark,
}

/// Something that is a key if a `:` follows.
#[derive(Clone, Copy)]
struct SimpleKey {
    flow_level: usize,
    /// It can be nothing but a key.
    is_required: bool,
    /// Its number among all tokens.
    number: usize,
    mark: Mark,
}

pub(super) struct Scanner<'a> {
    cursor: Cursor<'a>,
    tokens: VecDeque<Placed<'a>>,
    /// How many tokens were taken.
    taken: usize,
    /// At most one for each level of flow, outer ones first, so also by number and place.
    simple_keys: VecDeque<SimpleKey>,
    /// Whether something that begins here may be a key.
    key_allowed: bool,
    flow_level: usize,
    indent: i64,
    indents: Vec<i64>,
    has_ended: bool,
}

impl<'a> Scanner<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self {
            cursor: Cursor { text, mark: Mark::default() },
            tokens: VecDeque::new(),
            taken: 0,
            simple_keys: VecDeque::new(),
            key_allowed: true,
            flow_level: 0,
            indent: -1,
            indents: Vec::new(),
            has_ended: false,
        }
    }

    /// The next token. After the end of the stream there are more ends.
    pub(super) fn take(&mut self) -> Result<Placed<'a>> {
        self.peek()?;
        self.taken += 1;
        match self.tokens.pop_front() {
            Some(token) => Ok(token),
            None => Ok(Placed { token: Token::StreamEnd, start: self.cursor.mark, end: self.cursor.mark }),
        }
    }

    /// The next token, which stays.
    pub(super) fn peek(&mut self) -> Result<(&Token<'a>, Mark)> {
        while !self.has_ended && self.needs_more()? {
            self.fetch()?;
        }
        Ok(self
            .tokens
            .front()
            .map_or((&Token::StreamEnd, self.cursor.mark), |next| (&next.token, next.start)))
    }

    /// Whether there is no token yet, or it may still turn out to be a key.
    fn needs_more(&mut self) -> Result<bool> {
        if self.tokens.is_empty() {
            return Ok(true);
        }
        self.drop_stale_keys()?;
        Ok(self.simple_keys.front().is_some_and(|key| key.number == self.taken))
    }

    fn error<T>(&self, problem: &'static str) -> Result<T> {
        Err(SyntaxError { mark: self.cursor.mark, problem })
    }

    fn push(&mut self, token: Token<'a>, start: Mark) {
        self.tokens.push_back(Placed { token, start, end: self.cursor.mark });
    }

    fn fetch(&mut self) -> Result<()> {
        self.skip_to_token();
        self.drop_stale_keys()?;
        self.unroll(i64::from(self.cursor.mark.column));
        let start = self.cursor.mark;
        let Some(byte) = self.cursor.byte(0) else { return self.end_stream() };
        if start.column == 0 && byte == b'%' {
            return self.at_margin(|scanner| scanner.directive());
        }
        if let Some(indicator) = self.cursor.document_indicator() {
            return self.at_margin(|scanner| {
                scanner.cursor.skip_ascii(3);
                Ok(if indicator == b'-' { Token::DocumentStart } else { Token::DocumentEnd })
            });
        }
        let in_flow = self.flow_level > 0;
        let ends_word = self.cursor.ends_word(1);
        let token = match byte {
            b'[' | b'{' => {
                self.save_key()?;
                self.flow_level += 1;
                self.key_allowed = true;
                self.cursor.skip_ascii(1);
                if byte == b'[' { Token::FlowSequenceStart } else { Token::FlowMappingStart }
            }
            b']' | b'}' => {
                self.remove_key()?;
                self.flow_level = self.flow_level.saturating_sub(1);
                self.key_allowed = false;
                self.cursor.skip_ascii(1);
                if byte == b']' { Token::FlowSequenceEnd } else { Token::FlowMappingEnd }
            }
            b',' => {
                self.remove_key()?;
                self.key_allowed = true;
                self.cursor.skip_ascii(1);
                Token::FlowEntry
            }
            b'-' if ends_word => return self.block_entry(),
            b'?' if in_flow || ends_word => return self.key(),
            b':' if in_flow || ends_word => return self.value(),
            b'|' | b'>' if !in_flow => {
                self.remove_key()?;
                self.key_allowed = true;
                self.block_scalar(byte == b'>')?
            }
            b'*' | b'&' => self.may_be_key(|scanner| scanner.anchor(byte == b'*'))?,
            b'!' => self.may_be_key(Self::tag)?,
            b'\'' | b'"' => self.may_be_key(|scanner| scanner.quoted_scalar(byte))?,
            b' ' | b'\t' | b'#' | b'|' | b'>' | b'%' | b'@' | b'`' => {
                return self.error("found character that cannot start any token");
            }
            _ => self.may_be_key(Self::plain_scalar)?,
        };
        self.push(token, start);
        Ok(())
    }

    /// Blanks, comments and line breaks.
    fn skip_to_token(&mut self) {
        loop {
            const BYTE_ORDER_MARK: &str = "\u{FEFF}";
            let rest = self.cursor.text.get(self.cursor.mark.at..).unwrap_or_default();
            if self.cursor.mark.column == 0 && rest.starts_with(BYTE_ORDER_MARK) {
                self.cursor.skip();
            }
            // Where a key may stand, a tab would be indentation.
            let with_tabs = self.flow_level > 0 || !self.key_allowed;
            while self.cursor.is(b' ') || (with_tabs && self.cursor.is(b'\t')) {
                self.cursor.skip_ascii(1);
            }
            if self.cursor.is(b'#') {
                self.cursor.skip_line();
            }
            if self.cursor.take_break().is_empty() {
                return;
            }
            self.key_allowed |= self.flow_level == 0;
        }
    }

    /// Keys whose `:` can no longer come.
    fn drop_stale_keys(&mut self) -> Result<()> {
        while let Some(key) = self.simple_keys.front() {
            let is_here = key.mark.line == self.cursor.mark.line
                && key.mark.index + SIMPLE_KEY_CHARACTERS_MAX >= self.cursor.mark.index;
            if is_here {
                break;
            }
            if key.is_required {
                return self.error("could not find expected ':'");
            }
            self.simple_keys.pop_front();
        }
        Ok(())
    }

    fn may_be_key(&mut self, scan: impl FnOnce(&mut Self) -> Result<Token<'a>>) -> Result<Token<'a>> {
        self.save_key()?;
        self.key_allowed = false;
        scan(self)
    }

    fn save_key(&mut self) -> Result<()> {
        if self.key_allowed {
            self.remove_key()?;
            self.simple_keys.push_back(SimpleKey {
                flow_level: self.flow_level,
                is_required: self.flow_level == 0 && self.indent == i64::from(self.cursor.mark.column),
                number: self.taken + self.tokens.len(),
                mark: self.cursor.mark,
            });
        }
        Ok(())
    }

    /// The key of this level of flow, which it is no more.
    fn remove_key(&mut self) -> Result<()> {
        match self.own_key() {
            Some(key) if key.is_required => self.error("could not find expected ':'"),
            _ => Ok(()),
        }
    }

    fn own_key(&mut self) -> Option<SimpleKey> {
        let is_own = self.simple_keys.back().is_some_and(|key| key.flow_level == self.flow_level);
        if is_own { self.simple_keys.pop_back() } else { None }
    }

    /// Opens a block collection at `column` if it is deeper than what is open. `number` is the token it begins at.
    fn roll(&mut self, column: u32, number: Option<usize>, token: Token<'a>, mark: Mark) {
        let column = i64::from(column);
        if self.flow_level > 0 || self.indent >= column {
            return;
        }
        self.indents.push(self.indent);
        self.indent = column;
        let place = number.map_or(self.tokens.len(), |number| number.saturating_sub(self.taken));
        self.tokens.insert(place.min(self.tokens.len()), Placed { token, start: mark, end: mark });
    }

    /// Closes block collections deeper than `column`.
    fn unroll(&mut self, column: i64) {
        while self.flow_level == 0 && self.indent > column {
            self.push(Token::BlockEnd, self.cursor.mark);
            self.indent = self.indents.pop().unwrap_or(-1);
        }
    }

    fn end_stream(&mut self) -> Result<()> {
        if self.cursor.mark.column > 0 {
            self.cursor.mark.column = 0;
            self.cursor.mark.line += 1;
        }
        self.at_margin(|_| Ok(Token::StreamEnd))?;
        self.has_ended = true;
        Ok(())
    }

    /// What closes all blocks.
    fn at_margin(&mut self, scan: impl FnOnce(&mut Self) -> Result<Token<'a>>) -> Result<()> {
        self.unroll(-1);
        self.remove_key()?;
        self.key_allowed = false;
        let start = self.cursor.mark;
        let token = scan(self)?;
        self.push(token, start);
        Ok(())
    }

    /// `-`, which opens a list where there is none.
    fn block_entry(&mut self) -> Result<()> {
        let start = self.cursor.mark;
        if self.flow_level == 0 {
            if !self.key_allowed {
                return self.error("block sequence entries are not allowed in this context");
            }
            self.roll(start.column, None, Token::BlockSequenceStart, start);
        }
        self.remove_key()?;
        self.key_allowed = true;
        self.cursor.skip_ascii(1);
        self.push(Token::BlockEntry, start);
        Ok(())
    }

    /// `?`.
    fn key(&mut self) -> Result<()> {
        let start = self.cursor.mark;
        if self.flow_level == 0 {
            if !self.key_allowed {
                return self.error("mapping keys are not allowed in this context");
            }
            self.roll(start.column, None, Token::BlockMappingStart, start);
        }
        self.remove_key()?;
        self.key_allowed = self.flow_level == 0;
        self.cursor.skip_ascii(1);
        self.push(Token::Key, start);
        Ok(())
    }

    /// `:`, which makes a key of what stands before it.
    fn value(&mut self) -> Result<()> {
        let start = self.cursor.mark;
        if let Some(key) = self.own_key() {
            let place = key.number.saturating_sub(self.taken).min(self.tokens.len());
            self.tokens.insert(place, Placed { token: Token::Key, start: key.mark, end: key.mark });
            self.roll(key.mark.column, Some(key.number), Token::BlockMappingStart, key.mark);
            self.key_allowed = false;
        } else {
            if self.flow_level == 0 {
                if !self.key_allowed {
                    return self.error("mapping values are not allowed in this context");
                }
                self.roll(start.column, None, Token::BlockMappingStart, start);
            }
            self.key_allowed = self.flow_level == 0;
        }
        self.cursor.skip_ascii(1);
        self.push(Token::Value, start);
        Ok(())
    }
}
