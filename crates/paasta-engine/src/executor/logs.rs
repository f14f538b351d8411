//! Logs of tasks: plain files that the task itself appends to.
//!
//! Nothing of the engine stands between a task and its log, so a `kill -9` of the engine loses no line. A file
//! that has grown too large is copied aside and cut to nothing; lines written between the two are lost, which
//! is the price of not needing a process per task that copies them.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use paasta_core::{LogTail, TaskLog};

/// The most that is read of a log at once, in bytes.
const TAIL_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// A log for a task to append to.
pub(super) fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).open(path)
}

/// Turns a log over if it is larger than `bytes_max`, keeping `kept` older ones.
pub(super) fn rotate(path: &Path, bytes_max: u64, kept: usize) -> io::Result<bool> {
    let size = match fs::metadata(path) {
        Ok(metadata) => metadata.len(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error),
    };
    if size <= bytes_max {
        return Ok(false);
    }
    for index in (1..kept).rev() {
        match fs::rename(numbered(path, index), numbered(path, index + 1)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    if kept > 0 {
        copy_end(path, &numbered(path, 1), bytes_max)?;
    }
    OpenOptions::new().write(true).open(path)?.set_len(0)?;
    Ok(true)
}

/// Copies no more than the last `bytes_max`: a task that floods its log between two looks must not fill the disk
/// with what is kept of it.
fn copy_end(from: &Path, to: &Path, bytes_max: u64) -> io::Result<()> {
    let mut from = File::open(from)?;
    let start = from.metadata()?.len().saturating_sub(bytes_max);
    from.seek(SeekFrom::Start(start))?;
    io::copy(&mut from.take(bytes_max), &mut File::create(to)?)?;
    Ok(())
}

/// A part of a log. `None` if there is no log.
pub(super) fn read(path: &Path, tail: LogTail) -> io::Result<Option<TaskLog>> {
    match tail.after {
        None => last(path, tail.lines),
        Some(position) => after(path, position, tail.lines),
    }
}

/// The last `lines` lines, going back into the newest rotated log if need be.
fn last(path: &Path, lines: usize) -> io::Result<Option<TaskLog>> {
    let Some(mut log) = end_of(path)? else { return Ok(None) };
    if log.lines.len() < lines
        && let Some(mut older) = end_of(&numbered(path, 1))?
    {
        older.lines.append(&mut log.lines);
        log.lines = older.lines;
    }
    let surplus = log.lines.len().saturating_sub(lines);
    log.lines.drain(..surplus);
    log.unfinished &= !log.lines.is_empty();
    Ok(Some(log))
}

fn end_of(path: &Path) -> io::Result<Option<TaskLog>> {
    let Some((mut file, length)) = open_to_read(path)? else { return Ok(None) };
    let start = length.saturating_sub(TAIL_BYTES_MAX);
    let bytes = chunk(&mut file, start)?;
    let text = String::from_utf8_lossy(&bytes);
    Ok(Some(TaskLog {
        // A line whose beginning was cut off is left out.
        lines: text.lines().skip(usize::from(start > 0)).map(str::to_owned).collect(),
        unfinished: bytes.last().is_some_and(|byte| *byte != b'\n'),
        next: Some(start + whole_lines(&bytes)),
    }))
}

/// The first `lines` lines after a position. A log that is shorter was turned over: then from its beginning.
fn after(path: &Path, position: u64, lines: usize) -> io::Result<Option<TaskLog>> {
    let Some((mut file, length)) = open_to_read(path)? else { return Ok(None) };
    let start = if position > length { 0 } else { position };
    let bytes = chunk(&mut file, start)?;
    let is_all = (bytes.len() as u64) < TAIL_BYTES_MAX;
    let mut log = TaskLog { next: Some(start), ..TaskLog::default() };
    let mut taken = 0;
    for line in bytes.split_inclusive(|byte| *byte == b'\n').take(lines) {
        let is_whole = line.ends_with(b"\n");
        // One that fills all that is read at once is told in pieces.
        if !is_whole && !is_all && taken > 0 {
            break;
        }
        log.unfinished = !is_whole && is_all;
        taken += if log.unfinished { 0 } else { line.len() as u64 };
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        log.lines.push(String::from_utf8_lossy(line.strip_suffix(b"\r").unwrap_or(line)).into_owned());
    }
    log.next = Some(start + taken);
    Ok(Some(log))
}

fn open_to_read(path: &Path) -> io::Result<Option<(File, u64)>> {
    match File::open(path) {
        Ok(file) => {
            let length = file.metadata()?.len();
            Ok(Some((file, length)))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn chunk(file: &mut File, start: u64) -> io::Result<Vec<u8>> {
    file.seek(SeekFrom::Start(start))?;
    let mut bytes = Vec::new();
    file.take(TAIL_BYTES_MAX).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// How many bytes are in lines that have an end.
fn whole_lines(bytes: &[u8]) -> u64 {
    bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last as u64 + 1)
}

fn numbered(path: &Path, index: usize) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{index}"));
    PathBuf::from(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn writers_go_on_after_a_rotation() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("stdout");
        let mut writer = open(&path).expect("opens");
        writer.write_all(b"one\ntwo\n").expect("writes");
        assert!(!rotate(&path, 100, 2).expect("looks"));
        assert!(rotate(&path, 4, 2).expect("rotates"));
        writer.write_all(b"three\n").expect("writes");
        assert_eq!(fs::read_to_string(&path).expect("reads"), "three\n");
        assert_eq!(lines_of(&path, LogTail::last(2)), (vec!["two".to_owned(), "three".to_owned()], false, 6));
        assert_eq!(lines_of(&path, LogTail::last(1)), (vec!["three".to_owned()], false, 6));
        assert_eq!(read(&dir.path().join("none"), LogTail::last(1)).expect("reads"), None);
        assert_eq!(read(&dir.path().join("none"), LogTail::after(0, 1)).expect("reads"), None);
        writer.write_all(b"four\n").expect("writes");
        assert!(rotate(&path, 4, 2).expect("rotates"));
        assert!(numbered(&path, 2).exists());
    }

    fn lines_of(path: &Path, tail: LogTail) -> (Vec<String>, bool, u64) {
        let log = read(path, tail).expect("reads").expect("there is a log");
        (log.lines, log.unfinished, log.next.expect("a position"))
    }

    #[test]
    fn a_log_is_read_on_from_where_it_was_left() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("stdout");
        let mut writer = open(&path).expect("opens");
        let mut write = |text: &[u8]| writer.write_all(text).expect("writes");
        let all = |lines: &[&str]| lines.iter().map(|line| (*line).to_owned()).collect::<Vec<_>>();
        write(b"one\ntwo\r\nthr");
        assert_eq!(lines_of(&path, LogTail::last(9)), (all(&["one", "two", "thr"]), true, 9));
        assert_eq!(lines_of(&path, LogTail::last(0)), (all(&[]), false, 9));
        assert_eq!(lines_of(&path, LogTail::after(0, 9)), (all(&["one", "two", "thr"]), true, 9));
        assert_eq!(lines_of(&path, LogTail::after(0, 1)), (all(&["one"]), false, 4));
        assert_eq!(lines_of(&path, LogTail::after(4, 1)), (all(&["two"]), false, 9));
        write(b"ee\n\xff\n");
        assert_eq!(lines_of(&path, LogTail::after(9, 9)), (all(&["three", "\u{fffd}"]), false, 17));
        assert_eq!(lines_of(&path, LogTail::after(17, 9)), (all(&[]), false, 17));
        assert!(rotate(&path, 4, 1).expect("rotates"));
        assert_eq!(lines_of(&path, LogTail::after(17, 9)), (all(&[]), false, 0));
        write(b"new\n");
        assert_eq!(lines_of(&path, LogTail::after(17, 9)), (all(&["new"]), false, 4));
    }

    #[test]
    fn a_line_without_an_end_is_read_in_pieces() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("stdout");
        let long = TAIL_BYTES_MAX as usize + 10;
        fs::write(&path, format!("short\n{}\nafter\n", "x".repeat(long))).expect("writes");
        let lengths = |position| {
            let (lines, unfinished, next) = lines_of(&path, LogTail::after(position, 9));
            assert!(!unfinished);
            (lines.iter().map(String::len).collect::<Vec<_>>(), next)
        };
        let first = lengths(0);
        assert_eq!(first, (vec![5], 6));
        let second = lengths(first.1);
        assert_eq!(second, (vec![TAIL_BYTES_MAX as usize], 6 + TAIL_BYTES_MAX));
        assert_eq!(lengths(second.1), (vec![10, 5], 6 + long as u64 + 7));
    }

    #[test]
    fn a_flood_is_cut_when_it_is_kept() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("stdout");
        fs::write(&path, "x".repeat(1000)).expect("writes");
        assert!(rotate(&path, 10, 2).expect("rotates"));
        assert_eq!(fs::metadata(numbered(&path, 1)).expect("is there").len(), 10);
        assert_eq!(fs::metadata(&path).expect("is there").len(), 0);
    }
}
