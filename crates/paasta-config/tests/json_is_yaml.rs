//! JSON documents read the same by both of our readers.

use std::collections::BTreeMap;

use paasta_config::{parse_json, parse_yaml, write_yaml};
use proptest::prelude::*;

/// The text of a JSON document.
fn document() -> impl Strategy<Value = String> {
    let text = "[ -~é🍣]{0,12}".prop_map(|text| serde_json::Value::String(text).to_string());
    let leaf = prop_oneof![
        Just("null".to_owned()),
        any::<bool>().prop_map(|b| b.to_string()),
        any::<i64>().prop_map(|i| i.to_string()),
        (-1_000_000i32..1_000_000, 0u8..100).prop_map(|(whole, part)| format!("{whole}.{part}")),
        text.clone(),
    ];
    leaf.prop_recursive(5, 60, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(|items| format!("[{}]", items.join(", "))),
            prop::collection::btree_map(text.clone(), inner, 0..6).prop_map(object),
        ]
    })
}

fn object(map: BTreeMap<String, String>) -> String {
    let pairs: Vec<String> = map.into_iter().map(|(key, value)| format!("{key}: {value}")).collect();
    format!("{{{}}}", pairs.join(", "))
}

proptest! {
    #[test]
    fn both_readers_agree(text in document()) {
        let json = parse_json(text.as_bytes(), "f").map_err(|e| e.to_string());
        let yaml = parse_yaml(text.as_bytes(), "f").map(|parsed| parsed.root).map_err(|e| e.to_string());
        prop_assert_eq!(json, yaml);
    }

    #[test]
    fn any_text_is_read_or_refused(text in "[ -\\x7e\n\t&*:#|>!%'\"{}\\[\\],é-]{0,60}") {
        let _ = parse_yaml(text.as_bytes(), "f");
        let _ = parse_json(text.as_bytes(), "f");
    }

    #[test]
    fn what_we_write_reads_the_same(text in document()) {
        let document: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        let meant = parse_json(document.to_string().as_bytes(), "f").expect("JSON");
        let written = write_yaml(&document).expect("plain data");
        let read = parse_yaml(written.as_bytes(), "f").map(|parsed| parsed.root).map_err(|e| e.to_string());
        prop_assert_eq!(Ok(meant), read, "{}", written);
    }
}

/// Each is text to YAML 1.2, and something else to PyYAML.
#[test]
fn text_that_pyyaml_takes_for_something_else_stays_text() {
    for text in ["yes", "off", "1:30", "0o7", "017", "1_000", "2020-01-01", "=", "<<", "~", ".5", "1e3", ""] {
        let document = serde_json::json!({ "a": [text, 1, 1.0], text: "x" });
        let written = write_yaml(&document).expect("plain data");
        let read = parse_yaml(written.as_bytes(), "f").expect("YAML").root;
        assert_eq!(read, parse_json(document.to_string().as_bytes(), "f").expect("JSON"), "{written}");
    }
}
