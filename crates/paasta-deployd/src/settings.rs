//! How deployd paces itself, from system config (marathon-and-bounce.md §9.1).

use std::collections::{BTreeMap, BTreeSet};

use paasta_config::{Map, Value};
use paasta_core::ServiceName;

/// The original's name for what follows autoscaled counts.
pub(crate) const AUTOSCALER_WATCHER: &str = "AutoscalerWatcher";
/// The original's name for what follows hosts that are about to leave.
pub(crate) const MAINTENANCE_WATCHER: &str = "MaintenanceWatcher";
/// The original's name for what follows the system config.
pub(crate) const SYSTEM_CONFIG_WATCHER: &str = "PublicConfigFileWatcher";
/// The original's name for what follows soa-configs.
pub(crate) const SOA_WATCHER: &str = "SoaFileWatcher";

/// Every bound of the state machine and its loop, each with its unit. Keys that the original has keep their
/// names; the others are ours.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// `deployd_number_workers`: passes that run at once.
    pub workers: usize,
    /// `deployd_urgent_workers`: so many more, if their deadline has come: however many bounces may stand back, whoever
    /// waits for one finds a place.
    pub urgent_workers: usize,
    /// `deployd_worker_failure_backoff_factor`: the first wait after a failed pass is twice this.
    pub failure_backoff_factor_seconds: f64,
    /// `deployd_failure_backoff_seconds_max`: the longest wait after a failed pass.
    pub failure_backoff_seconds_max: f64,
    /// `deployd_startup_bounce_deadline`: how long after start-up an instance's first pass is due at the latest.
    pub startup_deadline_seconds: f64,
    /// `deployd_big_bounce_deadline`: the same after a change that concerns all instances.
    pub big_bounce_deadline_seconds: f64,
    /// `deployd_lock_held_seconds`: when to try again where somebody else holds the bounce lock.
    pub lock_held_seconds: f64,
    /// `deployd_resync_seconds`: an instance with nothing to wait for is looked at again after this long.
    pub resync_seconds: f64,
    /// `deployd_pass_gap_seconds`: the least time between the end of a pass and the next one of that instance.
    pub pass_gap_seconds: f64,
    /// `deployd_pass_seconds_max`: a pass that takes longer is abandoned and counts as failed.
    pub pass_seconds_max: f64,
    /// `deployd_file_sweep_seconds`: between two sweeps over the configuration files where they cannot be watched.
    pub file_sweep_seconds: f64,
    /// `deployd_file_full_sweep_seconds`: the same over all of them while they are watched.
    pub file_full_sweep_seconds: f64,
    /// `deployd_listing_retry_seconds`: between two attempts to list instances that cannot be listed.
    pub listing_retry_seconds: f64,
    /// `deployd_regenerate_seconds`: between two regenerations of one deployments.json; zero for only once after
    /// whoever leads began to or was told to read all anew, and on a nudge until that has been done.
    pub regenerate_seconds: f64,
    /// `deployd_regenerate_seconds.services`: the same for single services.
    pub regenerate_seconds_by_service: BTreeMap<ServiceName, f64>,
    /// `deployd_first_regenerations_seconds`: after a start, the first regenerations are spread over at most this.
    pub first_regenerations_seconds: f64,
    /// `deployd_take_over_seconds`: whoever begins to lead waits at most this long for the tags of a service before it
    /// changes anything by a deployments.json that another process wrote.
    pub take_over_seconds: f64,
    /// `deployd_regenerations_at_once`: services whose git refs are listed at once.
    pub regenerations_at_once: usize,
    /// `deployd_regenerate_backoff_seconds_max`: the longest wait after failed regenerations of one service.
    pub regenerate_backoff_seconds_max: f64,
    /// `deployd_regeneration_seconds_max`: a regeneration that takes longer counts as failed.
    pub regeneration_seconds_max: f64,
    /// `deployd_shutdown_seconds_max`: how long running passes may take to end after a signal.
    pub shutdown_seconds_max: f64,
    /// `deployd_stopped_seconds`: when to look again at what was stopped while it was not certain who leads.
    pub stopped_seconds: f64,
    /// `deployd_maintenance_polling_frequency`: between two looks at hosts that are about to leave.
    pub maintenance_polling_seconds: f64,
    /// `disabled_watchers`: what is not followed, by the original's names.
    pub disabled_watchers: BTreeSet<String>,
    /// `deployd_session_timeout_seconds`: how long ZooKeeper keeps the leadership of a deployd that it hears nothing of.
    pub session_timeout_seconds: f64,
    /// `deployd_session_margin_seconds`: how long before that no change is begun any more; half of it where not written.
    pub session_margin_seconds: Option<f64>,
    /// `deployd_use_zk_queue`: whether entries that others put into the queue in ZooKeeper are taken over.
    pub use_zk_queue: bool,
    /// No key: set where everything is to be converged once. What failed so often in a row is given up, and the waits in
    /// between are those of somebody who waits for the end.
    pub once_tries: Option<u32>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            workers: 4,
            urgent_workers: 4,
            failure_backoff_factor_seconds: 30.0,
            failure_backoff_seconds_max: 6000.0,
            startup_deadline_seconds: 604_800.0,
            big_bounce_deadline_seconds: 604_800.0,
            lock_held_seconds: 5.0,
            resync_seconds: 600.0,
            pass_gap_seconds: 0.2,
            pass_seconds_max: 600.0,
            file_sweep_seconds: 0.5,
            file_full_sweep_seconds: 60.0,
            listing_retry_seconds: 5.0,
            regenerate_seconds: 300.0,
            regenerate_seconds_by_service: BTreeMap::new(),
            first_regenerations_seconds: 60.0,
            take_over_seconds: 3.0,
            regenerations_at_once: 8,
            regenerate_backoff_seconds_max: 60.0,
            regeneration_seconds_max: 60.0,
            shutdown_seconds_max: 3.8,
            stopped_seconds: 1.0,
            maintenance_polling_seconds: 30.0,
            disabled_watchers: BTreeSet::new(),
            session_timeout_seconds: 10.0,
            session_margin_seconds: None,
            use_zk_queue: true,
            once_tries: None,
        }
    }
}

/// Why a setting cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{position}system config key `{key}` is {found}, expected {expected}")]
pub struct SettingsError {
    /// The key.
    pub key: &'static str,
    /// What stands there.
    pub found: String,
    /// What could stand there.
    pub expected: &'static str,
    /// Where, ending in a colon and a space; empty if unknown.
    pub position: String,
}

impl Settings {
    /// Reads the settings from the merged system config; what is missing keeps its default.
    ///
    /// ```
    /// let settings = paasta_deployd::Settings::from_system(&paasta_config::Map::new());
    /// assert_eq!(settings, Ok(paasta_deployd::Settings::default()));
    /// ```
    pub fn from_system(system: &Map) -> Result<Self, SettingsError> {
        let mut settings = Self::default();
        for (key, field) in seconds(&mut settings) {
            read_seconds(system, key, field)?;
        }
        read_count(system, "deployd_number_workers", 1, &mut settings.workers)?;
        read_count(system, "deployd_urgent_workers", 0, &mut settings.urgent_workers)?;
        read_count(system, "deployd_regenerations_at_once", 1, &mut settings.regenerations_at_once)?;
        settings.read_regenerate(system)?;
        settings.read_watchers(system)?;
        let mut margin = -1.0;
        read_seconds(system, "deployd_session_margin_seconds", &mut margin)?;
        settings.session_margin_seconds = (margin >= 0.0).then_some(margin);
        if let Some(node) = system.get_set("deployd_use_zk_queue") {
            let Value::Bool(wanted) = node.value else {
                return Err(wrong("deployd_use_zk_queue", node, "true or false"));
            };
            settings.use_zk_queue = wanted;
        }
        Ok(settings)
    }

    /// How long after one regeneration of this service's deployments.json the next one is due; zero for never.
    pub fn regenerate_seconds_of(&self, service: &ServiceName) -> f64 {
        *self.regenerate_seconds_by_service.get(service).unwrap_or(&self.regenerate_seconds)
    }

    /// Whether this watcher, by the original's name, is on.
    pub fn watches(&self, watcher: &str) -> bool {
        !self.disabled_watchers.contains(watcher)
    }

    /// A number for all, or a number for most and one each for some.
    fn read_regenerate(&mut self, system: &Map) -> Result<(), SettingsError> {
        const KEY: &str = "deployd_regenerate_seconds";
        const EXPECTED: &str =
            "a number of seconds, zero or more, or {\"default\": seconds, \"services\": {name: seconds}}";
        let Some(node) = system.get_set(KEY) else { return Ok(()) };
        let Value::Map(map) = &node.value else {
            self.regenerate_seconds = number(node).ok_or_else(|| wrong(KEY, node, EXPECTED))?;
            return Ok(());
        };
        if let Some(node) = map.get_set("default") {
            self.regenerate_seconds = number(node).ok_or_else(|| wrong(KEY, node, EXPECTED))?;
        }
        if let Some(node) = map.get_set("services") {
            let Value::Map(services) = &node.value else { return Err(wrong(KEY, node, EXPECTED)) };
            for (name, node) in services.iter() {
                let service = name.as_str().and_then(|name| ServiceName::new(name).ok());
                let (Some(service), Some(seconds)) = (service, number(node)) else {
                    return Err(wrong(KEY, node, EXPECTED));
                };
                self.regenerate_seconds_by_service.insert(service, seconds);
            }
        }
        Ok(())
    }

    fn read_watchers(&mut self, system: &Map) -> Result<(), SettingsError> {
        const KEY: &str = "disabled_watchers";
        let Some(node) = system.get_set(KEY) else { return Ok(()) };
        let Value::List(names) = &node.value else { return Err(wrong(KEY, node, "a list of names")) };
        for name in names {
            // Names of watchers that an older version had are no mistake.
            let name = name.as_str().ok_or_else(|| wrong(KEY, name, "a list of names"))?;
            self.disabled_watchers.insert(name.to_owned());
        }
        Ok(())
    }
}

/// Every setting that is a number of seconds, by its key.
pub(crate) fn seconds(settings: &mut Settings) -> [(&'static str, &mut f64); 19] {
    let s = settings;
    [
        ("deployd_worker_failure_backoff_factor", &mut s.failure_backoff_factor_seconds),
        ("deployd_failure_backoff_seconds_max", &mut s.failure_backoff_seconds_max),
        ("deployd_startup_bounce_deadline", &mut s.startup_deadline_seconds),
        ("deployd_big_bounce_deadline", &mut s.big_bounce_deadline_seconds),
        ("deployd_lock_held_seconds", &mut s.lock_held_seconds),
        ("deployd_resync_seconds", &mut s.resync_seconds),
        ("deployd_pass_gap_seconds", &mut s.pass_gap_seconds),
        ("deployd_pass_seconds_max", &mut s.pass_seconds_max),
        ("deployd_file_sweep_seconds", &mut s.file_sweep_seconds),
        ("deployd_file_full_sweep_seconds", &mut s.file_full_sweep_seconds),
        ("deployd_listing_retry_seconds", &mut s.listing_retry_seconds),
        ("deployd_first_regenerations_seconds", &mut s.first_regenerations_seconds),
        ("deployd_take_over_seconds", &mut s.take_over_seconds),
        ("deployd_regenerate_backoff_seconds_max", &mut s.regenerate_backoff_seconds_max),
        ("deployd_regeneration_seconds_max", &mut s.regeneration_seconds_max),
        ("deployd_shutdown_seconds_max", &mut s.shutdown_seconds_max),
        ("deployd_stopped_seconds", &mut s.stopped_seconds),
        ("deployd_maintenance_polling_frequency", &mut s.maintenance_polling_seconds),
        ("deployd_session_timeout_seconds", &mut s.session_timeout_seconds),
    ]
}

/// A century: longer waits would only overflow elsewhere.
const SECONDS_MAX: f64 = 3.2e9;

fn number(node: &paasta_config::Node) -> Option<f64> {
    let number = match &node.value {
        Value::Int(number) => Some(*number as f64),
        Value::Float(number) => Some(*number),
        _ => None,
    };
    number.filter(|number| (0.0..=SECONDS_MAX).contains(number))
}

fn read_seconds(system: &Map, key: &'static str, field: &mut f64) -> Result<(), SettingsError> {
    let Some(node) = system.get_set(key) else { return Ok(()) };
    *field = number(node).ok_or_else(|| wrong(key, node, "a number of seconds, zero or more"))?;
    Ok(())
}

fn read_count(system: &Map, key: &'static str, least: i64, field: &mut usize) -> Result<(), SettingsError> {
    let Some(node) = system.get_set(key) else { return Ok(()) };
    let expected = if least == 0 { "an integer from 0 to 10000" } else { "an integer from 1 to 10000" };
    match &node.value {
        Value::Int(number) if (least..=10_000).contains(number) => {
            *field = usize::try_from(*number).unwrap_or(1);
            Ok(())
        }
        _ => Err(wrong(key, node, expected)),
    }
}

fn wrong(key: &'static str, node: &paasta_config::Node, expected: &'static str) -> SettingsError {
    let position = node.position.as_ref().map(|position| format!("{position}: ")).unwrap_or_default();
    SettingsError { key, found: format!("`{node:?}`"), expected, position }
}

#[cfg(test)]
mod tests {
    use paasta_config::Node;

    use super::*;

    fn system(key: &str, value: Value) -> Map {
        [(Node::text(key), Node::new(value))].into_iter().collect()
    }

    #[test]
    fn keys_are_read_by_their_names() {
        let read = |key, value| Settings::from_system(&system(key, value));
        assert_eq!(read("deployd_number_workers", Value::Int(9)).expect("fits").workers, 9);
        let factor = read("deployd_worker_failure_backoff_factor", Value::Float(0.5)).expect("fits");
        assert_eq!(factor.failure_backoff_factor_seconds, 0.5);
        assert_eq!(read("unknown", Value::Null), Ok(Settings::default()));
    }

    #[test]
    fn what_cannot_be_used_is_named() {
        let error =
            Settings::from_system(&system("deployd_number_workers", Value::Int(0))).expect_err("zero");
        assert_eq!(
            error.to_string(),
            "system config key `deployd_number_workers` is `0`, expected an integer from 1 to 10000"
        );
        assert!(Settings::from_system(&system("deployd_resync_seconds", Value::Float(f64::NAN))).is_err());
        assert!(Settings::from_system(&system("deployd_resync_seconds", Value::Int(-1))).is_err());
    }
}
