//! The writer `file`.

use std::fmt;
use std::fs::{File, OpenOptions, create_dir_all};
use std::io::{self, Write};
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use fs4::fs_std::FileExt;
use paasta_core::LogRecord;

use crate::PathFormatError;
use crate::audit::{AUDIT_STREAM, AuditRecord};
use crate::line::{NOT_APPLICABLE, format_record, level_text};
use crate::path_format::{PathFormat, PathValues};
use crate::writer::{LineWriter, Lost, OnLost};

/// Milliseconds for which a locked file is waited for at most; then the line is lost.
const LOCK_MILLIS_MAX: u64 = 500;
const LOCK_RETRY_MILLIS: u64 = 5;

/// Appends lines to files whose paths come from what a line is about, each with one write. It waits for the disk and,
/// for half a second, for a lock; [`BackgroundWriter`](crate::BackgroundWriter) spares its callers that.
#[derive(Clone)]
pub struct FileWriter {
    path_format: PathFormat,
    line_delimiter: String,
    flock: bool,
    on_lost: OnLost,
}

impl FileWriter {
    /// Appends to `path_format`, with placeholders `{service}`, `{component}`, `{level}`, `{cluster}` and
    /// `{instance}`. Directories are made as needed. Lost lines go to standard error.
    pub fn new(path_format: &str) -> Result<Self, PathFormatError> {
        Ok(Self {
            path_format: PathFormat::parse(path_format)?,
            line_delimiter: "\n".to_owned(),
            flock: false,
            on_lost: OnLost::default(),
        })
    }

    /// Ends each line by this instead of a line feed.
    pub fn line_delimiter(mut self, delimiter: impl Into<String>) -> Self {
        self.line_delimiter = delimiter.into();
        self
    }

    /// Whether to lock a file (`flock`) around each write.
    pub fn flock(mut self, flock: bool) -> Self {
        self.flock = flock;
        self
    }

    /// Calls `tell` with each lost line instead of writing it to standard error.
    pub fn on_lost(mut self, tell: impl Fn(&Lost<'_>) + Send + Sync + 'static) -> Self {
        self.on_lost = OnLost::new(tell);
        self
    }

    fn write_line(&self, values: PathValues<'_>, line: &str) {
        let path = self.path_format.path(values);
        if let Err(error) = self.append(&path, line) {
            let place = path.display().to_string();
            self.tell_lost(&Lost { place: Some(&place), line, reason: error.to_string() });
        }
    }

    fn append(&self, path: &Path, line: &str) -> io::Result<()> {
        let mut file = open(path)?;
        if self.flock {
            lock(&file)?;
        }
        // The lock ends with the file.
        file.write_all(format!("{line}{}", self.line_delimiter).as_bytes())
    }
}

impl LineWriter for FileWriter {
    fn write(&self, record: &LogRecord) {
        let values = PathValues {
            service: &record.service,
            component: &record.component,
            level: level_text(record.level),
            cluster: record.cluster.as_deref().unwrap_or(NOT_APPLICABLE),
            instance: record.instance.as_deref().unwrap_or(NOT_APPLICABLE),
        };
        match format_record(record) {
            Ok(line) => self.write_line(values, &line),
            Err(error) => {
                self.tell_lost(&Lost { place: None, line: &record.message, reason: error.to_string() });
            }
        }
    }

    fn write_audit(&self, record: &AuditRecord) {
        let values = PathValues {
            service: AUDIT_STREAM,
            component: "",
            level: "",
            cluster: record.cluster.as_deref().unwrap_or(NOT_APPLICABLE),
            instance: record.instance.as_deref().unwrap_or(NOT_APPLICABLE),
        };
        self.write_line(values, &record.line());
    }

    fn tell_lost(&self, lost: &Lost<'_>) {
        self.on_lost.tell(lost);
    }
}

impl fmt::Debug for FileWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileWriter").field("path_format", &self.path_format).finish_non_exhaustive()
    }
}

fn open(path: &Path) -> io::Result<File> {
    let open = || OpenOptions::new().create(true).append(true).open(path);
    match (open(), path.parent()) {
        (Err(error), Some(parent)) if error.kind() == io::ErrorKind::NotFound => {
            create_dir_all(parent)?;
            open()
        }
        (opened, _) => opened,
    }
}

/// Waits for the file's lock, but not for long: other lines wait behind this one.
fn lock(file: &File) -> io::Result<()> {
    let started = Instant::now();
    while !file.try_lock_exclusive()? {
        if started.elapsed() >= Duration::from_millis(LOCK_MILLIS_MAX) {
            return Err(io::Error::other("it is locked by somebody else"));
        }
        sleep(Duration::from_millis(LOCK_RETRY_MILLIS));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use paasta_core::LogLevel;

    use super::*;

    fn record(component: &str) -> LogRecord {
        LogRecord {
            at: "2021-04-01T00:00:00Z".parse().unwrap(),
            service: "web".to_owned(),
            instance: None,
            cluster: None,
            component: component.to_owned(),
            level: LogLevel::Debug,
            message: "m".to_owned(),
        }
    }

    fn format_in(directory: &tempfile::TempDir) -> String {
        format!("{}/{{service}}-{{component}}-{{level}}-{{instance}}", directory.path().display())
    }

    #[test]
    fn lines_are_appended() {
        let directory = tempfile::tempdir().unwrap();
        let writer = FileWriter::new(&format_in(&directory)).unwrap().line_delimiter("\r\n").flock(true);
        writer.write(&record("deploy"));
        writer.write(&record("deploy"));
        let text = std::fs::read_to_string(directory.path().join("web-deploy-debug-N_A")).unwrap();
        assert_eq!(text.matches("}\r\n").count(), 2);
    }

    #[test]
    fn missing_directories_are_made() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a/web/deploy.log");
        let format = format!("{}/a/{{service}}/{{component}}.log", directory.path().display());
        FileWriter::new(&format).unwrap().write(&record("deploy"));
        assert_eq!(std::fs::read_to_string(path).unwrap().lines().count(), 1);
    }

    #[test]
    fn a_sink_that_is_down_loses_lines_and_says_so() {
        let directory = tempfile::tempdir().unwrap();
        let blocked = directory.path().join("file");
        std::fs::write(&blocked, "").unwrap();
        let lost: Arc<Mutex<Vec<String>>> = Arc::default();
        let told = lost.clone();
        let writer = FileWriter::new(&format!("{}/{{service}}", blocked.display()))
            .unwrap()
            .on_lost(move |lost| told.lock().unwrap().push(lost.to_string()));
        writer.write(&record("deploy"));
        writer.write(&record("gossip"));
        let lost = lost.lock().unwrap();
        assert!(lost[0].contains("file/web") && lost[0].contains("\"message\": \"m\""), "{lost:?}");
        assert!(lost[1].contains("unknown component \"gossip\""), "{lost:?}");
    }

    #[test]
    fn a_locked_file_is_not_waited_for_without_end() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("web");
        let holder = open(&path).unwrap();
        assert!(holder.try_lock_exclusive().unwrap());
        let lost: Arc<Mutex<usize>> = Arc::default();
        let told = lost.clone();
        let writer = FileWriter::new(&format!("{}/{{service}}", directory.path().display()))
            .unwrap()
            .flock(true)
            .on_lost(move |_| *told.lock().unwrap() += 1);
        writer.write(&record("deploy"));
        assert_eq!(*lost.lock().unwrap(), 1);
        drop(holder);
        writer.write(&record("deploy"));
        assert_eq!(std::fs::read_to_string(&path).unwrap().lines().count(), 1);
    }

    #[test]
    fn audit_lines_have_their_own_stream() {
        let directory = tempfile::tempdir().unwrap();
        let writer = FileWriter::new(&format_in(&directory)).unwrap();
        writer.write_audit(&AuditRecord {
            at: "2021-04-01T00:00:00Z".parse().unwrap(),
            cluster: None,
            service: Some("web".to_owned()),
            instance: Some("main".to_owned()),
            user: "bob".to_owned(),
            host: "h".to_owned(),
            action: "stop".to_owned(),
            details: serde_json::Map::new(),
        });
        let text = std::fs::read_to_string(directory.path().join(format!("{AUDIT_STREAM}---main"))).unwrap();
        assert!(text.starts_with(r#"{"action": "stop""#), "{text}");
    }
}
