//! Every way to a remote, against real repositories.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up fails")]

#[path = "../common/mod.rs"]
mod common;
mod http;
mod promises;
mod ssh;

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::time::Duration;

use common::{Daemon, Remote};
use paasta_deployments::{GitCommandRefs, Limits, Refs, RefsError, WriteMode, Written, refs_for_url};
use promises::check_promises;

const TAG: &str = "refs/tags/paasta-prod.main-20210101T000000-deploy";

fn limits() -> Limits {
    Limits::default()
}

#[test]
fn a_path() {
    let remote = Remote::new();
    check_promises(&remote, &*refs_for_url(remote.path().to_str().unwrap(), limits()).unwrap());
    let without_suffix = remote.folder.path().join("svc");
    let refs = refs_for_url(&format!("file://{}", without_suffix.display()), limits()).unwrap();
    assert!(!refs.list().unwrap().is_empty());
}

#[test]
fn a_refusing_hook_is_quoted() {
    let remote = Remote::new();
    remote.refuse_by("update");
    let local = refs_for_url(remote.path().to_str().unwrap(), limits()).unwrap();
    let command: Arc<dyn Refs> =
        Arc::new(GitCommandRefs::new(&format!("file://{}", remote.path().display()), limits()));
    for refs in [local, command] {
        let error = refs.write(TAG, &remote.commits[2], WriteMode::Overwrite).unwrap_err().to_string();
        assert!(error.contains("releases are frozen") && error.contains(TAG), "{error}");
    }
}

#[test]
fn hooks_run_after_a_local_write() {
    let remote = Remote::new();
    let hook = remote.path().join("hooks/post-receive");
    fs::create_dir_all(hook.parent().unwrap()).unwrap();
    fs::write(&hook, "#!/bin/sh\ncat > seen\n").unwrap();
    fs::set_permissions(&hook, fs::Permissions::from_mode(0o755)).unwrap();
    let refs = refs_for_url(remote.path().to_str().unwrap(), limits()).unwrap();
    assert_eq!(refs.write(TAG, &remote.commits[1], WriteMode::CreateOnly), Ok(Written::Done));
    assert!(fs::read_to_string(remote.path().join("seen")).unwrap().contains(TAG));
}

#[test]
fn the_git_command() {
    let remote = Remote::new();
    check_promises(&remote, &GitCommandRefs::new(&format!("file://{}", remote.path().display()), limits()));
}

#[test]
fn the_git_command_over_ssh() {
    let remote = Remote::new();
    let ssh = remote.folder.path().join("ssh");
    // Runs what a server would run, without the network between.
    fs::write(&ssh, "#!/bin/sh\nfor last; do :; done\nexec sh -c \"$last\"\n").unwrap();
    fs::set_permissions(&ssh, fs::Permissions::from_mode(0o755)).unwrap();
    for url in ["git@example.com:svc.git", "ssh://git@example.com/svc.git"] {
        let remote = Remote::new();
        let path = format!("git@example.com:{}", remote.path().display());
        let url = if url.starts_with("ssh") {
            format!("ssh://git@example.com{}", remote.path().display())
        } else {
            path
        };
        check_promises(&remote, &GitCommandRefs::new(&url, limits()).with_env("GIT_SSH_COMMAND", &ssh));
    }
}

#[test]
fn a_git_daemon() {
    let remote = Remote::new();
    let Some(daemon) = Daemon::start(remote.folder.path()) else { return };
    let url = format!("git://127.0.0.1:{}/svc.git", daemon.port);
    check_promises(&remote, &*refs_for_url(&url, limits()).unwrap());
    let other = format!("git://127.0.0.1:{}/nothing.git", daemon.port);
    let error = refs_for_url(&other, limits()).unwrap().list().unwrap_err();
    assert!(matches!(error, RefsError::Unreachable { .. }), "{error:?}");
}

#[test]
fn a_git_daemon_quotes_the_hook() {
    let remote = Remote::new();
    let Some(daemon) = Daemon::start(remote.folder.path()) else { return };
    remote.refuse_by("pre-receive");
    let refs = refs_for_url(&format!("git://127.0.0.1:{}/svc.git", daemon.port), limits()).unwrap();
    let error = refs.write(TAG, &remote.commits[1], WriteMode::CreateOnly).unwrap_err().to_string();
    assert!(error.contains("releases are frozen"), "{error}");
}

#[test]
fn unreachable_remotes_say_so_in_time() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("none").display().to_string();
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let closed = {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap().port()
    };
    let short = Limits { listing: Duration::from_millis(300), writing: Duration::from_millis(300) };
    let list = |url: &str, limits| refs_for_url(url, limits).unwrap().list().unwrap_err();
    assert!(matches!(list(&missing, limits()), RefsError::Unreachable { .. }));
    assert!(matches!(list(&format!("git://127.0.0.1:{closed}/x"), limits()), RefsError::Unreachable { .. }));
    assert!(matches!(list(&format!("http://127.0.0.1:{closed}/x"), limits()), RefsError::Unreachable { .. }));
    for scheme in ["git", "http"] {
        let error = list(&format!("{scheme}://127.0.0.1:{port}/x"), short);
        assert!(matches!(error, RefsError::TimedOut { .. }), "{scheme}: {error:?}");
    }
}
