//! What a command may know of the process around it, read once at its start.

use std::ffi::OsString;
use std::future::Future;
use std::io::{self, IsTerminal as _, Write};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context as _;
use paasta_logs::Actor;

use crate::exit::Interrupted;
use crate::local::{self, LocalCluster};
use crate::paint::{self, ColorChoice, Paint};

/// The environment, as data.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Environment {
    /// `PAASTA_SYSTEM_CONFIG_DIR`.
    pub system_config_dir: Option<PathBuf>,
    /// `HOME`.
    pub home: Option<PathBuf>,
    /// `XDG_STATE_HOME`.
    pub xdg_state_home: Option<PathBuf>,
    /// `PATH`.
    pub path: OsString,
    /// `SUDO_USER`, else `LOGNAME`, else `USER`, else the name that goes with the user id, else the id.
    pub user: String,
    /// The name of this machine, fully qualified where its own files tell that.
    pub host: String,
    /// The working directory.
    pub cwd: PathBuf,
    /// The program that is running, for commands that start themselves again.
    pub program: Option<PathBuf>,
    /// Whether `NO_COLOR` is set and not empty.
    pub no_color: bool,
    /// Whether `CLICOLOR_FORCE` is set and not `0`.
    pub force_color: bool,
    /// Whether somebody can answer questions.
    pub stdin_is_terminal: bool,
    /// Whether somebody reads along.
    pub stdout_is_terminal: bool,
    /// Whether somebody reads the errors.
    pub stderr_is_terminal: bool,
}

impl Environment {
    /// Who answers for what is done.
    pub fn actor(&self) -> Actor {
        Actor { user: self.user.clone(), host: self.host.clone() }
    }

    #[expect(clippy::disallowed_methods, reason = "read here, once, for every command")]
    fn of_this_process() -> Self {
        let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
        let Actor { user, host } = Actor::of_this_process(|name| std::env::var_os(name));
        Self {
            system_config_dir: set("PAASTA_SYSTEM_CONFIG_DIR").map(PathBuf::from),
            home: set("HOME").map(PathBuf::from),
            xdg_state_home: set("XDG_STATE_HOME").map(PathBuf::from),
            path: set("PATH").unwrap_or_default(),
            user,
            host,
            cwd: std::env::current_dir().unwrap_or_else(|_| PathBuf::from(".")),
            program: std::env::current_exe().ok(),
            no_color: set("NO_COLOR").is_some(),
            force_color: set("CLICOLOR_FORCE").is_some_and(|value| value != "0"),
            stdin_is_terminal: io::stdin().is_terminal(),
            stdout_is_terminal: io::stdout().is_terminal(),
            stderr_is_terminal: io::stderr().is_terminal(),
        }
    }
}

/// Where a command writes, and what it may know.
pub struct Context {
    /// Data.
    pub stdout: Box<dyn Write + Send>,
    /// Talk: progress, warnings, errors.
    pub stderr: Box<dyn Write + Send>,
    /// The environment.
    pub environment: Environment,
    colours: ColorChoice,
    captured: Option<Captured>,
}

impl Context {
    /// Reads everything once from this process.
    pub fn of_this_process() -> Self {
        Self {
            stdout: Box::new(io::LineWriter::new(Output(io::stdout()))),
            stderr: Box::new(Output(io::stderr())),
            environment: Environment::of_this_process(),
            colours: ColorChoice::Auto,
            captured: None,
        }
    }

    /// Writes into memory; for tests.
    pub fn captured(environment: Environment) -> Self {
        let captured = Captured::default();
        Self {
            stdout: Box::new(captured.clone()),
            stderr: Box::new(Captured::default()),
            environment,
            colours: ColorChoice::Auto,
            captured: Some(captured),
        }
    }

    /// What [`Context::captured`] was told on stdout; empty for any other.
    pub fn captured_stdout(&self) -> String {
        self.captured.as_ref().map(Captured::text).unwrap_or_default()
    }

    /// Colours for stdout.
    pub fn paint(&self) -> Paint {
        Paint::new(self.colours_stdout())
    }

    /// Where the system configuration is: `PAASTA_SYSTEM_CONFIG_DIR`, else that of a running local cluster, else
    /// `/etc/paasta`.
    pub fn system_config_dir(&self) -> PathBuf {
        if let Some(dir) = &self.environment.system_config_dir {
            return dir.clone();
        }
        match self.local_cluster() {
            Some(cluster) => cluster.system_config_dir,
            None => PathBuf::from("/etc/paasta"),
        }
    }

    /// The local cluster of this user, if one is running.
    pub fn local_cluster(&self) -> Option<LocalCluster> {
        local::find(self.environment.home.as_deref()?)
    }

    /// Runs async work to its end, or to Ctrl-C, which is the error [`Interrupted`].
    pub fn block_on<T>(&mut self, work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
        interruptible(work)
    }

    /// Runs async work that handles Ctrl-C itself.
    pub fn block_on_uninterrupted<T>(
        &mut self,
        work: impl Future<Output = anyhow::Result<T>>,
    ) -> anyhow::Result<T> {
        runtime()?.block_on(work)
    }

    pub(crate) fn choose_colours(&mut self, choice: ColorChoice) {
        self.colours = choice;
    }

    pub(crate) fn colours_stdout(&self) -> bool {
        let env = &self.environment;
        paint::wanted(self.colours, env.no_color, env.force_color, env.stdout_is_terminal)
    }

    pub(crate) fn colours_stderr(&self) -> bool {
        let env = &self.environment;
        paint::wanted(self.colours, env.no_color, env.force_color, env.stderr_is_terminal)
    }
}

/// Runs async work to its end, or to Ctrl-C; for work that writes to a context's outputs itself.
pub(crate) fn interruptible<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let runtime = runtime()?;
    let outcome = runtime.block_on(async {
        tokio::select! {
            outcome = work => outcome,
            Ok(()) = tokio::signal::ctrl_c() => Err(Interrupted.into()),
        }
    });
    runtime.shutdown_background();
    outcome
}

fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(2).enable_all().build().context("could not start the async runtime")
}

/// Our own reader went away.
#[derive(Debug, thiserror::Error)]
#[error("nobody reads the output any more")]
pub(crate) struct ClosedPipe;

/// Marks a closed pipe as our own output's, so that it is not taken for a network connection's.
struct Output<W>(W);

impl<W: Write> Write for Output<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes).map_err(mark)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush().map_err(mark)
    }
}

fn mark(error: io::Error) -> io::Error {
    match error.kind() {
        io::ErrorKind::BrokenPipe => io::Error::new(io::ErrorKind::BrokenPipe, ClosedPipe),
        _ => error,
    }
}

#[derive(Clone, Default)]
struct Captured(Arc<Mutex<Vec<u8>>>);

impl Captured {
    fn text(&self) -> String {
        let bytes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

impl Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
