//! The process, and how it is brought to what is wanted.

use std::ffi::OsStr;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use tokio::process::{Child, Command};
use tokio::time::Instant;

use super::configuration::arguments;
use super::{
    CONFIGURATION_FILE, Live, PID_FILE, Place, SocketError, StatsSocket, Step, Wanted, configuration,
    listening, steps,
};

/// Longest wait for a process that starts, takes over or ends.
const PATIENCE: Duration = Duration::from_secs(10);
/// Between two looks at one that starts, takes over or ends.
const LOOK: Duration = Duration::from_millis(20);
/// How much of its log an error shows.
const TAIL_BYTES: usize = 2_000;
/// What HAProxy answers where it did as it was told.
const ADDED: &str = "New server registered.";
const DELETED: &str = "Server deleted.";

/// Why HAProxy does not stand as it should.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProxyError {
    /// A file of it cannot be had.
    #[error("`{path}` cannot be written or run: {source}")]
    Io {
        /// Which.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// HAProxy does not take the configuration; what ran goes on as it was.
    #[error("HAProxy refuses `{path}`: {answer}")]
    Configuration {
        /// The file, as it was refused.
        path: PathBuf,
        /// What HAProxy says.
        answer: String,
    },
    /// It ended, or did not begin to answer.
    #[error("HAProxy does not run: {log}")]
    Ended {
        /// The end of its log.
        log: String,
    },
    /// Its socket gave no answer, or a no.
    #[error(transparent)]
    Socket(#[from] SocketError),
    /// Its answer cannot be read.
    #[error("HAProxy's answer to `show servers state` cannot be read: {answer}")]
    Answer {
        /// How it begins.
        answer: String,
    },
}

/// What [`HaProxy::bring`] did.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Changed {
    /// It was started again, because it had ended.
    pub restarted: bool,
    /// What is listened on changed, so that a new process took over.
    pub reloaded: bool,
    /// How many servers joined, came back, or were taken out.
    pub servers: usize,
    /// How many that were taken out serve their last connections.
    pub leaving: usize,
}

/// The program, in the folders of a search path and where distributions put it. `None` if it is not installed.
///
/// ```
/// assert_eq!(paasta_smartstack::proxy::find_haproxy_in(None, &[]), None);
/// ```
pub fn find_haproxy_in(search: Option<&OsStr>, besides: &[&str]) -> Option<PathBuf> {
    let folders = search.map(std::env::split_paths).into_iter().flatten();
    let besides = besides.iter().map(PathBuf::from);
    folders.chain(besides).map(|folder| folder.join("haproxy")).find(|path| path.is_file())
}

/// The program, where it is installed: `search` is the value of `PATH`.
pub fn find_haproxy(search: Option<&OsStr>) -> Option<PathBuf> {
    find_haproxy_in(search, &["/usr/sbin", "/usr/local/sbin", "/sbin"])
}

/// A HAProxy of ours. Dropping it ends it, with the connections it has; [`HaProxy::stop`] is kinder.
#[derive(Debug)]
pub struct HaProxy {
    program: PathBuf,
    place: Place,
    socket: StatsSocket,
    child: Child,
    /// What it listens on, as text.
    loaded: String,
}

impl HaProxy {
    /// Starts one and gives it back when it answers. One of an earlier run, whose owner was killed, is ended before.
    ///
    /// # Errors
    /// [`ProxyError`] holds what HAProxy says where it does not start: a port in use, above all.
    pub async fn start(program: &Path, place: Place, wanted: &Wanted) -> Result<Self, ProxyError> {
        std::fs::create_dir_all(&place.folder).map_err(io(&place.folder))?;
        end_leftover(&place.folder).await;
        // What an earlier one knew of its servers is stale.
        remove(&place.state_file())?;
        remove(&place.socket())?;
        write(&place.state_file(), "1\n")?;
        write(&place.file(), &configuration(&place, wanted))?;
        check(program, &place.file()).await?;
        let child = spawn(program, &place)?;
        let socket = StatsSocket::new(place.socket());
        let loaded = listening(&place, wanted);
        let mut started = Self { program: program.to_owned(), place, socket, child, loaded };
        started.answering(None).await?;
        Ok(started)
    }

    /// The stats socket.
    pub fn socket(&self) -> &StatsSocket {
        &self.socket
    }

    /// Brings it to what is wanted: servers through the runtime API, one by one, and by a reload if what is listened on
    /// changed. Nobody's connection is closed. One that ended is started again. What could not be done now is done by
    /// the next call.
    ///
    /// # Errors
    /// The first [`ProxyError`]; a server that is refused keeps no other from joining or leaving.
    pub async fn bring(&mut self, wanted: &Wanted) -> Result<Changed, ProxyError> {
        let mut changed = Changed::default();
        if matches!(self.child.try_wait(), Ok(Some(_)) | Err(_)) {
            *self = Self::start(&self.program.clone(), self.place.clone(), wanted).await?;
            return Ok(Changed { restarted: true, ..changed });
        }
        if listening(&self.place, wanted) != self.loaded {
            self.reload(wanted).await?;
            changed.reloaded = true;
        }
        let live = self.live().await?;
        let mut first = None;
        for step in steps(&live, wanted) {
            match self.take(&step).await {
                Ok(()) if matches!(step, Step::Forget { .. }) => {}
                Ok(()) => changed.servers += 1,
                // It serves its last connections.
                Err(SocketError::Refused { .. }) if matches!(step, Step::Forget { .. }) => {
                    changed.leaving += 1
                }
                Err(error) => drop(first.get_or_insert(error)),
            }
        }
        if changed.servers > 0 {
            // Whoever starts it by this file has the servers of now.
            write(&self.place.file(), &configuration(&self.place, wanted))?;
        }
        first.map_or(Ok(changed), |error| Err(error.into()))
    }

    /// The servers that it has.
    ///
    /// # Errors
    /// [`ProxyError`] where it does not answer.
    pub async fn live(&self) -> Result<Live, ProxyError> {
        let answer = self.socket.ask("show servers state").await?;
        Live::parse(&answer).ok_or_else(|| ProxyError::Answer { answer: answer.chars().take(200).collect() })
    }

    /// Ends it, with the connections it has, and waits until it has ended.
    pub async fn stop(mut self) {
        if let Some(pid) = self.child.id().and_then(|id| Pid::from_raw(id.cast_signed())) {
            let _ = kill_process(pid, Signal::TERM);
        }
        if tokio::time::timeout(PATIENCE, self.child.wait()).await.is_err() {
            let _ = self.child.kill().await;
        }
        let _ = remove(&self.place.pid_file());
    }

    async fn reload(&mut self, wanted: &Wanted) -> Result<(), ProxyError> {
        let before = std::fs::read_to_string(self.place.file()).ok();
        // Who was down stays down in the process that takes over.
        write(&self.place.state_file(), &self.socket.ask("show servers state").await?)?;
        write(&self.place.file(), &configuration(&self.place, wanted))?;
        if let Err(error) = check(&self.program, &self.place.file()).await {
            // The old file is what runs.
            if let Some(before) = before {
                write(&self.place.file(), &before)?;
            }
            return Err(error);
        }
        let old = self.process_of_socket().await;
        if let Some(pid) = self.child.id().and_then(|id| Pid::from_raw(id.cast_signed())) {
            kill_process(pid, Signal::USR2).map_err(|error| io(&self.program)(error.into()))?;
        }
        self.answering(old.as_deref()).await?;
        self.loaded = listening(&self.place, wanted);
        Ok(())
    }

    async fn take(&self, step: &Step) -> Result<(), SocketError> {
        match step {
            Step::Add { registration, server } => {
                let name = format!("{registration}/{}", server.name());
                let add = format!("add server {name} {}", arguments(server, self.place.hacheck));
                self.socket.tell(&add, &[ADDED]).await?;
                self.socket.tell(&format!("enable health {name}"), &[]).await?;
                self.socket.tell(&format!("enable server {name}"), &[]).await
            }
            Step::Return { registration, name } => {
                let name = format!("{registration}/{name}");
                self.socket.tell(&format!("enable health {name}"), &[]).await?;
                self.socket.tell(&format!("set server {name} state ready"), &[]).await
            }
            Step::TakeOut { registration, name } => {
                self.socket.tell(&format!("set server {registration}/{name} state maint"), &[]).await
            }
            Step::Forget { registration, name } => {
                self.socket.tell(&format!("del server {registration}/{name}"), &[DELETED]).await
            }
        }
    }

    /// Waits until a process answers that is not `old`.
    async fn answering(&mut self, old: Option<&str>) -> Result<(), ProxyError> {
        let begin = Instant::now();
        loop {
            let now = self.process_of_socket().await;
            if now.is_some() && now.as_deref() != old {
                return Ok(());
            }
            let ended = matches!(self.child.try_wait(), Ok(Some(_)) | Err(_));
            if ended || begin.elapsed() > PATIENCE {
                return Err(ProxyError::Ended { log: self.log_tail() });
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// The number of the process that answers at the socket.
    async fn process_of_socket(&self) -> Option<String> {
        let info = self.socket.ask("show info").await.ok()?;
        info.lines().find_map(|line| Some(line.strip_prefix("Pid: ")?.trim().to_owned()))
    }

    fn log_tail(&self) -> String {
        let log = std::fs::read(self.place.log()).unwrap_or_default();
        let tail = &log[log.len().saturating_sub(TAIL_BYTES)..];
        match String::from_utf8_lossy(tail).trim() {
            "" => "it says nothing".to_owned(),
            said => said.to_owned(),
        }
    }
}

impl Place {
    /// What the process says.
    pub fn log(&self) -> PathBuf {
        self.folder.join("haproxy.log")
    }
}

fn spawn(program: &Path, place: &Place) -> Result<Child, ProxyError> {
    let log = std::fs::File::create(place.log()).map_err(io(&place.log()))?;
    let errors = log.try_clone().map_err(io(&place.log()))?;
    Command::new(program)
        .args(["-W", "-db", "-f"])
        .arg(place.file())
        .arg("-p")
        .arg(place.pid_file())
        .stdin(Stdio::null())
        .stdout(log)
        .stderr(errors)
        .kill_on_drop(true)
        // Ctrl-C is for whoever owns it; it decides when this ends.
        .process_group(0)
        .spawn()
        .map_err(io(program))
}

/// Asks HAProxy whether it takes a file.
async fn check(program: &Path, file: &Path) -> Result<(), ProxyError> {
    let asked = Command::new(program)
        .args(["-c", "-q", "-f"])
        .arg(file)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let late = |_| Err(std::io::Error::from(std::io::ErrorKind::TimedOut));
    let output = tokio::time::timeout(PATIENCE, asked).await.unwrap_or_else(late).map_err(io(program))?;
    if output.status.success() {
        return Ok(());
    }
    let answer = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(ProxyError::Configuration { path: file.to_owned(), answer })
}

/// Ends the HAProxy of an owner that was killed, if `folder` holds one: the one whose number stands in our file and that
/// runs with our file. Waits until it has ended.
pub async fn end_leftover(folder: &Path) {
    let Some(pid) = leftover(folder) else { return };
    for signal in [Signal::TERM, Signal::KILL] {
        let _ = kill_process(pid, signal);
        let begin = Instant::now();
        while test_kill_process(pid).is_ok() && leftover(folder).is_some() {
            if begin.elapsed() > PATIENCE / 2 {
                break;
            }
            tokio::time::sleep(LOOK).await;
        }
    }
}

fn leftover(folder: &Path) -> Option<Pid> {
    let text = std::fs::read_to_string(folder.join(PID_FILE)).ok()?;
    let pid = Pid::from_raw(text.lines().next()?.trim().parse().ok()?)?;
    let command = std::fs::read(format!("/proc/{}/cmdline", pid.as_raw_nonzero())).ok()?;
    let file = folder.join(CONFIGURATION_FILE);
    let ours = command.split(|byte| *byte == 0).any(|word| word == file.as_os_str().as_encoded_bytes());
    ours.then_some(pid)
}

fn write(path: &Path, text: &str) -> Result<(), ProxyError> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let written = tempfile::NamedTempFile::new_in(folder).and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        file.as_file().sync_all()?;
        file.persist(path)?;
        Ok(())
    });
    written.map_err(io(path))
}

fn remove(path: &Path) -> Result<(), ProxyError> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(io(path)(error)),
        _ => Ok(()),
    }
}

fn io(path: &Path) -> impl Fn(std::io::Error) -> ProxyError + '_ {
    move |source| ProxyError::Io { path: path.to_owned(), source }
}
