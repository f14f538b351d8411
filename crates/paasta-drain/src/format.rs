//! Texts with `{placeholders}`, as Python's `str.format` fills them with names alone. Pure.

/// A parsed text: what to write between the values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Template(Vec<Piece>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    Name(String),
}

impl Template {
    /// Parses `text`; `{{` and `}}` are braces. Says what is wrong if a brace stands alone, or a placeholder is
    /// not one of `names`.
    pub(crate) fn parse(text: &str, names: &[&str]) -> Result<Self, String> {
        let mut pieces = Vec::new();
        let mut literal = String::new();
        let mut rest = text;
        while let Some(index) = rest.find(['{', '}']) {
            literal.push_str(&rest[..index]);
            let tail = &rest[index..];
            if let Some(after) = tail.strip_prefix("{{") {
                literal.push('{');
                rest = after;
            } else if let Some(after) = tail.strip_prefix("}}") {
                literal.push('}');
                rest = after;
            } else if let Some((name, after)) = tail.strip_prefix('{').and_then(|t| t.split_once('}')) {
                if !names.contains(&name) {
                    return Err(format!("unknown placeholder `{{{name}}}`"));
                }
                pieces.push(Piece::Text(std::mem::take(&mut literal)));
                pieces.push(Piece::Name(name.to_owned()));
                rest = after;
            } else {
                return Err("a brace that stands alone".to_owned());
            }
        }
        literal.push_str(rest);
        pieces.push(Piece::Text(literal));
        Ok(Self(pieces))
    }

    /// The text with each placeholder replaced by its value.
    pub(crate) fn fill(&self, value: impl Fn(&str) -> String) -> String {
        let piece = |piece: &Piece| match piece {
            Piece::Text(text) => text.clone(),
            Piece::Name(name) => value(name),
        };
        self.0.iter().map(piece).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders() {
        let fill =
            |text: &str| Template::parse(text, &["host", "port"]).map(|t| t.fill(|name| format!("<{name}>")));
        assert_eq!(fill("http://{host}:{port}/x").as_deref(), Ok("http://<host>:<port>/x"));
        assert_eq!(fill("{{{host}}}").as_deref(), Ok("{<host>}"));
        assert_eq!(fill("é{port}é").as_deref(), Ok("é<port>é"));
        for bad in ["{", "}", "{host", "{}", "{user}", "{port:d}", "{host!r}"] {
            assert!(fill(bad).is_err(), "{bad:?}");
        }
    }
}
