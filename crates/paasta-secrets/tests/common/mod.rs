//! A soa-configs root with one service.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::path::{Path, PathBuf};

use paasta_config::SystemConfig;
use paasta_secrets::{
    Options, Plaintext, SecretError, SecretName, SecretProvider, Write, WriteAction, provider,
};
use serde_json::Value;
use tempfile::TempDir;

pub(crate) struct Tree(pub(crate) TempDir);

impl Tree {
    pub(crate) fn new() -> Self {
        let tree = Self(tempfile::tempdir().unwrap());
        for service in ["svc", "other", "_shared"] {
            fs::create_dir_all(tree.soa().join(service)).unwrap();
        }
        tree
    }

    pub(crate) fn soa(&self) -> PathBuf {
        self.0.path().join("soa")
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// The secret file of `svc`.
    pub(crate) fn document(&self, name: &str) -> Value {
        serde_json::from_slice(&fs::read(self.secret(name)).unwrap()).unwrap()
    }

    pub(crate) fn secret(&self, name: &str) -> PathBuf {
        self.soa().join(format!("svc/secrets/{name}.json"))
    }

    pub(crate) fn options(&self, service: &str, clusters: &[&str]) -> Options {
        let clusters = clusters.iter().map(|cluster| cluster.parse().unwrap()).collect();
        Options::new(self.soa(), service.parse().unwrap(), clusters)
    }
}

pub(crate) fn make(system: &Value, options: Options) -> Result<Box<dyn SecretProvider>, SecretError> {
    provider(&SystemConfig::from_json(&system.to_string()).unwrap(), options)
}

pub(crate) async fn write(
    provider: &dyn SecretProvider,
    action: WriteAction,
    name: &str,
    value: &str,
) -> Result<PathBuf, SecretError> {
    let (name, plaintext) = (SecretName::new(name).unwrap(), Plaintext::from(value.as_bytes().to_vec()));
    provider.write_secret(Write { action, name: &name, plaintext: &plaintext, motivation: None }).await
}

pub(crate) fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

/// Error and its causes, and its Debug form: everything that could be printed of it.
pub(crate) fn everything(error: &SecretError) -> String {
    let mut text = format!("{error} {error:?} {:?}", error.hint());
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text += &format!(" {error}");
        cause = error.source();
    }
    text
}
