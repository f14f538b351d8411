//! A revision of a git repository as a source of configuration.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use git2::{ErrorCode, ObjectType, Oid, Repository, Tree};
use paasta_config::{ConfigSource, FILE_BYTES_MAX, SourceError, check_path};
use paasta_core::GitSha;

/// As many symbolic links are followed on the way to one file as Linux does.
const LINKS_MAX: usize = 40;

/// No system takes a longer target of a link.
const TARGET_BYTES_MAX: usize = 4096;

/// What git writes as the mode of a symbolic link.
const MODE_LINK: i32 = 0o120_000;

/// The files of one revision of a repository on this machine, bare or not. Nothing is checked out and nothing written;
/// the revision is looked up once, so that all that is read belongs to one tree however the branch moves on.
///
/// Symbolic links are followed within the revision and refused where they lead out of the root, as
/// [`paasta_config::Directory`] does. Files are read as they were committed, without filters and line-end conversion.
///
/// ```no_run
/// use std::sync::Arc;
/// use paasta_config::Soa;
/// use paasta_deployments::GitTree;
///
/// let tree = GitTree::open("/srv/soa-configs", "origin/main~3")?;
/// println!("as of {:?}", tree.commit());
/// let soa = Soa::new(Arc::new(tree)).cached();
/// # Ok::<(), paasta_deployments::GitTreeError>(())
/// ```
pub struct GitTree {
    repository: Mutex<Repository>,
    /// The repository, as shown to people.
    path: PathBuf,
    revision: String,
    commit: Option<GitSha>,
    tree: Oid,
    /// The names that lead from the revision's own root to ours, links resolved.
    folder: Vec<String>,
}

/// Why a revision could not be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GitTreeError {
    /// There is no repository, or it cannot be opened.
    #[error("could not open a git repository at `{}`: {reason}", path.display())]
    Repository {
        /// The path as given.
        path: PathBuf,
        /// What libgit2 said.
        reason: String,
        /// Whether it is another user's, which git refuses to trust.
        foreign: bool,
    },
    /// The revision names nothing in it, or something without files.
    #[error("could not find revision `{revision}` in the git repository `{}`: {reason}", repository.display())]
    Revision {
        /// The repository.
        repository: PathBuf,
        /// The revision as given.
        revision: String,
        /// What libgit2 said.
        reason: String,
        /// Whether the repository lacks a part of its history.
        shallow: bool,
    },
    /// The revision has no such folder.
    #[error("revision `{revision}` of the git repository `{}` has no folder `{folder}`: {reason}", repository.display())]
    Folder {
        /// The repository.
        repository: PathBuf,
        /// The revision as given.
        revision: String,
        /// The folder, from the revision's root.
        folder: String,
        /// What stands there.
        reason: String,
    },
}

impl GitTreeError {
    /// What one can do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::Repository { path, foreign: true, .. } => {
                format!("`git config --global --add safe.directory {}` allows it.", path.display())
            }
            Self::Repository { .. } => {
                "Give a directory inside of a git repository, or a bare repository itself.".to_owned()
            }
            Self::Revision { repository, shallow: true, .. } => format!(
                "The repository holds a part of its history only: `git -C {} fetch --unshallow` fetches the rest.",
                repository.display()
            ),
            Self::Revision { repository, .. } => format!(
                "A branch of the server is written `origin/NAME`, after `git fetch`; `git -C {} log --oneline --all` \
                 lists commits.",
                repository.display()
            ),
            Self::Folder { repository, revision, .. } => format!(
                "`git -C {} ls-tree -r --name-only '{revision}'` lists the files of that revision.",
                repository.display()
            ),
        }
    }
}

impl GitTree {
    /// Opens `revision`, any expression that `git rev-parse` takes for one commit, tag or tree, of the repository that
    /// holds `path`. Where `path` is a folder inside of the working tree, that folder is the root of what is read,
    /// whether it stands there today or stood there at the revision only.
    pub fn open(path: impl AsRef<Path>, revision: &str) -> Result<Self, GitTreeError> {
        let path = std::path::absolute(path.as_ref()).unwrap_or_else(|_| path.as_ref().to_owned());
        let (repository, below) = discover(&path)?;
        let shown = repository.workdir().unwrap_or_else(|| repository.path()).to_owned();
        let (tree, commit) = find(&repository, revision).map_err(|error| GitTreeError::Revision {
            repository: shown.clone(),
            revision: revision.to_owned(),
            reason: error.message().to_owned(),
            shallow: repository.is_shallow(),
        })?;
        let tree = Self {
            repository: Mutex::new(repository),
            path: shown,
            revision: revision.to_owned(),
            commit,
            tree,
            folder: Vec::new(),
        };
        if below.is_empty() { Ok(tree) } else { tree.in_folder(&below) }
    }

    /// The same revision, read from a folder below the present root.
    pub fn in_folder(mut self, folder: &str) -> Result<Self, GitTreeError> {
        let folder = folder.trim_matches('/');
        let found = check_path(folder).map_err(|error| error.source).and_then(|()| {
            let repository = self.lock();
            match self.resolve(&repository, folder)? {
                Some(Found { names, entry: Entry::Folder(_) }) => Ok(names),
                Some(_) => Err(refuse("it is a file")),
                None => Err(refuse("nothing stands there")),
            }
        });
        match found {
            Ok(names) => {
                self.folder = names;
                Ok(self)
            }
            Err(error) => Err(GitTreeError::Folder {
                folder: self.below_root(folder),
                repository: self.path,
                revision: self.revision,
                reason: error.to_string(),
            }),
        }
    }

    /// The repository: its working tree, or the repository itself if it is bare.
    pub fn repository(&self) -> &Path {
        &self.path
    }

    /// The revision as given.
    pub fn revision(&self) -> &str {
        &self.revision
    }

    /// The commit that the revision named when it was opened; `None` where it named a tree.
    pub fn commit(&self) -> Option<&GitSha> {
        self.commit.as_ref()
    }

    /// Where the root of what is read stands in the revision; empty for the revision's own root.
    pub fn folder(&self) -> String {
        self.folder.join("/")
    }

    fn lock(&self) -> MutexGuard<'_, Repository> {
        // A repository has no state of ours that a panic could leave half changed.
        self.repository.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn below_root(&self, path: &str) -> String {
        let names = self.folder.iter().map(String::as_str).chain((!path.is_empty()).then_some(path));
        names.collect::<Vec<_>>().join("/")
    }

    fn error(&self, path: &str, error: io::Error) -> SourceError {
        let reason = format!("{error} (git repository `{}`)", self.path.display());
        SourceError { path: self.show(path), source: io::Error::new(error.kind(), reason) }
    }

    /// What stands at `path` below the root when links are followed; `None` if nothing does. Objects that the
    /// repository lacks are errors: they say nothing about the revision.
    fn resolve<'r>(&self, repository: &'r Repository, path: &str) -> io::Result<Option<Found<'r>>> {
        let mut walk = Walk::new(repository, self.tree, &self.folder)?;
        walk.to_come.extend(path.split('/').filter(|name| !name.is_empty()).map(str::to_owned));
        let Some(found) = walk.end()? else { return Ok(None) };
        if !found.names.starts_with(&self.folder) {
            return Err(refuse("it is a link that leads out of the directory"));
        }
        Ok(Some(found))
    }

    fn read_file(&self, path: &str) -> io::Result<Option<Vec<u8>>> {
        let repository = self.lock();
        let blob = match self.resolve(&repository, path)?.map(|found| found.entry) {
            None => return Ok(None),
            Some(Entry::File(blob)) => blob,
            Some(Entry::Folder(_) | Entry::Submodule) => return Err(refuse("it is not a regular file")),
        };
        let bytes = repository.odb().and_then(|odb| odb.read_header(blob)).map_err(unreadable)?.0;
        if bytes as u64 > FILE_BYTES_MAX {
            return Err(refuse("it is larger than 16 MiB"));
        }
        let blob = repository.find_blob(blob).map_err(unreadable)?;
        Ok(Some(blob.content().to_vec()))
    }

    fn names(&self, directory: &str) -> io::Result<Vec<String>> {
        let repository = self.lock();
        let Some(Found { entry: Entry::Folder(tree), .. }) = self.resolve(&repository, directory)? else {
            return Ok(Vec::new());
        };
        // A name that is not UTF-8 cannot be asked for, so it is not listed.
        let mut names: Vec<String> =
            tree.iter().filter_map(|entry| entry.name().map(str::to_owned).ok()).collect();
        names.sort();
        Ok(names)
    }
}

impl ConfigSource for GitTree {
    fn read(&self, path: &str) -> Result<Option<Vec<u8>>, SourceError> {
        check_path(path)?;
        self.read_file(path).map_err(|error| self.error(path, error))
    }

    fn list(&self, directory: &str) -> Result<Vec<String>, SourceError> {
        check_path(directory)?;
        self.names(directory).map_err(|error| self.error(directory, error))
    }

    /// What cannot be followed counts as there, so that reading it says why.
    fn is_file(&self, path: &str) -> bool {
        check_path(path).is_ok() && !matches!(self.resolve(&self.lock(), path), Ok(None))
    }

    /// `REVISION:path`, as `git show` takes it.
    fn show(&self, path: &str) -> String {
        format!("{}:{}", self.revision, self.below_root(path))
    }
}

impl fmt::Debug for GitTree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GitTree")
            .field("repository", &self.path)
            .field("revision", &self.revision)
            .field("tree", &self.tree)
            .field("folder", &self.folder())
            .finish()
    }
}

/// What stands at the end of a path, and the names that lead there once links are resolved.
struct Found<'r> {
    names: Vec<String>,
    entry: Entry<'r>,
}

enum Entry<'r> {
    Folder(Tree<'r>),
    File(Oid),
    Submodule,
}

/// A walk through the folders of a revision, from its own root.
struct Walk<'r> {
    repository: &'r Repository,
    /// The root, and one more folder for each of `names`.
    folders: Vec<Tree<'r>>,
    names: Vec<String>,
    to_come: VecDeque<String>,
    links: usize,
}

impl<'r> Walk<'r> {
    fn new(repository: &'r Repository, root: Oid, from: &[String]) -> io::Result<Self> {
        let root = repository.find_tree(root).map_err(unreadable)?;
        let to_come = from.iter().cloned().collect();
        Ok(Self { repository, folders: vec![root], names: Vec::new(), to_come, links: 0 })
    }

    /// Walks to the end. A file with more path behind it is nothing, as is a link to nothing.
    fn end(mut self) -> io::Result<Option<Found<'r>>> {
        while let Some(name) = self.to_come.pop_front() {
            if name == ".." {
                self.names.pop().ok_or_else(|| refuse("it is a link that leads out of the repository"))?;
                self.folders.pop();
                continue;
            }
            let Some((id, kind, mode)) = self.entry(&name) else { return Ok(None) };
            match kind {
                Some(ObjectType::Tree) => {
                    self.folders.push(self.repository.find_tree(id).map_err(unreadable)?);
                    self.names.push(name);
                }
                Some(ObjectType::Blob) if mode == MODE_LINK => self.follow(id)?,
                _ if !self.to_come.is_empty() => return Ok(None),
                _ => {
                    self.names.push(name);
                    let entry =
                        if kind == Some(ObjectType::Blob) { Entry::File(id) } else { Entry::Submodule };
                    return Ok(Some(Found { names: self.names, entry }));
                }
            }
        }
        let folder = self.folders.pop();
        Ok(folder.map(|tree| Found { names: self.names, entry: Entry::Folder(tree) }))
    }

    fn entry(&self, name: &str) -> Option<(Oid, Option<ObjectType>, i32)> {
        let entry = self.folders.last()?.get_name(name)?;
        Some((entry.id(), entry.kind(), entry.filemode_raw()))
    }

    fn follow(&mut self, link: Oid) -> io::Result<()> {
        self.links += 1;
        if self.links > LINKS_MAX {
            return Err(refuse("it is a link among more than 40, or one that leads back to itself"));
        }
        let bytes = self.repository.odb().and_then(|odb| odb.read_header(link)).map_err(unreadable)?.0;
        if bytes > TARGET_BYTES_MAX {
            return Err(refuse("it is a link to a path of more than 4096 bytes"));
        }
        let blob = self.repository.find_blob(link).map_err(unreadable)?;
        let target = std::str::from_utf8(blob.content())
            .map_err(|_| refuse("it is a link to a name that is not UTF-8"))?;
        if target.starts_with('/') {
            return Err(refuse("it is a link that leads out of the repository"));
        }
        for name in target.rsplit('/').filter(|name| !matches!(*name, "" | ".")) {
            self.to_come.push_front(name.to_owned());
        }
        Ok(())
    }
}

/// The repository that holds a path, and what of the path lies below its working tree. The path itself need not exist.
fn discover(path: &Path) -> Result<(Repository, String), GitTreeError> {
    let there = path.ancestors().find(|ancestor| ancestor.exists()).unwrap_or(path);
    let rest = path.strip_prefix(there).unwrap_or(Path::new(""));
    let failed = |error: &git2::Error| GitTreeError::Repository {
        path: path.to_owned(),
        reason: error.message().to_owned(),
        foreign: error.code() == ErrorCode::Owner,
    };
    let repository = Repository::discover(there).map_err(|error| failed(&error))?;
    let there = there.canonicalize().unwrap_or_else(|_| there.to_owned());
    let workdir = repository.workdir().and_then(|workdir| workdir.canonicalize().ok());
    let below = workdir.and_then(|workdir| there.strip_prefix(workdir).map(Path::to_owned).ok());
    let inside_git = there.starts_with(repository.path().canonicalize().unwrap_or_default());
    let below = below.filter(|_| !inside_git).unwrap_or_default().join(rest);
    Ok((repository, below.to_string_lossy().into_owned()))
}

fn find(repository: &Repository, revision: &str) -> Result<(Oid, Option<GitSha>), git2::Error> {
    let object = repository.revparse_single(revision)?;
    let tree = object.peel_to_tree()?.id();
    let commit = object.peel_to_commit().ok().and_then(|commit| GitSha::new(commit.id().to_string()).ok());
    Ok((tree, commit))
}

fn refuse(reason: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, reason.to_owned())
}

fn unreadable(error: git2::Error) -> io::Error {
    io::Error::other(error.message().to_owned())
}
