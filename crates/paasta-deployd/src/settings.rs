//! How deployd paces itself, from system config (marathon-and-bounce.md §9.1).

use paasta_config::{Map, Value};

/// Every bound of the state machine and its loop, each with its unit. Keys that the original has keep their
/// names; the others are ours.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// `deployd_number_workers`: passes that run at once.
    pub workers: usize,
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
    /// `deployd_file_sweep_seconds`: between two sweeps over the configuration files.
    pub file_sweep_seconds: f64,
    /// `deployd_listing_retry_seconds`: between two attempts to list instances that cannot be listed.
    pub listing_retry_seconds: f64,
    /// `deployd_regenerate_seconds`: between two regenerations of one deployments.json; zero for only on a nudge.
    pub regenerate_seconds: f64,
    /// `deployd_regenerations_at_once`: services whose git refs are listed at once.
    pub regenerations_at_once: usize,
    /// `deployd_regenerate_backoff_seconds_max`: the longest wait after failed regenerations of one service.
    pub regenerate_backoff_seconds_max: f64,
    /// `deployd_regeneration_seconds_max`: a regeneration that takes longer counts as failed.
    pub regeneration_seconds_max: f64,
    /// `deployd_shutdown_seconds_max`: how long running passes may take to end after a signal.
    pub shutdown_seconds_max: f64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            workers: 4,
            failure_backoff_factor_seconds: 30.0,
            failure_backoff_seconds_max: 6000.0,
            startup_deadline_seconds: 604_800.0,
            big_bounce_deadline_seconds: 604_800.0,
            lock_held_seconds: 5.0,
            resync_seconds: 600.0,
            pass_gap_seconds: 0.2,
            pass_seconds_max: 600.0,
            file_sweep_seconds: 0.5,
            listing_retry_seconds: 5.0,
            regenerate_seconds: 2.0,
            regenerations_at_once: 8,
            regenerate_backoff_seconds_max: 60.0,
            regeneration_seconds_max: 60.0,
            shutdown_seconds_max: 4.5,
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
        read_count(system, "deployd_number_workers", &mut settings.workers)?;
        read_count(system, "deployd_regenerations_at_once", &mut settings.regenerations_at_once)?;
        Ok(settings)
    }
}

/// Every setting that is a number of seconds, by its key.
fn seconds(settings: &mut Settings) -> [(&'static str, &mut f64); 14] {
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
        ("deployd_listing_retry_seconds", &mut s.listing_retry_seconds),
        ("deployd_regenerate_seconds", &mut s.regenerate_seconds),
        ("deployd_regenerate_backoff_seconds_max", &mut s.regenerate_backoff_seconds_max),
        ("deployd_regeneration_seconds_max", &mut s.regeneration_seconds_max),
        ("deployd_shutdown_seconds_max", &mut s.shutdown_seconds_max),
    ]
}

/// A century: longer waits would only overflow elsewhere.
const SECONDS_MAX: f64 = 3.2e9;

fn read_seconds(system: &Map, key: &'static str, field: &mut f64) -> Result<(), SettingsError> {
    let Some(node) = system.get_set(key) else { return Ok(()) };
    let number = match &node.value {
        Value::Int(number) => Some(*number as f64),
        Value::Float(number) => Some(*number),
        _ => None,
    };
    match number.filter(|number| (0.0..=SECONDS_MAX).contains(number)) {
        Some(number) => {
            *field = number;
            Ok(())
        }
        None => Err(wrong(key, node, "a number of seconds, zero or more")),
    }
}

fn read_count(system: &Map, key: &'static str, field: &mut usize) -> Result<(), SettingsError> {
    let Some(node) = system.get_set(key) else { return Ok(()) };
    match &node.value {
        Value::Int(number) if (1..=10_000).contains(number) => {
            *field = usize::try_from(*number).unwrap_or(1);
            Ok(())
        }
        _ => Err(wrong(key, node, "an integer from 1 to 10000")),
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
