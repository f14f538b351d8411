//! The file that says where the master is: that of the `mesos` command.

use std::io::ErrorKind;
use std::path::Path;
use std::time::Duration;

use paasta_config::read_regular;
use serde::Deserialize;

use crate::MesosError;

/// What is read of the file `mesos_config.path` of the system configuration, whose profile is `default`
/// (monitoring.md §5.1). A file that is missing means the defaults.
///
/// ```
/// use paasta_mesos::MesosCli;
///
/// let cli = MesosCli::parse(r#"{"default": {"master": "zk://zk1:2181/mesos"}}"#, "mesos-cli.json")?;
/// assert_eq!((cli.master.as_str(), cli.scheme.as_str()), ("zk://zk1:2181/mesos", "http"));
/// # Ok::<(), paasta_mesos::MesosError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MesosCli {
    /// Where the master is: `host:port`, `zk://…` or `file://…`.
    pub master: String,
    /// `http` or `https`.
    pub scheme: String,
    /// How long a connection, and each piece of an answer, is waited for.
    pub response_timeout: Duration,
    /// Whether the state and the frameworks are asked of a cache, on [`CACHE_PORT`] of the master.
    pub use_mesos_cache: bool,
}

/// Where a cache of the master's answers is, on the master's host.
pub const CACHE_PORT: u16 = 5055;

impl Default for MesosCli {
    fn default() -> Self {
        Self {
            master: "localhost:5050".to_owned(),
            scheme: "http".to_owned(),
            response_timeout: Duration::from_secs(5),
            use_mesos_cache: false,
        }
    }
}

#[derive(Deserialize)]
struct File {
    default: Option<Profile>,
}

#[derive(Deserialize)]
struct Profile {
    master: Option<String>,
    scheme: Option<String>,
    response_timeout: Option<f64>,
    use_mesos_cache: Option<bool>,
}

impl MesosCli {
    /// Reads the file. Blocks.
    pub fn read(path: &Path) -> Result<Self, MesosError> {
        let name = path.display().to_string();
        match read_regular(path) {
            Ok(bytes) => Self::parse(&String::from_utf8_lossy(&bytes), &name),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(MesosError::File { path: name, reason: error.to_string() }),
        }
    }

    /// Takes the text of the file; `path` is for errors.
    pub fn parse(text: &str, path: &str) -> Result<Self, MesosError> {
        let wrong = |reason: String| MesosError::File { path: path.to_owned(), reason };
        let file: File = serde_json::from_str(text).map_err(|error| wrong(error.to_string()))?;
        let usual = Self::default();
        let Some(profile) = file.default else { return Ok(usual) };
        let scheme = profile.scheme.unwrap_or(usual.scheme);
        if scheme != "http" && scheme != "https" {
            return Err(wrong(format!("`default.scheme` is `{scheme}`, expected `http` or `https`")));
        }
        let response_timeout = match profile.response_timeout {
            None => usual.response_timeout,
            Some(seconds) => timeout(seconds).ok_or_else(|| {
                let expected = "expected a number of seconds above 0 and at most 3600";
                wrong(format!("`default.response_timeout` is {seconds}, {expected}"))
            })?,
        };
        Ok(Self {
            master: profile.master.unwrap_or(usual.master),
            scheme,
            response_timeout,
            use_mesos_cache: profile.use_mesos_cache.unwrap_or(usual.use_mesos_cache),
        })
    }
}

fn timeout(seconds: f64) -> Option<Duration> {
    let is_wait = seconds > 0.0 && seconds <= 3600.0;
    is_wait.then(|| Duration::from_secs_f64(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_file_leaves_out_is_as_ever() {
        let read = |text| MesosCli::parse(text, "f");
        for text in ["{}", r#"{"default": null}"#, r#"{"default": {"max_workers": 5}, "profile": "default"}"#]
        {
            assert_eq!(read(text), Ok(MesosCli::default()), "{text}");
        }
        let full = r#"{"default": {"scheme": "https", "response_timeout": 2.5, "use_mesos_cache": true, "max_workers": 5}}"#;
        let cli = read(full).unwrap();
        assert_eq!(
            (cli.scheme.as_str(), cli.response_timeout.as_millis(), cli.use_mesos_cache),
            ("https", 2500, true)
        );
    }

    #[test]
    fn a_file_that_cannot_be_used_is_named() {
        for text in [
            "",
            "[]",
            "{",
            r#"{"default": {"master": 1}}"#,
            r#"{"default": {"scheme": "ftp"}}"#,
            r#"{"default": {"response_timeout": 0}}"#,
            r#"{"default": {"response_timeout": 1e300}}"#,
            r#"{"default": {"response_timeout": "5"}}"#,
        ] {
            let error = MesosCli::parse(text, "/etc/m.json").unwrap_err().to_string();
            assert!(error.starts_with("could not use `/etc/m.json`: "), "{error}");
        }
    }
}
