//! The refs of one remote.

use std::time::Duration;

use paasta_config::{SystemConfig, SystemError};
use paasta_core::GitSha;

/// One advertised ref.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteRef {
    /// The full name, such as `refs/tags/v1`, or `HEAD`.
    pub name: String,
    /// The object it names.
    pub sha: GitSha,
    /// For an annotated tag: the commit behind it.
    pub peeled: Option<GitSha>,
}

impl RemoteRef {
    /// A ref that names a commit.
    pub fn new(name: impl Into<String>, sha: GitSha) -> Self {
        Self { name: name.into(), sha, peeled: None }
    }

    /// The commit it stands for.
    pub fn commit(&self) -> &GitSha {
        self.peeled.as_ref().unwrap_or(&self.sha)
    }
}

/// Lists and writes the refs of one remote. Calls block for at most [`Limits`].
///
/// Implemented over libgit2 ([`crate::Git2Refs`]), git's own protocol ([`crate::GitDaemonRefs`]) and the `git` command
/// ([`crate::GitCommandRefs`]).
pub trait Refs: Send + Sync {
    /// The remote, as in its service's configuration, without a password.
    fn url(&self) -> &str;

    /// All refs, in the remote's order, with the commits behind annotated tags where the remote tells them. No pseudo
    /// entry `…^{}` is listed (config.md §5.1).
    fn list(&self) -> Result<Vec<RemoteRef>, RefsError>;

    /// Lets the ref `name` (in full) point at a commit that the remote already has; the local side need not have it.
    /// Returns only after reading the ref back.
    fn write(&self, name: &str, commit: &GitSha, mode: WriteMode) -> Result<Written, RefsError>;
}

/// What may happen to a ref that exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WriteMode {
    /// Nothing: state tags are never moved (config.md §5.2).
    CreateOnly,
    /// It may be moved: deploy tags.
    Overwrite,
}

/// How a write went well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// The ref is new, or was moved.
    Done,
    /// It pointed there already.
    AlreadyThere,
}

/// How long a remote may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// One whole listing.
    pub listing: Duration,
    /// One whole write, without the listings before and after.
    pub writing: Duration,
}

impl Default for Limits {
    /// A minute each (config.md §5.1).
    fn default() -> Self {
        Self::of(Duration::from_secs(60))
    }
}

impl Limits {
    /// The same for a listing and for a write.
    pub fn of(time: Duration) -> Self {
        Self { listing: time, writing: time }
    }

    /// What `git_config.timeout_seconds` says, our own key; a minute each where it says nothing.
    pub fn from_system(system: &SystemConfig) -> Result<Self, SystemError> {
        let seconds = system.git_timeout_seconds()?;
        Ok(seconds.map_or_else(Self::default, |seconds| Self::of(Duration::from_secs(seconds))))
    }
}

/// Why a remote's refs could not be read or written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RefsError {
    /// No conversation came about, or it broke off.
    #[error("could not reach the git repository `{url}`: {reason}")]
    Unreachable {
        /// The remote.
        url: String,
        /// What happened.
        reason: String,
    },
    /// It took too long.
    #[error("the git repository `{url}` did not answer within {seconds} s")]
    TimedOut {
        /// The remote.
        url: String,
        /// How long we waited.
        seconds: u64,
    },
    /// It answered something that is not git's protocol.
    #[error("could not read the answer of the git repository `{url}`: {reason}")]
    Garbled {
        /// The remote.
        url: String,
        /// What was wrong with it.
        reason: String,
    },
    /// It answered more than any list of refs should be.
    #[error("the git repository `{url}` answered more than {bytes} bytes")]
    TooLong {
        /// The remote.
        url: String,
        /// What would have been read.
        bytes: u64,
    },
    /// The URL has no meaning.
    #[error("`{url}` is not the URL of a git repository: {reason}")]
    BadUrl {
        /// The text as given.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Git allows no such ref.
    #[error("`{name}` cannot be the name of a ref")]
    BadName {
        /// The name as given.
        name: String,
    },
    /// The ref exists and may not be moved.
    #[error("ref `{name}` of `{url}` exists already, at {at}")]
    Exists {
        /// The remote.
        url: String,
        /// The ref.
        name: String,
        /// Where it points.
        at: GitSha,
    },
    /// The remote does not have the commit, or cannot show it to us.
    #[error("the git repository `{url}` has no commit {sha} that a ref could be put on: {reason}")]
    NoSuchCommit {
        /// The remote.
        url: String,
        /// The commit.
        sha: GitSha,
        /// What happened.
        reason: String,
    },
    /// A hook, a permission or a setting of the remote said no.
    #[error("the git repository `{url}` refused ref `{name}`: {reason}")]
    Refused {
        /// The remote.
        url: String,
        /// The ref.
        name: String,
        /// Its words.
        reason: String,
    },
    /// The remote took the ref without complaint and does not show it.
    #[error("the git repository `{url}` took ref `{name}` but shows it {found} instead of at {sha}")]
    NotKept {
        /// The remote.
        url: String,
        /// The ref.
        name: String,
        /// Where it should point.
        sha: GitSha,
        /// `nowhere`, or `at <sha>`.
        found: String,
    },
}

/// Why a commit argument does not name one commit (config.md §5.2).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommitError {
    /// Not the start of a sha.
    #[error("`{0}` is not a commit: give 4 to 40 lower-case hexadecimal digits")]
    Malformed(String),
    /// No ref points at such a commit.
    #[error("no ref points at a commit that starts with `{0}`")]
    Unknown(String),
    /// More than one does.
    #[error("`{prefix}` is the start of {count} commits that refs point at")]
    Ambiguous {
        /// The text as given.
        prefix: String,
        /// How many commits start so.
        count: usize,
    },
}

/// The full sha that a commit argument means: itself if it has 40 digits, else the one ref target that starts with it.
/// `refs` is called only for a short one.
///
/// ```
/// use paasta_core::GitSha;
/// use paasta_deployments::{RemoteRef, expand_commit};
///
/// let sha = GitSha::new("5e687a3f765082dee00cd4f66b0654274e3959f1").expect("40 digits");
/// let refs = [RemoteRef::new("refs/heads/main", sha.clone())];
/// assert_eq!(expand_commit("5e68", &refs), Ok(sha));
/// assert!(expand_commit("5e", &refs).is_err());
/// ```
pub fn expand_commit(text: &str, refs: &[RemoteRef]) -> Result<GitSha, CommitError> {
    if let Ok(full) = GitSha::new(text) {
        return Ok(full);
    }
    let hex = text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    if !hex || !(4..=40).contains(&text.len()) {
        return Err(CommitError::Malformed(text.to_owned()));
    }
    let mut hits: Vec<&GitSha> =
        refs.iter().map(RemoteRef::commit).filter(|sha| sha.as_str().starts_with(text)).collect();
    hits.sort();
    hits.dedup();
    match hits[..] {
        [] => Err(CommitError::Unknown(text.to_owned())),
        [one] => Ok(one.clone()),
        _ => Err(CommitError::Ambiguous { prefix: text.to_owned(), count: hits.len() }),
    }
}

/// What stands in the way of writing `name`, given where it points now; `Some(written)` if there is nothing to do.
pub(crate) fn before_write(
    url: &str,
    name: &str,
    commit: &GitSha,
    mode: WriteMode,
    now: Option<&GitSha>,
) -> Result<Option<Written>, RefsError> {
    match now {
        Some(at) if at == commit => Ok(Some(Written::AlreadyThere)),
        Some(at) if mode == WriteMode::CreateOnly => {
            Err(RefsError::Exists { url: url.to_owned(), name: name.to_owned(), at: at.clone() })
        }
        _ => Ok(None),
    }
}

/// Reads the ref back: a remote may say yes and not mean it.
pub(crate) fn prove_written(refs: &dyn Refs, name: &str, commit: &GitSha) -> Result<Written, RefsError> {
    let listed = refs.list()?;
    let found = listed.iter().find(|r| r.name == name).map(|r| &r.sha);
    if found == Some(commit) {
        return Ok(Written::Done);
    }
    Err(RefsError::NotKept {
        url: refs.url().to_owned(),
        name: name.to_owned(),
        sha: commit.clone(),
        found: found.map_or("nowhere".to_owned(), |at| format!("at {at}")),
    })
}

/// Whether git takes this as the full name of a ref.
pub(crate) fn check_name(name: &str) -> Result<(), RefsError> {
    if name.starts_with("refs/") && git2::Reference::is_valid_name(name) {
        return Ok(());
    }
    Err(RefsError::BadName { name: name.to_owned() })
}
