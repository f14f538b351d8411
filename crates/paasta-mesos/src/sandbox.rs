//! The files of tasks on their agents, and what they wrote last (monitoring.md §5.4).

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{MesosAgent, MesosError};

/// Read at one time, from the end backwards.
const BLOCK_BYTES: u64 = 32 * 1024;
/// So far back lines are looked for.
const TAIL_BYTES_MAX: u64 = 4 * 1024 * 1024;
/// For what one task wrote, in all.
const TAIL_PATIENCE: Duration = Duration::from_secs(10);

/// A file or folder of a sandbox.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct SandboxFile {
    /// Where it is, as [`MesosAgent::read`] takes it.
    pub path: String,
    /// How many bytes it has.
    #[serde(default)]
    pub size: u64,
    /// Its kind and permissions, as `ls -l` writes them.
    #[serde(default)]
    pub mode: String,
}

/// The last lines that a task wrote.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Tails {
    /// To its standard output; `None` where there is no such file.
    pub stdout: Option<Vec<String>>,
    /// To its standard error; `None` where there is no such file.
    pub stderr: Option<Vec<String>>,
}

/// Why the last lines of a task cannot be told.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TailError {
    /// Its agent knows nothing of it.
    #[error("could not read what task `{task}` wrote: its agent does not know it any more")]
    NoTask {
        /// The end of its id.
        task: String,
    },
    /// There is neither of both files.
    #[error("could not read what task `{task}` wrote: it has neither `stdout` nor `stderr`")]
    NoFiles {
        /// The end of its id.
        task: String,
    },
    /// That took too long.
    #[error("could not read what task `{task}` wrote: there was no answer within {seconds} s")]
    OutOfTime {
        /// The end of its id.
        task: String,
        /// How long was waited.
        seconds: u64,
    },
    /// The agent did not say.
    #[error("could not read what task `{task}` wrote")]
    Agent {
        /// The end of its id.
        task: String,
        /// What happened.
        source: MesosError,
    },
}

/// A piece of a file, or where it ends.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct FilePiece {
    /// What stands there.
    #[serde(default)]
    pub data: String,
    /// Where it begins; where nothing was asked for, where the file ends.
    pub offset: u64,
}

/// The lines that verbosity asks for (monitoring.md §5.4): none for `-v`, then 10, 100 and 1000.
///
/// ```
/// assert_eq!([1, 2, 3, 4].map(paasta_mesos::tail_lines), [0, 10, 100, 1000]);
/// ```
pub fn tail_lines(verbosity: u32) -> usize {
    if verbosity <= 1 { 0 } else { 10_usize.saturating_pow(verbosity - 1) }
}

impl MesosAgent {
    /// The files in a folder of a sandbox; `None` where there is no such folder.
    pub async fn browse(&self, folder: &str) -> Result<Option<Vec<SandboxFile>>, MesosError> {
        self.find(&["/files/browse.json", "/files/browse"], &[("path", folder)]).await
    }

    /// A piece of a file, of at most `length` bytes; without `offset` nothing but where it ends. `None` where there is no such
    /// file. What is no UTF-8, as may be at either end of a piece, is replaced.
    pub async fn read(
        &self,
        path: &str,
        offset: Option<u64>,
        length: u64,
    ) -> Result<Option<FilePiece>, MesosError> {
        let offset = offset.map_or_else(|| "-1".to_owned(), |offset| offset.to_string());
        let length = length.to_string();
        let query = [("path", path), ("offset", &offset), ("length", &length)];
        self.find(&["/files/read.json", "/files/read"], &query).await
    }

    /// The last lines of a file; `None` where there is no such file. Lines that begin more than four megabytes before the end
    /// are left out.
    pub async fn tail(&self, path: &str, lines: usize) -> Result<Option<Vec<String>>, MesosError> {
        let Some(end) = self.read(path, None, 0).await? else { return Ok(None) };
        let (mut start, mut text) = (end.offset, String::new());
        let least = end.offset.saturating_sub(TAIL_BYTES_MAX);
        while start > least && !has_lines(&text, lines) {
            let from = start.saturating_sub(BLOCK_BYTES).max(least);
            // A file that was cut meanwhile ends the search.
            let Some(piece) = self.read(path, Some(from), start - from).await? else { break };
            text.insert_str(0, &piece.data);
            start = from;
        }
        Ok(Some(last_lines(&text, lines, start > 0)))
    }

    /// The last lines that a task wrote, looked for at most ten seconds.
    pub async fn task_tails(&self, task: &str, lines: usize) -> Result<Tails, TailError> {
        let short = task.rsplit_once('.').map_or(task, |(_, unique)| unique).to_owned();
        let looking = tokio::time::timeout(TAIL_PATIENCE, self.look_for_tails(task, &short, lines));
        let seconds = TAIL_PATIENCE.as_secs();
        looking.await.unwrap_or_else(|_| Err(TailError::OutOfTime { task: short.clone(), seconds }))
    }

    async fn look_for_tails(&self, task: &str, short: &str, lines: usize) -> Result<Tails, TailError> {
        let failed = |source| TailError::Agent { task: short.to_owned(), source };
        let state = self.state().await.map_err(failed)?;
        let Some(executor) = state.executor_of(task) else {
            return Err(TailError::NoTask { task: short.to_owned() });
        };
        let path = |name: &str| format!("{}/{name}", executor.directory);
        let (stdout, stderr) = (path("stdout"), path("stderr"));
        let (stdout, stderr) =
            tokio::try_join!(self.tail(&stdout, lines), self.tail(&stderr, lines)).map_err(failed)?;
        match (&stdout, &stderr) {
            (None, None) => Err(TailError::NoFiles { task: short.to_owned() }),
            _ => Ok(Tails { stdout, stderr }),
        }
    }
}

/// Whether a text surely holds so many whole lines: one more line break than that, as the last may end the file.
fn has_lines(text: &str, lines: usize) -> bool {
    lines == 0 || text.bytes().filter(|byte| *byte == b'\n').count() > lines
}

fn last_lines(text: &str, lines: usize, is_cut: bool) -> Vec<String> {
    let all: Vec<&str> = text.lines().skip(usize::from(is_cut)).collect();
    let surplus = all.len().saturating_sub(lines);
    all[surplus..].iter().map(|line| (*line).to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_taken_from_the_end() {
        let last = |text: &str, lines, is_cut| last_lines(text, lines, is_cut).join("|");
        assert_eq!(last("a\nb\nc\n", 2, false), "b|c");
        assert_eq!(last("a\nb\nc", 2, false), "b|c");
        assert_eq!(last("half\nb\nc\n", 9, true), "b|c");
        assert_eq!((last("", 3, false), last("a\n", 0, false)), (String::new(), String::new()));
        assert!(has_lines("a\nb\n", 1) && !has_lines("a\nb\n", 2) && has_lines("", 0));
    }
}
