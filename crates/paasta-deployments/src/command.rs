//! A remote through the `git` command: http(s) and ssh, with the user's own configuration and agents.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io::{BufReader, IsTerminal};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use paasta_core::GitSha;

use crate::child::{self, ChildError, Output, Presence};
use crate::conversation::Partner;
use crate::over_ssh::{self, Pipes};
use crate::refs::{before_write, check_name, prove_written};
use crate::remote::without_password;
use crate::{Limits, Refs, RefsError, RemoteRef, WriteMode, Written};

/// The refs of a remote, by way of the `git` command. It asks for no password unless standard input is a terminal.
#[derive(Clone)]
pub struct GitCommandRefs {
    /// With a password, if it has one.
    remote: String,
    url: String,
    limits: Limits,
    environment: Vec<(OsString, OsString)>,
    presence: Presence,
}

/// Without the remote, which may hold a password, and the variables, which may too.
impl fmt::Debug for GitCommandRefs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GitCommandRefs").field("url", &self.url).field("limits", &self.limits).finish()
    }
}

impl GitCommandRefs {
    /// Any URL that git takes.
    pub fn new(url: &str, limits: Limits) -> Self {
        let presence = if std::io::stdin().is_terminal() { Presence::Person } else { Presence::Nobody };
        Self { remote: url.to_owned(), url: without_password(url), limits, environment: Vec::new(), presence }
    }

    /// Never asks for a password, a passphrase or the trust in a host, not even at a terminal: for whoever asks many
    /// remotes at once.
    pub fn unattended(mut self) -> Self {
        self.presence = Presence::Nobody;
        self
    }

    /// Sets a variable for every `git` that is run, such as `GIT_SSH_COMMAND`.
    pub fn with_env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.environment.push((name.as_ref().to_owned(), value.as_ref().to_owned()));
        self
    }

    /// `git` as it speaks with the remote.
    fn git(&self, arguments: &[&str]) -> Command {
        let mut command = git(&[]);
        if self.presence == Presence::Nobody {
            command.env("GIT_TERMINAL_PROMPT", "0");
            if is_over_ssh(&self.remote) && !self.has_ssh_of_its_own() {
                command.args(["-c", "core.sshCommand=ssh -o BatchMode=yes"]);
            }
        }
        command.args(arguments);
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Whether the user says how ssh is called; then that is how.
    fn has_ssh_of_its_own(&self) -> bool {
        let mut probe = Command::new("sh");
        probe.args(["-c", "test -n \"$GIT_SSH_COMMAND$GIT_SSH\" || git config --get core.sshCommand"]);
        probe.envs(self.environment.iter().map(|(name, value)| (name, value)));
        child::run(probe, self.limits.listing, Presence::Nobody).is_ok_and(|output| output.status.success())
    }

    /// The write itself without git between; `None` where there is no ssh.
    fn write_over_ssh(
        &self,
        name: &str,
        commit: &GitSha,
        mode: WriteMode,
    ) -> Option<Result<Written, RefsError>> {
        if !is_over_ssh(&self.remote) {
            return None;
        }
        let alone = self.presence == Presence::Nobody;
        // What the user calls this remote may stand for another.
        let real = self.run(self.git(&["ls-remote", "--get-url", &self.remote]), self.limits.listing).ok()?;
        let real = String::from_utf8(real.stdout).ok()?;
        let mut command = over_ssh::connect(real.trim_end(), "git-receive-pack", alone)?;
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        let partner = Partner { url: self.url.clone(), limit: self.limits.writing };
        let (name, commit) = (name.to_owned(), commit.clone());
        let said = child::converse(command, self.limits.writing, self.presence, move |to, from| {
            let mut pipes = Pipes { from: BufReader::new(from), to };
            partner.write_ref(&mut pipes, (&name, &commit), mode)
        });
        Some(said.unwrap_or_else(|error| Err(child_failed(error, self.limits.writing, &self.url))))
    }

    fn run(&self, command: Command, limit: Duration) -> Result<Output, RefsError> {
        let mut output = run(command, limit, &self.url, self.presence)?;
        // Some versions of git repeat a URL as it was given.
        output.stderr = output.stderr.replace(&self.remote, &self.url);
        Ok(output)
    }

    /// Gets the commit, without its files where the server can leave them out, into the empty repository `into`.
    fn fetch(&self, into: &Path, commit: &GitSha, refs: &[RemoteRef]) -> Result<(), RefsError> {
        let tip = refs.iter().find(|r| r.commit() == commit && r.name != "HEAD");
        let source = tip.map_or(commit.as_str(), |r| r.name.as_str());
        let refspec = format!("+{source}:refs/paasta/source");
        let init = git(&["init", "--quiet", "--bare", "."]);
        self.run_in(into, init, self.limits.writing)?;
        let remote = self.git(&["remote", "add", "origin", &self.remote]);
        self.run_in(into, remote, self.limits.writing)?;
        let fetch =
            self.git(&["fetch", "--quiet", "--no-tags", "--depth=1", "--filter=tree:0", "origin", &refspec]);
        let output = self.run_in(into, fetch, self.limits.writing)?;
        if output.status.success() {
            return Ok(());
        }
        let (url, words) = (self.url.clone(), last_words(&output.stderr));
        if tip.is_some() || !is_no_such_commit(&output.stderr) {
            return Err(RefsError::Unreachable { url, reason: words });
        }
        let reason = format!("no ref points at it, and {words}");
        Err(RefsError::NoSuchCommit { url, sha: commit.clone(), reason })
    }

    fn run_in(&self, folder: &Path, mut command: Command, limit: Duration) -> Result<Output, RefsError> {
        command.current_dir(folder);
        self.run(command, limit)
    }
}

impl Refs for GitCommandRefs {
    fn url(&self) -> &str {
        &self.url
    }

    fn list(&self) -> Result<Vec<RemoteRef>, RefsError> {
        let output =
            self.run(self.git(&["ls-remote", "--quiet", "--", &self.remote]), self.limits.listing)?;
        if !output.status.success() {
            let reason = last_words(&output.stderr);
            return Err(RefsError::Unreachable { url: self.url.clone(), reason });
        }
        let listed = parse_listing(&output.stdout);
        listed.map_err(|reason| RefsError::Garbled { url: self.url.clone(), reason })
    }

    fn write(&self, name: &str, commit: &GitSha, mode: WriteMode) -> Result<Written, RefsError> {
        check_name(name)?;
        match self.write_over_ssh(name, commit, mode) {
            // Not ssh, or not as we know it; git may.
            None | Some(Err(RefsError::Unreachable { .. } | RefsError::Garbled { .. })) => {}
            Some(Ok(Written::AlreadyThere)) => return Ok(Written::AlreadyThere),
            Some(Ok(Written::Done)) => return prove_written(self, name, commit),
            Some(Err(error)) => return Err(error),
        }
        let refs = self.list()?;
        let now = refs.iter().find(|r| r.name == name).map(RemoteRef::commit);
        if let Some(written) = before_write(&self.url, name, commit, mode, now)? {
            return Ok(written);
        }
        let temporary = tempfile::tempdir().map_err(|error| RefsError::Unreachable {
            url: self.url.clone(),
            reason: format!("no temporary folder: {error}"),
        })?;
        self.fetch(temporary.path(), commit, &refs)?;
        let push = self.git(&push_arguments("origin", name, commit, mode).each_ref().map(String::as_str));
        let output = self.run_in(temporary.path(), push, self.limits.writing)?;
        check_push(&output, &self.url, (name, commit))?;
        prove_written(self, name, commit)
    }
}

/// Pushes a commit that the repository `git_dir` has, so that the hooks of `remote` run.
pub(crate) fn push_within(
    git_dir: &Path,
    (remote, shown): (&str, &str),
    (name, commit): (&str, &GitSha),
    mode: WriteMode,
    limits: &Limits,
) -> Result<(), RefsError> {
    let mut push = git(&push_arguments(remote, name, commit, mode).each_ref().map(String::as_str));
    push.current_dir(git_dir).env("GIT_DIR", git_dir);
    let output = run(push, limits.writing, shown, Presence::Nobody)?;
    check_push(&output, shown, (name, commit))
}

fn push_arguments(remote: &str, name: &str, commit: &GitSha, mode: WriteMode) -> [String; 6] {
    let lease = match mode {
        // The ref must not exist.
        WriteMode::CreateOnly => format!("--force-with-lease={name}:"),
        WriteMode::Overwrite => "--force".to_owned(),
    };
    let refspec = format!("{commit}:{name}");
    ["push".into(), "--porcelain".into(), lease, "--".into(), remote.into(), refspec]
}

/// Reads `git push --porcelain`: a line that begins with `!` names a refused ref.
fn check_push(output: &Output, url: &str, (name, commit): (&str, &GitSha)) -> Result<(), RefsError> {
    if output.status.success() {
        return Ok(());
    }
    let stdout = String::from_utf8_lossy(&output.stdout);
    let refusal = stdout.lines().find_map(|line| line.strip_prefix("!\t")?.split('\t').nth(1));
    let Some(refusal) = refusal else {
        return Err(RefsError::Unreachable { url: url.to_owned(), reason: last_words(&output.stderr) });
    };
    if refusal.contains("missing necessary objects") {
        let (url, sha) = (url.to_owned(), commit.clone());
        return Err(RefsError::NoSuchCommit { url, sha, reason: refusal.to_owned() });
    }
    let said: Vec<&str> =
        output.stderr.lines().filter_map(|line| line.strip_prefix("remote:")).map(str::trim).collect();
    let said = said.join(" ");
    let reason =
        if said.trim().is_empty() { refusal.to_owned() } else { format!("{refusal}: {}", said.trim()) };
    Err(RefsError::Refused { url: url.to_owned(), name: name.to_owned(), reason })
}

/// `git` without translation, and without transports that run any program.
fn git(arguments: &[&str]) -> Command {
    let mut command = Command::new("git");
    command.args(arguments).env("LC_ALL", "C").env("GIT_ALLOW_PROTOCOL", "file:git:http:https:ssh");
    for name in ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_NAMESPACE"] {
        command.env_remove(name);
    }
    command
}

fn run(command: Command, limit: Duration, url: &str, presence: Presence) -> Result<Output, RefsError> {
    child::run(command, limit, presence).map_err(|error| child_failed(error, limit, url))
}

fn child_failed(error: ChildError, limit: Duration, url: &str) -> RefsError {
    match error {
        ChildError::TimedOut => RefsError::TimedOut { url: url.to_owned(), seconds: limit.as_secs() },
        ChildError::TooMuch => RefsError::TooLong { url: url.to_owned(), bytes: child::STDOUT_BYTES_MAX },
        ChildError::Io(error) => RefsError::Unreachable {
            url: url.to_owned(),
            reason: format!("the `git` command could not be run: {error}"),
        },
    }
}

/// Whether a server said that it has no such commit, or none for us. The words are upload-pack's and fetch-pack's.
fn is_no_such_commit(stderr: &str) -> bool {
    ["not our ref", "unadvertised object", "find remote ref"].iter().any(|words| stderr.contains(words))
}

fn is_over_ssh(url: &str) -> bool {
    url.split_once("://").is_none_or(|(scheme, _)| scheme.contains("ssh"))
}

/// What git says it died of, or what its helper (ssh, most likely) said before where git knows no more than that; else
/// the last line.
fn last_words(stderr: &str) -> String {
    const NOTHING_READ: &str = "Could not read from remote repository.";
    let lines: Vec<&str> = stderr.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let fatal = lines.iter().enumerate().find_map(|(at, line)| Some((at, line.strip_prefix("fatal: ")?)));
    let line = match fatal {
        Some((at, NOTHING_READ)) => at.checked_sub(1).and_then(|before| lines.get(before)).copied(),
        Some((_, words)) => Some(words),
        None => lines.last().copied(),
    };
    line.unwrap_or("git said nothing").to_owned()
}

/// Lines of `<sha> TAB <name>`; `<name>^{}` tells the commit behind the annotated tag before it.
fn parse_listing(stdout: &[u8]) -> Result<Vec<RemoteRef>, String> {
    let text = String::from_utf8_lossy(stdout);
    let mut listed = Vec::new();
    for line in text.lines() {
        let (sha, name) = line.split_once('\t').ok_or_else(|| format!("unexpected line {line:?}"))?;
        add_advertised(&mut listed, sha, name)?;
    }
    Ok(listed)
}

/// Adds one advertised line to a listing.
pub(crate) fn add_advertised(listed: &mut Vec<RemoteRef>, sha: &str, name: &str) -> Result<(), String> {
    let sha = GitSha::new(sha).map_err(|error| error.to_string())?;
    match (name.strip_suffix("^{}"), listed.last_mut()) {
        (Some(base), Some(last)) if last.name == base => last.peeled = Some(sha),
        (Some(_), _) => {}
        (None, _) => listed.push(RemoteRef::new(name, sha)),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peeled_lines_belong_to_the_tag_before_them() {
        let (a, b) = ("a".repeat(40), "b".repeat(40));
        let text = format!("{a}\tHEAD\n{b}\trefs/tags/t\n{a}\trefs/tags/t^{{}}\n");
        let listed = parse_listing(text.as_bytes()).unwrap();
        assert_eq!(listed.len(), 2);
        assert_eq!(listed[1].commit().as_str(), a);
        assert_eq!(listed[1].sha.as_str(), b);
        assert!(parse_listing(b"nonsense").is_err());
    }

    #[test]
    fn the_cause_is_told_rather_than_that_there_is_one() {
        let ssh = "Host key verification failed.\r\nfatal: Could not read from remote repository.\n\nPlease make sure\n";
        assert_eq!(last_words(ssh), "Host key verification failed.");
        assert_eq!(last_words("warning: x\nfatal: repository 'y' not found\n"), "repository 'y' not found");
        assert_eq!(last_words("error: x\nerror: y\n"), "error: y");
        assert_eq!(last_words(""), "git said nothing");
    }

    #[test]
    fn passwords_and_tokens_do_not_print() {
        for url in ["http://me:p4ss@127.0.0.1:1/shop", "http://p4ss@127.0.0.1:1/shop"] {
            let refs = GitCommandRefs::new(url, Limits::default()).with_env("GIT_TOKEN", "p4ss");
            let error = refs.list().unwrap_err();
            let shown = format!("{refs:?} {} {error} {error:?}", refs.url());
            assert!(shown.contains("127.0.0.1:1/shop") && !shown.contains("p4ss"), "{shown}");
        }
    }
}
