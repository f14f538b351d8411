//! ssh, against a real `sshd` on loopback with its own keys, as a user would have set it up.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use paasta_deployments::{GitCommandRefs, Limits, Refs as _, RefsError, WriteMode, Written};
use tempfile::TempDir;

use crate::common::{Remote, git, missing};
use crate::promises::check_promises;

/// An `sshd` that knows one key of one user: of whoever runs the test.
struct Sshd {
    folder: TempDir,
    user: String,
    port: u16,
    child: Child,
}

impl Sshd {
    /// `None` where `sshd` is not installed, or may not run.
    fn start() -> Option<Self> {
        let program =
            ["/usr/sbin/sshd", "/usr/local/sbin/sshd"].map(Path::new).into_iter().find(|p| p.exists());
        let Some(program) = program else {
            missing("sshd");
            return None;
        };
        let folder = tempfile::tempdir().unwrap();
        for name in ["host", "key", "limited", "other"] {
            let mut keygen = Command::new("ssh-keygen");
            keygen.args(["-q", "-t", "ed25519", "-N", "", "-f", name]).current_dir(folder.path());
            assert!(keygen.status().unwrap().success());
        }
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let at = |name: &str| folder.path().join(name).display().to_string();
        let public = |name: &str| fs::read_to_string(at(name)).unwrap();
        // As git servers do it: this key may run git's own commands and nothing else.
        let limited = format!(
            "restrict,command=\"git shell -c \\\"$SSH_ORIGINAL_COMMAND\\\"\" {}",
            public("limited.pub")
        );
        fs::write(at("authorized_keys"), public("key.pub") + &limited).unwrap();
        let host = public("host.pub");
        fs::write(at("known_hosts"), format!("[127.0.0.1]:{port} {host}")).unwrap();
        let config = format!(
            "ListenAddress 127.0.0.1\nPort {port}\nHostKey {}\nAuthorizedKeysFile {}\nStrictModes no\nUsePAM no\n\
             PidFile none\nPasswordAuthentication no\nKbdInteractiveAuthentication no\nPermitRootLogin yes\nMaxStartups 100\n\
             SetEnv PATH={}\n",
            at("host"),
            at("authorized_keys"),
            path()
        );
        fs::write(at("sshd_config"), config).unwrap();
        let mut sshd = Command::new(program);
        sshd.args(["-D", "-e", "-f", &at("sshd_config")]).stdin(Stdio::null());
        let child = sshd.stderr(fs::File::create(at("log")).unwrap()).spawn().unwrap();
        let mut sshd = Self { user: login(), port, child, folder };
        let deadline = Instant::now() + Duration::from_secs(20);
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            let said = || fs::read_to_string(sshd.folder.path().join("log")).unwrap_or_default();
            if sshd.child.try_wait().unwrap().is_some() {
                missing(&format!("sshd that may run here ({})", said().trim()));
                return None;
            }
            assert!(Instant::now() < deadline, "sshd did not start: {}", said());
            std::thread::park_timeout(Duration::from_millis(5));
        }
        Some(sshd)
    }

    /// The user's ssh_config, with this host by a name of the user's own; further lines go below.
    fn config(&self, key: &str, more: &str) -> PathBuf {
        let at = |name: &str| self.folder.path().join(name).display().to_string();
        let path = self.folder.path().join(format!("config-{key}-{}", more.len()));
        let text = format!(
            "Host code\n  HostName 127.0.0.1\n  Port {}\n  User {}\nHost *\n  IdentityFile {}\n  IdentitiesOnly yes\n  \
             UserKnownHostsFile {}\n  GlobalKnownHostsFile /dev/null\n  KexAlgorithms curve25519-sha256\n{more}",
            self.port,
            self.user,
            at(key),
            at("known_hosts")
        );
        fs::write(&path, text).unwrap();
        path
    }

    fn refs(&self, url: &str, config: &Path) -> GitCommandRefs {
        let ssh = format!("ssh -F {}", config.display());
        GitCommandRefs::new(url, Limits::default()).unattended().with_env("GIT_SSH_COMMAND", ssh)
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[expect(clippy::disallowed_methods, reason = "a test's own surroundings")]
fn path() -> String {
    std::env::var("PATH").unwrap()
}

fn login() -> String {
    let output = Command::new("id").arg("-un").output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[test]
fn ssh() {
    let Some(sshd) = Sshd::start() else { return };
    let remote = Remote::new();
    let url = format!("code:{}", remote.path().display());
    check_promises(&remote, &sshd.refs(&url, &sshd.config("key", "")));
}

#[test]
fn ssh_in_every_form_of_its_url() {
    let Some(sshd) = Sshd::start() else { return };
    let config = sshd.config("key", "");
    let (user, port) = (&sshd.user, sshd.port);
    let remote = Remote::new();
    let path = remote.path().display().to_string();
    let urls = [
        format!("{user}@code:{path}"),
        format!("ssh://{user}@127.0.0.1:{port}{path}"),
        format!("git+ssh://code{path}"),
    ];
    for (i, url) in urls.iter().enumerate() {
        let name = format!("refs/tags/paasta-prod.main-2021010{i}T000000-stop");
        let written = sshd.refs(url, &config).write(&name, &remote.commits[1], WriteMode::CreateOnly);
        assert_eq!(written, Ok(Written::Done), "{url}");
        assert_eq!(remote.points_at(&name).as_deref(), Some(remote.commits[1].as_str()), "{url}");
    }
}

/// Neither the newer protocol nor any command of ours gets through, and still a tag comes to a commit that is no tip.
#[test]
fn ssh_to_a_server_that_runs_nothing_but_git() {
    let Some(sshd) = Sshd::start() else { return };
    let remote = Remote::new();
    let refs = sshd.refs(&format!("code:{}", remote.path().display()), &sshd.config("limited", ""));
    let inner = &remote.commits[1];
    assert_eq!(refs.write("refs/tags/inner", inner, WriteMode::CreateOnly), Ok(Written::Done));
    assert_eq!(refs.write("refs/tags/inner", inner, WriteMode::CreateOnly), Ok(Written::AlreadyThere));
    assert_eq!(remote.points_at("refs/tags/inner").as_deref(), Some(inner.as_str()));
}

#[test]
fn ssh_as_the_users_git_configuration_calls_it() {
    let Some(sshd) = Sshd::start() else { return };
    let remote = Remote::new();
    let global = sshd.folder.path().join("gitconfig");
    let ssh = format!("ssh -F {}", sshd.config("key", "").display());
    fs::write(&global, format!("[core]\n\tsshCommand = {ssh}\n")).unwrap();
    let refs = GitCommandRefs::new(&format!("code:{}", remote.path().display()), Limits::default())
        .unattended()
        .with_env("GIT_CONFIG_GLOBAL", &global);
    assert!(!refs.list().unwrap().is_empty());
}

#[test]
fn what_ssh_says_is_told() {
    let Some(sshd) = Sshd::start() else { return };
    let remote = Remote::new();
    let url = format!("code:{}", remote.path().display());
    let reason = |url: &str, config: &Path| match sshd.refs(url, config).list() {
        Err(RefsError::Unreachable { reason, .. }) => reason,
        other => panic!("{other:?}"),
    };
    let stranger = reason(&url, &sshd.config("other", ""));
    assert!(stranger.contains("Permission denied (publickey)"), "{stranger}");
    let nothing = reason("code:/nowhere/svc.git", &sshd.config("key", ""));
    assert!(nothing.contains("/nowhere/svc.git"), "{nothing}");
    let other = fs::read_to_string(sshd.folder.path().join("other.pub")).unwrap();
    fs::write(sshd.folder.path().join("known_hosts"), format!("[127.0.0.1]:{} {other}", sshd.port)).unwrap();
    let changed = reason(&url, &sshd.config("key", ""));
    assert!(changed.contains("Host key verification failed"), "{changed}");
    fs::write(sshd.folder.path().join("known_hosts"), "").unwrap();
    let unknown = reason(&url, &sshd.config("key", ""));
    assert!(unknown.contains("Host key verification failed"), "{unknown}");
}

/// ssh leaves a connection behind, which must not look as if git were not done.
#[test]
fn a_shared_connection_is_not_waited_for() {
    let Some(sshd) = Sshd::start() else { return };
    let remote = Remote::new();
    let control = sshd.folder.path().join("control");
    let more = format!("  ControlMaster auto\n  ControlPath {}\n  ControlPersist 60\n", control.display());
    let config = sshd.config("key", &more);
    let refs = sshd.refs(&format!("code:{}", remote.path().display()), &config);
    let begin = Instant::now();
    for _ in 0..3 {
        assert!(!refs.list().unwrap().is_empty());
    }
    assert!(control.exists() && begin.elapsed() < Duration::from_secs(30), "{:?}", begin.elapsed());
    let mut exit = Command::new("ssh");
    exit.arg("-F").arg(&config).args(["-O", "exit", "code"]).stderr(Stdio::null());
    assert!(exit.status().unwrap().success());
}

#[test]
fn ssh_is_told_that_nobody_is_there_unless_the_user_calls_it_otherwise() {
    let folder = tempfile::tempdir().unwrap();
    let (ssh, said) = (folder.path().join("ssh"), folder.path().join("said"));
    fs::write(&ssh, format!("#!/bin/sh\necho \"$@\" > {}\nexit 1\n", said.display())).unwrap();
    fs::set_permissions(&ssh, fs::Permissions::from_mode(0o755)).unwrap();
    let global = folder.path().join("gitconfig");
    fs::write(&global, "").unwrap();
    let path = format!("{}:{}", folder.path().display(), path());
    let refs = GitCommandRefs::new("git@code.example.com:web", Limits::default())
        .unattended()
        .with_env("PATH", path)
        .with_env("GIT_CONFIG_GLOBAL", &global);
    refs.list().unwrap_err();
    let words = fs::read_to_string(&said).unwrap();
    assert!(words.starts_with("-o BatchMode=yes"), "{words}");
    git(folder.path(), &["config", "--file", "gitconfig", "core.sshCommand", "ssh -v"]);
    refs.list().unwrap_err();
    let words = fs::read_to_string(&said).unwrap();
    assert!(words.starts_with("-v") && !words.contains("BatchMode"), "{words}");
}
