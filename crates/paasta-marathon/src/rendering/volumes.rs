//! Volumes: the system's, then the instance's, one per pair of paths, in a stable order (marathon-and-bounce.md §1.10).

use std::cmp::Ordering;

use paasta_config::{Map, Node, RenderError, Wanted};

use super::pyjson::sorted_entries;
use super::pystr::{py_cmp, py_eq};
use super::{failure, items};

pub(crate) fn volumes(wanted: &Wanted) -> Result<Vec<&Node>, RenderError> {
    let Some(system) = wanted.system.get("volumes") else {
        return Err(failure("PaastaNotConfigured", None, "volumes: missing in the system configuration"));
    };
    let extra = match wanted.settings.get_set("extra_volumes") {
        Some(node) => items("extra_volumes", node)?,
        None => &[],
    };
    let mut kept: Vec<(String, Volume<'_>)> = Vec::new();
    for node in items("volumes", system)?.iter().chain(extra) {
        let volume = Volume::new(node)?;
        let key = volume.key()?;
        match kept.iter_mut().find(|(other, _)| *other == key) {
            Some((_, other)) => *other = volume,
            None => kept.push((key, volume)),
        }
    }
    let mut volumes: Vec<Volume<'_>> = kept.into_iter().map(|(_, volume)| volume).collect();
    let mut incomparable = None;
    volumes.sort_by(|a, b| {
        compare(&a.entries, &b.entries).unwrap_or_else(|| {
            incomparable = Some(b.node);
            Ordering::Equal
        })
    });
    match incomparable {
        None => Ok(volumes.into_iter().map(|volume| volume.node).collect()),
        Some(node) => {
            let message = "volumes: members of different kinds cannot be put in order";
            Err(failure("TypeError", Some(node), message))
        }
    }
}

struct Volume<'a> {
    node: &'a Node,
    map: &'a Map,
    /// Sorted by key.
    entries: Vec<(&'a Node, &'a Node)>,
}

impl<'a> Volume<'a> {
    fn new(node: &'a Node) -> Result<Self, RenderError> {
        let map = node.as_map().ok_or_else(|| {
            failure("TypeError", Some(node), format!("volumes: expected a map, found {}", node.kind()))
        })?;
        let entries = sorted_entries(map).ok_or_else(|| {
            failure("TypeError", Some(node), "volumes: keys of different kinds cannot be put in order")
        })?;
        Ok(Self { node, map, entries })
    }

    /// Both paths without their trailing slashes, one directly after the other. That two different pairs may come
    /// to the same text is part of the identity.
    fn key(&self) -> Result<String, RenderError> {
        let path = |key: &str| match self.map.get(key) {
            None => Err(failure("KeyError", Some(self.node), format!("volumes: `{key}` is missing"))),
            Some(node) => node.as_str().map(|path| path.trim_end_matches('/')).ok_or_else(|| {
                let message = format!("volumes: {key}: expected a string, found {}", node.kind());
                failure("AttributeError", Some(node), message)
            }),
        };
        Ok([path("containerPath")?, path("hostPath")?].concat())
    }
}

fn compare(a: &[(&Node, &Node)], b: &[(&Node, &Node)]) -> Option<Ordering> {
    for ((a_key, a_value), (b_key, b_value)) in a.iter().zip(b) {
        if !py_eq(a_key, b_key) {
            return py_cmp(a_key, b_key);
        }
        if !py_eq(a_value, b_value) {
            return py_cmp(a_value, b_value);
        }
    }
    Some(a.len().cmp(&b.len()))
}
