//! From events to one [`Node`]: anchors, aliases, tags, merges, duplicate keys.

use std::borrow::Cow;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use super::events::{Event, Events, Kind as EventKind};
use super::scalar::{self, Resolved};
use super::scan::Mark;
use super::shorten;
use super::{DEPTH_MAX, NODES_MAX, Parsed, Warning, YamlError, YamlProblem};
use crate::node::Key;
use crate::{Map, Node, Position, Value};

/// A text counts as one value more for each of these, as aliases may repeat it.
const TEXT_BYTES_PER_NODE: usize = 64;

type Result<T> = std::result::Result<T, YamlError>;

/// The one document of `text`.
pub(super) fn document(text: &str, file: &Arc<str>) -> Result<Parsed> {
    let mut composer = Composer {
        events: Events::new(text),
        file: file.clone(),
        anchors: HashMap::new(),
        open: Vec::new(),
        nodes: 0,
        kept: 0,
        warnings: Vec::new(),
    };
    let root = composer.stream()?;
    Ok(Parsed { root, warnings: composer.warnings })
}

struct Composer<'a> {
    events: Events<'a>,
    file: Arc<str>,
    anchors: HashMap<&'a str, Anchored>,
    /// Anchors of the collections that we are inside of.
    open: Vec<&'a str>,
    /// How many values there are, long texts counted as several.
    nodes: usize,
    /// How many more are kept for aliases.
    kept: usize,
    warnings: Vec<Warning>,
}

/// What an alias stands for.
struct Anchored {
    item: Item,
    nodes: usize,
    height: usize,
}

/// A node, and what its key or value place must know beyond its value.
#[derive(Clone)]
struct Item {
    node: Node,
    height: usize,
    kind: Kind,
    /// Whether it is a map of one pair as written, without `<<` and a plain `=`: what `!!omap` is a list of.
    is_entry: bool,
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Ordinary,
    /// A set that still has its values, which `<<` merges.
    Set,
    /// A list with such sets in it.
    ListOfSets,
    /// A list of maps of one entry each, which are pairs unless `<<` merges them.
    Pairs,
    /// A map with a key that only a pair may have.
    Entry,
    /// A plain `<<`.
    Merge,
    /// A plain `=`.
    Equals,
}

/// Where a value stands.
#[derive(Clone, Copy, PartialEq)]
enum Place {
    Ordinary,
    /// In a list of pairs.
    InPairs,
}

/// One `key: value` as written.
type Pair = (Node, Node);

impl<'a> Composer<'a> {
    fn stream(&mut self) -> Result<Node> {
        let event = self.next()?;
        if let EventKind::StreamEnd = event.kind {
            return Ok(Node { value: Value::Null, position: Some(self.at(event.mark)) });
        }
        let event = self.next()?;
        let root = self.item(event, 0, Place::Ordinary)?;
        let root = self.as_value(root)?;
        self.next()?;
        let event = self.next()?;
        match event.kind {
            EventKind::StreamEnd => Ok(root),
            _ => Err(self.composition(event.mark, "the file holds more than one document")),
        }
    }

    fn next(&mut self) -> Result<Event<'a>> {
        self.events.next().map_err(|error| YamlError {
            position: self.at(error.mark),
            problem: YamlProblem::Syntax(error.problem.to_owned()),
        })
    }

    fn item(&mut self, event: Event<'a>, depth: usize, place: Place) -> Result<Item> {
        let mark = event.mark;
        if depth > DEPTH_MAX {
            return Err(self.too_large(mark, format!("lists and maps are nested deeper than {DEPTH_MAX}")));
        }
        let before = self.nodes;
        let (anchor, item) = match event.kind {
            EventKind::Alias(anchor) => return self.alias(anchor, mark, depth),
            EventKind::Scalar { anchor, tag, text, is_plain } => {
                self.check_anchor(anchor, mark)?;
                self.count(1 + text.len() / TEXT_BYTES_PER_NODE, mark)?;
                (anchor, self.scalar(tag.as_deref(), text, is_plain, mark)?)
            }
            EventKind::ListStart { anchor, tag } => {
                self.check_anchor(anchor, mark)?;
                let meant = self.meant(tag.as_deref(), &["seq", "omap", "pairs"], mark)?;
                self.count(1, mark)?;
                let compose = |composer: &mut Self| match meant {
                    "seq" => composer.list(mark, depth),
                    _ => composer.pairs(mark, depth),
                };
                (anchor, self.inside(anchor, compose)?)
            }
            EventKind::MapStart { anchor, tag } => {
                self.check_anchor(anchor, mark)?;
                let meant = self.meant(tag.as_deref(), &["map", "set"], mark)?;
                self.count(1, mark)?;
                (anchor, self.inside(anchor, |composer| composer.map(meant == "set", mark, depth, place))?)
            }
            _ => return Err(self.composition(mark, "a value is expected")),
        };
        if let Some(anchor) = anchor {
            let nodes = self.nodes - before;
            self.kept += nodes;
            self.count(0, mark)?;
            self.anchors.insert(anchor, Anchored { item: item.clone(), nodes, height: item.height });
        }
        Ok(item)
    }

    fn alias(&mut self, anchor: &str, mark: Mark, depth: usize) -> Result<Item> {
        let Some(anchored) = self.anchors.get(anchor) else {
            let problem = if self.open.contains(&anchor) {
                format!("the alias `*{}` stands inside of what it stands for", shorten(anchor))
            } else {
                format!("the alias `*{}` has no anchor before it", shorten(anchor))
            };
            return Err(self.composition(mark, problem));
        };
        if depth + anchored.height > DEPTH_MAX {
            return Err(self.too_large(mark, format!("lists and maps are nested deeper than {DEPTH_MAX}")));
        }
        let (item, nodes) = (anchored.item.clone(), anchored.nodes);
        self.count(nodes, mark)?;
        Ok(item)
    }

    fn inside(
        &mut self,
        anchor: Option<&'a str>,
        compose: impl FnOnce(&mut Self) -> Result<Item>,
    ) -> Result<Item> {
        let Some(anchor) = anchor else { return compose(self) };
        self.open.push(anchor);
        let item = compose(self)?;
        self.open.pop();
        Ok(item)
    }

    fn scalar(&self, tag: Option<&str>, text: Cow<'_, str>, plain: bool, mark: Mark) -> Result<Item> {
        let resolved = match tag {
            None if plain => scalar::plain(text),
            Some("!") if plain => scalar::untagged(text),
            None | Some("!") => Ok(Resolved::Value(Value::String(text.into_owned()))),
            Some(tag) => scalar::tagged(tag, &text),
        };
        let (value, kind) = match resolved.map_err(|problem| self.value_error(mark, problem))? {
            Resolved::Value(value) => (value, Kind::Ordinary),
            Resolved::Merge => (Value::String("<<".to_owned()), Kind::Merge),
            Resolved::Equals(text) => (Value::String(text), Kind::Equals),
        };
        Ok(self.written(value, mark, 0, kind))
    }

    fn written(&self, value: Value, mark: Mark, height: usize, kind: Kind) -> Item {
        Item { node: Node { value, position: Some(self.at(mark)) }, height, kind, is_entry: false }
    }

    fn list(&mut self, mark: Mark, depth: usize) -> Result<Item> {
        let mut list = Vec::new();
        let (mut height, mut kind) = (0, Kind::Ordinary);
        loop {
            let event = self.next()?;
            if let EventKind::ListEnd = event.kind {
                return Ok(self.written(Value::List(list), mark, height + 1, kind));
            }
            let item = self.item(event, depth + 1, Place::Ordinary)?;
            height = height.max(item.height);
            if item.kind == Kind::Set {
                kind = Kind::ListOfSets;
                list.push(item.node);
            } else {
                list.push(self.as_value(item)?);
            }
        }
    }

    /// `!!omap` and `!!pairs`, which Python reads alike.
    fn pairs(&mut self, mark: Mark, depth: usize) -> Result<Item> {
        let mut list = Vec::new();
        let mut height = 0;
        loop {
            let event = self.next()?;
            if let EventKind::ListEnd = event.kind {
                return Ok(self.written(Value::List(list), mark, height + 1, Kind::Pairs));
            }
            let mark = event.mark;
            let item = self.item(event, depth + 1, Place::InPairs)?;
            if !item.is_entry {
                let problem =
                    "`!!omap` and `!!pairs` take a list of maps of one entry each, without `<<` and `=`";
                return Err(self.value_error(mark, problem));
            }
            height = height.max(item.height);
            list.push(item.node);
        }
    }

    fn map(&mut self, is_set: bool, mark: Mark, depth: usize, place: Place) -> Result<Item> {
        let (mut merged, mut own) = (Vec::new(), Vec::new());
        let mut height = 0;
        let mut kind = if is_set { Kind::Set } else { Kind::Ordinary };
        let mut is_entry = true;
        loop {
            let event = self.next()?;
            if let EventKind::MapEnd = event.kind {
                break;
            }
            let key_mark = event.mark;
            let mut key = self.item(event, depth + 1, Place::Ordinary)?;
            if !key.node.is_scalar() {
                if place != Place::InPairs {
                    return Err(self.no_key(&key.node, key_mark));
                }
                kind = Kind::Entry;
                height = height.max(key.height);
                key = Item { height, kind: Kind::Ordinary, is_entry: false, node: self.as_value(key)? };
            }
            is_entry &= !matches!(key.kind, Kind::Merge | Kind::Equals);
            let event = self.next()?;
            let value_mark = event.mark;
            let value = self.item(event, depth + 1, Place::Ordinary)?;
            height = height.max(value.height);
            if key.kind == Kind::Merge {
                self.merge(value, value_mark, &mut merged)?;
            } else {
                own.push((key.node, self.as_value(value)?));
            }
        }
        is_entry &= own.len() == 1;
        let map = self.lay(merged, own);
        let value = if is_set { Value::Set(map) } else { Value::Map(map) };
        Ok(Item { is_entry, ..self.written(value, mark, height + 1, kind) })
    }

    fn no_key(&self, key: &Node, mark: Mark) -> YamlError {
        self.value_error(mark, format!("{} cannot be a key", key.kind()))
    }

    /// What `<<` brings in: a map, or a list of maps laid down from the last to the first.
    fn merge(&mut self, value: Item, mark: Mark, merged: &mut Vec<Pair>) -> Result<()> {
        let maps = match value.node.value {
            Value::Map(map) | Value::Set(map) => vec![map],
            Value::List(list) => {
                let mut maps = Vec::new();
                for node in list.into_iter().rev() {
                    match node.value {
                        Value::Map(map) | Value::Set(map) => maps.push(map),
                        _ => return Err(self.value_error(mark, "`<<` takes a map or a list of maps")),
                    }
                }
                maps
            }
            _ => return Err(self.value_error(mark, "`<<` takes a map or a list of maps")),
        };
        for (key, value) in maps.into_iter().flat_map(Map::into_entries) {
            if !key.is_scalar() {
                return Err(self.no_key(&key, mark));
            }
            merged.push((key, value));
        }
        Ok(())
    }

    /// Merged pairs first, then the map's own; a key keeps its first place and takes its last value.
    fn lay(&mut self, merged: Vec<Pair>, own: Vec<Pair>) -> Map {
        let has_duplicates = self.warn_of_duplicates(&own);
        if merged.is_empty() && !has_duplicates {
            return Map::from_distinct(own);
        }
        merged.into_iter().chain(own).collect()
    }

    /// Whether a key stands twice, which is told each time.
    fn warn_of_duplicates(&mut self, own: &[Pair]) -> bool {
        const COMPARED_KEYS_MAX: usize = 16;
        let before = self.warnings.len();
        let mut warn = |first: &Node, again: &Node| {
            let (Some(first), Some(position)) = (first.position.clone(), again.position.clone()) else {
                return;
            };
            let key = again.as_str().map_or_else(|| format!("{again:?}"), str::to_owned);
            let key = shorten(&key).into_owned();
            self.warnings.push(Warning { key, first, again: position });
        };
        if own.len() <= COMPARED_KEYS_MAX {
            for (n, (again, _)) in own.iter().enumerate() {
                let first = own.iter().take(n).find(|(key, _)| Key::is_same(key, again));
                first.into_iter().for_each(|(first, _)| warn(first, again));
            }
        } else {
            let mut seen: HashMap<Key<'_>, &Node> = HashMap::with_capacity(own.len());
            for (again, _) in own {
                let Some(id) = Key::of(again) else { continue };
                match seen.entry(id) {
                    Entry::Occupied(first) => warn(first.get(), again),
                    Entry::Vacant(place) => {
                        place.insert(again);
                    }
                }
            }
        }
        self.warnings.len() > before
    }

    /// What the item is where nothing merges it. A merge mark or `=` is no value.
    fn as_value(&self, item: Item) -> Result<Node> {
        let problem = match item.kind {
            Kind::Ordinary => return Ok(item.node),
            Kind::Set | Kind::ListOfSets => return Ok(without_values(item.node)),
            Kind::Pairs => return Ok(of_pairs(item.node)),
            Kind::Entry => "a list, map or set cannot be a key outside of `!!omap` and `!!pairs`",
            Kind::Merge => "a plain `<<` cannot be a value; put it in quotes",
            Kind::Equals => "a plain `=` cannot be a value; put it in quotes",
        };
        Err(YamlError {
            position: item.node.position.unwrap_or_else(|| self.at(Mark::default())),
            problem: YamlProblem::Value(problem.to_owned()),
        })
    }

    fn check_anchor(&self, anchor: Option<&str>, mark: Mark) -> Result<()> {
        match anchor {
            Some(anchor) if self.anchors.contains_key(anchor) || self.open.contains(&anchor) => {
                Err(self.composition(mark, format!("the anchor `&{}` stands twice", shorten(anchor))))
            }
            _ => Ok(()),
        }
    }

    /// Which of the names in `known` the tag is; the first without a tag.
    fn meant(&self, tag: Option<&str>, known: &[&'static str], mark: Mark) -> Result<&'static str> {
        let tag = tag.filter(|tag| *tag != "!");
        let name = tag.map(|tag| tag.strip_prefix(scalar::TAG_PREFIX));
        match known.iter().find(|known| name.is_none_or(|name| name == Some(**known))) {
            Some(known) => Ok(known),
            None => Err(self.value_error(mark, scalar::unknown_tag(tag.unwrap_or_default()))),
        }
    }

    fn count(&mut self, nodes: usize, mark: Mark) -> Result<()> {
        self.nodes = self.nodes.saturating_add(nodes);
        if self.nodes.saturating_add(self.kept) > NODES_MAX {
            return Err(self.too_large(mark, format!("the file comes to more than {NODES_MAX} values")));
        }
        Ok(())
    }

    fn at(&self, mark: Mark) -> Position {
        Position { file: self.file.clone(), line: mark.line + 1, column: mark.column + 1 }
    }

    fn composition(&self, mark: Mark, problem: impl Into<String>) -> YamlError {
        YamlError { position: self.at(mark), problem: YamlProblem::Composition(problem.into()) }
    }

    fn value_error(&self, mark: Mark, problem: impl Into<String>) -> YamlError {
        YamlError { position: self.at(mark), problem: YamlProblem::Value(problem.into()) }
    }

    fn too_large(&self, mark: Mark, problem: String) -> YamlError {
        YamlError { position: self.at(mark), problem: YamlProblem::TooLarge(problem) }
    }
}

/// A set without its values, or a list of such sets.
fn without_values(node: Node) -> Node {
    let value = match node.value {
        Value::Set(map) => {
            let entries = map.into_entries().map(|(key, _)| (key, Node::null()));
            Value::Set(Map::from_distinct(entries.collect()))
        }
        Value::List(list) => Value::List(list.into_iter().map(without_values).collect()),
        other => other,
    };
    Node { value, position: node.position }
}

/// A list of pairs out of one of maps with one entry each.
fn of_pairs(node: Node) -> Node {
    let pair = |node: Node| match node.value {
        Value::Map(map) | Value::Set(map) => {
            let items = map.into_entries().flat_map(|(key, value)| [key, value]);
            Node { value: Value::Tuple(items.collect()), position: node.position }
        }
        _ => node,
    };
    let value = match node.value {
        Value::List(list) => Value::List(list.into_iter().map(pair).collect()),
        other => other,
    };
    Node { value, position: node.position }
}
