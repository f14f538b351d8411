//! The `git` command, with a bound on its time and on what it says.

use std::io::{self, IsTerminal as _, Read};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};

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

/// Whether the command may ask somebody something, and who ends it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Presence {
    /// At our terminal: the command stays in our process group, because only that may read from the terminal.
    Person,
    /// Nobody: the command gets a group of its own, which ends as one; but at a terminal it stays in ours all the same,
    /// for Ctrl-C must reach it.
    Nobody,
}

impl Presence {
    fn is_group_of_its_own(self) -> bool {
        self == Presence::Nobody && !io::stdin().is_terminal()
    }
}

/// Two million refs with long names are about so much; git's own protocol is read to no more of them.
pub(crate) const STDOUT_BYTES_MAX: u64 = 256 << 20;
/// What one process of the command may take for its data.
#[cfg(target_os = "linux")]
const MEMORY_BYTES_MAX: u64 = 1 << 30;
/// What goes beyond is read and thrown away.
const STDERR_BYTES_MAX: u64 = 1 << 20;
const LOOK_AGAIN: Duration = Duration::from_millis(5);
/// How long a pipe is read on after the command's end, in case that somebody else keeps it open: the connection that
/// ssh leaves behind for its next run, most likely.
const AFTER_THE_END: Duration = Duration::from_secs(1);

/// Runs the command to its end, or after `limit` ends it and what it started. Its standard input is empty.
pub(crate) fn run(command: Command, limit: Duration, presence: Presence) -> Result<Output, ChildError> {
    run_bounded(command, limit, STDOUT_BYTES_MAX, presence)
}

fn run_bounded(
    mut command: Command,
    limit: Duration,
    bytes_max: u64,
    presence: Presence,
) -> Result<Output, ChildError> {
    let deadline = Instant::now() + limit;
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let group = presence.is_group_of_its_own();
    if group {
        command.process_group(0);
    }
    let mut child = command.spawn()?;
    bound_memory(&child);
    let stdout = Pipe::read(child.stdout.take(), bytes_max);
    let stderr = Pipe::read(child.stderr.take(), STDERR_BYTES_MAX);
    let result = collect(&mut child, &stdout, &stderr, deadline);
    if result.is_err() {
        end(&mut child, group);
    }
    result
}

/// Starts the command and lets `talk` have both its pipes, in a thread of its own; after `limit` the command ends, and
/// with it whatever `talk` waits for.
pub(crate) fn converse<T: Send + 'static>(
    mut command: Command,
    limit: Duration,
    presence: Presence,
    talk: impl FnOnce(ChildStdin, ChildStdout) -> T + Send + 'static,
) -> Result<T, ChildError> {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let group = presence.is_group_of_its_own();
    if group {
        command.process_group(0);
    }
    let mut child = command.spawn()?;
    let (Some(to), Some(from)) = (child.stdin.take(), child.stdout.take()) else {
        end(&mut child, group);
        return Err(io::Error::from(io::ErrorKind::BrokenPipe).into());
    };
    let (sender, receiver) = channel();
    thread::spawn(move || {
        // Nobody may be waiting any more.
        let _ = sender.send(talk(to, from));
    });
    let said = receiver.recv_timeout(limit).map_err(|_| ChildError::TimedOut);
    // What is said is said, but the other side may still have something to do.
    let deadline = Instant::now() + AFTER_THE_END;
    while said.is_ok() && Instant::now() < deadline && child.try_wait()?.is_none() {
        thread::sleep(LOOK_AGAIN);
    }
    end(&mut child, group);
    said
}

fn collect(child: &mut Child, stdout: &Pipe, stderr: &Pipe, deadline: Instant) -> Result<Output, ChildError> {
    let mut open = true;
    let status = loop {
        if open {
            open = !stdout.ended_within(LOOK_AGAIN);
        } else {
            thread::sleep(LOOK_AGAIN);
        }
        if stdout.is_too_long() {
            return Err(ChildError::TooMuch);
        }
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if deadline.saturating_duration_since(Instant::now()).is_zero() {
            return Err(ChildError::TimedOut);
        }
    };
    let (stdout, stderr) = (stdout.rest(), stderr.rest());
    if stdout.too_long {
        return Err(ChildError::TooMuch);
    }
    // Of complaints the beginning is enough.
    let stderr = String::from_utf8_lossy(&stderr.bytes).into_owned();
    Ok(Output { status, stdout: stdout.bytes, stderr })
}

/// A server that never ends fills the memory of git's own helpers before they write a byte. What they start inherits it.
#[cfg(target_os = "linux")]
fn bound_memory(child: &Child) {
    use rustix::process::{Resource, Rlimit, prlimit};
    let limit = Rlimit { current: Some(MEMORY_BYTES_MAX), maximum: Some(MEMORY_BYTES_MAX) };
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    // A child that has ended already needs none, and where limits are lower than ours they may stay.
    let _ = prlimit(pid, Resource::Data, limit);
}

#[cfg(not(target_os = "linux"))]
fn bound_memory(_: &Child) {}

/// Ends the command and what it started. Nothing more can be done for what cannot be ended.
fn end(child: &mut Child, group: bool) {
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    match (group, pid) {
        (true, Some(pid)) => {
            let _ = kill_process_group(pid, Signal::KILL);
        }
        (false, Some(pid)) => {
            let all = descendants(pid);
            let _ = child.kill();
            for one in all {
                let _ = kill_process(one, Signal::KILL);
            }
        }
        (_, None) => {}
    }
    let _ = child.kill();
    let _ = child.wait();
}

/// What a process started, and what that started, where the system can tell.
fn descendants(of: Pid) -> Vec<Pid> {
    const PROCESSES_MAX: usize = 1000;
    let mut all = vec![of];
    let mut next = 0;
    while let Some(pid) = all.get(next).copied().filter(|_| all.len() < PROCESSES_MAX) {
        let pid = pid.as_raw_nonzero();
        let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"));
        let children = children.unwrap_or_default();
        all.extend(children.split_whitespace().filter_map(|pid| Pid::from_raw(pid.parse().ok()?)));
        next += 1;
    }
    all.split_off(1)
}

/// One pipe, read beside us. Somebody who keeps it open keeps only that thread.
struct Pipe {
    said: Arc<Mutex<Said>>,
    ended: Receiver<()>,
}

#[derive(Default)]
struct Said {
    bytes: Vec<u8>,
    too_long: bool,
}

impl Pipe {
    fn read(pipe: Option<impl Read + Send + 'static>, bytes_max: u64) -> Self {
        let (sender, ended) = channel();
        let said = Arc::new(Mutex::new(Said::default()));
        let into = said.clone();
        thread::spawn(move || {
            if let Some(pipe) = pipe {
                read_all(pipe, &into, bytes_max);
            }
            drop(sender);
        });
        Self { said, ended }
    }

    fn ended_within(&self, time: Duration) -> bool {
        matches!(self.ended.recv_timeout(time), Err(RecvTimeoutError::Disconnected))
    }

    fn is_too_long(&self) -> bool {
        locked(&self.said).too_long
    }

    /// What was said, from its beginning as far as it may go.
    fn rest(&self) -> Said {
        self.ended_within(AFTER_THE_END);
        std::mem::take(&mut *locked(&self.said))
    }
}

/// What comes before an error is what there is; what goes beyond the bound is thrown away.
fn read_all(mut pipe: impl Read, into: &Mutex<Said>, bytes_max: u64) {
    let mut buffer = vec![0; 64 << 10];
    loop {
        let length = match pipe.read(&mut buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Ok(0) | Err(_) => return,
            Ok(length) => length,
        };
        let mut said = locked(into);
        let room = bytes_max.saturating_sub(said.bytes.len() as u64);
        let kept = usize::try_from(room).unwrap_or(usize::MAX).min(length);
        said.too_long |= kept < length;
        said.bytes.extend_from_slice(buffer.get(..kept).unwrap_or_default());
    }
}

/// A reader that panicked leaves what it had read.
fn locked(said: &Mutex<Said>) -> std::sync::MutexGuard<'_, Said> {
    said.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(60);
    const WHO: [Presence; 2] = [Presence::Nobody, Presence::Person];

    fn sh(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn endless_output_is_ended_and_endless_complaints_are_cut() {
        for who in WHO {
            assert!(matches!(run_bounded(sh("yes"), LIMIT, 1000, who), Err(ChildError::TooMuch)));
            assert!(matches!(run_bounded(sh("printf 1234"), LIMIT, 3, who), Err(ChildError::TooMuch)));
            let said = run_bounded(sh("printf 1234; yes | head -c 2000000 >&2"), LIMIT, 4, who);
            let said = said.unwrap_or_else(|_| panic!("it fits"));
            assert_eq!((said.stdout, said.stderr.len()), (b"1234".to_vec(), 1 << 20));
        }
    }

    #[test]
    fn what_a_command_started_ends_with_it() {
        for who in WHO {
            let folder = tempfile::tempdir().unwrap();
            let script = "sleep 1000 & echo $! > child; sh -c 'echo $$ > grandchild; sleep 1001; :'; :";
            let mut command = sh(script);
            command.current_dir(folder.path());
            let begin = Instant::now();
            let result = run_bounded(command, Duration::from_millis(500), 1000, who);
            assert!(matches!(result, Err(ChildError::TimedOut)), "{who:?}");
            assert!(begin.elapsed() < Duration::from_secs(10), "{who:?}");
            for name in ["child", "grandchild"] {
                let pid = std::fs::read_to_string(folder.path().join(name)).unwrap();
                let deadline = Instant::now() + Duration::from_secs(10);
                while is_running(pid.trim()) {
                    assert!(Instant::now() < deadline, "{who:?}: {name} {pid} runs on");
                    thread::yield_now();
                }
            }
        }
    }

    /// One that has ended and is not yet collected by its parent does not run.
    fn is_running(pid: &str) -> bool {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z'))
    }

    #[test]
    fn a_pipe_that_somebody_else_keeps_open_is_not_waited_for() {
        let begin = Instant::now();
        let said = run_bounded(sh("echo yes; sleep 30 & echo $!"), LIMIT, 1000, Presence::Nobody);
        let said = String::from_utf8(said.unwrap_or_else(|_| panic!("it has ended")).stdout).unwrap();
        let (first, pid) = said.split_once('\n').unwrap();
        assert!(first == "yes" && begin.elapsed() < Duration::from_secs(20), "{said}");
        let pid = Pid::from_raw(pid.trim().parse().unwrap()).unwrap();
        kill_process(pid, Signal::KILL).unwrap();
    }
}
