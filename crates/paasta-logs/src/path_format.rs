//! `/var/log/paasta/{service}/{component}.log`: where lines are written, and where they are found again.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

const NAMES: &[&str] = &["service", "component", "level", "cluster", "instance"];

/// Why a text is not the format of a path.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "path_format {text:?}: {problem}, expected a path with placeholders among {{service}}, {{component}}, {{level}}, {{cluster}}, {{instance}}"
)]
pub struct PathFormatError {
    /// The text as given.
    pub text: String,
    /// What is wrong with it.
    pub problem: String,
}

/// A parsed format, split at `/`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PathFormat {
    text: String,
    absolute: bool,
    parts: Vec<Vec<Piece>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    Name(String),
}

/// What stands for the placeholders of one line.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PathValues<'a> {
    pub(crate) service: &'a str,
    pub(crate) component: &'a str,
    pub(crate) level: &'a str,
    pub(crate) cluster: &'a str,
    pub(crate) instance: &'a str,
}

impl PathFormat {
    /// Parses a format as Python's `str.format` takes it, with names alone.
    pub(crate) fn parse(text: &str) -> Result<Self, PathFormatError> {
        let wrong = |problem: String| PathFormatError { text: text.to_owned(), problem };
        if text.is_empty() || text.ends_with('/') {
            return Err(wrong("it names no file".to_owned()));
        }
        let parts = text.split('/').filter(|part| !part.is_empty());
        let parts = parts.map(pieces).collect::<Result<Vec<_>, _>>().map_err(wrong)?;
        Ok(Self { text: text.to_owned(), absolute: text.starts_with('/'), parts })
    }

    /// The file of one line. No value can lead out of its part of the path: a `/` in it is written `_`.
    pub(crate) fn path(&self, values: PathValues<'_>) -> PathBuf {
        let part = |pieces: &Vec<Piece>| -> String {
            let piece = |piece: &Piece| match piece {
                Piece::Text(text) => text.clone(),
                Piece::Name(name) => values.get(name).replace(['/', '\0'], "_"),
            };
            pieces.iter().map(piece).collect()
        };
        let parts = self.parts.iter().map(|pieces| match part(pieces).as_str() {
            // An empty value would leave a part out, and two dots lead out.
            dots @ ("" | "." | "..") if pieces.iter().any(|p| matches!(p, Piece::Name(_))) => {
                dots.replace('.', "_") + "_"
            }
            part => part.to_owned(),
        });
        self.root().join(parts.collect::<PathBuf>())
    }

    /// Every file there is that may hold lines of `service`, sorted.
    pub(crate) fn files(&self, service: &str) -> io::Result<Vec<PathBuf>> {
        let mut found = vec![self.root()];
        for (index, pieces) in self.parts.iter().enumerate() {
            let is_last = index + 1 == self.parts.len();
            let mut next = Vec::new();
            for directory in &found {
                next.extend(matching(directory, &pattern(pieces, service), is_last)?);
            }
            found = next;
        }
        found.sort();
        Ok(found)
    }

    fn root(&self) -> PathBuf {
        PathBuf::from(if self.absolute { "/" } else { "." })
    }
}

impl fmt::Display for PathFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl PathValues<'_> {
    fn get(&self, name: &str) -> &str {
        match name {
            "service" => self.service,
            "component" => self.component,
            "level" => self.level,
            "cluster" => self.cluster,
            _ => self.instance,
        }
    }
}

/// One part of a path as texts between which anything may stand.
fn pattern(pieces: &[Piece], service: &str) -> Vec<String> {
    let mut texts = vec![String::new()];
    for piece in pieces {
        match (piece, texts.last_mut()) {
            (Piece::Text(text), Some(last)) => last.push_str(text),
            (Piece::Name(name), Some(last)) if name == "service" => last.push_str(service),
            _ => texts.push(String::new()),
        }
    }
    texts
}

/// What stands in `directory` and fits; a directory that is not there holds nothing.
fn matching(directory: &Path, pattern: &[String], is_last: bool) -> io::Result<Vec<PathBuf>> {
    if let [literal] = pattern {
        let path = directory.join(literal);
        let fits = if is_last { path.is_file() } else { path.is_dir() };
        return Ok(if fits { vec![path] } else { Vec::new() });
    }
    let mut found = Vec::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let right_kind = if is_last { path.is_file() } else { path.is_dir() };
        if right_kind && fits(&name, pattern) {
            found.push(path);
        }
    }
    Ok(found)
}

/// Whether `name` is the texts of `pattern` in order, with anything between two of them.
fn fits(name: &str, pattern: &[String]) -> bool {
    let [first, between @ .., last] = pattern else {
        return pattern.iter().all(|only| name == only);
    };
    let Some(mut rest) = name.strip_prefix(first.as_str()).and_then(|name| name.strip_suffix(last.as_str()))
    else {
        return false;
    };
    between.iter().all(|text| match rest.split_once(text.as_str()) {
        Some((_, after)) => {
            rest = after;
            true
        }
        None => false,
    })
}

fn pieces(part: &str) -> Result<Vec<Piece>, String> {
    let mut pieces = Vec::new();
    let mut literal = String::new();
    let mut rest = part;
    while let Some(index) = rest.find(['{', '}']) {
        let (before, tail) = rest.split_at(index);
        literal.push_str(before);
        if let Some(after) = tail.strip_prefix("{{") {
            literal.push('{');
            rest = after;
        } else if let Some(after) = tail.strip_prefix("}}") {
            literal.push('}');
            rest = after;
        } else if let Some((name, after)) = tail.strip_prefix('{').and_then(|tail| tail.split_once('}')) {
            if !NAMES.contains(&name) {
                return Err(format!("unknown placeholder `{{{name}}}`"));
            }
            pieces.push(Piece::Text(std::mem::take(&mut literal)));
            pieces.push(Piece::Name(name.to_owned()));
            rest = after;
        } else {
            return Err("a brace stands alone".to_owned());
        }
    }
    literal.push_str(rest);
    pieces.push(Piece::Text(literal));
    Ok(pieces)
}

#[cfg(test)]
mod tests {
    use super::*;

    const VALUES: PathValues<'_> =
        PathValues { service: "web", component: "deploy", level: "event", cluster: "prod", instance: "N/A" };

    #[test]
    fn paths() {
        let path = |text: &str| PathFormat::parse(text).unwrap().path(VALUES).display().to_string();
        assert_eq!(path("/l/{service}/{component}.{level}.log"), "/l/web/deploy.event.log");
        assert_eq!(path("/l/{instance}"), "/l/N_A");
        assert_eq!(path("l/{{{cluster}}}"), "./l/{prod}");
        let dots = PathValues { service: "..", level: "", ..VALUES };
        let format = PathFormat::parse("/l/{service}/{level}").unwrap();
        assert_eq!(format.path(dots).display().to_string(), "/l/___/_");
        for bad in ["", "/l/", "/l/{", "/l/}", "/l/{user}", "/l/{}", "/l/{level:>5}"] {
            assert!(PathFormat::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn files_are_found_again() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().display();
        let format = PathFormat::parse(&format!("{root}/{{service}}/{{cluster}}-{{component}}.log")).unwrap();
        assert_eq!(format.files("web").unwrap(), Vec::<PathBuf>::new());
        let path = format.path(VALUES);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, "").unwrap();
        fs::write(path.with_extension("gz"), "").unwrap();
        assert_eq!(format.files("web").unwrap(), [path]);
        assert!(format.files("we").unwrap().is_empty());
    }
}
