//! A real HAProxy, started for one test.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// How long anything of HAProxy is waited for.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Ends with this.
pub(crate) struct Server {
    child: Child,
    directory: TempDir,
    /// Of the statistics page.
    pub(crate) port: u16,
}

/// Where Debian puts it, which is not on everybody's path.
fn program() -> Option<PathBuf> {
    ["haproxy", "/usr/sbin/haproxy", "/usr/local/sbin/haproxy"].into_iter().map(PathBuf::from).find(
        |program| {
            let version =
                Command::new(program).arg("-v").stdout(Stdio::null()).stderr(Stdio::null()).status();
            version.is_ok_and(|status| status.success())
        },
    )
}

/// A port that nobody has, and that nobody gets by chance.
pub(crate) fn free_port() -> u16 {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let begin = std::process::id() as usize * 16;
    (0..10_000)
        .map(|_| 12_000 + ((begin + NEXT.fetch_add(1, Ordering::Relaxed)) % 18_000) as u16)
        .find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok())
        .expect("a free port")
}

impl Server {
    /// With these proxies besides the page of statistics; none where HAProxy is not installed and need not be.
    #[expect(clippy::disallowed_methods, reason = "CI says that nothing may be skipped")]
    pub(crate) fn start(proxies: &str) -> Option<Self> {
        let Some(program) = program() else {
            let required = std::env::var("PAASTA_REQUIRE_COMPONENTS").is_ok_and(|value| value == "1");
            assert!(!required, "HAProxy (Debian's haproxy) is required but missing");
            eprintln!("skipped: HAProxy is not installed");
            return None;
        };
        let directory = tempfile::tempdir().expect("a directory");
        let port = free_port();
        let config = format!(
            "global\n  stats socket {0}/socket mode 600 level admin\n  maxconn 100\n\
             defaults\n  mode http\n  timeout connect 1s\n  timeout client 5s\n  timeout server 5s\n\
             frontend stats\n  bind 127.0.0.1:{port}\n  stats enable\n  stats uri /\n{proxies}",
            directory.path().display()
        );
        let file = directory.path().join("haproxy.cfg");
        std::fs::write(&file, config).expect("writes");
        // In the foreground: it ends when we do.
        let child = Command::new(program).arg("-db").arg("-f").arg(&file).stderr(Stdio::null()).spawn();
        let server = Self { child: child.expect("HAProxy runs"), directory, port };
        let begin = Instant::now();
        while !server.say("show info").is_some_and(|info| info.contains("Pid:")) {
            assert!(begin.elapsed() < PATIENCE, "HAProxy does not start");
            std::thread::sleep(Duration::from_millis(20));
        }
        Some(server)
    }

    /// What it answers to a command of its runtime API.
    pub(crate) fn say(&self, command: &str) -> Option<String> {
        let mut socket = UnixStream::connect(self.directory.path().join("socket")).ok()?;
        socket.set_read_timeout(Some(PATIENCE)).ok()?;
        socket.write_all(format!("{command}\n").as_bytes()).ok()?;
        let mut answer = String::new();
        socket.read_to_string(&mut answer).ok()?;
        Some(answer)
    }

    /// Its table, from its socket.
    pub(crate) fn table(&self) -> String {
        self.say("show stat").expect("it answers")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
