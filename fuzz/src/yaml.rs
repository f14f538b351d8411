//! Bytes as YAML.

use paasta_config::{Node, Value, parse_json, parse_yaml};

/// Any bytes are read or refused with a place, the same each time; what is read has places, too, and survives a file
/// written by ourselves.
pub fn yaml(data: &[u8]) {
    let parsed = match parse_yaml(data, "f.yaml") {
        Err(error) => {
            assert!(error.position.line >= 1 && error.position.column >= 1, "{error}");
            assert!(!error.to_string().contains('\n'), "{error}");
            return;
        }
        Ok(parsed) => parsed,
    };
    let again = parse_yaml(data, "f.yaml").expect("read once, so read again");
    // As text, because not-a-number is unlike itself.
    assert_eq!(format!("{:?}", parsed.root), format!("{:?}", again.root));
    assert_eq!(parsed.warnings, again.warnings);
    // What is left out at the very end stands in a line of its own. The last two end a line in UTF-16.
    let ends = |byte: &&u8| matches!(byte, b'\n' | b'\r' | 0x85 | 0xa8 | 0xa9 | 0x28 | 0x29);
    let lines = 2 + data.iter().filter(ends).count();
    check(&parsed.root, lines);
    round_trip(&parsed.root);
}

fn check(node: &Node, lines: usize) {
    if let Some(position) = &node.position {
        assert!(position.line >= 1 && position.line as usize <= lines, "{position} of {lines} lines");
        assert!(position.column >= 1, "{position}");
    }
    match &node.value {
        Value::List(list) | Value::Tuple(list) => list.iter().for_each(|item| check(item, lines)),
        Value::Map(map) | Value::Set(map) => {
            for (key, value) in map.iter() {
                assert!(key.is_scalar(), "a key that is no scalar");
                if let Some(text) = key.as_str() {
                    assert!(map.get(text).is_some(), "a key that cannot be found");
                }
                check(key, lines);
                check(value, lines);
            }
        }
        _ => {}
    }
}

/// What has a counterpart in JSON is the same after it was written as YAML.
fn round_trip(node: &Node) {
    let Some(json) = as_json(node) else { return };
    let Ok(text) = paasta_config::write_yaml(&json) else { return };
    let read = parse_yaml(text.as_bytes(), "ours.yaml").expect("what we write can be read");
    let meant = parse_json(json.to_string().as_bytes(), "ours.json").expect("JSON is JSON");
    assert_eq!(read.root, meant, "{text}");
}

fn as_json(node: &Node) -> Option<serde_json::Value> {
    use serde_json::Value as Json;
    Some(match &node.value {
        Value::Null => Json::Null,
        Value::Bool(b) => Json::Bool(*b),
        Value::Int(i) => Json::from(*i),
        Value::String(text) => Json::from(text.as_str()),
        Value::List(list) => Json::Array(list.iter().map(as_json).collect::<Option<_>>()?),
        Value::Map(map) => Json::Object(
            map.iter()
                .map(|(key, value)| Some((key.as_str()?.to_owned(), as_json(value)?)))
                .collect::<Option<_>>()?,
        ),
        Value::Float(_) | Value::BigInt(_) | Value::Date(_) | Value::Bytes(_) => return None,
        Value::Set(_) | Value::Tuple(_) => return None,
    })
}
