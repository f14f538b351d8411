//! The event log of created versions: one file of JSON lines per instance, bounded, for `paasta why`.
//!
//! A line is `{"version": 1, …}` with the members of [`Created`]. Lines are appended with one write under a lock, so that
//! several programs may write at once; a line that was cut off by a crash is skipped when it is read, and the next line
//! begins on a line of its own. Files are readable by their owner alone: hash inputs hold plain values of environments
//! (secrets are in them as references only).

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use fs4::fs_std::FileExt;
use paasta_core::{ClusterName, Created, History, InstanceId};
use serde::{Deserialize, Serialize};

/// The version of a line's form.
const VERSION: u64 = 1;
/// So many lines of an instance are kept.
const KEPT_LINES: usize = 20;
/// A file of more lines is cut back to [`KEPT_LINES`].
const LINES_MAX: usize = 2 * KEPT_LINES;
/// A longer file is not read: it is none of ours.
const FILE_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// The lock is waited for at most so long.
const LOCK_WAIT_MAX: Duration = Duration::from_millis(1000);
const LOCK_RETRY: Duration = Duration::from_millis(5);

/// The event log below one directory: `<cluster>/<service>/<instance>.jsonl`.
///
/// ```
/// use paasta_core::History;
/// use paasta_logs::FileHistory;
///
/// let directory = tempfile::tempdir()?;
/// let history = FileHistory::new(directory.path());
/// let found = history.read(&"prod".parse()?, &"web.main".parse()?)?;
/// assert!(found.is_empty(), "nothing was created yet");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct FileHistory {
    directory: PathBuf,
}

/// Why the event log cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("could not read the event log `{path}`")]
pub struct HistoryError {
    /// The file.
    pub path: PathBuf,
    /// What the system said.
    pub source: io::Error,
}

#[derive(Serialize)]
struct WrittenLine<'a> {
    version: u64,
    #[serde(flatten)]
    created: &'a Created,
}

#[derive(Deserialize)]
struct VersionOfLine {
    version: u64,
}

impl FileHistory {
    /// Below `directory`, which is made when the first record is written.
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self { directory: directory.into() }
    }

    /// What is written down of one instance, oldest first. Lines that cannot be read, as one that a crash cut off, and
    /// lines of a later version are left out.
    pub fn read(&self, cluster: &ClusterName, instance: &InstanceId) -> Result<Vec<Created>, HistoryError> {
        let path = self.file(cluster, instance);
        match read_lines(&path) {
            Ok(lines) => Ok(lines.iter().filter_map(|line| parse(line)).collect()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(source) => Err(HistoryError { path, source }),
        }
    }

    /// How many whole lines of other versions of this program's log there are, which [`FileHistory::read`] leaves out.
    pub fn of_other_versions(&self, cluster: &ClusterName, instance: &InstanceId) -> usize {
        let other = |line: &String| {
            serde_json::from_str::<VersionOfLine>(line).is_ok_and(|line| line.version != VERSION)
        };
        read_lines(&self.file(cluster, instance)).map_or(0, |lines| lines.iter().filter(|l| other(l)).count())
    }

    /// Where the records of one instance are.
    pub fn file(&self, cluster: &ClusterName, instance: &InstanceId) -> PathBuf {
        self.folder(cluster, instance).join(format!("{}.jsonl", instance.instance()))
    }

    fn folder(&self, cluster: &ClusterName, instance: &InstanceId) -> PathBuf {
        self.directory.join(cluster.as_str()).join(instance.service().as_str())
    }

    fn append(&self, record: &Created) -> io::Result<()> {
        let folder = self.folder(&record.cluster, &record.instance);
        DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
        let _lock = lock(&folder.join(".lock"))?;
        let path = self.file(&record.cluster, &record.instance);
        let mut line = serde_json::to_vec(&WrittenLine { version: VERSION, created: record })?;
        line.push(b'\n');
        let mut file = private().read(true).append(true).create(true).open(&path)?;
        if ends_within_a_line(&mut file)? {
            line.insert(0, b'\n');
        }
        file.write_all(&line)?;
        file.sync_data()?;
        let lines = read_lines(&path)?;
        if lines.len() > LINES_MAX { cut_back(&path, &lines) } else { Ok(()) }
    }
}

impl History for FileHistory {
    fn created(&self, record: &Created) -> Result<(), String> {
        let path = || self.file(&record.cluster, &record.instance);
        self.append(record).map_err(|error| format!("could not write `{}`: {error}", path().display()))
    }
}

fn parse(line: &str) -> Option<Created> {
    let version: VersionOfLine = serde_json::from_str(line).ok()?;
    if version.version != VERSION {
        return None;
    }
    serde_json::from_str(line).ok()
}

fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.mode(0o600);
    options
}

/// Held until it is dropped, or its process ends.
fn lock(path: &Path) -> io::Result<File> {
    let file = private().read(true).write(true).create(true).truncate(false).open(path)?;
    let begun = Instant::now();
    loop {
        if file.try_lock_exclusive()? {
            return Ok(file);
        }
        if begun.elapsed() >= LOCK_WAIT_MAX {
            return Err(io::Error::new(io::ErrorKind::WouldBlock, "somebody else holds its lock"));
        }
        sleep(LOCK_RETRY);
    }
}

/// Whether a crash left the last line without its end.
fn ends_within_a_line(file: &mut File) -> io::Result<bool> {
    if file.seek(SeekFrom::End(0))? == 0 {
        return Ok(false);
    }
    file.seek(SeekFrom::End(-1))?;
    let mut last = [0];
    file.read_exact(&mut last)?;
    Ok(last != [b'\n'])
}

fn read_lines(path: &Path) -> io::Result<Vec<String>> {
    // A pipe would be waited for.
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "it is not a regular file"));
    }
    let file = File::open(path)?;
    if file.metadata()?.len() > FILE_BYTES_MAX {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "it is longer than 64 MiB"));
    }
    let mut bytes = Vec::new();
    file.take(FILE_BYTES_MAX).read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    Ok(text.lines().filter(|line| !line.trim().is_empty()).map(str::to_owned).collect())
}

/// Readers see the old file or the new one.
fn cut_back(path: &Path, lines: &[String]) -> io::Result<()> {
    let new = path.with_extension("jsonl.new");
    let kept = lines.get(lines.len().saturating_sub(KEPT_LINES)..).unwrap_or_default();
    let mut file = private().write(true).create(true).truncate(true).open(&new)?;
    file.write_all((kept.join("\n") + "\n").as_bytes())?;
    file.sync_all()?;
    fs::rename(&new, path)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use paasta_core::{AppId, HomeId, Timestamp};

    use super::*;

    fn record(number: usize) -> Created {
        Created {
            at: Timestamp::from_millis(number as i64 * 1000),
            cluster: "prod".parse().unwrap(),
            instance: "web.main".parse().unwrap(),
            home: HomeId::new("http://m"),
            app: AppId::new(format!("web.main.gita.config{number}")),
            hash_input: format!("{{\"mem\": {number}.0}}"),
            instances: 3,
            git_sha: "a".to_owned(),
            force_bounce: None,
            replaces: vec![],
            settings: [("mem".to_owned(), "/soa/web/marathon-prod.yaml:2:3".to_owned())].into(),
            confirmed: true,
        }
    }

    fn read(history: &FileHistory) -> Vec<Created> {
        history.read(&"prod".parse().unwrap(), &"web.main".parse().unwrap()).unwrap()
    }

    #[test]
    fn the_last_records_are_kept_and_nobody_else_reads_them() {
        let directory = tempfile::tempdir().unwrap();
        let history = FileHistory::new(directory.path().join("history"));
        for number in 0..100 {
            history.created(&record(number)).unwrap();
        }
        let found = read(&history);
        assert!((KEPT_LINES..=LINES_MAX).contains(&found.len()), "{}", found.len());
        assert_eq!(found.last(), Some(&record(99)));
        let file = history.file(&"prod".parse().unwrap(), &"web.main".parse().unwrap());
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(file.parent().unwrap().metadata().unwrap().permissions().mode() & 0o777, 0o700);
        assert!(fs::read_to_string(file).unwrap().starts_with(r#"{"version":1,"at":"#));
    }

    #[test]
    fn half_a_line_and_lines_to_come_are_skipped() {
        let directory = tempfile::tempdir().unwrap();
        let history = FileHistory::new(directory.path());
        history.created(&record(1)).unwrap();
        let file = history.file(&"prod".parse().unwrap(), &"web.main".parse().unwrap());
        let whole = fs::read_to_string(&file).unwrap();
        let later = whole.replace("\"version\":1", "\"version\":2,\"new\":[]");
        fs::write(&file, format!("{whole}{later}{}", &whole[..whole.len() / 2])).unwrap();
        history.created(&record(2)).unwrap();
        assert_eq!(read(&history), [record(1), record(2)]);
        assert_eq!(history.of_other_versions(&"prod".parse().unwrap(), &"web.main".parse().unwrap()), 1);
    }

    #[test]
    fn what_is_no_regular_file_is_an_error_and_never_waited_for() {
        let directory = tempfile::tempdir().unwrap();
        let history = FileHistory::new(directory.path());
        let (cluster, id) = ("prod".parse().unwrap(), "web.main".parse().unwrap());
        let file = history.file(&cluster, &id);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        assert!(std::process::Command::new("mkfifo").arg(&file).status().unwrap().success());
        assert!(history.read(&cluster, &id).unwrap_err().source.to_string().contains("regular file"));
    }

    #[test]
    fn writers_do_not_hurt_each_other() {
        let directory = tempfile::tempdir().unwrap();
        let history = FileHistory::new(directory.path());
        std::thread::scope(|scope| {
            for writer in 0..4 {
                let history = &history;
                scope.spawn(move || (0..5).for_each(|n| history.created(&record(writer * 5 + n)).unwrap()));
            }
        });
        let mut found: Vec<_> = read(&history).into_iter().map(|created| created.app).collect();
        found.sort();
        let mut expected: Vec<_> = (0..20).map(|number| record(number).app).collect();
        expected.sort();
        assert_eq!(found, expected);
    }

    #[test]
    fn a_place_that_cannot_be_written_is_told() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("file");
        fs::write(&file, "").unwrap();
        let error = FileHistory::new(file.join("history")).created(&record(1)).unwrap_err();
        assert!(error.contains("web/main.jsonl"), "{error}");
    }
}
