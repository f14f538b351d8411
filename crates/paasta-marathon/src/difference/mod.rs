//! What differs between two renderings, or between a rendering and what runs, field by field. Pure.

mod documents;
mod feeds;
mod live;

use paasta_config::FieldChange;
use serde_json::Value;

pub(crate) use feeds::feeds;
pub use live::{LiveApp, LiveDifference, compare_with_live};

/// What differs between two hash inputs; none where they are the same (marathon-and-bounce.md §1.12). What stands
/// behind the JSON is the field `force_bounce`.
///
/// ```
/// let changes = paasta_marathon::compare_hash_inputs(r#"{"mem": 1.0}"#, r#"{"mem": 2.0}20210101T000000"#);
/// assert_eq!(changes[0].field, "mem");
/// assert_eq!(changes[1].field, "force_bounce");
/// ```
pub fn compare_hash_inputs(old: &str, new: &str) -> Vec<FieldChange> {
    if old == new {
        return Vec::new();
    }
    let whole = |text: &str| (!text.is_empty()).then(|| Value::from(text).to_string());
    let unreadable = || vec![FieldChange { field: String::new(), old: whole(old), new: whole(new) }];
    let (Some((old_json, old_token)), Some((new_json, new_token))) = (split(old), split(new)) else {
        return unreadable();
    };
    let mut changes = documents::changes(&old_json, &new_json);
    if old_token != new_token {
        changes.push(FieldChange {
            field: "force_bounce".to_owned(),
            old: whole(old_token),
            new: whole(new_token),
        });
    }
    // Only spelling differs, as of a number that is written in another way.
    if changes.is_empty() { unreadable() } else { changes }
}

/// The JSON and what stands behind it. Nothing at all is an empty object.
fn split(text: &str) -> Option<(Value, &str)> {
    if text.is_empty() {
        return Some((Value::Object(Default::default()), ""));
    }
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<Value>();
    let value = values.next()?.ok()?;
    Some((value, text.get(values.byte_offset()..)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(old: &str, new: &str, expected: &[&str]) {
        let side = |value: &Option<String>| value.clone().unwrap_or_else(|| "-".to_owned());
        let said = |c: &FieldChange| format!("{} {} {}", c.field, side(&c.old), side(&c.new));
        let found: Vec<_> = compare_hash_inputs(old, new).iter().map(said).collect();
        assert_eq!(found, expected, "{old} {new}");
    }

    #[test]
    fn fields_are_named_by_their_path() {
        check("{}", "{}", &[]);
        check(r#"{"a": {"b": 1, "c": 2}}"#, r#"{"a": {"b": 1, "c": 3}}"#, &["a.c 2 3"]);
        check(r#"{"a": 4096}"#, r#"{"a": 4096.0}"#, &["a 4096 4096.0"]);
        check(r#"{"a": null}"#, "{}", &["a null -"]);
        check(r#"{"h": [{"p": 1}]}"#, r#"{"h": [{"p": 2}]}"#, &["h[0].p 1 2"]);
        check(r#"{"h": []}"#, r#"{"h": [{"p": 2, "q": 3}]}"#, &[r#"h[+] - {"p":2,"q":3}"#]);
        check("", r#"{"a": {"b": 1}, "c": []}"#, &["a.b - 1", "c - []"]);
        check("{}1", "{}2", &[r#"force_bounce "1" "2""#]);
        check("{}", "{}2", &[r#"force_bounce - "2""#]);
        check(r#"{"a": NaN}"#, "{}", &[r#" "{\"a\": NaN}" "{}""#]);
    }

    #[test]
    fn parameters_go_by_their_key_and_lists_by_what_they_hold() {
        let parameter = |key: &str, value: &str| format!(r#"{{"key": "{key}", "value": "{value}"}}"#);
        let list = |items: &[String]| format!(r#"{{"p": [{}]}}"#, items.join(", "));
        let (a, b) = (parameter("cpu", "1"), parameter("cpu", "2"));
        let (d, e) = (parameter("drop", "X"), parameter("drop", "Y"));
        check(&list(&[a.clone(), d.clone()]), &list(&[b, d.clone()]), &[r#"p[cpu] "1" "2""#]);
        check(
            &list(&[a.clone(), d.clone()]),
            &list(&[a.clone(), d.clone(), e.clone()]),
            &[r#"p[drop] - "Y""#],
        );
        check(&list(&[d.clone(), e.clone()]), &list(&[e, d]), &[r#"p[drop] ["X","Y"] ["Y","X"]"#]);
        check(&list(std::slice::from_ref(&a)), &list(&[]), &[r#"p[cpu] "1" -"#]);
        check(
            r#"{"c": [["a", "LIKE", "x"], ["pool", "LIKE", "p"]]}"#,
            r#"{"c": [["pool", "LIKE", "q"], ["a", "LIKE", "x"], ["h", "UNIQUE"]]}"#,
            &[r#"c[-] ["pool","LIKE","p"] -"#, r#"c[+] - ["pool","LIKE","q"]"#, r#"c[+] - ["h","UNIQUE"]"#],
        );
        check(r#"{"c": [1, 2]}"#, r#"{"c": [2, 1]}"#, &["c [1,2] [2,1]"]);
        check(
            r#"{"c": [["a"], ["b"]]}"#,
            r#"{"c": [["a"], ["c"]]}"#,
            &[r#"c[-] ["b"] -"#, r#"c[+] - ["c"]"#],
        );
    }
}
