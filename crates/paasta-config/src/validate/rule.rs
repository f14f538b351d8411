//! The language in which the tables say what a value may be.

use std::collections::HashSet;

use crate::setting::number as as_number;
use crate::{Map, Node, Value};

/// What a value may be. Booleans are no numbers here, and `1.0` is no integer (config.md §8.2).
#[derive(Clone, Copy, Debug)]
pub(super) enum Rule {
    /// Whatever it is.
    Any,
    Null,
    Text,
    Bool,
    Number(Bounds),
    Integer(Bounds),
    /// One of these texts.
    Words(&'static [&'static str]),
    /// A text of this form.
    Form(&'static Form),
    List {
        of: &'static Rule,
        /// No two elements are equal, as Python compares.
        unique: bool,
    },
    Map(&'static Members),
    /// At least one of these.
    Either(&'static [Rule]),
}

/// From where to where; both ends open if they are none.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    pub(super) above: Option<f64>,
    pub(super) least: Option<f64>,
    pub(super) most: Option<f64>,
}

/// A text's form: as an expression for editors, and as code.
#[derive(Debug)]
pub(super) struct Form {
    /// With its article: `a duration such as "5 min"`.
    pub(super) noun: &'static str,
    /// Anchored at both ends.
    pub(super) pattern: &'static str,
    pub(super) fits: fn(&str) -> bool,
}

/// What a map may hold.
#[derive(Debug)]
pub(super) struct Members {
    /// Sorted by name.
    pub(super) keys: &'static [Key],
    pub(super) others: Others,
    pub(super) choices: &'static [Choice],
}

/// Keys that are not in the list.
#[derive(Clone, Copy, Debug)]
pub(super) enum Others {
    Free,
    Refused,
    /// Any name with such a value.
    Each(&'static Rule),
    /// Names of that form with such a value.
    Named(&'static Form, &'static Rule),
}

/// One key.
#[derive(Clone, Copy, Debug)]
pub(super) struct Key {
    pub(super) name: &'static str,
    pub(super) rule: Rule,
    pub(super) required: bool,
    /// What it is for, as a sentence.
    pub(super) about: &'static str,
}

/// Exactly one of two sets of keys must fit (config.md §8.3).
#[derive(Debug)]
pub(super) struct Choice {
    /// The keys it is about, the one to blame first.
    pub(super) keys: &'static [&'static str],
    pub(super) alternatives: [Alternative; 2],
    /// Said where none of the two fits.
    pub(super) none: &'static str,
    pub(super) none_hint: &'static str,
    /// Said where both do.
    pub(super) both: &'static str,
    pub(super) both_hint: &'static str,
}

/// Keys that must fit where they are given.
#[derive(Debug)]
pub(super) struct Alternative {
    pub(super) required: &'static [&'static str],
    pub(super) keys: &'static [(&'static str, Rule)],
}

/// Something that does not fit.
#[derive(Debug)]
pub(super) struct Misfit<'a> {
    /// What to blame; its key where it has no place of its own.
    pub(super) node: &'a Node,
    /// The way to it, such as `main.env.PORT`.
    pub(super) path: String,
    pub(super) what: What<'a>,
}

/// What is wrong about a [`Misfit`].
#[derive(Debug)]
pub(super) enum What<'a> {
    /// The value is not what the rule wants.
    Value(&'a Rule),
    /// No such key; these are the ones there are.
    Unknown(Vec<&'static str>),
    /// The key has not that form.
    Name(&'static Form),
    /// The map lacks this key.
    Missing(&'static Key),
    /// The element equals an earlier one.
    Again,
    /// None or both of the alternatives fit.
    Choice { message: &'static str, hint: &'static str },
}

pub(super) const NUMBER: Rule = Rule::Number(Bounds::NONE);
pub(super) const INTEGER: Rule = Rule::Integer(Bounds::NONE);
pub(super) const COUNT: Rule = Rule::Integer(Bounds { least: Some(0.0), ..Bounds::NONE });
pub(super) const FREE_MAP: Rule = Rule::Map(&Members { keys: &[], others: Others::Free, choices: &[] });
pub(super) const TEXTS: Rule = Rule::List { of: &Rule::Text, unique: false };
pub(super) const UNIQUE_TEXTS: Rule = Rule::List { of: &Rule::Text, unique: true };
pub(super) const FREE_LIST: Rule = Rule::List { of: &Rule::Any, unique: false };
pub(super) const UNIQUE_LISTS: Rule = Rule::List { of: &FREE_LIST, unique: true };
pub(super) const UNIQUE_MAPS: Rule = Rule::List { of: &FREE_MAP, unique: true };
pub(super) const TEXT_MAP: Rule =
    Rule::Map(&Members { keys: &[], others: Others::Each(&Rule::Text), choices: &[] });

impl Bounds {
    pub(super) const NONE: Self = Self { above: None, least: None, most: None };

    pub(super) const fn above(min: f64) -> Self {
        Self { above: Some(min), least: None, most: None }
    }

    pub(super) const fn between(least: f64, most: f64) -> Self {
        Self { above: None, least: Some(least), most: Some(most) }
    }

    fn hold(&self, n: f64) -> bool {
        self.above.is_none_or(|min| n > min)
            && self.least.is_none_or(|min| n >= min)
            && self.most.is_none_or(|max| n <= max)
    }

    /// `a number` with what bounds it.
    fn phrase(&self, noun: &str) -> String {
        match (self.above, self.least, self.most) {
            (None, None, None) => noun.to_owned(),
            (Some(above), _, None) => format!("{noun} above {above}"),
            (Some(above), _, Some(most)) => format!("{noun} above {above} and at most {most}"),
            (None, Some(least), None) => format!("{noun} of at least {least}"),
            (None, Some(least), Some(most)) => format!("{noun} from {least} to {most}"),
            (None, None, Some(most)) => format!("{noun} of at most {most}"),
        }
    }
}

impl Rule {
    /// What it wants, with its article.
    pub(super) fn phrase(&self) -> String {
        match self {
            Self::Any => "anything".to_owned(),
            Self::Null => "null".to_owned(),
            Self::Text => "a string".to_owned(),
            Self::Bool => "a boolean (`true` or `false`)".to_owned(),
            Self::Number(bounds) => bounds.phrase("a number"),
            Self::Integer(bounds) => bounds.phrase("an integer"),
            Self::Words([word]) => format!("`{word}`"),
            Self::Words(words) => format!("one of `{}`", words.join("`, `")),
            Self::Form(form) => form.noun.to_owned(),
            Self::List { of: Self::Any, .. } => "a list".to_owned(),
            Self::List { of, .. } => format!("a list of {}", of.plural()),
            Self::Map(Members { others: Others::Each(of) | Others::Named(_, of), keys: [], .. }) => {
                format!("a map of {}", of.plural())
            }
            Self::Map(_) => "a map".to_owned(),
            Self::Either(rules) => rules.iter().map(Self::phrase).collect::<Vec<_>>().join(" or "),
        }
    }

    fn plural(&self) -> &'static str {
        match self {
            Self::Text | Self::Words(_) | Self::Form(_) => "strings",
            Self::Number(_) => "numbers",
            Self::Integer(_) => "integers",
            Self::Bool => "booleans",
            Self::List { .. } => "lists",
            Self::Map(_) => "maps",
            Self::Any | Self::Null | Self::Either(_) => "values",
        }
    }

    /// Everything in `node` that does not fit; `path` leads to it.
    pub(super) fn check<'a>(&'a self, node: &'a Node, path: &str, misfits: &mut Vec<Misfit<'a>>) {
        match self {
            Self::List { of, unique } => {
                if let Value::List(list) = &node.value {
                    check_list(of, *unique, list, path, misfits);
                    return;
                }
            }
            Self::Map(members) => {
                if let Some(map) = node.as_map() {
                    members.check(node, map, path, misfits);
                    return;
                }
            }
            Self::Either(rules) => {
                // The alternative of the same shape has the better story.
                if !rules.iter().any(|rule| rule.fits(node))
                    && let Some(rule) = rules.iter().find(|rule| rule.takes(node))
                {
                    rule.check(node, path, misfits);
                    return;
                }
            }
            _ => {}
        }
        if !self.fits(node) {
            misfits.push(Misfit { node, path: path.to_owned(), what: What::Value(self) });
        }
    }

    /// Whether the value is of the shape, if not of the content.
    fn takes(&self, node: &Node) -> bool {
        match self {
            Self::List { .. } => matches!(node.value, Value::List(_)),
            Self::Map(_) => node.as_map().is_some(),
            _ => false,
        }
    }

    /// Whether all of `node` fits.
    pub(super) fn fits(&self, node: &Node) -> bool {
        match self {
            Self::Any => true,
            Self::Null => node.is_null(),
            Self::Text => node.as_str().is_some(),
            Self::Bool => matches!(node.value, Value::Bool(_)),
            Self::Number(bounds) => number(node).is_some_and(|n| bounds.hold(n)),
            Self::Integer(bounds) => {
                matches!(node.value, Value::Int(_) | Value::BigInt(_))
                    && number(node).is_some_and(|n| bounds.hold(n))
            }
            Self::Words(words) => node.as_str().is_some_and(|text| words.contains(&text)),
            Self::Form(form) => node.as_str().is_some_and(form.fits),
            Self::List { .. } | Self::Map(_) => {
                let mut misfits = Vec::new();
                self.takes(node) && {
                    self.check(node, "", &mut misfits);
                    misfits.is_empty()
                }
            }
            Self::Either(rules) => rules.iter().any(|rule| rule.fits(node)),
        }
    }
}

fn check_list<'a>(of: &'a Rule, unique: bool, list: &'a [Node], path: &str, misfits: &mut Vec<Misfit<'a>>) {
    let mut seen = HashSet::new();
    for (index, item) in list.iter().enumerate() {
        let path = format!("{path}[{index}]");
        of.check(item, &path, misfits);
        // Only at the top are booleans told from numbers (config.md §8.2).
        let is_bool = matches!(item.value, Value::Bool(_));
        if unique && canonical(item).is_some_and(|text| !seen.insert((is_bool, text))) {
            misfits.push(Misfit { node: item, path, what: What::Again });
        }
    }
}

impl Members {
    fn check<'a>(&'a self, node: &'a Node, map: &'a Map, path: &str, misfits: &mut Vec<Misfit<'a>>) {
        for (key, value) in map.iter() {
            self.check_entry(key, value, path, misfits);
        }
        for key in self.keys.iter().filter(|key| key.required && map.get(key.name).is_none()) {
            misfits.push(Misfit { node, path: path.to_owned(), what: What::Missing(key) });
        }
        for choice in self.choices {
            choice.check(node, map, path, misfits);
        }
    }

    fn check_entry<'a>(&'a self, key: &'a Node, value: &'a Node, path: &str, misfits: &mut Vec<Misfit<'a>>) {
        let name = key.as_str();
        let path = below(path, key);
        if let Some(known) = name.and_then(|name| self.key(name)) {
            known.rule.check(value, &path, misfits);
            return;
        }
        match self.others {
            Others::Free => {}
            Others::Each(rule) => rule.check(value, &path, misfits),
            Others::Named(form, rule) if name.is_some_and(form.fits) => {
                rule.check(value, &path, misfits);
            }
            Others::Named(form, _) => misfits.push(Misfit { node: key, path, what: What::Name(form) }),
            Others::Refused => {
                let known = self.keys.iter().map(|key| key.name).collect();
                misfits.push(Misfit { node: key, path, what: What::Unknown(known) });
            }
        }
    }

    pub(super) fn key(&self, name: &str) -> Option<&'static Key> {
        let place = self.keys.binary_search_by(|key| key.name.cmp(name)).ok()?;
        self.keys.get(place)
    }
}

impl Choice {
    fn check<'a>(&'a self, node: &'a Node, map: &'a Map, path: &str, misfits: &mut Vec<Misfit<'a>>) {
        let [first, second] =
            [0, 1].map(|n: usize| self.alternatives.get(n).is_some_and(|one| one.fits(map)));
        if first != second {
            return;
        }
        let (message, hint) = match first {
            true => (self.both, self.both_hint),
            false => (self.none, self.none_hint),
        };
        // A key that is wrong by itself has been told already, and may be the reason.
        let told = |misfit: &Misfit<'_>| self.keys.iter().any(|key| misfit.path == format!("{path}.{key}"));
        if !misfits.iter().any(told) {
            let blamed = self.keys.iter().find_map(|key| map.get(key)).unwrap_or(node);
            misfits.push(Misfit {
                node: blamed,
                path: path.to_owned(),
                what: What::Choice { message, hint },
            });
        }
    }
}

impl Alternative {
    fn fits(&self, map: &Map) -> bool {
        self.required.iter().all(|key| map.get(key).is_some())
            && self.keys.iter().all(|(key, rule)| map.get(key).is_none_or(|node| rule.fits(node)))
    }
}

/// The path of a key below `path`.
pub(super) fn below(path: &str, key: &Node) -> String {
    let name = key.as_str().map_or_else(|| format!("{key:?}"), str::to_owned);
    if path.is_empty() { name } else { format!("{path}.{name}") }
}

fn number(node: &Node) -> Option<f64> {
    as_number(node).filter(|_| !matches!(node.value, Value::Bool(_)))
}

/// The same text for values that Python takes for equal: `1`, `1.0` and `true` are, and the order of keys does not count.
/// `None` for what equals nothing.
fn canonical(node: &Node) -> Option<String> {
    Some(match &node.value {
        Value::List(list) => {
            let items: Option<Vec<String>> = list.iter().map(canonical).collect();
            format!("[{}]", items?.join(","))
        }
        Value::Map(map) => {
            let entry =
                |(key, value): (&Node, &Node)| Some(format!("{}:{}", canonical(key)?, canonical(value)?));
            let mut entries: Vec<String> = map.iter().map(entry).collect::<Option<_>>()?;
            entries.sort();
            format!("{{{}}}", entries.join(","))
        }
        Value::Tuple(items) => {
            let items: Option<Vec<String>> = items.iter().map(canonical).collect();
            format!("({})", items?.join(","))
        }
        Value::Set(set) => {
            let mut members: Vec<String> =
                set.iter().map(|(member, _)| canonical(member)).collect::<Option<_>>()?;
            members.sort();
            format!("{{{}}}", members.join(","))
        }
        Value::Bool(b) => i64::from(*b).to_string(),
        Value::Float(f) if f.is_nan() => return None,
        Value::Float(f) if f.fract() == 0.0 && f.abs() < 9e15 => (*f as i64).to_string(),
        _ => format!("{node:?}"),
    })
}
