//! Servers that refuse, hang or talk nonsense cost a bounded wait, and say which remote it was.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up fails")]

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use paasta_core::GitSha;
use paasta_deployments::{
    GitCommandRefs, Limits, Refs, RefsError, WriteMode, refs_for_url, unattended_refs_for_url,
};

const LIMIT: Duration = Duration::from_millis(1500);
/// For everything around it, on a busy machine.
const SLACK: Duration = Duration::from_secs(15);

/// A server on loopback that does the same to everybody; its port.
fn server(serve: impl Fn(TcpStream) + Send + Sync + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let serve = std::sync::Arc::new(serve);
    thread::spawn(move || {
        for stream in listener.incoming() {
            let serve = serve.clone();
            thread::spawn(move || serve(stream.unwrap()));
        }
    });
    port
}

/// Reads what the client asks until it waits for an answer.
fn asked(stream: &mut TcpStream) -> String {
    let mut buffer = [0; 4096];
    let length = stream.read(&mut buffer).unwrap_or_default();
    String::from_utf8_lossy(&buffer[..length]).into_owned()
}

/// Says the same again and again until nobody listens any more.
fn forever(stream: &mut TcpStream, text: &str) {
    while stream.write_all(text.as_bytes()).is_ok() {}
}

#[track_caller]
fn fails(refs: &dyn Refs, what: &str) -> RefsError {
    let begin = Instant::now();
    let error = refs.list().unwrap_err();
    assert!(begin.elapsed() < LIMIT + SLACK, "{what}: {:?}", begin.elapsed());
    assert!(error.to_string().contains(refs.url()), "{what}: {error}");
    error
}

fn kind(error: &RefsError) -> &'static str {
    match error {
        RefsError::Unreachable { .. } => "unreachable",
        RefsError::TimedOut { .. } => "timed out",
        RefsError::Garbled { .. } => "garbled",
        RefsError::TooLong { .. } => "too long",
        _ => "something else",
    }
}

type Serve = fn(TcpStream);

const LINE: &str = "00405e687a3f765082dee00cd4f66b0654274e3959f1 refs/tags/a-1-stop\n";

/// What a server does, and what that is over git's own protocol and over http.
const SERVERS: [(&str, Serve, &[&str], &[&str]); 6] = [
    ("never answers", |stream| until_closed(&stream), &["timed out"], &["timed out"]),
    ("closes at once", drop, &["unreachable"], &["unreachable"]),
    (
        "answers garbage",
        |mut stream| {
            asked(&mut stream);
            let _ = stream.write_all(b"\x00\xff not what you expect\r\n\r\n");
        },
        &["garbled"],
        &["unreachable"],
    ),
    (
        "answers byte by byte",
        |mut stream| {
            let http = asked(&mut stream).starts_with("GET ");
            let head = "HTTP/1.1 200 OK\r\n".to_owned() + &"X-Long: 1\r\n".repeat(1000);
            for byte in if http { head } else { LINE.repeat(1000) }.bytes() {
                if stream.write_all(&[byte]).is_err() {
                    return;
                }
                thread::park_timeout(Duration::from_millis(20));
            }
        },
        &["timed out"],
        &["timed out"],
    ),
    (
        "never ends",
        |mut stream| {
            let http = asked(&mut stream).starts_with("GET ");
            if http {
                let head =
                    "HTTP/1.1 200 OK\r\nContent-Type: application/x-git-upload-pack-advertisement\r\n\r\n";
                let _ = stream.write_all(head.as_bytes());
                let _ = stream.write_all(b"001e# service=git-upload-pack\n0000");
            }
            forever(&mut stream, &LINE.repeat(1000));
        },
        &["timed out", "too long"],
        &["timed out", "unreachable", "too long"],
    ),
    (
        "says no",
        |mut stream| match asked(&mut stream).starts_with("GET ") {
            true => {
                let _ = stream.write_all(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n");
            }
            false => {
                let _ = stream.write_all(b"0012ERR not today\n");
            }
        },
        &["unreachable"],
        &["unreachable"],
    ),
];

fn until_closed(mut stream: &TcpStream) {
    let mut buffer = [0; 64];
    while stream.read(&mut buffer).is_ok_and(|length| length > 0) {}
}

#[test]
fn a_bad_server_costs_a_bounded_wait_over_git_and_http() {
    thread::scope(|scope| {
        for (what, serve, over_git, over_http) in SERVERS {
            let port = server(serve);
            for (scheme, expected) in [("git", over_git), ("http", over_http)] {
                scope.spawn(move || {
                    let url = format!("{scheme}://127.0.0.1:{port}/svc.git");
                    let refs = refs_for_url(&url, Limits::of(LIMIT)).unwrap();
                    let error = fails(&*refs, what);
                    assert!(expected.contains(&kind(&error)), "{scheme}, {what}: {error:?}");
                });
            }
        }
    });
}

#[test]
fn a_server_that_refuses_is_quoted() {
    let port = server(|mut stream| {
        asked(&mut stream);
        let _ = stream.write_all(b"0012ERR not today\n");
    });
    let refs = refs_for_url(&format!("git://127.0.0.1:{port}/x"), Limits::of(LIMIT)).unwrap();
    let error = fails(&*refs, "says no").to_string();
    assert!(error.ends_with(": not today"), "{error}");
}

#[test]
fn http_is_not_followed_round_and_round_and_asks_nobody_for_a_password() {
    let around = server(|mut stream| {
        let path = asked(&mut stream).split(' ').nth(1).unwrap_or("/").to_owned();
        let answer = format!(
            "HTTP/1.1 302 Found\r\nLocation: {path}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        );
        let _ = stream.write_all(answer.as_bytes());
    });
    let guarded = server(|mut stream| {
        asked(&mut stream);
        let answer = "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"git\"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
        let _ = stream.write_all(answer.as_bytes());
    });
    let limits = Limits::of(Duration::from_secs(30));
    let list = |url: String| {
        let refs = unattended_refs_for_url(&url, limits).unwrap();
        refs.list().unwrap_err()
    };
    let error = list(format!("http://127.0.0.1:{around}/svc.git"));
    assert_eq!(kind(&error), "unreachable", "{error:?}");
    let error = list(format!("http://127.0.0.1:{guarded}/svc.git"));
    assert_eq!(kind(&error), "unreachable", "{error:?}");
    assert!(error.to_string().contains("could not read Username"), "{error}");
    let error = list(format!("http://me:s3cret@127.0.0.1:{guarded}/svc.git"));
    let shown = format!("{error} {error:?}");
    assert!(kind(&error) == "unreachable" && !shown.contains("s3cret"), "{shown}");
}

/// A program in ssh's place.
fn ssh(folder: &Path, script: &str) -> std::path::PathBuf {
    let path = folder.join("ssh");
    fs::write(&path, format!("#!/bin/sh\necho $$ > {}/pid\n{script}\n", folder.display())).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}

#[test]
fn a_bad_ssh_costs_a_bounded_wait_and_ends_with_its_git() {
    let cases: [(&str, &[&str]); 5] = [
        ("sleep 1000; :", &["timed out"]),
        ("echo garbage", &["unreachable"]),
        ("while :; do echo 0; sleep 0.02; done", &["unreachable"]),
        ("yes 00405e687a3f765082dee00cd4f66b0654274e3959f1 refs/tags/a-1-stop", &["timed out", "too long"]),
        ("echo 'ssh: no such host' >&2; exit 255", &["unreachable"]),
    ];
    for (script, expected) in cases {
        let folder = tempfile::tempdir().unwrap();
        let refs = GitCommandRefs::new("git@example.com:svc.git", Limits::of(LIMIT))
            .unattended()
            .with_env("GIT_SSH_COMMAND", ssh(folder.path(), script));
        let error = fails(&refs, script);
        assert!(expected.contains(&kind(&error)), "{script}: {error:?}");
        if script.contains("no such host") {
            assert!(error.to_string().ends_with(": ssh: no such host"), "{error}");
        }
        let pid = fs::read_to_string(folder.path().join("pid")).unwrap();
        let deadline = Instant::now() + SLACK;
        while is_running(pid.trim()) {
            assert!(Instant::now() < deadline, "{script}: ssh runs on");
            thread::yield_now();
        }
    }
}

fn is_running(pid: &str) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z'))
}

#[test]
fn a_write_to_a_silent_server_is_bounded_too() {
    let port = server(|stream| until_closed(&stream));
    let sha = GitSha::new("a".repeat(40)).unwrap();
    for scheme in ["git", "http"] {
        let refs = refs_for_url(&format!("{scheme}://127.0.0.1:{port}/x"), Limits::of(LIMIT)).unwrap();
        let begin = Instant::now();
        let error = refs.write("refs/tags/x", &sha, WriteMode::Overwrite).unwrap_err();
        assert_eq!(kind(&error), "timed out", "{scheme}: {error:?}");
        assert!(begin.elapsed() < LIMIT * 2 + SLACK, "{scheme}");
    }
    let folder = tempfile::tempdir().unwrap();
    let refs = GitCommandRefs::new("git@example.com:svc.git", Limits::of(LIMIT))
        .unattended()
        .with_env("GIT_SSH_COMMAND", ssh(folder.path(), "sleep 1000; :"));
    let begin = Instant::now();
    let error = refs.write("refs/tags/x", &sha, WriteMode::Overwrite).unwrap_err();
    assert_eq!(kind(&error), "timed out", "{error:?}");
    assert!(begin.elapsed() < LIMIT * 2 + SLACK);
    let pid = fs::read_to_string(folder.path().join("pid")).unwrap();
    let deadline = Instant::now() + SLACK;
    while is_running(pid.trim()) {
        assert!(Instant::now() < deadline, "ssh runs on");
        thread::yield_now();
    }
}
