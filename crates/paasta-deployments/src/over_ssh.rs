//! Putting a ref on a commit over ssh with git's own protocol, so that no object travels: servers of the older protocol
//! show only the tips of refs, and a commit that is to be deployed is seldom one for long.
//!
//! ssh is called as git would call it. Where that is not OpenSSH's way, nothing comes of it, and git itself is asked.

use std::io::{self, BufReader, Read, Write};
use std::process::{ChildStdin, ChildStdout, Command};

use crate::remote::percent_decoded;

/// Git's order: the variable, the configuration, the older variable, and ssh itself.
const SCRIPT: &str = r#"
command=${GIT_SSH_COMMAND:-$(git config --get core.sshCommand)}
if [ -n "$command" ]; then eval "exec $command \"\$@\""; fi
if [ -n "$GIT_SSH" ]; then exec "$GIT_SSH" "$@"; fi
exec ssh $PAASTA_SSH_OPTIONS "$@"
"#;

/// Where a repository is behind ssh.
#[derive(Debug, PartialEq, Eq)]
struct Place {
    /// With the user, if one is named.
    host: String,
    port: Option<u16>,
    path: String,
}

/// The command that speaks with `service` (such as `git-receive-pack`) of the repository at `url`; `None` for a URL that
/// is not ssh's, or of a form that only git knows.
pub(crate) fn connect(url: &str, service: &str, asks_nobody: bool) -> Option<Command> {
    let place = place(url)?;
    let mut command = Command::new("sh");
    command.args(["-c", SCRIPT, "ssh"]);
    if let Some(port) = place.port {
        command.args(["-p", &port.to_string()]);
    }
    command.arg(place.host).arg(format!("{service} '{}'", place.path.replace('\'', r"'\''")));
    command.env("PAASTA_SSH_OPTIONS", if asks_nobody { "-o BatchMode=yes" } else { "" });
    Some(command)
}

fn place(url: &str) -> Option<Place> {
    let (host, port, path) = match url.split_once("://") {
        Some((scheme, rest)) if scheme.contains("ssh") => {
            let (authority, path) = rest.split_at(rest.find('/')?);
            let (user, host) =
                authority.rsplit_once('@').map_or(("", authority), |(user, host)| (user, host));
            let (host, port) = match host.split_once(':') {
                Some((host, port)) => (host, Some(port.parse().ok()?)),
                None => (host, None),
            };
            let host = if user.is_empty() { host.to_owned() } else { format!("{user}@{host}") };
            // A home directory: `ssh://host/~user/repository`.
            let path = percent_decoded(path);
            (
                host,
                port,
                path.strip_prefix('/').filter(|rest| rest.starts_with('~')).unwrap_or(&path).to_owned(),
            )
        }
        Some(_) => return None,
        None => {
            let (host, path) = url.split_once(':')?;
            (host.to_owned(), None, path.to_owned())
        }
    };
    let odd = |c: char| c.is_whitespace() || c.is_control() || matches!(c, '[' | ']' | '/' | '\'' | '"');
    let bad = host.is_empty() || host.starts_with('-') || host.contains(odd) || path.is_empty();
    (!bad && !host.contains(":") && !path.contains(char::is_control)).then_some(Place { host, port, path })
}

/// Both pipes of a command as one stream.
pub(crate) struct Pipes {
    pub(crate) from: BufReader<ChildStdout>,
    pub(crate) to: ChildStdin,
}

impl Read for Pipes {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.from.read(buffer)
    }
}

impl Write for Pipes {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.to.write(buffer)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places() {
        let at = |host: &str, port, path: &str| Some(Place { host: host.into(), port, path: path.into() });
        assert_eq!(place("git@h:a b/c.git"), at("git@h", None, "a b/c.git"));
        assert_eq!(place("h:/a"), at("h", None, "/a"));
        assert_eq!(place("ssh://u@h:22/a%20b"), at("u@h", Some(22), "/a b"));
        assert_eq!(place("git+ssh://h/~u/a"), at("h", None, "~u/a"));
        for git_knows in [
            "https://h/a",
            "[h:22]:a",
            "ssh://[::1]/a",
            "ssh://-oX=y/a",
            "-oX:a",
            "ssh://h",
            "h:",
            "ssh://u:p@h/a",
        ] {
            assert_eq!(place(git_knows), None, "{git_knows}");
        }
    }

    #[test]
    fn paths_are_quoted_for_the_other_side() {
        let command = connect("h:it's", "git-receive-pack", true).unwrap();
        assert_eq!(command.get_args().last().unwrap(), r"git-receive-pack 'it'\''s'");
    }
}
