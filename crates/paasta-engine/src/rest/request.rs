//! A request taken apart.

use axum::body::Body;
use axum::http::request::Parts;
use axum::http::{Method, Response, StatusCode, header};
use serde_json::{Map, Value};

use crate::rest::reply;
use crate::state::PathId;

/// The largest body taken, in bytes.
const BODY_BYTES_MAX: usize = 2 * 1024 * 1024;

/// Method, path without empty segments, query, headers and body.
pub(crate) struct Request {
    pub(crate) method: Method,
    pub(crate) path: Vec<String>,
    pub(crate) query: Vec<(String, String)>,
    pub(crate) parts: Parts,
    pub(crate) body: Vec<u8>,
}

impl Request {
    /// Reads the whole request. Doubled slashes in the path mean nothing.
    pub(crate) async fn read(request: axum::extract::Request) -> Result<Self, Response<Body>> {
        let (parts, body) = request.into_parts();
        let body = axum::body::to_bytes(body, BODY_BYTES_MAX)
            .await
            .map_err(|_| reply::message(StatusCode::PAYLOAD_TOO_LARGE, "The request's body is too large"))?;
        let segments = parts.uri.path().split('/').filter(|segment| !segment.is_empty());
        let path = segments.map(percent_decoded).collect::<Option<Vec<String>>>();
        let path = path.ok_or_else(|| reply::message(StatusCode::BAD_REQUEST, "The path is not UTF-8"))?;
        let query = axum::extract::Query::<Vec<(String, String)>>::try_from_uri(&parts.uri)
            .map_err(|_| reply::message(StatusCode::BAD_REQUEST, "The query cannot be read"))?
            .0;
        Ok(Self { method: parts.method.clone(), path, query, parts, body: body.to_vec() })
    }

    /// All values of a query parameter.
    pub(crate) fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.query.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The first value of a query parameter.
    pub(crate) fn value<'a>(&'a self, name: &'a str) -> Option<&'a str> {
        self.values(name).next()
    }

    /// Whether a query parameter is true, in any spelling of case.
    pub(crate) fn flag(&self, name: &str) -> bool {
        self.values(name).any(|value| value.eq_ignore_ascii_case("true"))
    }

    /// The body as a JSON object. The content type must say JSON, which no web form can.
    pub(crate) fn object(&self) -> Result<Map<String, Value>, Response<Body>> {
        let content_type = self.parts.headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok());
        let kind = content_type.and_then(|value| value.split(';').next()).unwrap_or_default().trim();
        if !kind.eq_ignore_ascii_case("application/json") {
            let text = "The content type must be application/json";
            return Err(reply::message(StatusCode::UNSUPPORTED_MEDIA_TYPE, text));
        }
        match serde_json::from_slice(&self.body) {
            Ok(Value::Object(object)) => Ok(object),
            Ok(_) => Err(invalid_json("the body is not an object")),
            Err(error) => Err(invalid_json(&error.to_string())),
        }
    }
}

fn invalid_json(details: &str) -> Response<Body> {
    let body = serde_json::json!({"message": "Invalid JSON", "details": details});
    reply::json_answer(StatusCode::BAD_REQUEST, &body)
}

/// The app id that some segments of the path spell.
pub(crate) fn app_id(segments: &[String]) -> Result<PathId, Response<Body>> {
    let text = segments.join("/");
    // An id that cannot be is the id of no app.
    PathId::parse(&text)
        .map_err(|_| reply::message(StatusCode::NOT_FOUND, &format!("App '/{text}' does not exist")))
}

fn percent_decoded(segment: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(segment.len());
    let mut rest = segment.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        let hex = tail.get(..2).filter(|_| *first == b'%').and_then(|hex| std::str::from_utf8(hex).ok());
        match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = tail.get(2..).unwrap_or_default();
            }
            None => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decoding() {
        assert_eq!(percent_decoded("a%2Fb").as_deref(), Some("a/b"));
        assert_eq!(percent_decoded("100%").as_deref(), Some("100%"));
        assert_eq!(percent_decoded("%zz").as_deref(), Some("%zz"));
        assert_eq!(percent_decoded("%ff"), None);
    }
}
