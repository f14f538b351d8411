//! Which way to a remote, by the form of its URL (config.md §5.1).

use std::path::PathBuf;
use std::sync::Arc;

use crate::daemon::GitDaemonRefs;
use crate::{Git2Refs, GitCommandRefs, Limits, Refs, RefsError};

/// The form of a git URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RemoteForm {
    /// A path or a `file://` URL: a repository on this machine.
    Local(PathBuf),
    /// `git://host[:port]/path`: git's own protocol, without encryption or login.
    Daemon {
        /// Name or address, as it was written.
        host: String,
        /// 9418 if none is given.
        port: u16,
        /// The path, with its leading slash.
        path: String,
    },
    /// http(s), ssh, or `[user@]host:path`: left to the `git` command with the user's own configuration.
    Command,
}

const GIT_DAEMON_PORT: u16 = 9418;

impl RemoteForm {
    /// Tells the form of `url`.
    ///
    /// ```
    /// use paasta_deployments::RemoteForm;
    /// assert_eq!(RemoteForm::of("git@example.com:services/svc"), Ok(RemoteForm::Command));
    /// assert_eq!(RemoteForm::of("/srv/git/svc"), Ok(RemoteForm::Local("/srv/git/svc".into())));
    /// ```
    pub fn of(url: &str) -> Result<Self, RefsError> {
        let bad = |reason: &str| RefsError::BadUrl { url: without_password(url), reason: reason.to_owned() };
        if url.is_empty() || url.starts_with('-') || url.chars().any(char::is_control) {
            return Err(bad("it is empty, begins with `-` or holds a control character"));
        }
        let Some((scheme, rest)) = url.split_once("://") else {
            return Ok(if is_host_and_path(url) { Self::Command } else { Self::Local(url.into()) });
        };
        match scheme {
            "file" => {
                file_path(rest).map(Self::Local).ok_or_else(|| bad("it names another host, or no path"))
            }
            "git" => daemon(rest).ok_or_else(|| bad("it is not git://host[:port]/path")),
            "http" | "https" | "ssh" | "git+ssh" | "ssh+git" => Ok(Self::Command),
            _ => Err(bad("its scheme is none of git, ssh, git+ssh, http, https, file")),
        }
    }
}

/// The way to the refs of `url`, of the form that it has. Where standard input is a terminal, the `git` command may ask
/// there for a password.
pub fn refs_for_url(url: &str, limits: Limits) -> Result<Arc<dyn Refs>, RefsError> {
    by_form(url, limits, || GitCommandRefs::new(url, limits))
}

/// As [`refs_for_url`], but nobody is ever asked anything: for whoever asks many remotes at once.
pub fn unattended_refs_for_url(url: &str, limits: Limits) -> Result<Arc<dyn Refs>, RefsError> {
    by_form(url, limits, || GitCommandRefs::new(url, limits).unattended())
}

fn by_form(
    url: &str,
    limits: Limits,
    command: impl FnOnce() -> GitCommandRefs,
) -> Result<Arc<dyn Refs>, RefsError> {
    Ok(match RemoteForm::of(url)? {
        RemoteForm::Local(path) => Arc::new(Git2Refs::new(url, path, limits)),
        RemoteForm::Daemon { host, port, path } => {
            Arc::new(GitDaemonRefs::new(url, host, port, path, limits))
        }
        RemoteForm::Command => Arc::new(command()),
    })
}

/// The URL as it may be shown: a password or token in it is left out.
///
/// ```
/// let shown = paasta_deployments::without_password("https://me:pass@example.com/svc");
/// assert_eq!(shown, "https://me:…@example.com/svc");
/// ```
pub fn without_password(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let end = rest.find('/').unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    match authority.rsplit_once('@') {
        Some((login, host)) => {
            let shown = match login.split_once(':') {
                Some((user, _)) => format!("{user}:…"),
                // Over http(s) a name alone is a token.
                None if scheme.starts_with("http") => "…".to_owned(),
                None => login.to_owned(),
            };
            format!("{scheme}://{shown}@{host}{path}")
        }
        None => url.to_owned(),
    }
}

/// `host:path`, as ssh knows it: a colon before the first slash.
fn is_host_and_path(url: &str) -> bool {
    url.split_once(':').is_some_and(|(host, _)| !host.is_empty() && !host.contains('/'))
}

fn file_path(rest: &str) -> Option<PathBuf> {
    let path = rest.strip_prefix("localhost").unwrap_or(rest);
    path.starts_with('/').then(|| percent_decoded(path).into())
}

fn daemon(rest: &str) -> Option<RemoteForm> {
    let slash = rest.find('/')?;
    let (authority, path) = rest.split_at(slash);
    let (host, port) = match authority.strip_prefix('[') {
        Some(v6) => {
            let (host, after) = v6.split_once(']')?;
            (host, after.strip_prefix(':'))
        }
        None => match authority.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (authority, None),
        },
    };
    let port = port.map_or(Some(GIT_DAEMON_PORT), |port| port.parse().ok())?;
    (!host.is_empty()).then(|| RemoteForm::Daemon {
        host: host.to_owned(),
        port,
        path: percent_decoded(path),
    })
}

/// `%20` and the like, as git reads URLs. What is not such a sequence, or not UTF-8, stays as it is.
pub(crate) fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let hex = (first == b'%').then(|| tail.get(..2)).flatten();
        let decoded = hex.and_then(|h| u8::from_str_radix(std::str::from_utf8(h).ok()?, 16).ok());
        bytes.push(decoded.unwrap_or(first));
        rest = if decoded.is_some() { tail.get(2..).unwrap_or_default() } else { tail };
    }
    String::from_utf8(bytes).unwrap_or_else(|_| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms() {
        let daemon = |host: &str, port, path: &str| {
            Ok(RemoteForm::Daemon { host: host.into(), port, path: path.into() })
        };
        let local = |path: &str| Ok(RemoteForm::Local(path.into()));
        assert_eq!(RemoteForm::of("git://h/a%20b"), daemon("h", 9418, "/a b"));
        assert_eq!(RemoteForm::of("git://[::1]:99/x"), daemon("::1", 99, "/x"));
        assert_eq!(RemoteForm::of("file:///a/b%2"), local("/a/b%2"));
        assert_eq!(RemoteForm::of("./x:y"), local("./x:y"));
        assert_eq!(RemoteForm::of("refs-only"), local("refs-only"));
        for command in ["ssh://h/x", "git+ssh://h/x", "https://h/x", "http://h/x", "u@h:x", "h:x"] {
            assert_eq!(RemoteForm::of(command), Ok(RemoteForm::Command), "{command}");
        }
        for bad in ["", "-oProxyCommand=x", "git://h", "git://:1/x", "git://h:z/x", "ext://x", "file://h/x"] {
            assert!(RemoteForm::of(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn passwords_are_not_shown() {
        assert_eq!(without_password("https://u:secret@h/x@y"), "https://u:…@h/x@y");
        assert_eq!(without_password("https://token@h/x"), "https://…@h/x");
        assert_eq!(without_password("ssh://git@h/x"), "ssh://git@h/x");
        assert_eq!(without_password("git@h:x"), "git@h:x");
    }
}
