//! Services' files as they were read last, shared by the passes over instances of one service that were woken before.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use paasta_config::Soa;
use paasta_core::{Clock, ServiceName, Timestamp};

/// How long what was read serves.
const SERVES: Duration = Duration::from_secs(5);
/// Passes that share a reason come in the order of names, so that few services are enough; their files take room.
const SERVICES_MAX: usize = 32;

/// A look at everything would parse the same documents for each instance. What was read before something happened does
/// not serve the pass that was woken by it.
pub(crate) struct SharedSoa {
    directory: PathBuf,
    clock: Arc<dyn Clock>,
    last: Mutex<BTreeMap<ServiceName, (Timestamp, Soa)>>,
}

impl SharedSoa {
    /// Nothing was read yet. The clock is that by which wakes are told.
    pub(crate) fn new(directory: PathBuf, clock: Arc<dyn Clock>) -> Self {
        Self { directory, clock, last: Mutex::default() }
    }

    /// The tree, for this service: each document is as it was read after that time, or is now.
    pub(crate) fn after(&self, service: &ServiceName, since: Option<Timestamp>) -> Soa {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.clock.now();
        last.retain(|_, (opened, _)| now.since(*opened) <= SERVES);
        if let Some((opened, soa)) = last.get(service)
            && since.is_some_and(|since| *opened > since)
        {
            return soa.clone();
        }
        let soa = Soa::open(&self.directory).cached();
        if last.len() >= SERVICES_MAX
            && let Some(oldest) =
                last.iter().min_by_key(|(_, (opened, _))| *opened).map(|(name, _)| name.clone())
        {
            last.remove(&oldest);
        }
        last.insert(service.clone(), (now, soa.clone()));
        soa
    }
}

#[cfg(test)]
mod tests {
    use paasta_config::InstanceType;
    use paasta_testkit::SimClock;

    use super::*;

    #[test]
    fn what_was_read_before_the_wake_is_read_again() {
        let folder = tempfile::tempdir().expect("a folder");
        let clock = SimClock::at(Timestamp::from_millis(1000));
        let shared = SharedSoa::new(folder.path().to_owned(), Arc::new(clock.clone()));
        let (service, cluster) = ("svc".parse().expect("a name"), "here".parse().expect("a name"));
        std::fs::create_dir(folder.path().join("svc")).expect("made");
        let write = |name: &str| {
            let text = format!("{name}: {{}}\n");
            std::fs::write(folder.path().join("svc/marathon-here.yaml"), text).expect("written");
        };
        let read = |since: Option<i64>| {
            let soa = shared.after(&service, since.map(Timestamp::from_millis));
            let names = soa.instances(&service, &cluster, InstanceType::Marathon).expect("readable");
            names.into_iter().map(|name| name.to_string()).collect::<Vec<_>>()
        };
        write("one");
        assert_eq!(read(Some(500)), ["one"]);
        write("two");
        assert_eq!(read(Some(999)), ["one"], "nothing has happened since");
        assert_eq!(read(Some(1000)), ["two"], "which of both was first is not known");
        write("three");
        clock.advance(5.1);
        assert_eq!(read(Some(999)), ["three"], "it is too old");
        write("four");
        assert_eq!(read(None), ["four"]);
    }

    #[test]
    fn few_services_are_kept() {
        let clock = SimClock::at(Timestamp::from_millis(1000));
        let shared = SharedSoa::new(PathBuf::from("nowhere"), Arc::new(clock));
        for number in 0..100 {
            let service = format!("svc{number}").parse().expect("a name");
            shared.after(&service, Some(Timestamp::from_millis(0)));
        }
        assert_eq!(shared.last.lock().expect("lock").len(), SERVICES_MAX);
    }
}
