//! URLs with places for names, as the system configuration writes them.

use std::fmt::Write as _;

/// What a place in a URL stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// `{host}`: who is asked.
    Host,
    /// `{port}`: at which port.
    Port,
    /// `{scope}`: the one registration that is asked for, or nothing.
    Scope,
    /// `{endpoint}`: what of Envoy's administration is asked.
    Endpoint,
}

const FIELDS: [(&str, Field); 4] =
    [("host", Field::Host), ("port", Field::Port), ("scope", Field::Scope), ("endpoint", Field::Endpoint)];

/// A URL such as `http://{host:s}:{port:d}/;csv;norefresh;scope={scope:s}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UrlFormat {
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Field(Field),
}

/// Why a text is no format of a URL.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("could not use the URL format `{format}`: {reason}")]
pub struct FormatError {
    /// The text as given.
    pub format: String,
    /// What is wrong with it.
    pub reason: String,
}

/// What is put into the places.
#[derive(Clone, Copy, Debug)]
pub struct UrlValues<'a> {
    /// Who is asked.
    pub host: &'a str,
    /// At which port.
    pub port: u16,
    /// The registration, or an empty text for all.
    pub scope: &'a str,
    /// What of Envoy's administration is asked.
    pub endpoint: &'a str,
}

impl UrlFormat {
    /// Takes `{name}`, `{name:s}`, `{name:d}`, and `{{` and `}}` for braces; `allowed` are the names that mean something
    /// here. Without `{host}` one load balancer speaks for every host.
    ///
    /// ```
    /// use paasta_smartstack::{Field, UrlFormat, UrlValues};
    ///
    /// let format = UrlFormat::parse("http://{host:s}:{port:d}/;csv;scope={scope}", &[Field::Host, Field::Port, Field::Scope])?;
    /// let values = UrlValues { host: "hst", port: 3212, scope: "web.main", endpoint: "" };
    /// assert_eq!(format.url(&values), "http://hst:3212/;csv;scope=web.main");
    /// # Ok::<(), paasta_smartstack::FormatError>(())
    /// ```
    pub fn parse(format: &str, allowed: &[Field]) -> Result<Self, FormatError> {
        let parts =
            parse(format, allowed).map_err(|reason| FormatError { format: format.to_owned(), reason })?;
        Ok(Self { parts })
    }

    /// The URL with these values.
    pub fn url(&self, values: &UrlValues<'_>) -> String {
        let mut url = String::new();
        for part in &self.parts {
            match part {
                Part::Text(text) => url.push_str(text),
                Part::Field(Field::Host) if values.host.contains(':') => {
                    let _ = write!(url, "[{}]", values.host);
                }
                Part::Field(Field::Host) => url.push_str(values.host),
                Part::Field(Field::Port) => {
                    let _ = write!(url, "{}", values.port);
                }
                Part::Field(Field::Scope) => url.push_str(values.scope),
                Part::Field(Field::Endpoint) => url.push_str(values.endpoint),
            }
        }
        url
    }

    /// Whether answers come encrypted.
    pub(crate) fn is_secure(&self) -> bool {
        matches!(self.parts.first(), Some(Part::Text(text)) if text.starts_with("https:"))
    }
}

fn parse(format: &str, allowed: &[Field]) -> Result<Vec<Part>, String> {
    let mut parts = Vec::new();
    let mut text = String::new();
    let mut rest = format;
    while let Some(at) = rest.find(['{', '}']) {
        let (before, from) = rest.split_at(at);
        text.push_str(before);
        if let Some(after) = from.strip_prefix("{{").or_else(|| from.strip_prefix("}}")) {
            text.push_str(&from[..1]);
            rest = after;
            continue;
        }
        let Some(inner) = from.strip_prefix('{') else {
            return Err("a `}` closes nothing (a brace itself is written `}}`)".to_owned());
        };
        let (name, after) =
            inner.split_once('}').ok_or("a `{` is never closed (a brace itself is written `{{`)")?;
        parts.push(Part::Text(std::mem::take(&mut text)));
        parts.push(Part::Field(field(name, allowed)?));
        rest = after;
    }
    text.push_str(rest);
    parts.push(Part::Text(text));
    Ok(parts)
}

fn field(written: &str, allowed: &[Field]) -> Result<Field, String> {
    let (name, kind) = written.split_once(':').unwrap_or((written, ""));
    let known = FIELDS.iter().find(|(known, field)| *known == name && allowed.contains(field));
    match (known, kind) {
        (Some((_, field)), "" | "s" | "d") => Ok(*field),
        (Some(_), _) => {
            Err(format!("`{{{written}}}` has a form that is not known: expected `:s`, `:d` or none"))
        }
        (None, _) => {
            let names = FIELDS.iter().filter(|(_, field)| allowed.contains(field));
            let names: Vec<_> = names.map(|(name, _)| format!("`{{{name}}}`")).collect();
            Err(format!("`{{{written}}}` is not known: expected {}", names.join(", ")))
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HAPROXY: [Field; 3] = [Field::Host, Field::Port, Field::Scope];

    fn url(format: &str) -> String {
        let values = UrlValues { host: "h", port: 7, scope: "web.main", endpoint: "" };
        UrlFormat::parse(format, &HAPROXY)
            .map_or_else(|error| error.to_string(), |format| format.url(&values))
    }

    #[test]
    fn formats_are_pythons() {
        for (format, want) in [
            (
                "http://{host:s}:{port:d}/;csv;norefresh;scope={scope:s}",
                "http://h:7/;csv;norefresh;scope=web.main",
            ),
            ("http://{host}:{port}/", "http://h:7/"),
            ("http://{host}/{{x}}", "http://h/{x}"),
            ("http://one-for-all/", "http://one-for-all/"),
        ] {
            assert_eq!(url(format), want);
        }
        for (format, part) in [
            ("http://{host}/{", "never closed"),
            ("http://{host}/}", "closes nothing"),
            ("http://{host:x}/", "expected `:s`, `:d` or none"),
            ("http://{host}/{endpoint}", "`{endpoint}` is not known: expected `{host}`, `{port}`, `{scope}`"),
        ] {
            assert!(url(format).contains(part), "{}", url(format));
        }
    }

    #[test]
    fn addresses_with_colons_are_put_in_brackets() {
        let format = UrlFormat::parse("http://{host}:{port}/", &HAPROXY).unwrap();
        let values = UrlValues { host: "::1", port: 7, scope: "", endpoint: "" };
        assert_eq!(format.url(&values), "http://[::1]:7/");
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "[{}a-z:é]{0,40}") {
            let _ = UrlFormat::parse(&text, &HAPROXY);
        }
    }
}
