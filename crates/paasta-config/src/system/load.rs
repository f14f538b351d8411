//! Finding and reading the files of the system configuration.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::SystemError;
use crate::SourceError;
use crate::source::read_regular;

/// How deep directories may nest.
const DEPTH_MAX: usize = 32;

/// Name and content of every readable `*.json` below `directory`, by full path.
pub(super) fn files(directory: &Path) -> Result<Vec<(String, Vec<u8>)>, SystemError> {
    let mut paths = Vec::new();
    walk(directory, 0, &mut paths).map_err(|e| SystemError::NoDirectory {
        directory: directory.display().to_string(),
        reason: e.to_string(),
    })?;
    paths.sort();
    paths.iter().filter_map(|path| read(directory, path).transpose()).collect()
}

fn walk(directory: &Path, depth: usize, found: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let path = entry.path();
        // A link to a directory is not entered, so links cannot make a loop.
        if entry.file_type()?.is_dir() {
            if depth < DEPTH_MAX {
                // A directory below that may not be read holds nothing for us.
                let _ = walk(&path, depth + 1, found);
            }
        } else if path.as_os_str().as_encoded_bytes().ends_with(b".json")
            && fs::metadata(&path).is_ok_and(|m| m.is_file())
        {
            found.push(path);
        }
    }
    Ok(())
}

fn read(directory: &Path, path: &Path) -> Result<Option<(String, Vec<u8>)>, SystemError> {
    let name = path.display().to_string();
    match read_regular(path) {
        Ok(bytes) => Ok(Some((name, bytes))),
        Err(e) if e.kind() == io::ErrorKind::PermissionDenied => Ok(None),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Err(SystemError::NoDirectory {
            directory: directory.display().to_string(),
            reason: format!("`{name}` vanished while it was read"),
        }),
        Err(source) => Err(SourceError { path: name, source }.into()),
    }
}
