//! Keys of the system config that are read at the start alone.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use paasta_config::Map;

/// Everything else is read anew by each pass.
const KEYS: [&str; 8] = [
    "coordination",
    "hacheck_port",
    "history_directory",
    "host_maintenance",
    "log_writer",
    "marathon_servers",
    "previous_marathon_servers",
    "soa_dir",
];

/// What these keys held at the start. Clones are the same one.
#[derive(Clone, Debug)]
pub(crate) struct StartKeys {
    read: Map,
    told: Arc<Mutex<BTreeSet<String>>>,
}

impl StartKeys {
    /// As they are now.
    pub(crate) fn of(system: &Map) -> Self {
        Self { read: system.clone(), told: Arc::default() }
    }

    /// Says once of each key that has changed since the start that this has no effect yet.
    pub(crate) fn warn(&self, system: &Map) {
        for key in self.newly_changed(system) {
            tracing::warn!(
                "system config key `{key}` has changed; deployd goes on with what it read at its start: restart to use it"
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
        let keys = self.read.iter().chain(system.iter()).filter_map(|(key, _)| key.as_str());
        let ours = keys.filter(|key| KEYS.contains(key) || key.starts_with("deployd_"));
        ours.filter(|key| self.read.get_set(key) != system.get_set(key)).map(str::to_owned).collect()
    }
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
}
