//! Laying one map over another.

use crate::{Map, Node, Value};

/// Lays `upper` over `lower` (config.md §1.6): maps merge, anything else of the upper layer replaces. Keys of the lower
/// layer come first, in their order, then the new ones of the upper.
pub(crate) fn lay(lower: &mut Map, upper: &Map) {
    for (key, value) in upper.iter() {
        match (lower.get_mut(key), &value.value) {
            (Some(Node { value: Value::Map(below), .. }), Value::Map(above)) => lay(below, above),
            _ => lower.insert(key.clone(), value.clone()),
        }
    }
}

/// A key that two files give, and of which at least one is not a map.
pub(crate) struct Twice {
    pub(crate) path: String,
    pub(crate) first: Node,
    pub(crate) second: Node,
}

/// Joins maps that may not repeat each other (config.md §3.1).
pub(crate) fn join(into: &mut Map, other: &Map, path: &str) -> Result<(), Box<Twice>> {
    for (key, value) in other.iter() {
        let name = key.as_str().unwrap_or_default();
        let path = if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
        match into.get_mut(key) {
            None => into.insert(key.clone(), value.clone()),
            Some(present) => match (&mut present.value, &value.value) {
                (Value::Map(below), Value::Map(above)) => join(below, above, &path)?,
                _ => return Err(Box::new(Twice { path, first: present.clone(), second: value.clone() })),
            },
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(json: &str) -> Map {
        let node = crate::parse_json(json.as_bytes(), "f").unwrap();
        node.as_map().unwrap().clone()
    }

    #[test]
    fn what_is_laid_over_keeps_the_order_of_the_lower_layer() {
        let mut merged = map(r#"{"a": 0, "b": {"a": [2, 3], "c": 1}, "n": {"x": 1}}"#);
        lay(&mut merged, &map(r#"{"b": {"z": 1, "a": [1]}, "n": null, "new": 1}"#));
        assert_eq!(
            format!("{merged:?}"),
            r#"{"a": 0, "b": {"a": [1], "c": 1, "z": 1}, "n": Null, "new": 1}"#.replace("Null", "null")
        );
    }

    #[test]
    fn a_join_forbids_to_say_a_thing_twice() {
        let check = |a: &str, b: &str| {
            let mut joined = map(a);
            join(&mut joined, &map(b), "").map_or_else(|twice| twice.path, |()| format!("{joined:?}"))
        };
        assert_eq!(check(r#"{"x": {"y": 1}}"#, r#"{"x": {"z": 2}}"#), r#"{"x": {"y": 1, "z": 2}}"#);
        assert_eq!(check(r#"{"x": {"y": 1}}"#, r#"{"x": {}}"#), r#"{"x": {"y": 1}}"#);
        assert_eq!(check(r#"{"x": {"y": 1}}"#, r#"{"x": {"y": 1}}"#), "x.y");
        assert_eq!(check(r#"{"x": {"y": 1}}"#, r#"{"x": null}"#), "x");
        assert_eq!(check(r#"{"q": [1]}"#, r#"{"q": [2]}"#), "q");
    }
}
