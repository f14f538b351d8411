//! Keys of the system config that are read at the start alone, or when that is asked for.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use paasta_config::Map;

use crate::keys::{READ_AT_START, ReadAt, key};

#[derive(Debug)]
struct Read {
    start: Map,
    /// When deployd's settings were read last.
    settings: Map,
}

/// What these keys held when they were read. Clones are the same one.
#[derive(Clone, Debug)]
pub(crate) struct StartKeys {
    read: Arc<Mutex<Read>>,
    told: Arc<Mutex<BTreeSet<String>>>,
}

impl StartKeys {
    /// As they are now.
    pub(crate) fn of(system: &Map) -> Self {
        let read = Read { start: system.clone(), settings: system.clone() };
        Self { read: Arc::new(Mutex::new(read)), told: Arc::default() }
    }

    /// Deployd's settings were read anew from there.
    pub(crate) fn reloaded(&self, system: &Map) {
        self.read.lock().unwrap_or_else(PoisonError::into_inner).settings = system.clone();
    }

    /// Says once of each key that has changed since the start that this has no effect yet.
    pub(crate) fn warn(&self, system: &Map) {
        for key in self.newly_changed(system) {
            let way = if is_setting(&key) { "send SIGHUP" } else { "restart" };
            tracing::warn!(
                "system config key `{key}` has changed; deployd goes on with what it read before: {way} to use it"
            );
        }
    }

    fn newly_changed(&self, system: &Map) -> BTreeSet<String> {
        let changed = self.changed(system);
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let new = changed.difference(&told).cloned().collect();
        *told = changed;
        new
    }

    fn changed(&self, system: &Map) -> BTreeSet<String> {
        let read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        let keys = read.start.iter().chain(read.settings.iter()).chain(system.iter());
        let keys = keys.filter_map(|(key, _)| key.as_str());
        let used =
            |key: &str| if is_setting(key) { read.settings.get_set(key) } else { read.start.get_set(key) };
        let ours = keys.filter(|key| counts_from_the_start(key) || is_setting(key));
        ours.filter(|key| used(key) != system.get_set(key)).map(str::to_owned).collect()
    }
}

/// Whether it can be read anew while deployd runs.
fn is_setting(name: &str) -> bool {
    key(name).is_some_and(|key| key.read_at == ReadAt::Reload)
}

fn counts_from_the_start(name: &str) -> bool {
    READ_AT_START.contains(&name) || key(name).is_some_and(|key| key.read_at == ReadAt::Start)
}

#[cfg(test)]
mod tests {
    use paasta_config::{Node, Value};

    use super::*;

    fn system(entries: &[(&str, i64)]) -> Map {
        entries.iter().map(|(key, value)| (Node::text(*key), Node::new(Value::Int(*value)))).collect()
    }

    #[test]
    fn a_changed_key_is_told_once() {
        let keys = StartKeys::of(&system(&[("marathon_servers", 1), ("deployd_number_workers", 4)]));
        let told = |entries: &[(&str, i64)]| Vec::from_iter(keys.newly_changed(&system(entries)));
        let workers = ("deployd_number_workers", 4);
        assert_eq!(told(&[("marathon_servers", 1), workers, ("volumes", 2)]), Vec::<String>::new());
        assert_eq!(told(&[("marathon_servers", 2), workers]), ["marathon_servers"]);
        assert_eq!(told(&[("marathon_servers", 2)]), ["deployd_number_workers"]);
        assert_eq!(told(&[("marathon_servers", 1), workers]), Vec::<String>::new());
        assert_eq!(told(&[("marathon_servers", 3), workers]), ["marathon_servers"], "it had been put back");
    }

    #[test]
    fn settings_that_are_read_anew_count_from_then_on() {
        let keys = StartKeys::of(&system(&[("marathon_servers", 1), ("deployd_number_workers", 4)]));
        let new = system(&[("marathon_servers", 2), ("deployd_number_workers", 5)]);
        keys.reloaded(&new);
        assert_eq!(Vec::from_iter(keys.newly_changed(&new)), ["marathon_servers"]);
    }

    #[test]
    fn each_key_is_told_with_what_makes_it_count() {
        for (key, told) in [
            ("deployd_nudge_listen", true),
            ("deployd_http_listen", true),
            ("deployd_http_token_file", true),
            ("deployd_file_full_sweep_seconds", true),
            ("deployd_session_timeout_seconds", true),
            ("soa_dir", true),
            ("alertmanager_url", true),
            ("sensu_port", true),
            ("deployd_endpoints", false),
            ("deployd_metrics_provider", false),
            ("volumes", false),
        ] {
            let keys = StartKeys::of(&system(&[]));
            let new = system(&[(key, 1)]);
            keys.reloaded(&new);
            assert_eq!(!keys.newly_changed(&new).is_empty(), told, "{key}");
        }
    }
}
