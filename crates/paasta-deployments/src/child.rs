//! The `git` command, with a bound on its time.

use std::io::{self, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

/// What a command said.
pub(crate) struct Output {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
}

/// Why there is no [`Output`].
pub(crate) enum ChildError {
    /// It could not be started or watched.
    Io(io::Error),
    /// It was ended after its time.
    TimedOut,
}

impl From<io::Error> for ChildError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// Runs the command to its end, or ends it after `limit`. Its standard input is empty.
pub(crate) fn run(mut command: Command, limit: Duration) -> Result<Output, ChildError> {
    let deadline = Instant::now() + limit;
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn()?;
    let stdout = reader(child.stdout.take());
    let stderr = reader(child.stderr.take());
    let result = collect(&mut child, &stdout, &stderr, deadline);
    if result.is_err() {
        // Nothing more can be done for a child that cannot be ended.
        let _ = child.kill();
        let _ = child.wait();
    }
    result
}

fn collect(
    child: &mut Child,
    stdout: &Receiver<Vec<u8>>,
    stderr: &Receiver<Vec<u8>>,
    deadline: Instant,
) -> Result<Output, ChildError> {
    let until = || deadline.saturating_duration_since(Instant::now());
    let stdout = stdout.recv_timeout(until()).map_err(|_| ChildError::TimedOut)?;
    let stderr = stderr.recv_timeout(until()).map_err(|_| ChildError::TimedOut)?;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Output { status, stdout, stderr: String::from_utf8_lossy(&stderr).into_owned() });
        }
        if until().is_zero() {
            return Err(ChildError::TimedOut);
        }
        thread::sleep(LOOK_AGAIN);
    }
}

/// Reads one pipe to its end beside us. A grandchild that keeps the pipe open keeps only this thread.
fn reader(pipe: Option<impl Read + Send + 'static>) -> Receiver<Vec<u8>> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut pipe) = pipe {
            // What came before an error is what there is.
            let _ = pipe.read_to_end(&mut bytes);
        }
        let _ = sender.send(bytes);
    });
    receiver
}
