//! Who we are to the master.

use std::io::ErrorKind;
use std::path::Path;

use paasta_config::read_regular;
use secrecy::SecretString;
use serde::Deserialize;

use crate::MesosError;

/// Where the original keeps them.
pub const DEFAULT_SECRET_FILE: &str = "/nail/etc/mesos-slave-secret";

/// Who we are to the master. The secret never shows in Debug.
#[derive(Clone, Debug, Deserialize)]
pub struct Credentials {
    /// Our name.
    pub principal: String,
    /// Our password.
    pub secret: SecretString,
}

impl Credentials {
    /// Reads the JSON file; a missing file means that none are needed. Blocks.
    pub fn read(path: &Path) -> Result<Option<Self>, MesosError> {
        let wrong = |reason: String| MesosError::File { path: path.display().to_string(), reason };
        let bytes = match read_regular(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(wrong(error.to_string())),
        };
        match serde_json::from_slice(&bytes) {
            Ok(credentials) => Ok(Some(credentials)),
            // What is wrong is told by its place alone: the text may hold the secret.
            Err(error) => Err(wrong(format!(
                "expected JSON with the texts `principal` and `secret` (line {}, column {})",
                error.line(),
                error.column()
            ))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_do_not_print_and_a_missing_file_is_none() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("secret");
        assert!(Credentials::read(&path).unwrap().is_none());
        std::fs::write(&path, r#"{"principal": "paasta", "secret": "hunter2"}"#).unwrap();
        let read = Credentials::read(&path).unwrap().unwrap();
        assert_eq!(read.principal, "paasta");
        assert!(!format!("{read:?}").contains("hunter2"));
        for text in
            [r#""hunter2""#, r#"{"principal": 1, "secret": "hunter2"}"#, r#"{"secret": "hunter2"}"#, ""]
        {
            std::fs::write(&path, text).unwrap();
            let error = Credentials::read(&path).unwrap_err().to_string();
            assert!(error.contains("`principal` and `secret`") && !error.contains("hunter2"), "{error}");
        }
    }
}
