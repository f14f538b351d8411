//! From what is wanted to what is sent: complete config, hash input, app id, wire body. Pure.
//!
//! Each file follows one section of marathon-and-bounce.md §1.

mod complete;
mod constraints;
mod container;
mod counts;
mod env;
mod hash;
mod health;
mod number;
mod pyfloat;
mod pyjson;
mod pystr;
mod render;
mod volumes;
mod wire;

use std::borrow::Cow;

use paasta_config::{Node, RenderError, Value};

pub use hash::{app_id, config_hash};
pub use render::{AppRendering, render_app};

/// An error of the original's class `class` about `node`.
pub(crate) fn failure(class: &'static str, node: Option<&Node>, message: impl Into<String>) -> RenderError {
    RenderError { class, message: message.into(), position: node.and_then(|node| node.position.clone()) }
}

/// The items of a list, or an error that says what stands there instead. An empty text, map or set has no items either.
pub(crate) fn items<'a>(key: &str, node: &'a Node) -> Result<&'a [Node], RenderError> {
    match &node.value {
        Value::List(items) | Value::Tuple(items) => Ok(items),
        Value::String(text) if text.is_empty() => Ok(&[]),
        Value::Map(map) | Value::Set(map) if map.is_empty() => Ok(&[]),
        _ => Err(failure("TypeError", Some(node), format!("{key}: expected a list, found {}", node.kind()))),
    }
}

/// Python's `str()` of a value under `key`.
pub(crate) fn text_of<'a>(key: &str, node: &'a Node) -> Result<Cow<'a, str>, RenderError> {
    pystr::py_str(node).map_err(|pystr::NoText(what)| {
        failure("InvalidInstanceConfig", Some(node), format!("{key}: {what} has no stable text"))
    })
}

/// A text as JSON, with its quotes.
pub(crate) fn json_text(text: &str) -> String {
    // A text alone always has a JSON form.
    pyjson::Json::text(text).write(pyjson::Floats::Any).unwrap_or_default()
}
