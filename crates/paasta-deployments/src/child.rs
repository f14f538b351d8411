//! The `git` command, with a bound on its time and on what it says.

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
    /// It was ended because it wrote more than [`STDOUT_BYTES_MAX`].
    TooMuch,
}

impl From<io::Error> for ChildError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Two million refs with long names are about so much; git's own protocol is read to no more of them.
pub(crate) const STDOUT_BYTES_MAX: u64 = 256 << 20;
/// What goes beyond is read and thrown away.
const STDERR_BYTES_MAX: u64 = 1 << 20;
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// Runs the command to its end, or ends it after `limit`. Its standard input is empty.
pub(crate) fn run(command: Command, limit: Duration) -> Result<Output, ChildError> {
    run_bounded(command, limit, STDOUT_BYTES_MAX)
}

fn run_bounded(mut command: Command, limit: Duration, bytes_max: u64) -> Result<Output, ChildError> {
    let deadline = Instant::now() + limit;
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn()?;
    let stdout = read_beside(child.stdout.take(), move |pipe| all_of(pipe, bytes_max));
    let stderr = read_beside(child.stderr.take(), |pipe| Ok(beginning_of(pipe, STDERR_BYTES_MAX)));
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
    stdout: &Receiver<Result<Vec<u8>, ChildError>>,
    stderr: &Receiver<Result<Vec<u8>, ChildError>>,
    deadline: Instant,
) -> Result<Output, ChildError> {
    let until = || deadline.saturating_duration_since(Instant::now());
    let stdout = stdout.recv_timeout(until()).map_err(|_| ChildError::TimedOut)??;
    let stderr = stderr.recv_timeout(until()).map_err(|_| ChildError::TimedOut)??;
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

/// Reads one pipe beside us. A grandchild that keeps the pipe open keeps only this thread.
fn read_beside<P: Read + Send + 'static>(
    pipe: Option<P>,
    read: impl FnOnce(P) -> Result<Vec<u8>, ChildError> + Send + 'static,
) -> Receiver<Result<Vec<u8>, ChildError>> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        // Nobody may be waiting any more.
        let _ = sender.send(pipe.map_or(Ok(Vec::new()), read));
    });
    receiver
}

/// What came before an error is what there is.
fn all_of(pipe: impl Read, bytes_max: u64) -> Result<Vec<u8>, ChildError> {
    let mut bytes = Vec::new();
    let _ = pipe.take(bytes_max.saturating_add(1)).read_to_end(&mut bytes);
    let fits = u64::try_from(bytes.len()).is_ok_and(|length| length <= bytes_max);
    if fits { Ok(bytes) } else { Err(ChildError::TooMuch) }
}

fn beginning_of(mut pipe: impl Read, bytes_max: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    let _ = pipe.by_ref().take(bytes_max).read_to_end(&mut bytes);
    let _ = io::copy(&mut pipe, &mut io::sink());
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(60);

    fn sh(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn endless_output_is_ended_and_endless_complaints_are_cut() {
        assert!(matches!(run_bounded(sh("yes"), LIMIT, 1000), Err(ChildError::TooMuch)));
        assert!(matches!(run_bounded(sh("printf 1234"), LIMIT, 3), Err(ChildError::TooMuch)));
        let said = run_bounded(sh("printf 1234; yes | head -c 2000000 >&2"), LIMIT, 4);
        let said = said.unwrap_or_else(|_| panic!("it fits"));
        assert_eq!((said.stdout, said.stderr.len()), (b"1234".to_vec(), 1 << 20));
    }
}
