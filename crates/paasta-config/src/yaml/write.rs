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
    let json = serde_json::to_string(document)?;
    // By way of its text: only there numbers are numbers to both.
    let plain: serde_yaml::Value = serde_yaml::from_str(&json)?;
    let yaml = serde_yaml::to_string(&plain)?;
    let meant = parse_json(json.as_bytes(), "");
    let read = parse(yaml.as_bytes(), "");
    let same = matches!((meant, read), (Ok(meant), Ok(read)) if meant == read.root);
    Ok(if same { yaml } else { format!("{json}\n") })
}
