//! The file that says where the master is: that of the `mesos` command.

use std::io::ErrorKind;
use std::path::Path;

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
}

impl Default for MesosCli {
    fn default() -> Self {
        Self { master: "localhost:5050".to_owned(), scheme: "http".to_owned() }
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
        Ok(Self { master: profile.master.unwrap_or(usual.master), scheme })
    }
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
        assert_eq!(read(r#"{"default": {"scheme": "https"}}"#).unwrap().scheme, "https");
    }

    #[test]
    fn a_file_that_cannot_be_used_is_named() {
        for text in ["", "[]", "{", r#"{"default": {"master": 1}}"#, r#"{"default": {"scheme": "ftp"}}"#] {
            let error = MesosCli::parse(text, "/etc/m.json").unwrap_err().to_string();
            assert!(error.starts_with("could not use `/etc/m.json`: "), "{error}");
        }
    }
}
