//! The system config as it was read last, shared by the passes that were woken before.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use paasta_config::{LoadError, SystemConfig};
use paasta_core::{Clock, Timestamp};

/// How long it serves after it was read.
const SERVES: Duration = Duration::from_secs(60);

/// A look at everything would read the same files for each instance. What was read before something happened does not
/// serve the pass that was woken by it.
pub(crate) struct SharedSystem {
    directory: PathBuf,
    clock: Arc<dyn Clock>,
    last: Mutex<Option<(Timestamp, Arc<SystemConfig>)>>,
}

impl SharedSystem {
    /// Nothing was read yet. The clock is that by which wakes are told.
    pub(crate) fn new(directory: PathBuf, clock: Arc<dyn Clock>) -> Self {
        Self { directory, clock, last: Mutex::default() }
    }

    /// As it was read after that time, or is now. Blocks.
    pub(crate) fn after(&self, since: Option<Timestamp>) -> Result<Arc<SystemConfig>, LoadError> {
        // Held while it is read: whoever comes meanwhile has the same question.
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.clock.now();
        if let Some((read, system)) = last.as_ref()
            && since.is_some_and(|since| *read > since)
            && now.since(*read) <= SERVES
        {
            return Ok(system.clone());
        }
        let system = Arc::new(SystemConfig::load(&self.directory)?);
        *last = Some((now, system.clone()));
        Ok(system)
    }
}

#[cfg(test)]
mod tests {
    use paasta_testkit::SimClock;

    use super::*;

    #[test]
    fn what_was_read_before_the_wake_is_read_again() {
        let folder = tempfile::tempdir().expect("a folder");
        let write = |name: &str| {
            let text = format!(r#"{{"cluster": "{name}"}}"#);
            std::fs::write(folder.path().join("a.json"), text).expect("written");
        };
        let clock = SimClock::at(Timestamp::from_millis(1000));
        let shared = SharedSystem::new(folder.path().to_owned(), Arc::new(clock.clone()));
        let cluster = |since: Option<i64>| {
            let system = shared.after(since.map(Timestamp::from_millis)).expect("readable");
            system.cluster().expect("named").to_string()
        };
        write("one");
        assert_eq!(cluster(Some(500)), "one");
        write("two");
        assert_eq!(cluster(Some(999)), "one", "nothing has happened since");
        assert_eq!(cluster(Some(1000)), "two", "which of both was first is not known");
        write("three");
        clock.advance(61.0);
        assert_eq!(cluster(Some(999)), "three", "it is too old");
        write("four");
        assert_eq!(cluster(None), "four");
    }
}
