//! YAML of our own making.

use serde::Serialize;

use super::parse;
use crate::parse_json;

/// Why a document could not be written as YAML.
#[derive(Debug, thiserror::Error)]
pub enum WriteYamlError {
    /// It has no counterpart in JSON, such as a map whose keys are lists.
    #[error("could not write the document as plain data")]
    NotPlain(#[from] serde_json::Error),
    /// The writer refused it.
    #[error("could not write the document as YAML")]
    Refused(#[from] serde_yaml::Error),
}

/// Writes a document as YAML that reads as the same values by PyYAML's rules.
///
/// Text that YAML 1.1 would take for something else, such as `yes` or `1:30`, is not quoted by every writer; a document
/// that would read differently is written in JSON's notation, which is YAML too.
///
/// ```
/// let text = paasta_config::write_yaml(&serde_json::json!({"main": {"cmd": "./serve", "instances": 2}}))?;
/// assert_eq!(text, "main:\n  cmd: ./serve\n  instances: 2\n");
/// # Ok::<(), paasta_config::WriteYamlError>(())
/// ```
pub fn write(document: &impl Serialize) -> Result<String, WriteYamlError> {
    let json = as_yaml(&serde_json::to_string(document)?);
    // By way of its text: only there numbers are numbers to both.
    let plain: serde_yaml::Value = serde_yaml::from_str(&json)?;
    let yaml = serde_yaml::to_string(&plain)?;
    let meant = parse_json(json.as_bytes(), "");
    let read = parse(yaml.as_bytes(), "");
    let same = matches!((meant, read), (Ok(meant), Ok(read)) if meant == read.root);
    Ok(if same { yaml } else { format!("{json}\n") })
}

/// The same JSON as YAML takes it: characters that break a line there, or that it does not allow, are escaped.
fn as_yaml(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        match c {
            '\u{7F}'..='\u{9F}' | '\u{2028}' | '\u{2029}' | '\u{FEFF}' | '\u{FFFE}' | '\u{FFFF}' => {
                out.push_str(&format!("\\u{:04x}", u32::from(c)));
            }
            _ => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Text that needs JSON's notation (`yes`) beside characters that JSON writes as they are.
    #[test]
    fn what_breaks_a_line_in_yaml_is_escaped() {
        for odd in
            ["\u{85}", "\u{2028}", "\u{2029}", "\u{7F}", "\u{9F}", "\u{FEFF}", "\u{FFFF}", "\u{1F600}", "é"]
        {
            let document = serde_json::json!({"answer": "yes", "text": format!("a{odd}b")});
            let text = write(&document).unwrap();
            let meant = parse_json(document.to_string().as_bytes(), "").unwrap();
            assert_eq!(parse(text.as_bytes(), "").unwrap().root, meant, "{text}");
        }
    }
}
