//! Reads a method's parameters from the settings, each with where it was written.

use paasta_config::{Map, Node, Position, Value};

use crate::DrainConfigError;

/// The map of one level, and the path that led to it.
pub(crate) struct Params<'a> {
    map: &'a Map,
    path: String,
    position: Option<Position>,
}

impl<'a> Params<'a> {
    /// The whole of `drain_method_params`.
    pub(crate) fn new(map: &'a Map) -> Self {
        Self { map, path: String::new(), position: None }
    }

    /// A number of seconds as Python's `float()` takes it, not negative; `default` where the key is absent.
    pub(crate) fn seconds(&self, key: &str, default: f64) -> Result<f64, DrainConfigError> {
        const EXPECTED: &str = "a number of seconds, not negative";
        let Some(node) = self.map.get(key) else { return Ok(default) };
        let seconds = match &node.value {
            Value::Int(int) => Some(*int as f64),
            Value::Float(float) => Some(*float),
            Value::Bool(bool) => Some(f64::from(u8::from(*bool))),
            Value::String(text) => text.trim().parse().ok(),
            _ => None,
        };
        let valid = seconds.filter(|seconds: &f64| seconds.is_finite() && *seconds >= 0.0);
        valid.ok_or_else(|| self.wrong(key, node, EXPECTED))
    }

    /// A port, as a number or in digits; `default` where the key is absent.
    pub(crate) fn port(&self, key: &str, default: u16) -> Result<u16, DrainConfigError> {
        let Some(node) = self.map.get(key) else { return Ok(default) };
        let port = match &node.value {
            Value::Int(int) => u16::try_from(*int).ok(),
            Value::String(text) => text.parse().ok(),
            _ => None,
        };
        port.filter(|port| *port != 0).ok_or_else(|| self.wrong(key, node, "a port from 1 to 65535"))
    }

    /// A value that has to be there.
    pub(crate) fn required(&self, key: &str, expected: &str) -> Result<&'a Node, DrainConfigError> {
        self.map.get(key).ok_or_else(|| DrainConfigError::Param {
            position: self.position.clone(),
            key: format!("{}.{key}", self.path),
            found: "missing".to_owned(),
            expected: expected.to_owned(),
        })
    }

    /// A text that has to be there.
    pub(crate) fn text(&self, key: &str) -> Result<&'a str, DrainConfigError> {
        let node = self.required(key, "a string")?;
        node.as_str().ok_or_else(|| self.wrong(key, node, "a string"))
    }

    /// A text, or `default` where the key is absent.
    pub(crate) fn text_or(&self, key: &str, default: &'a str) -> Result<&'a str, DrainConfigError> {
        if self.map.get(key).is_none() { Ok(default) } else { self.text(key) }
    }

    /// A map that has to be there.
    pub(crate) fn map(&self, key: &str) -> Result<Params<'a>, DrainConfigError> {
        let node = self.required(key, "a map")?;
        let map = node.as_map().ok_or_else(|| self.wrong(key, node, "a map"))?;
        Ok(Params { map, path: format!("{}.{key}", self.path), position: node.position.clone() })
    }

    /// Refuses any key that is not one of `known`.
    pub(crate) fn only(&self, known: &[&str]) -> Result<(), DrainConfigError> {
        let unknown = self.map.iter().find(|(key, _)| !key.as_str().is_some_and(|key| known.contains(&key)));
        let Some((key, _)) = unknown else { return Ok(()) };
        Err(DrainConfigError::Param {
            position: key.position.clone(),
            key: self.path.clone(),
            found: format!("unknown key {key:?}"),
            expected: format!("only {}", known.join(", ")),
        })
    }

    /// The error of a value that is there and wrong.
    pub(crate) fn wrong(&self, key: &str, node: &Node, expected: &str) -> DrainConfigError {
        DrainConfigError::Param {
            position: node.position.clone(),
            key: format!("{}.{key}", self.path),
            found: format!("{} {node:?}", node.kind()),
            expected: expected.to_owned(),
        }
    }
}
