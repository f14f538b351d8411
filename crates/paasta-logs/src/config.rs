//! Which writer and reader the system configuration asks for (monitoring.md §7.2, §7.3).

use paasta_config::{Map, Node, Position, Value};

use crate::{
    Actor, BackgroundWriter, Facility, FileReader, FileWriter, LineWriter, LogWriter, NullWriter,
    PathFormatError, SYSLOG_SOCKET, StdoutWriter, SyslogPlace, SyslogWriter,
};

/// The writers there are.
const WRITERS: &str = "file, null, stdout, syslog";

/// Why there is no writer, or no reader.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LogConfigError {
    /// The key is not there.
    #[error("`{key}` is not configured in the system configuration")]
    NotConfigured {
        /// `log_writer` or `log_reader`.
        key: &'static str,
    },
    /// Lines are written where they cannot be read back, and no reader is configured.
    #[error(
        "`log_reader` is not configured, and what the `log_writer` of driver {driver} writes cannot be read back"
    )]
    NotReadable {
        /// The writer's driver as written.
        driver: String,
    },
    /// A driver that this workspace does not have.
    #[error("{}{key}.driver: {driver}, expected one of: {expected}", at(.position))]
    UnknownDriver {
        /// Where it was written.
        position: Option<Position>,
        /// `log_writer` or `log_reader`.
        key: &'static str,
        /// The value as written.
        driver: String,
        /// The drivers there are.
        expected: &'static str,
    },
    /// An option that the driver does not have.
    #[error("{}{key}.options.{option}: driver {driver:?} has no such option, expected one of: {expected}", at(.position))]
    UnknownOption {
        /// Where it was written.
        position: Option<Position>,
        /// `log_writer` or `log_reader`.
        key: &'static str,
        /// Its name.
        option: String,
        /// The driver.
        driver: String,
        /// The options it has.
        expected: String,
    },
    /// An option that is missing or of the wrong kind.
    #[error("{}{key}: {found}, expected {expected}", at(.position))]
    Option {
        /// Where it was written, if it was.
        position: Option<Position>,
        /// The path of keys.
        key: String,
        /// What was found there.
        found: String,
        /// What should be.
        expected: &'static str,
    },
    /// A path that cannot be one.
    #[error("{}{key}.options.path_format is ill-formed", at(.position))]
    PathFormat {
        /// Where it was written.
        position: Option<Position>,
        /// `log_writer` or `log_reader`.
        key: &'static str,
        /// What is wrong.
        source: PathFormatError,
    },
    /// The system gave no thread to write in.
    #[error("could not start a thread to write logs in: {reason}")]
    NoThread {
        /// What the system said.
        reason: String,
    },
}

fn at(position: &Option<Position>) -> String {
    position.as_ref().map(|position| format!("{position}: ")).unwrap_or_default()
}

/// The writer that the merged system configuration asks for in `log_writer: {driver, options}`. Audit lines name the actor.
///
/// ```
/// use paasta_config::Map;
/// use paasta_logs::Actor;
///
/// let actor = Actor::of_this_process(|_| None);
/// assert!(paasta_logs::writer(&Map::new(), actor).is_err(), "nothing is configured");
/// ```
pub fn writer(system: &Map, actor: Actor) -> Result<Box<dyn LogWriter>, LogConfigError> {
    let driver = Driver::find(system, "log_writer")?;
    match driver.name.as_str() {
        Some("null") => Ok(Box::new(NullWriter)),
        Some("file") => in_background(file_writer(&driver)?, actor),
        Some("stdout") => {
            driver.takes_only(&[])?;
            in_background(StdoutWriter::new(), actor)
        }
        Some("syslog") => in_background(syslog_writer(&driver)?, actor),
        _ => Err(driver.unknown(WRITERS)),
    }
}

fn in_background(
    writer: impl LineWriter + 'static,
    actor: Actor,
) -> Result<Box<dyn LogWriter>, LogConfigError> {
    let started = BackgroundWriter::start(writer, actor);
    Ok(Box::new(started.map_err(|error| LogConfigError::NoThread { reason: error.to_string() })?))
}

/// The reader that the merged system configuration asks for in `log_reader: {driver, options}`; without that, one
/// over the files of a `file` writer.
pub fn reader(system: &Map) -> Result<FileReader, LogConfigError> {
    let driver = match Driver::find(system, "log_reader") {
        Err(LogConfigError::NotConfigured { .. }) => match Driver::find(system, "log_writer") {
            Ok(writer) if writer.name.as_str() == Some("file") => writer,
            Ok(writer) => return Err(LogConfigError::NotReadable { driver: format!("{:?}", writer.name) }),
            Err(_) => return Err(LogConfigError::NotConfigured { key: "log_reader" }),
        },
        found => found?,
    };
    if driver.name.as_str() != Some("file") {
        return Err(driver.unknown("file"));
    }
    driver.takes_only(&FILE_OPTIONS)?;
    let (path_format, position) = driver.path_format()?;
    let reader = FileReader::new(path_format).map_err(|source| driver.path_error(position, source))?;
    Ok(reader.line_delimiter(driver.line_delimiter()?))
}

const FILE_OPTIONS: [&str; 4] = ["path_format", "mode", "line_delimiter", "flock"];

fn file_writer(driver: &Driver<'_>) -> Result<FileWriter, LogConfigError> {
    const MODE: &str = "a mode that appends: a, a+, ab or ab+";
    driver.takes_only(&FILE_OPTIONS)?;
    let (path_format, position) = driver.path_format()?;
    if let Some(mode) = driver.option("mode")
        && !matches!(mode.as_str(), Some("a" | "a+" | "ab" | "ab+" | "a+b"))
    {
        return Err(driver.wrong("mode", Some(mode), MODE));
    }
    let flock = match driver.option("flock").map(|node| (&node.value, node)) {
        None => false,
        Some((Value::Bool(flock), _)) => *flock,
        Some((_, node)) => return Err(driver.wrong("flock", Some(node), "a boolean")),
    };
    let writer = FileWriter::new(path_format).map_err(|source| driver.path_error(position, source))?;
    Ok(writer.line_delimiter(driver.line_delimiter()?).flock(flock))
}

fn syslog_writer(driver: &Driver<'_>) -> Result<SyslogWriter, LogConfigError> {
    driver.takes_only(&["socket", "address", "facility", "tag"])?;
    let place = match (driver.text("socket", "a path")?, driver.text("address", "HOST:PORT")?) {
        (None, None) => SyslogPlace::Socket(SYSLOG_SOCKET.into()),
        (Some(path), None) => SyslogPlace::Socket(path.into()),
        (None, Some(address)) if has_port(address) => SyslogPlace::Address(address.to_owned()),
        (None, Some(_)) => return Err(driver.wrong("address", driver.option("address"), "HOST:PORT")),
        (Some(_), Some(_)) => {
            return Err(driver.wrong("address", driver.option("address"), "either `socket` or `address`"));
        }
    };
    let mut writer = SyslogWriter::new(place);
    if let Some(name) = driver.text("facility", "the name of a facility")? {
        let expected = "a facility such as user, daemon or local0";
        let facility = Facility::named(name);
        writer = writer
            .facility(facility.ok_or_else(|| driver.wrong("facility", driver.option("facility"), expected))?);
    }
    if let Some(tag) = driver.text("tag", "a word")? {
        let is_word = !tag.is_empty() && tag.len() <= 32 && tag.chars().all(|c| c.is_ascii_graphic());
        if !is_word || tag.contains(['[', ']', ':']) {
            let expected = "a word of at most 32 letters, digits and signs other than `[`, `]` and `:`";
            return Err(driver.wrong("tag", driver.option("tag"), expected));
        }
        writer = writer.tag(tag);
    }
    Ok(writer)
}

fn has_port(address: &str) -> bool {
    address.rsplit_once(':').is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok())
}

/// One `{driver, options}` of the system configuration.
struct Driver<'a> {
    key: &'static str,
    name: &'a Node,
    options: Option<&'a Map>,
}

impl<'a> Driver<'a> {
    fn find(system: &'a Map, key: &'static str) -> Result<Self, LogConfigError> {
        let node = system.get_set(key).ok_or(LogConfigError::NotConfigured { key })?;
        let map = node.as_map();
        let wrong = |found: String| LogConfigError::Option {
            position: node.position.clone(),
            key: key.to_owned(),
            found,
            expected: "a map with driver and options",
        };
        let map = map.ok_or_else(|| wrong(node.kind().to_owned()))?;
        let name = map.get("driver").ok_or_else(|| wrong("no driver".to_owned()))?;
        let options = map.get_set("options");
        let is_map = options.is_none_or(|options| options.as_map().is_some());
        if let Some(options) = options.filter(|_| !is_map) {
            return Err(LogConfigError::Option {
                position: options.position.clone(),
                key: format!("{key}.options"),
                found: options.kind().to_owned(),
                expected: "a map",
            });
        }
        Ok(Self { key, name, options: options.and_then(Node::as_map) })
    }

    /// An option that nobody reads is a mistyped one.
    fn takes_only(&self, known: &'static [&'static str]) -> Result<(), LogConfigError> {
        let unknown = self
            .options
            .into_iter()
            .flat_map(Map::iter)
            .find(|(name, _)| !name.as_str().is_some_and(|name| known.contains(&name)));
        match unknown {
            None => Ok(()),
            Some((name, _)) => Err(LogConfigError::UnknownOption {
                position: name.position.clone(),
                key: self.key,
                option: name.as_str().map_or_else(|| format!("{name:?}"), str::to_owned),
                driver: self.name.as_str().unwrap_or_default().to_owned(),
                expected: if known.is_empty() { "none".to_owned() } else { known.join(", ") },
            }),
        }
    }

    fn text(&self, option: &str, expected: &'static str) -> Result<Option<&'a str>, LogConfigError> {
        let Some(node) = self.option(option) else { return Ok(None) };
        node.as_str().map(Some).ok_or_else(|| self.wrong(option, Some(node), expected))
    }

    fn option(&self, option: &str) -> Option<&'a Node> {
        self.options?.get_set(option)
    }

    fn path_format(&self) -> Result<(&'a str, Option<Position>), LogConfigError> {
        let node = self.option("path_format");
        let text = node.and_then(Node::as_str);
        let text = text.ok_or_else(|| self.wrong("path_format", node, "a string"))?;
        Ok((text, node.and_then(|node| node.position.clone())))
    }

    fn line_delimiter(&self) -> Result<String, LogConfigError> {
        let Some(node) = self.option("line_delimiter") else { return Ok("\n".to_owned()) };
        let text = node.as_str().filter(|text| !text.is_empty());
        let text =
            text.ok_or_else(|| self.wrong("line_delimiter", Some(node), "a string that is not empty"))?;
        Ok(text.to_owned())
    }

    fn wrong(&self, option: &str, node: Option<&Node>, expected: &'static str) -> LogConfigError {
        LogConfigError::Option {
            position: node.and_then(|node| node.position.clone()),
            key: format!("{}.options.{option}", self.key),
            found: node.map_or_else(|| "missing".to_owned(), |node| format!("{} {node:?}", node.kind())),
            expected,
        }
    }

    fn unknown(&self, expected: &'static str) -> LogConfigError {
        LogConfigError::UnknownDriver {
            position: self.name.position.clone(),
            key: self.key,
            driver: format!("{:?}", self.name),
            expected,
        }
    }

    fn path_error(&self, position: Option<Position>, source: PathFormatError) -> LogConfigError {
        LogConfigError::PathFormat { position, key: self.key, source }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(entries: &[(&str, Value)]) -> Map {
        entries.iter().map(|(key, value)| (Node::text(*key), Node::new(value.clone()))).collect()
    }

    fn text(text: &str) -> Value {
        Value::String(text.to_owned())
    }

    fn system(key: &str, driver: &str, options: &[(&str, Value)]) -> Map {
        let driver = map(&[("driver", text(driver)), ("options", Value::Map(map(options)))]);
        map(&[(key, Value::Map(driver))])
    }

    fn actor() -> Actor {
        Actor { user: "bob".to_owned(), host: "h".to_owned() }
    }

    #[track_caller]
    fn check_writer(driver: &str, options: &[(&str, Value)], problem: &str) {
        let shown =
            writer(&system("log_writer", driver, options), actor()).err().map(|error| error.to_string());
        let shown = shown.unwrap_or_default();
        assert!(shown.contains(problem) && shown.is_empty() == problem.is_empty(), "{shown:?} {problem:?}");
    }

    #[test]
    fn writers() {
        let path = ("path_format", text("/l/{service}"));
        check_writer("null", &[], "");
        check_writer("file", std::slice::from_ref(&path), "");
        check_writer("file", &[path.clone(), ("mode", text("a+")), ("flock", Value::Bool(true))], "");
        check_writer("file", &[], "log_writer.options.path_format: missing, expected a string");
        check_writer("file", &[path.clone(), ("mode", text("w"))], "a mode that appends");
        check_writer("file", &[path.clone(), ("flock", text("yes"))], "flock: a string \"yes\"");
        check_writer("file", &[path, ("line_delimiter", text(""))], "line_delimiter");
        check_writer("file", &[("path_format", text("/{user}"))], "path_format is ill-formed");
        check_writer(
            "file",
            &[("path_fromat", text("/l"))],
            "path_fromat: driver \"file\" has no such option",
        );
        check_writer("stdout", &[], "");
        check_writer("stdout", &[("path_format", text("/l"))], "expected one of: none");
        check_writer(
            "scribe",
            &[],
            "log_writer.driver: \"scribe\", expected one of: file, null, stdout, syslog",
        );
        assert_eq!(
            writer(&Map::new(), actor()).err(),
            Some(LogConfigError::NotConfigured { key: "log_writer" })
        );
    }

    #[test]
    fn syslog() {
        let one = |name: &'static str, value: &str| [(name, text(value))];
        check_writer("syslog", &[], "");
        check_writer("syslog", &one("socket", "/run/log"), "");
        check_writer("syslog", &one("address", "logs.example.org:514"), "");
        check_writer("syslog", &one("address", "[::1]:514"), "");
        check_writer("syslog", &one("address", "logs.example.org"), "expected HOST:PORT");
        let both = [("socket", text("/run/log")), ("address", text("h:1"))];
        check_writer("syslog", &both, "either `socket` or `address`");
        check_writer("syslog", &one("facility", "local7"), "");
        check_writer("syslog", &one("facility", "local8"), "a facility such as");
        check_writer("syslog", &one("tag", "paasta: "), "a word of at most 32");
        check_writer("syslog", &[("tag", Value::Bool(true))], "expected a word");
        check_writer("syslog", &one("host", "h"), "driver \"syslog\" has no such option");
    }

    #[test]
    fn a_reader_is_found_by_the_writer_too() {
        let path = [("path_format", text("/l/{service}"))];
        assert!(reader(&system("log_reader", "file", &path)).is_ok());
        assert!(reader(&system("log_writer", "file", &path)).is_ok());
        let silent = reader(&system("log_writer", "syslog", &[])).unwrap_err().to_string();
        assert!(silent.contains("of driver \"syslog\" writes cannot be read back"), "{silent}");
        for (driver, key) in [("null", "log_writer"), ("scribereader", "log_reader")] {
            assert!(reader(&system(key, driver, &[])).is_err(), "{driver}");
        }
    }
}
