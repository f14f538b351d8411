//! The files that secrets live in: `<root>/<service>/secrets/<name>.json` (config.md §6.2).

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use paasta_config::{ConfigSource, Directory, Soa};
use paasta_core::ServiceName;
use serde_json::{Map, Value, json};

use crate::provider::{Write, WriteAction};
use crate::{SecretError, SecretName};

/// The transit key unless service.yaml names another (config.md §1.2).
const DEFAULT_ENCRYPTION_KEY: &str = "paasta";

/// The secret files of one service.
#[derive(Clone, Debug)]
pub(crate) struct Store {
    root: Directory,
    service: ServiceName,
}

/// What a secret comes to in one ecosystem.
#[derive(Clone, Debug)]
pub(crate) struct Sealed {
    pub(crate) ecosystem: String,
    pub(crate) ciphertext: String,
    pub(crate) signature: String,
}

impl Store {
    pub(crate) fn new(root: &Path, service: &ServiceName) -> Self {
        Self { root: Directory::new(root), service: service.clone() }
    }

    pub(crate) fn service(&self) -> &str {
        self.service.as_str()
    }

    pub(crate) fn path(&self, name: &SecretName) -> PathBuf {
        self.root.root().join(self.relative(name))
    }

    fn relative(&self, name: &SecretName) -> String {
        format!("{}/secrets/{name}.json", self.service)
    }

    /// `encryption_key` of service.yaml, else `paasta`.
    pub(crate) fn encryption_key(&self) -> Result<String, SecretError> {
        let settings = Soa::open(self.root.root()).file(&self.service, "service.yaml")?;
        match settings.get_set("encryption_key") {
            None => Ok(DEFAULT_ENCRYPTION_KEY.to_owned()),
            // The key becomes a part of a URL.
            Some(node) => match node.as_str().filter(|key| is_key_name(key)) {
                Some(key) => Ok(key.to_owned()),
                None => {
                    let expected = "the name of a transit key: letters, digits, `_`, `.` and `-`";
                    Err(paasta_config::SettingError::new("encryption_key", node, expected).into())
                }
            },
        }
    }

    /// The ciphertext of a secret for one ecosystem.
    pub(crate) fn ciphertext(&self, name: &SecretName, ecosystem: &str) -> Result<String, SecretError> {
        let path = self.path(name);
        let Some(document) = self.read(name)? else {
            return Err(SecretError::NoSecret { name: name.to_string(), path });
        };
        let lacks = |what| SecretError::NotInEcosystem { path, ecosystem: ecosystem.to_owned(), what };
        let Some(entry) = environments(&document).and_then(|all| all.get(ecosystem)) else {
            return Err(lacks("entry"));
        };
        let ciphertext = entry.get("ciphertext").and_then(Value::as_str);
        ciphertext.map(str::to_owned).ok_or_else(|| lacks("ciphertext"))
    }

    /// Whether the secret may be written so; asked before anything is encrypted.
    pub(crate) fn check(&self, write: &Write<'_>, ecosystems: &[String]) -> Result<(), SecretError> {
        if !self.root.root().join(self.service.as_str()).is_dir() {
            let root = self.root.root().to_owned();
            return Err(SecretError::NoService { service: self.service.to_string(), root });
        }
        SecretName::new_to_write(write.name.as_str())?;
        let document = self.read(write.name)?;
        let there = |ecosystem: &&String| {
            document.as_ref().and_then(environments).is_some_and(|all| all.contains_key(ecosystem.as_str()))
        };
        let path = self.path(write.name);
        match (write.action, &document, ecosystems.iter().find(there)) {
            (WriteAction::Add, _, Some(ecosystem)) => {
                Err(SecretError::Exists { path, ecosystem: ecosystem.clone() })
            }
            (WriteAction::Update, None, _) => {
                Err(SecretError::NoSecret { name: write.name.to_string(), path })
            }
            _ => Ok(()),
        }
    }

    /// Puts the secret's new values in place. What the file says of other ecosystems stays.
    pub(crate) fn put(&self, write: &Write<'_>, sealed: &[Sealed]) -> Result<PathBuf, SecretError> {
        let mut document = self.read(write.name)?.unwrap_or_default();
        let all = document.entry("environments").or_insert_with(|| json!({}));
        let Some(all) = all.as_object_mut() else {
            return Err(self.bad(write.name, "`environments` is not an object"));
        };
        for one in sealed {
            let mut entry = json!({"ciphertext": one.ciphertext, "signature": one.signature});
            if let Some(motivation) = write.motivation {
                entry["cross_environment_motivation"] = json!(motivation);
            }
            all.insert(one.ecosystem.clone(), entry);
        }
        let path = self.path(write.name);
        let mut text = serde_json::to_string_pretty(&document)
            .map_err(|error| self.bad(write.name, &error.to_string()))?;
        text.push('\n');
        // Its content is encrypted and goes into a repository, so others may read it.
        write_file(&path, text.as_bytes(), 0o644)?;
        Ok(path)
    }

    fn read(&self, name: &SecretName) -> Result<Option<Map<String, Value>>, SecretError> {
        let Some(bytes) = self.root.read(&self.relative(name))? else { return Ok(None) };
        match serde_json::from_slice(&bytes) {
            Ok(Value::Object(document)) if document.get("environments").is_some_and(Value::is_object) => {
                Ok(Some(document))
            }
            Ok(_) => Err(self.bad(name, "it is not an object with an object `environments`")),
            Err(error) => Err(self.bad(name, &error.to_string())),
        }
    }

    fn bad(&self, name: &SecretName, reason: &str) -> SecretError {
        SecretError::BadFile { path: self.path(name), reason: reason.to_owned() }
    }
}

fn environments(document: &Map<String, Value>) -> Option<&Map<String, Value>> {
    document.get("environments")?.as_object()
}

fn is_key_name(key: &str) -> bool {
    let fine = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.');
    !key.is_empty() && key != "." && key != ".." && key.bytes().all(fine)
}

/// Writes a file whole or not at all, making the folder it is in.
pub(crate) fn write_file(path: &Path, content: &[u8], mode: u32) -> Result<(), SecretError> {
    let failed = |source| SecretError::Io { attempt: "write", path: path.to_owned(), source };
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder).map_err(failed)?;
    // Made with mode 0600, so that nobody reads it before its mode is set.
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(failed)?;
    file.write_all(content).map_err(failed)?;
    file.as_file().set_permissions(fs::Permissions::from_mode(mode)).map_err(failed)?;
    file.as_file().sync_all().map_err(failed)?;
    file.persist(path).map_err(|error| failed(error.error))?;
    Ok(())
}
