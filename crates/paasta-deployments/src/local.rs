//! A repository on this machine, through libgit2.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use git2::{ErrorCode, ObjectType, Oid, ReferenceType, Repository};
use paasta_core::GitSha;

use crate::command::push_within;
use crate::refs::{before_write, check_name, prove_written};
use crate::remote::without_password;
use crate::{Limits, Refs, RefsError, RemoteRef, WriteMode, Written};

/// The refs of a repository on this machine. Reading and writing go straight to its files; where the repository has
/// hooks that could refuse or act on a push, writing goes through `git push`, because libgit2 runs none.
#[derive(Clone, Debug)]
pub struct Git2Refs {
    url: String,
    path: PathBuf,
    limits: Limits,
}

impl Git2Refs {
    /// The repository at `path`, bare or not; `url` is how people call it.
    pub fn new(url: &str, path: PathBuf, limits: Limits) -> Self {
        Self { url: without_password(url), path, limits }
    }

    fn open(&self) -> Result<Repository, RefsError> {
        let with_suffix = || {
            let mut name = self.path.clone().into_os_string();
            name.push(".git");
            Repository::open(PathBuf::from(name))
        };
        Repository::open(&self.path)
            .or_else(|error| {
                if error.code() == ErrorCode::NotFound {
                    with_suffix().map_err(|_| error)
                } else {
                    Err(error)
                }
            })
            .map_err(|error| self.unreachable(&error))
    }

    fn unreachable(&self, error: &git2::Error) -> RefsError {
        let hint = if error.code() == ErrorCode::Owner {
            " (it belongs to another user; `git config --global --add safe.directory` allows it)"
        } else {
            ""
        };
        RefsError::Unreachable { url: self.url.clone(), reason: format!("{}{hint}", error.message()) }
    }

    fn write_directly(
        &self,
        repository: &Repository,
        name: &str,
        commit: &GitSha,
        mode: WriteMode,
    ) -> Result<(), RefsError> {
        let missing = |error: git2::Error| RefsError::NoSuchCommit {
            url: self.url.clone(),
            sha: commit.clone(),
            reason: error.message().to_owned(),
        };
        let refused = |error: git2::Error| RefsError::Refused {
            url: self.url.clone(),
            name: name.to_owned(),
            reason: error.message().to_owned(),
        };
        let oid = Oid::from_str(commit.as_str()).map_err(missing)?;
        repository.find_commit(oid).map_err(missing)?;
        repository.reference(name, oid, mode == WriteMode::Overwrite, "paasta").map(|_| ()).map_err(refused)
    }
}

impl Refs for Git2Refs {
    fn url(&self) -> &str {
        &self.url
    }

    fn list(&self) -> Result<Vec<RemoteRef>, RefsError> {
        let repository = self.open()?;
        list_repository(&repository).map_err(|error| self.unreachable(&error))
    }

    fn write(&self, name: &str, commit: &GitSha, mode: WriteMode) -> Result<Written, RefsError> {
        check_name(name)?;
        let repository = self.open()?;
        let now = repository.refname_to_id(name).ok().and_then(git_sha);
        if let Some(written) = before_write(&self.url, name, commit, mode, now.as_ref())? {
            return Ok(written);
        }
        if has_hooks(&repository) {
            let oid = Oid::from_str(commit.as_str()).ok();
            if oid.is_none_or(|oid| repository.find_commit(oid).is_err()) {
                return Err(RefsError::NoSuchCommit {
                    url: self.url.clone(),
                    sha: commit.clone(),
                    reason: "no such object".to_owned(),
                });
            }
            let git_dir = repository.path();
            push_within(git_dir, (".", &self.url), (name, commit), mode, &self.limits)?;
        } else {
            self.write_directly(&repository, name, commit, mode)?;
        }
        prove_written(self, name, commit)
    }
}

/// `HEAD`, then the refs by name, as a server would advertise them.
fn list_repository(repository: &Repository) -> Result<Vec<RemoteRef>, git2::Error> {
    let mut listed = Vec::new();
    let mut behind = HashMap::new();
    for reference in repository.references()? {
        let reference = reference?;
        // Resolving one that names an object reads it from disk once more.
        let symbolic = reference.kind() == Some(ReferenceType::Symbolic);
        let resolved = if symbolic { reference.resolve().ok() } else { None };
        let resolved = resolved.as_ref().unwrap_or(&reference);
        let (Ok(name), Some(target)) = (reference.name(), resolved.target()) else { continue };
        if let Some(sha) = git_sha(target) {
            let peeled = resolved.target_peel().or_else(|| behind_tag(repository, name, target, &mut behind));
            listed.push(RemoteRef { name: name.to_owned(), sha, peeled: peeled.and_then(git_sha) });
        }
    }
    listed.sort_by(|a, b| a.name.cmp(&b.name));
    let head = repository.refname_to_id("HEAD").ok().and_then(git_sha);
    Ok(head.map(|sha| RemoteRef::new("HEAD", sha)).into_iter().chain(listed).collect())
}

/// The commit behind an annotated tag. Many tags name the same few commits: each object is looked at once.
fn behind_tag(
    repository: &Repository,
    name: &str,
    target: Oid,
    known: &mut HashMap<Oid, Option<Oid>>,
) -> Option<Oid> {
    if !name.starts_with("refs/tags/") {
        return None;
    }
    *known.entry(target).or_insert_with(|| {
        // The kind alone is cheaper to read than the object, and most are commits.
        let (_, kind) = repository.odb().ok()?.read_header(target).ok()?;
        let tag = (kind == ObjectType::Tag).then(|| repository.find_tag(target).ok())??;
        tag.into_object().peel(ObjectType::Commit).ok().map(|commit| commit.id())
    })
}

fn git_sha(oid: Oid) -> Option<GitSha> {
    GitSha::new(oid.to_string()).ok()
}

/// Whether a push to this repository could be refused, or would set something going.
fn has_hooks(repository: &Repository) -> bool {
    const HOOKS: [&str; 6] =
        ["pre-receive", "update", "proc-receive", "reference-transaction", "post-receive", "post-update"];
    let configured = repository.config().and_then(|config| config.get_path("core.hooksPath")).ok();
    let folder = match configured {
        Some(path) if path.is_relative() => repository.path().join(path),
        Some(path) => path,
        None => repository.commondir().join("hooks"),
    };
    HOOKS.iter().any(|hook| is_executable(&folder.join(hook)))
}

fn is_executable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(path).is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}
