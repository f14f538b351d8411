//! Two JSON documents compared by what they hold: members by name, named parameters by their key, other lists by
//! their items.

use paasta_config::FieldChange;
use serde_json::{Map, Value};

/// What differs, in the order of members.
pub(crate) fn changes(old: &Value, new: &Value) -> Vec<FieldChange> {
    let mut changes = Vec::new();
    compare("", Some(old), Some(new), &mut changes);
    changes
}

fn compare(path: &str, old: Option<&Value>, new: Option<&Value>, changes: &mut Vec<FieldChange>) {
    match (old, new) {
        (None, None) => {}
        (Some(old), Some(new)) if old == new => {}
        (Some(Value::Object(old)), Some(Value::Object(new))) => objects(path, old, new, changes),
        (Some(Value::Object(old)), None) if !old.is_empty() => objects(path, old, &Map::new(), changes),
        (None, Some(Value::Object(new))) if !new.is_empty() => objects(path, &Map::new(), new, changes),
        (Some(Value::Array(old)), Some(Value::Array(new))) => arrays(path, old, new, changes),
        (None, Some(Value::Array(new))) if !new.is_empty() && are_named(new) => {
            arrays(path, &[], new, changes)
        }
        (Some(Value::Array(old)), None) if !old.is_empty() && are_named(old) => {
            arrays(path, old, &[], changes)
        }
        (old, new) => changes.push(change(path, old, new)),
    }
}

fn change(path: &str, old: Option<&Value>, new: Option<&Value>) -> FieldChange {
    let text = |value: &Value| value.to_string();
    FieldChange { field: path.to_owned(), old: old.map(text), new: new.map(text) }
}

fn objects(path: &str, old: &Map<String, Value>, new: &Map<String, Value>, changes: &mut Vec<FieldChange>) {
    let mut names: Vec<&String> =
        old.keys().chain(new.keys().filter(|name| !old.contains_key(*name))).collect();
    names.sort();
    for name in names {
        let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        compare(&path, old.get(name), new.get(name), changes);
    }
}

fn arrays(path: &str, old: &[Value], new: &[Value], changes: &mut Vec<FieldChange>) {
    if are_named(old) && are_named(new) && !(old.is_empty() && new.is_empty()) {
        return parameters(path, old, new, changes);
    }
    let are_objects = |items: &[Value]| items.iter().all(Value::is_object);
    if old.len() == new.len() && are_objects(old) && are_objects(new) {
        for (index, (old, new)) in old.iter().zip(new).enumerate() {
            compare(&format!("{path}[{index}]"), Some(old), Some(new), changes);
        }
        return;
    }
    let (gone, come) = (without(old, new), without(new, old));
    if gone.is_empty() && come.is_empty() {
        return changes.push(whole(path, old, new));
    }
    changes.extend(gone.into_iter().map(|item| change(&format!("{path}[-]"), Some(item), None)));
    changes.extend(come.into_iter().map(|item| change(&format!("{path}[+]"), None, Some(item))));
}

fn whole(path: &str, old: &[Value], new: &[Value]) -> FieldChange {
    change(path, Some(&Value::Array(old.to_vec())), Some(&Value::Array(new.to_vec())))
}

/// The items of `items` that `others` has fewer of.
fn without<'a>(items: &'a [Value], others: &[Value]) -> Vec<&'a Value> {
    let mut others: Vec<&Value> = others.iter().collect();
    let mut left = Vec::new();
    for item in items {
        match others.iter().position(|other| *other == item) {
            Some(place) => drop(others.swap_remove(place)),
            None => left.push(item),
        }
    }
    left
}

/// Whether these are all `{"key": …, "value": …}`.
fn are_named(items: &[Value]) -> bool {
    items.iter().all(|item| key(item).is_some())
}

fn key(item: &Value) -> Option<&str> {
    item.as_object().filter(|object| object.len() <= 2)?.get("key")?.as_str()
}

fn parameters(path: &str, old: &[Value], new: &[Value], changes: &mut Vec<FieldChange>) {
    let mut keys: Vec<&str> = Vec::new();
    for key in old.iter().chain(new).filter_map(key) {
        if !keys.contains(&key) {
            keys.push(key);
        }
    }
    let before = changes.len();
    for one in keys {
        let values = |items: &[Value]| -> Vec<Value> {
            let same = items.iter().filter(|item| key(item) == Some(one));
            same.map(|item| item.get("value").cloned().unwrap_or(Value::Null)).collect()
        };
        let path = format!("{path}[{one}]");
        match (&values(old)[..], &values(new)[..]) {
            (old, new) if old == new => {}
            ([], [new]) => changes.push(change(&path, None, Some(new))),
            ([old], []) => changes.push(change(&path, Some(old), None)),
            ([old], [new]) => changes.push(change(&path, Some(old), Some(new))),
            (old, new) => several(&path, old, new, changes),
        }
    }
    if changes.len() == before {
        changes.push(whole(path, old, new));
    }
}

/// The values of a key that stands there more than once.
fn several(path: &str, old: &[Value], new: &[Value], changes: &mut Vec<FieldChange>) {
    let (gone, come) = (without(old, new), without(new, old));
    if gone.is_empty() && come.is_empty() {
        return changes.push(whole(path, old, new));
    }
    changes.extend(gone.into_iter().map(|value| change(path, Some(value), None)));
    changes.extend(come.into_iter().map(|value| change(path, None, Some(value))));
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            (0..3i64).prop_map(Value::from),
            "[ab]{0,2}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 4, |inner| {
            let parameter =
                ("[ab]", "[xy]").prop_map(|(key, value)| serde_json::json!({"key": key, "value": value}));
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::vec(parameter, 0..4).prop_map(Value::from),
                prop::collection::btree_map("[a-d]", inner, 0..4)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        /// No difference is overlooked, and none is made up.
        #[test]
        fn only_equal_documents_do_not_differ(a in any_json(), b in any_json()) {
            prop_assert_eq!(changes(&a, &b).is_empty(), a == b);
            prop_assert!(changes(&a, &a).is_empty());
        }

        /// The way back names the same fields.
        #[test]
        fn there_and_back_are_the_same_fields(a in any_json(), b in any_json()) {
            let mut there: Vec<_> =
                changes(&a, &b).into_iter().map(|c| (c.field.replace("[+]", "[-]"), c.old, c.new)).collect();
            let mut back: Vec<_> =
                changes(&b, &a).into_iter().map(|c| (c.field.replace("[+]", "[-]"), c.new, c.old)).collect();
            there.sort();
            back.sort();
            prop_assert_eq!(there, back);
        }
    }
}
