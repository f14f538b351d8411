//! A ZooKeeper of the test's own, on loopback.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Longer than anything here takes, on a machine that has much else to do.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
/// Runs ZooKeeper until its input ends, however this process does.
const SCRIPT: &str = r#"
. /etc/zookeeper/conf/environment
cd "$1" || exit 1
java -Xmx192m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Dorg.slf4j.simpleLogger.defaultLogLevel=warn \
  -cp "$1:$CLASSPATH:/usr/share/java/slf4j-simple.jar" org.apache.zookeeper.server.quorum.QuorumPeerMain "$1/zoo.cfg" </dev/null >>"$1/log" 2>&1 &
echo $! > "$1/pid.new" && mv "$1/pid.new" "$1/pid"
cat >/dev/null
kill -CONT $! 2>/dev/null
kill -9 $! 2>/dev/null
[ -e "$1/keep" ] || rm -rf "$1"
"#;

pub(crate) struct Server {
    wrapper: Option<Child>,
    directory: tempfile::TempDir,
    port: u16,
}

/// The server that tests share, which nobody stops; `None`, after saying so, where the components are not there.
pub(crate) fn shared() -> Option<&'static Server> {
    static SHARED: OnceLock<Option<Server>> = OnceLock::new();
    SHARED.get_or_init(Server::start).as_ref()
}

fn are_there() -> bool {
    let kazoo = Command::new("python3").args(["-c", "import kazoo"]).stderr(Stdio::null()).status();
    let java = Command::new("java").arg("-version").stderr(Stdio::null()).status();
    let package = Path::new("/etc/zookeeper/conf/environment").exists()
        && Path::new("/usr/share/java/zookeeper.jar").exists();
    package && [kazoo, java].into_iter().all(|status| status.is_ok_and(|status| status.success()))
}

/// A port that nobody has, and that nobody gets by chance while the server is down: whoever tries to connect there over
/// and over may be given that very port, and then talks with itself.
fn free_port() -> u16 {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let begin = std::process::id() as usize * 16;
    (0..10_000)
        .map(|_| 12_000 + ((begin + NEXT.fetch_add(1, Ordering::Relaxed)) % 18_000) as u16)
        .find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok())
        .expect("a free port")
}

impl Server {
    pub(crate) fn start() -> Option<Self> {
        if !are_there() {
            let required = std::env::var("PAASTA_REQUIRE_COMPONENTS").is_ok_and(|value| value == "1");
            assert!(
                !required,
                "ZooKeeper (Debian's zookeeper, libzookeeper-java) and kazoo are required but missing"
            );
            eprintln!("skipped: ZooKeeper or kazoo is not installed");
            return None;
        }
        let directory = tempfile::tempdir().expect("a directory");
        let port = free_port();
        let path = directory.path();
        let config = format!(
            "dataDir={}/data\nclientPortAddress=127.0.0.1\nclientPort={port}\ntickTime=500\nmaxClientCnxns=0\n\
             admin.enableServer=false\n4lw.commands.whitelist=*\nfsync.warningthresholdms=20000\n",
            path.display()
        );
        std::fs::write(path.join("zoo.cfg"), config).expect("writes");
        let mut server = Self { wrapper: None, directory, port };
        server.run();
        Some(server)
    }

    /// Starts it, again if it was killed, and waits until it serves.
    pub(crate) fn run(&mut self) {
        let path = self.directory.path();
        let _ = std::fs::remove_file(path.join("pid"));
        let wrapper =
            Command::new("sh").args(["-c", SCRIPT, "zookeeper"]).arg(path).stdin(Stdio::piped()).spawn();
        self.wrapper = Some(wrapper.expect("sh runs"));
        let begin = Instant::now();
        while self.say("ruok").as_deref() != Some("imok") {
            let log = || std::fs::read_to_string(path.join("log")).unwrap_or_default();
            assert!(begin.elapsed() < PATIENCE, "ZooKeeper does not start: {}", log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// What it answers to a word of four letters.
    pub(crate) fn say(&self, word: &str) -> Option<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).ok()?;
        // One that is just starting may never answer.
        stream.set_read_timeout(Some(Duration::from_secs(1))).ok()?;
        stream.write_all(word.as_bytes()).ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        Some(answer)
    }

    fn signal(&self, signal: &str) {
        let pid = std::fs::read_to_string(self.directory.path().join("pid")).expect("it runs");
        let status = Command::new("kill").args([signal, pid.trim()]).status().expect("kill runs");
        assert!(status.success());
    }

    /// Lets it answer nothing, with its connections open.
    pub(crate) fn freeze(&self) {
        self.signal("-STOP");
    }

    pub(crate) fn thaw(&self) {
        self.signal("-CONT");
    }

    /// As a crash ends it. Its data stays.
    pub(crate) fn kill(&mut self) {
        std::fs::write(self.directory.path().join("keep"), "").expect("writes");
        if let Some(mut wrapper) = self.wrapper.take() {
            drop(wrapper.stdin.take());
            wrapper.wait().expect("ends");
        }
        std::fs::remove_file(self.directory.path().join("keep")).expect("is there");
    }

    pub(crate) fn root(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(mut wrapper) = self.wrapper.take() {
            drop(wrapper.stdin.take());
            let _ = wrapper.wait();
        }
    }
}

/// Waits until it is so.
pub(crate) async fn until<F: Future<Output = bool>>(what: &str, mut is_so: impl FnMut() -> F) {
    let begin = Instant::now();
    while !is_so().await {
        assert!(begin.elapsed() < PATIENCE, "in vain: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
