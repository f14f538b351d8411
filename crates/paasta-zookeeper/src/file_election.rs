//! Election among the processes of one machine.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use fs4::fs_std::FileExt;
use futures_core::stream::BoxStream;
use futures_util::stream;
use paasta_core::{Election, Standing};
use tokio::task::spawn_blocking;
use tokio::time::sleep;

use crate::file_locks::relative_path;

/// Milliseconds between two attempts while somebody else leads.
const RETRY_MILLIS: u64 = 100;
/// The longest name that is read, in bytes.
const NAME_BYTES_MAX: u64 = 1024;

/// An election by an advisory lock (`flock`) on a file below one directory: who has it leads, and its name stands in the
/// file. A leadership ends with its stream or with its process, however that ends, and cannot be lost otherwise:
/// [`NoFence`](paasta_core::NoFence) is its fence.
///
/// The directory has to be on a local disk: network file systems do not all keep such locks.
#[derive(Clone, Debug)]
pub struct FileElection {
    directory: PathBuf,
    path: String,
    name: String,
}

impl FileElection {
    /// The election on `path`, such as `/paasta-deployd-leader`, below `directory`, in which this process is called
    /// `name`.
    pub fn new(directory: impl Into<PathBuf>, path: impl Into<String>, name: impl Into<String>) -> Self {
        Self { directory: directory.into(), path: path.into(), name: name.into() }
    }

    fn file(&self) -> io::Result<PathBuf> {
        let relative = relative_path(&self.path).ok_or_else(|| {
            io::Error::new(io::ErrorKind::InvalidInput, format!("`{}` would leave the directory", self.path))
        })?;
        Ok(self.directory.join(relative))
    }
}

impl Election for FileElection {
    fn stand(&self) -> BoxStream<'static, Standing> {
        let candidate = Candidate { election: self.clone(), file: None, leads: false, told: None };
        Box::pin(stream::unfold(candidate, |mut candidate| async move {
            let standing = candidate.next().await;
            Some((standing, candidate))
        }))
    }
}

struct Candidate {
    election: FileElection,
    /// Its lock is the leadership.
    file: Option<File>,
    leads: bool,
    told: Option<Standing>,
}

impl Candidate {
    async fn next(&mut self) -> Standing {
        if self.leads {
            std::future::pending::<()>().await;
        }
        loop {
            let standing = match self.attempt().await {
                Ok(standing) => standing,
                Err(error) => {
                    tracing::warn!(directory = %self.election.directory.display(), %error, "could not stand for election");
                    Standing::Waiting { leader: None }
                }
            };
            self.leads = standing == Standing::Leading;
            if self.told.as_ref() != Some(&standing) {
                self.told = Some(standing.clone());
                return standing;
            }
            sleep(Duration::from_millis(RETRY_MILLIS)).await;
        }
    }

    async fn attempt(&mut self) -> io::Result<Standing> {
        let path = self.election.file()?;
        let (name, file) = (self.election.name.clone(), self.file.take());
        let attempt = spawn_blocking(move || attempt(&path, file, &name)).await;
        let (standing, file) = attempt.map_err(io::Error::other)??;
        self.file = Some(file);
        Ok(standing)
    }
}

fn attempt(path: &Path, file: Option<File>, name: &str) -> io::Result<(Standing, File)> {
    let mut file = match file {
        Some(file) => file,
        None => {
            if let Some(parent) = path.parent() {
                std::fs::create_dir_all(parent)?;
            }
            File::options().create(true).truncate(false).read(true).write(true).open(path)?
        }
    };
    file.rewind()?;
    if file.try_lock_exclusive()? {
        file.set_len(0)?;
        file.write_all(name.as_bytes())?;
        return Ok((Standing::Leading, file));
    }
    let mut leader = vec![];
    (&file).take(NAME_BYTES_MAX).read_to_end(&mut leader)?;
    let leader = String::from_utf8_lossy(&leader).trim().to_owned();
    Ok((Standing::Waiting { leader: Some(leader).filter(|name| !name.is_empty()) }, file))
}

#[cfg(test)]
mod tests {
    use futures_util::StreamExt;

    use super::*;

    #[tokio::test]
    async fn one_leads_the_other_knows_who_and_follows() {
        let directory = tempfile::tempdir().unwrap();
        let election = |name: &str| FileElection::new(directory.path(), "/leader", name);
        let mut first = election("one.example.com").stand();
        assert_eq!(first.next().await, Some(Standing::Leading));

        let mut second = election("two").stand();
        let leader = Some("one.example.com".to_owned());
        assert_eq!(second.next().await, Some(Standing::Waiting { leader }));
        drop(first);
        assert_eq!(second.next().await, Some(Standing::Leading));
        assert_eq!(std::fs::read_to_string(directory.path().join("leader.lock")).unwrap(), "two");
    }

    #[tokio::test]
    async fn a_directory_that_cannot_be_made_waits() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("file");
        std::fs::write(&file, "").unwrap();
        let mut waiting = FileElection::new(&file, "/leader", "one").stand();
        assert_eq!(waiting.next().await, Some(Standing::Waiting { leader: None }));
        std::fs::remove_file(&file).unwrap();
        assert_eq!(waiting.next().await, Some(Standing::Leading), "once it can be made");
    }
}
