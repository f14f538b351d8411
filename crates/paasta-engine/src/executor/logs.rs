//! Logs of tasks: plain files that the task itself appends to.
//!
//! Nothing of the engine stands between a task and its log, so a `kill -9` of the engine loses no line. A file
//! that has grown too large is copied aside and cut to nothing; lines written between the two are lost, which
//! is the price of not needing a process per task that copies them.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// The most that is read from the end of a log, in bytes.
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

/// The last `lines` lines, going back into the newest rotated log if need be. `None` if there is no log.
pub(super) fn tail(path: &Path, lines: usize) -> io::Result<Option<Vec<String>>> {
    let Some(mut all) = end_of(path)? else { return Ok(None) };
    if all.len() < lines
        && let Some(mut older) = end_of(&numbered(path, 1))?
    {
        older.append(&mut all);
        all = older;
    }
    let surplus = all.len().saturating_sub(lines);
    Ok(Some(all.split_off(surplus)))
}

fn end_of(path: &Path) -> io::Result<Option<Vec<String>>> {
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let start = file.metadata()?.len().saturating_sub(TAIL_BYTES_MAX);
    file.seek(SeekFrom::Start(start))?;
    let mut bytes = Vec::new();
    file.take(TAIL_BYTES_MAX).read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    // A line whose beginning was cut off is left out.
    Ok(Some(text.lines().skip(usize::from(start > 0)).map(str::to_owned).collect()))
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
        assert_eq!(tail(&path, 2).expect("reads"), Some(vec!["two".to_owned(), "three".to_owned()]));
        assert_eq!(tail(&path, 1).expect("reads"), Some(vec!["three".to_owned()]));
        assert_eq!(tail(&dir.path().join("none"), 1).expect("reads"), None);
        writer.write_all(b"four\n").expect("writes");
        assert!(rotate(&path, 4, 2).expect("rotates"));
        assert!(numbered(&path, 2).exists());
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
