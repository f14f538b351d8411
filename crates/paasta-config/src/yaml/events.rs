//! From tokens to events: what opens, what closes, and the scalars between.

use std::borrow::Cow;
use std::collections::HashMap;

use super::scan::{Mark, Placed, Result, Scanner, Style, SyntaxError, Token};

/// What happens next in a document, and where.
#[derive(Debug)]
pub(super) struct Event<'a> {
    pub(super) kind: Kind<'a>,
    pub(super) mark: Mark,
}

#[derive(Debug)]
pub(super) enum Kind<'a> {
    StreamEnd,
    DocumentStart,
    DocumentEnd,
    Alias(&'a str),
    Scalar {
        anchor: Option<&'a str>,
        tag: Option<String>,
        text: Cow<'a, str>,
        /// Whether its text alone says what it means.
        is_plain: bool,
    },
    ListStart {
        anchor: Option<&'a str>,
        tag: Option<String>,
    },
    ListEnd,
    MapStart {
        anchor: Option<&'a str>,
        tag: Option<String>,
    },
    MapEnd,
}

/// Where in the grammar the reader stands.
#[derive(Clone, Copy, Debug)]
enum State {
    FirstDocument,
    Document,
    /// The value of a document that does not begin with `---`: it has one.
    RootNode,
    DocumentContent,
    DocumentEnd,
    BlockEntry {
        is_first: bool,
    },
    IndentlessEntry,
    BlockKey {
        is_first: bool,
    },
    BlockValue,
    FlowEntry {
        is_first: bool,
    },
    FlowPairKey,
    FlowPairValue,
    FlowPairEnd,
    FlowKey {
        is_first: bool,
    },
    FlowValue {
        is_absent: bool,
    },
    End,
}

/// Reads events one by one.
pub(super) struct Events<'a> {
    scanner: Scanner<'a>,
    state: State,
    /// What follows the values that are open.
    after: Vec<State>,
    /// What the document says of tags: handle and what it stands for.
    tag_prefixes: HashMap<&'a str, Cow<'a, str>>,
}

impl<'a> Events<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self {
            scanner: Scanner::new(text),
            state: State::FirstDocument,
            after: Vec::new(),
            tag_prefixes: HashMap::new(),
        }
    }

    /// The next event; after the end of the stream there are more ends.
    pub(super) fn next(&mut self) -> Result<Event<'a>> {
        match self.state {
            State::FirstDocument => self.document(true),
            State::Document => self.document(false),
            State::RootNode => self.node(true, false),
            State::DocumentContent => self.document_content(),
            State::DocumentEnd => self.document_end(),
            State::BlockEntry { is_first } => self.block_entry(is_first),
            State::IndentlessEntry => self.indentless_entry(),
            State::BlockKey { is_first } => self.block_key(is_first),
            State::BlockValue => self.block_value(),
            State::FlowEntry { is_first } => self.flow_entry(is_first),
            State::FlowPairKey => self.flow_pair_key(),
            State::FlowPairValue => self.flow_pair_value(),
            State::FlowPairEnd => {
                self.state = State::FlowEntry { is_first: false };
                let (_, mark) = self.scanner.peek()?;
                Ok(Event { kind: Kind::MapEnd, mark })
            }
            State::FlowKey { is_first } => self.flow_key(is_first),
            State::FlowValue { is_absent } => self.flow_value(is_absent),
            State::End => Ok(Event { kind: Kind::StreamEnd, mark: self.scanner.peek()?.1 }),
        }
    }

    /// The next token, if it is as asked for.
    fn take_if(&mut self, is_it: impl FnOnce(&Token<'a>) -> bool) -> Result<Option<Placed<'a>>> {
        if is_it(self.scanner.peek()?.0) { self.scanner.take().map(Some) } else { Ok(None) }
    }

    fn pop(&mut self) {
        self.state = self.after.pop().unwrap_or(State::End);
    }

    /// A value, and `then` after it.
    fn node_then(&mut self, then: State, is_block: bool, is_indentless: bool) -> Result<Event<'a>> {
        self.after.push(then);
        self.node(is_block, is_indentless)
    }

    /// A value that nobody wrote, and `then` after it.
    fn empty_then(&mut self, then: State, mark: Mark) -> Event<'a> {
        self.state = then;
        Event {
            kind: Kind::Scalar { anchor: None, tag: None, text: Cow::Borrowed(""), is_plain: true },
            mark,
        }
    }

    /// The end of a list or map, at its closing token.
    fn close(&mut self, kind: Kind<'a>) -> Result<Event<'a>> {
        self.pop();
        Ok(Event { kind, mark: self.scanner.take()?.start })
    }

    fn error<T>(&mut self, problem: &'static str) -> Result<T> {
        let (_, mark) = self.scanner.peek()?;
        Err(SyntaxError { mark, problem })
    }

    fn document(&mut self, is_first: bool) -> Result<Event<'a>> {
        if !is_first {
            while self.take_if(|token| matches!(token, Token::DocumentEnd))?.is_some() {}
        }
        let (token, mark) = self.scanner.peek()?;
        match token {
            Token::StreamEnd => {
                self.state = State::End;
                return Ok(Event { kind: Kind::StreamEnd, mark });
            }
            Token::Version { .. } | Token::TagPrefix { .. } | Token::DocumentStart => {}
            _ if is_first => {
                self.state = State::RootNode;
                self.after.push(State::DocumentEnd);
                return Ok(Event { kind: Kind::DocumentStart, mark });
            }
            _ => {}
        }
        self.directives()?;
        if self.take_if(|token| matches!(token, Token::DocumentStart))?.is_none() {
            return self.error("did not find expected <document start>");
        }
        self.state = State::DocumentContent;
        self.after.push(State::DocumentEnd);
        Ok(Event { kind: Kind::DocumentStart, mark })
    }

    fn directives(&mut self) -> Result<()> {
        let is_directive =
            |token: &Token<'a>| matches!(token, Token::Version { .. } | Token::TagPrefix { .. });
        let mut has_version = false;
        while let Some(Placed { token, start: mark, .. }) = self.take_if(is_directive)? {
            let wrong = |problem| Err(SyntaxError { mark, problem });
            match token {
                Token::Version { .. } if has_version => return wrong("found duplicate %YAML directive"),
                Token::Version { major: 1, minor: 1 | 2 } => has_version = true,
                Token::Version { .. } => return wrong("found incompatible YAML document"),
                Token::TagPrefix { handle, .. } if self.tag_prefixes.contains_key(handle) => {
                    return wrong("found duplicate %TAG directive");
                }
                Token::TagPrefix { handle, prefix } => {
                    self.tag_prefixes.insert(handle, prefix);
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn document_content(&mut self) -> Result<Event<'a>> {
        let (token, mark) = self.scanner.peek()?;
        match token {
            Token::Version { .. }
            | Token::TagPrefix { .. }
            | Token::DocumentStart
            | Token::DocumentEnd
            | Token::StreamEnd => {
                let then = self.after.pop().unwrap_or(State::End);
                Ok(self.empty_then(then, mark))
            }
            _ => self.node(true, false),
        }
    }

    fn document_end(&mut self) -> Result<Event<'a>> {
        let (_, mark) = self.scanner.peek()?;
        self.take_if(|token| matches!(token, Token::DocumentEnd))?;
        self.tag_prefixes.clear();
        self.state = State::Document;
        Ok(Event { kind: Kind::DocumentEnd, mark })
    }

    /// A value with its anchor and tag.
    fn node(&mut self, is_block: bool, is_indentless: bool) -> Result<Event<'a>> {
        let (_, mark) = self.scanner.peek()?;
        let (mut anchor, mut tag) = (None, None);
        for _ in 0..2 {
            let Some(property) = self.take_if(|token| match token {
                Token::Anchor(_) => anchor.is_none(),
                Token::Tag { .. } => tag.is_none(),
                _ => false,
            })?
            else {
                break;
            };
            match property.token {
                Token::Anchor(name) => anchor = Some(name),
                Token::Tag { handle, suffix } => {
                    tag = Some(self.whole_tag(handle, suffix, property.start)?)
                }
                _ => {}
            }
        }
        let has_property = anchor.is_some() || tag.is_some();
        let (next, next_mark) = self.scanner.peek()?;
        let (kind, state) = match next {
            Token::Alias(_) if !has_property => {
                let Placed { token: Token::Alias(name), .. } = self.scanner.take()? else {
                    return self.error("did not find expected node content");
                };
                self.pop();
                return Ok(Event { kind: Kind::Alias(name), mark });
            }
            Token::BlockEntry if is_indentless => (Kind::ListStart { anchor, tag }, State::IndentlessEntry),
            Token::FlowSequenceStart => {
                (Kind::ListStart { anchor, tag }, State::FlowEntry { is_first: true })
            }
            Token::FlowMappingStart => (Kind::MapStart { anchor, tag }, State::FlowKey { is_first: true }),
            Token::BlockSequenceStart if is_block => {
                (Kind::ListStart { anchor, tag }, State::BlockEntry { is_first: true })
            }
            Token::BlockMappingStart if is_block => {
                (Kind::MapStart { anchor, tag }, State::BlockKey { is_first: true })
            }
            Token::Scalar { .. } => {
                let Placed { token: Token::Scalar { text, style }, .. } = self.scanner.take()? else {
                    return self.error("did not find expected node content");
                };
                let is_plain = tag.as_ref().map_or(style == Style::Plain, |tag| tag == "!");
                self.pop();
                return Ok(Event { kind: Kind::Scalar { anchor, tag, text, is_plain }, mark });
            }
            _ if has_property => {
                let is_plain = tag.as_ref().is_none_or(String::is_empty);
                self.pop();
                return Ok(Event { kind: Kind::Scalar { anchor, tag, text: "".into(), is_plain }, mark });
            }
            _ => {
                return Err(SyntaxError { mark: next_mark, problem: "did not find expected node content" });
            }
        };
        self.state = state;
        Ok(Event { kind, mark })
    }

    fn whole_tag(&self, handle: &str, suffix: Cow<'a, str>, mark: Mark) -> Result<String> {
        let declared = self.tag_prefixes.get(handle);
        let prefix = match (handle, declared) {
            ("", _) => "",
            (_, Some(prefix)) => prefix,
            ("!", None) => "!",
            ("!!", None) => super::scalar::TAG_PREFIX,
            _ => return Err(SyntaxError { mark, problem: "found undefined tag handle" }),
        };
        Ok(format!("{prefix}{suffix}"))
    }

    fn block_entry(&mut self, is_first: bool) -> Result<Event<'a>> {
        if is_first {
            self.scanner.take()?;
        }
        if let Some(entry) = self.take_if(|token| matches!(token, Token::BlockEntry))? {
            let then = State::BlockEntry { is_first: false };
            return match self.scanner.peek()?.0 {
                Token::BlockEntry | Token::BlockEnd => Ok(self.empty_then(then, entry.end)),
                _ => self.node_then(then, true, false),
            };
        }
        match self.scanner.peek()?.0 {
            Token::BlockEnd => self.close(Kind::ListEnd),
            _ => self.error("did not find expected '-' indicator"),
        }
    }

    /// An entry of a list that is a map's value and not indented.
    fn indentless_entry(&mut self) -> Result<Event<'a>> {
        if let Some(entry) = self.take_if(|token| matches!(token, Token::BlockEntry))? {
            return match self.scanner.peek()?.0 {
                Token::BlockEntry | Token::Key | Token::Value | Token::BlockEnd => {
                    Ok(self.empty_then(State::IndentlessEntry, entry.end))
                }
                _ => self.node_then(State::IndentlessEntry, true, false),
            };
        }
        let (_, mark) = self.scanner.peek()?;
        self.pop();
        Ok(Event { kind: Kind::ListEnd, mark })
    }

    fn block_key(&mut self, is_first: bool) -> Result<Event<'a>> {
        if is_first {
            self.scanner.take()?;
        }
        if let Some(key) = self.take_if(|token| matches!(token, Token::Key))? {
            return match self.scanner.peek()?.0 {
                Token::Key | Token::Value | Token::BlockEnd => {
                    Ok(self.empty_then(State::BlockValue, key.end))
                }
                _ => self.node_then(State::BlockValue, true, true),
            };
        }
        match self.scanner.peek()?.0 {
            Token::BlockEnd => self.close(Kind::MapEnd),
            _ => self.error("did not find expected key"),
        }
    }

    fn block_value(&mut self) -> Result<Event<'a>> {
        let then = State::BlockKey { is_first: false };
        let Some(value) = self.take_if(|token| matches!(token, Token::Value))? else {
            let (_, mark) = self.scanner.peek()?;
            return Ok(self.empty_then(then, mark));
        };
        match self.scanner.peek()?.0 {
            Token::Key | Token::Value | Token::BlockEnd => Ok(self.empty_then(then, value.end)),
            _ => self.node_then(then, true, true),
        }
    }

    /// What stands between entries of a flow collection, if anything must.
    fn flow_separator(&mut self, is_first: bool, problem: &'static str) -> Result<()> {
        if !is_first && self.take_if(|token| matches!(token, Token::FlowEntry))?.is_none() {
            return self.error(problem);
        }
        Ok(())
    }

    fn flow_entry(&mut self, is_first: bool) -> Result<Event<'a>> {
        if is_first {
            self.scanner.take()?;
        }
        if matches!(self.scanner.peek()?.0, Token::FlowSequenceEnd) {
            return self.close(Kind::ListEnd);
        }
        self.flow_separator(is_first, "did not find expected ',' or ']'")?;
        match self.scanner.peek()?.0 {
            Token::FlowSequenceEnd => self.close(Kind::ListEnd),
            Token::Key => {
                self.state = State::FlowPairKey;
                let mark = self.scanner.take()?.start;
                Ok(Event { kind: Kind::MapStart { anchor: None, tag: None }, mark })
            }
            _ => self.node_then(State::FlowEntry { is_first: false }, false, false),
        }
    }

    fn flow_pair_key(&mut self) -> Result<Event<'a>> {
        match self.scanner.peek()?.0 {
            Token::Value | Token::FlowEntry | Token::FlowSequenceEnd => {
                let mark = self.scanner.take()?.end;
                Ok(self.empty_then(State::FlowPairValue, mark))
            }
            _ => self.node_then(State::FlowPairValue, false, false),
        }
    }

    fn flow_pair_value(&mut self) -> Result<Event<'a>> {
        let has_value = self.take_if(|token| matches!(token, Token::Value))?.is_some();
        let (next, mark) = self.scanner.peek()?;
        if has_value && !matches!(next, Token::FlowEntry | Token::FlowSequenceEnd) {
            return self.node_then(State::FlowPairEnd, false, false);
        }
        Ok(self.empty_then(State::FlowPairEnd, mark))
    }

    fn flow_key(&mut self, is_first: bool) -> Result<Event<'a>> {
        if is_first {
            self.scanner.take()?;
        }
        if matches!(self.scanner.peek()?.0, Token::FlowMappingEnd) {
            return self.close(Kind::MapEnd);
        }
        self.flow_separator(is_first, "did not find expected ',' or '}'")?;
        if matches!(self.scanner.peek()?.0, Token::FlowMappingEnd) {
            return self.close(Kind::MapEnd);
        }
        if self.take_if(|token| matches!(token, Token::Key))?.is_none() {
            return self.node_then(State::FlowValue { is_absent: true }, false, false);
        }
        let then = State::FlowValue { is_absent: false };
        let (next, mark) = self.scanner.peek()?;
        match next {
            Token::Value | Token::FlowEntry | Token::FlowMappingEnd => Ok(self.empty_then(then, mark)),
            _ => self.node_then(then, false, false),
        }
    }

    fn flow_value(&mut self, is_absent: bool) -> Result<Event<'a>> {
        let then = State::FlowKey { is_first: false };
        let has_value = !is_absent && self.take_if(|token| matches!(token, Token::Value))?.is_some();
        let (next, mark) = self.scanner.peek()?;
        if has_value && !matches!(next, Token::FlowEntry | Token::FlowMappingEnd) {
            return self.node_then(then, false, false);
        }
        Ok(self.empty_then(then, mark))
    }
}
