//! A thread that writes lines one after the other, so that whoever logs never waits for a disk or a lock.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use paasta_core::{Deed, LogRecord, LogSink};

use crate::actor::Actor;
use crate::audit::AuditRecord;
use crate::writer::{LineWriter, LogWriter, Lost};

/// Lines that may wait to be written; what comes while so many wait is lost.
const WAITING_LINES_MAX: usize = 10_000;
/// Lost lines are told at most this often.
const TELL_AGAIN: Duration = Duration::from_secs(60);
/// Who drops the writer waits this long for the lines that still wait.
const DROP_PATIENCE: Duration = Duration::from_secs(5);

/// Writes through a [`LineWriter`] in a thread of its own, in the order in which lines come. When it is dropped it
/// writes what still waits, for at most five seconds.
///
/// ```
/// use paasta_logs::{Actor, BackgroundWriter, FileWriter};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let actor = Actor::of_this_process(|_| None);
/// let writer = BackgroundWriter::start(FileWriter::new("/var/log/{service}.log")?, actor)?;
/// # Ok(())
/// # }
/// ```
pub struct BackgroundWriter {
    shared: Arc<Shared>,
    actor: Actor,
}

impl BackgroundWriter {
    /// Starts the thread; an error means that the system gives none.
    /// Audit lines name the actor.
    pub fn start(writer: impl LineWriter + 'static, actor: Actor) -> io::Result<Self> {
        Self::with_room(Box::new(writer), actor, WAITING_LINES_MAX)
    }

    fn with_room(writer: Box<dyn LineWriter>, actor: Actor, room: usize) -> io::Result<Self> {
        let shared = Arc::new(Shared { state: Mutex::default(), changed: Condvar::new(), writer, room });
        let in_thread = Arc::clone(&shared);
        thread::Builder::new().name("paasta-logs".to_owned()).spawn(move || in_thread.work())?;
        Ok(Self { shared, actor })
    }
}

impl fmt::Debug for BackgroundWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BackgroundWriter").field("room", &self.shared.room).finish_non_exhaustive()
    }
}

impl LogSink for BackgroundWriter {
    fn log(&self, record: &LogRecord) {
        self.shared.take(Entry::Log(record.clone()));
    }

    fn audit(&self, deed: &Deed) {
        self.shared.take(Entry::Audit(AuditRecord::of(deed, &self.actor)));
    }
}

impl LogWriter for BackgroundWriter {
    fn flush(&self, patience: Duration) -> bool {
        self.shared.wait_until_written(patience)
    }
}

impl Drop for BackgroundWriter {
    fn drop(&mut self) {
        let written = self.shared.wait_until_written(DROP_PATIENCE);
        let mut state = self.shared.state();
        state.closed = true;
        if !written {
            state.lost += state.waiting.len() + usize::from(state.writing);
            state.waiting.clear();
        }
        let lost = std::mem::take(&mut state.lost);
        drop(state);
        self.shared.changed.notify_all();
        self.shared.tell(lost);
    }
}

enum Entry {
    Log(LogRecord),
    Audit(AuditRecord),
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Entry>,
    /// The thread has taken a line and is not done with it.
    writing: bool,
    closed: bool,
    /// Lines lost and not yet told.
    lost: usize,
    told_at: Option<Instant>,
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    writer: Box<dyn LineWriter>,
    room: usize,
}

impl Shared {
    /// Held for moments only: nobody writes or sleeps with it.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, entry: Entry) {
        let mut state = self.state();
        if state.waiting.len() < self.room {
            state.waiting.push_back(entry);
            drop(state);
            self.changed.notify_all();
            return;
        }
        state.lost += 1;
        if state.told_at.is_none_or(|told| told.elapsed() >= TELL_AGAIN) {
            state.told_at = Some(Instant::now());
            let lost = std::mem::take(&mut state.lost);
            drop(state);
            self.tell(lost);
        }
    }

    fn tell(&self, lost: usize) {
        if lost > 0 {
            let reason = format!("lines lost because too many wait to be written: {lost}");
            self.writer.tell_lost(&Lost { place: None, line: "(not kept)", reason });
        }
    }

    fn wait_until_written(&self, patience: Duration) -> bool {
        let busy = |state: &mut State| state.writing || !state.waiting.is_empty();
        let waited = self.changed.wait_timeout_while(self.state(), patience, busy);
        !waited.unwrap_or_else(PoisonError::into_inner).1.timed_out()
    }

    fn work(&self) {
        while let Some(entry) = self.next() {
            match &entry {
                Entry::Log(record) => self.writer.write(record),
                Entry::Audit(record) => self.writer.write_audit(record),
            }
            self.state().writing = false;
            self.changed.notify_all();
        }
    }

    fn next(&self) -> Option<Entry> {
        let idle = |state: &mut State| state.waiting.is_empty() && !state.closed;
        let state = self.changed.wait_while(self.state(), idle);
        let mut state = state.unwrap_or_else(PoisonError::into_inner);
        let entry = state.waiting.pop_front();
        state.writing = entry.is_some();
        entry
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use fs4::fs_std::FileExt;
    use paasta_core::LogLevel;

    use super::*;
    use crate::FileWriter;

    fn record(message: &str) -> LogRecord {
        LogRecord {
            at: "2021-04-01T00:00:00Z".parse().unwrap(),
            service: "web".to_owned(),
            instance: None,
            cluster: None,
            component: "deploy".to_owned(),
            level: LogLevel::Event,
            message: message.to_owned(),
        }
    }

    fn actor() -> Actor {
        Actor { user: "bob".to_owned(), host: "h".to_owned() }
    }

    struct Fixture {
        directory: tempfile::TempDir,
        lost: Arc<Mutex<Vec<String>>>,
    }

    impl Fixture {
        fn new() -> Self {
            Self { directory: tempfile::tempdir().unwrap(), lost: Arc::default() }
        }

        fn writer(&self) -> FileWriter {
            let told = Arc::clone(&self.lost);
            FileWriter::new(&format!("{}/{{service}}", self.directory.path().display()))
                .unwrap()
                .flock(true)
                .on_lost(move |lost| told.lock().unwrap().push(lost.to_string()))
        }

        /// Holds the lock of the file that lines go to.
        fn hold(&self) -> File {
            let file = File::create(self.directory.path().join("web")).unwrap();
            assert!(file.try_lock_exclusive().unwrap());
            file
        }

        fn text(&self) -> String {
            std::fs::read_to_string(self.directory.path().join("web")).unwrap()
        }
    }

    #[test]
    fn lines_keep_their_order_and_none_is_lost_at_the_end() {
        let fixture = Fixture::new();
        let writer = BackgroundWriter::start(fixture.writer(), actor()).unwrap();
        for number in 0..500 {
            writer.log(&record(&format!("number {number:03}")));
        }
        drop(writer);
        let text = fixture.text();
        let numbers: Vec<usize> = text
            .lines()
            .map(|line| line.split("number ").nth(1).unwrap().get(..3).unwrap().parse().unwrap())
            .collect();
        assert_eq!(numbers, (0..500).collect::<Vec<_>>());
        assert!(fixture.lost.lock().unwrap().is_empty());
    }

    #[test]
    fn who_logs_never_waits_and_what_finds_no_room_is_told() {
        let fixture = Fixture::new();
        let holder = fixture.hold();
        let writer = BackgroundWriter::with_room(Box::new(fixture.writer()), actor(), 2).unwrap();
        let started = Instant::now();
        for _ in 0..10 {
            writer.log(&record("m"));
        }
        // One line alone would wait half a second for its lock.
        assert!(started.elapsed() < Duration::from_millis(400), "{:?}", started.elapsed());
        assert!(!writer.flush(Duration::ZERO));
        drop(holder);
        drop(writer);
        let lost = fixture.lost.lock().unwrap();
        assert!(lost[0].contains("too many wait to be written: 1;"), "{lost:?}");
        let written = fixture.text().lines().count();
        assert!((1..=3).contains(&written), "{written}");
    }
}
