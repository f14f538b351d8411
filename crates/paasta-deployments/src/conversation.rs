//! What one conversation in git's own protocol comes to, whatever it goes over.

use std::io::{self, Read, Write};
use std::time::Duration;

use paasta_core::GitSha;

use crate::refs::before_write;
use crate::wire::{self, WireError};
use crate::{RefsError, WriteMode, Written};

/// With whom, and how long it may take in all.
#[derive(Clone, Debug)]
pub(crate) struct Partner {
    /// As it is shown.
    pub(crate) url: String,
    pub(crate) limit: Duration,
}

impl Partner {
    /// Asks a receive-pack at the other end of `stream` to put the ref `name` on a commit that it has.
    pub(crate) fn write_ref(
        &self,
        stream: &mut (impl Read + Write),
        (name, commit): (&str, &GitSha),
        mode: WriteMode,
    ) -> Result<Written, RefsError> {
        let advertised = wire::read_advertisement(stream).map_err(|error| self.failed(error))?;
        let old = advertised.refs.iter().find(|r| r.name == name).map(|r| &r.sha);
        if let Some(written) = before_write(&self.url, name, commit, mode, old)? {
            // All is said; a server that is gone already does not matter.
            let _ = wire::write_flush(stream);
            return Ok(written);
        }
        wire::push_without_objects(stream, &advertised.capabilities, (name, old, commit))
            .map_err(|error| self.push_failed(error, name, commit))?;
        Ok(Written::Done)
    }

    /// Before anything was asked for.
    pub(crate) fn failed(&self, error: WireError) -> RefsError {
        let url = self.url.clone();
        match error {
            WireError::Io(error) if is_timeout(&error) => {
                RefsError::TimedOut { url, seconds: self.limit.as_secs() }
            }
            WireError::Io(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                RefsError::Unreachable { url, reason: "the server hung up".to_owned() }
            }
            WireError::Io(error) => RefsError::Unreachable { url, reason: error.to_string() },
            WireError::TooMuch => RefsError::TooLong { url, bytes: wire::ADVERTISED_BYTES_MAX },
            WireError::Garbled(reason) => RefsError::Garbled { url, reason },
            WireError::Refused(reason) => RefsError::Unreachable { url, reason },
        }
    }

    fn push_failed(&self, error: WireError, name: &str, commit: &GitSha) -> RefsError {
        let url = self.url.clone();
        match error {
            WireError::Refused(reason) if reason.contains("missing necessary objects") => {
                RefsError::NoSuchCommit { url, sha: commit.clone(), reason }
            }
            WireError::Refused(reason) => RefsError::Refused { url, name: name.to_owned(), reason },
            other => self.failed(other),
        }
    }
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock)
}
