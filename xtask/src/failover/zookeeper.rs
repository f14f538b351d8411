//! A real ZooKeeper of our own.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const ENVIRONMENT: &str = "/etc/zookeeper/conf/environment";

/// Half a second: sessions may be as short as one second.
const TICK_MILLISECONDS: u32 = 500;

/// Whether Debian's packages are installed.
pub(super) fn is_here() -> bool {
    Path::new(ENVIRONMENT).exists() && Path::new("/usr/share/java/zookeeper.jar").exists()
}

/// A port that no client gets for its own end: one that tries again and again to reach a dead port in that range would
/// reach itself at last.
fn free_address() -> anyhow::Result<SocketAddr> {
    let free = (23_200..23_300).find_map(|port| std::net::TcpListener::bind(("127.0.0.1", port)).ok());
    Ok(free.context("no port is free from 23200 to 23299")?.local_addr()?)
}

pub(super) struct ZooKeeper {
    address: SocketAddr,
    config: PathBuf,
    log: PathBuf,
    child: Option<Child>,
}

impl ZooKeeper {
    pub(super) async fn start(dir: &Path) -> anyhow::Result<Self> {
        let data = dir.join("data");
        std::fs::create_dir_all(&data).context("could not make a directory")?;
        let address = free_address()?;
        let config = dir.join("zoo.cfg");
        let text = format!(
            "tickTime={TICK_MILLISECONDS}\ndataDir={}\nclientPort={}\nclientPortAddress=127.0.0.1\n\
             4lw.commands.whitelist=*\nadmin.enableServer=false\n",
            data.display(),
            address.port()
        );
        std::fs::write(&config, text).context("could not write ZooKeeper's configuration")?;
        let mut zookeeper = Self { address, config, log: dir.join("log"), child: None };
        zookeeper.spawn().await?;
        Ok(zookeeper)
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Starts it, again on the same data, and waits until it answers.
    pub(super) async fn spawn(&mut self) -> anyhow::Result<()> {
        let log = std::fs::OpenOptions::new().create(true).append(true).open(&self.log)?;
        let script = format!(
            ". {ENVIRONMENT}; exec java -cp /etc/zookeeper/conf:$CLASSPATH \
             org.apache.zookeeper.server.quorum.QuorumPeerMain {}",
            self.config.display()
        );
        let child = Command::new("sh")
            .args(["-c", &script])
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .context("could not start ZooKeeper")?;
        self.child = Some(child);
        let begin = Instant::now();
        while !self.is_well().await {
            ensure!(
                begin.elapsed() < super::PATIENCE,
                "ZooKeeper does not answer: see {}",
                self.log.display()
            );
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Ok(())
    }

    async fn is_well(&self) -> bool {
        let asked = async {
            let mut stream = TcpStream::connect(self.address).await.ok()?;
            stream.write_all(b"ruok").await.ok()?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.ok()?;
            Some(answer == "imok")
        };
        tokio::time::timeout(Duration::from_secs(1), asked).await.ok().flatten().unwrap_or(false)
    }

    pub(super) fn kill(&mut self) -> anyhow::Result<()> {
        let Some(mut child) = self.child.take() else { return Ok(()) };
        child.kill().context("could not stop ZooKeeper")?;
        child.wait().context("could not wait for ZooKeeper")?;
        Ok(())
    }
}

impl Drop for ZooKeeper {
    fn drop(&mut self) {
        self.kill().ok();
    }
}
