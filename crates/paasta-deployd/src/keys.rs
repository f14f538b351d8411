//! Every key of the system config that is deployd's own, with its default and when it is read. docs/deployd.md has them in a
//! table, which a test holds against this one.

/// When a key is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ReadAt {
    /// At the start alone.
    Start,
    /// At the start, and anew on SIGHUP.
    Reload,
    /// By `paasta list-deploy-queue`, not by deployd.
    Command,
}

/// A key of deployd's own.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Key {
    pub(crate) name: &'static str,
    /// As the docs have it.
    #[cfg_attr(not(test), expect(dead_code, reason = "held against the docs and the settings by tests"))]
    pub(crate) default: &'static str,
    pub(crate) read_at: ReadAt,
}

/// Sorted by name.
pub(crate) const KEYS: &[Key] = &[
    reload("deployd_big_bounce_deadline", "604800 s"),
    Key { name: "deployd_endpoints", default: "none", read_at: ReadAt::Command },
    reload("deployd_failure_backoff_seconds_max", "6000 s"),
    start("deployd_file_full_sweep_seconds", "60 s"),
    reload("deployd_file_sweep_seconds", "0.5 s"),
    reload("deployd_first_regenerations_seconds", "60 s"),
    start("deployd_http_listen", "none"),
    start("deployd_http_token_file", "none"),
    reload("deployd_listing_retry_seconds", "5 s"),
    reload("deployd_lock_held_seconds", "5 s"),
    start("deployd_log_level", "INFO"),
    reload("deployd_maintenance_polling_frequency", "30 s"),
    start("deployd_nudge_listen", "none"),
    reload("deployd_number_workers", "4"),
    reload("deployd_pass_gap_seconds", "0.2 s"),
    reload("deployd_pass_seconds_max", "600 s"),
    reload("deployd_regenerate_backoff_seconds_max", "60 s"),
    reload("deployd_regenerate_seconds", "300 s"),
    reload("deployd_regeneration_seconds_max", "60 s"),
    reload("deployd_regenerations_at_once", "8"),
    reload("deployd_resync_seconds", "600 s"),
    start("deployd_session_margin_seconds", "half of the timeout"),
    start("deployd_session_timeout_seconds", "10 s"),
    reload("deployd_shutdown_seconds_max", "3.8 s"),
    reload("deployd_startup_bounce_deadline", "604800 s"),
    reload("deployd_stopped_seconds", "1 s"),
    reload("deployd_take_over_seconds", "3 s"),
    reload("deployd_urgent_workers", "4"),
    start("deployd_use_zk_queue", "true"),
    reload("deployd_worker_failure_backoff_factor", "30 s"),
    reload("disabled_watchers", "[]"),
];

/// Keys of others that deployd reads at its start alone. All else in the system config is read anew by each pass.
pub(crate) const READ_AT_START: &[&str] = &[
    "alertmanager_url",
    "alerts_to_stdout",
    "coordination",
    "envoy_admin_domain_name",
    "envoy_admin_endpoint_format",
    "hacheck_port",
    "history_directory",
    "host_maintenance",
    "log_writer",
    "marathon_deployments_max",
    "marathon_servers",
    "previous_marathon_servers",
    "sensu_host",
    "sensu_port",
    "service_discovery_providers",
    "soa_dir",
    "synapse_haproxy_url_format",
    "synapse_port",
];

/// The key of deployd's own of that name.
pub(crate) fn key(name: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.name == name)
}

const fn start(name: &'static str, default: &'static str) -> Key {
    Key { name, default, read_at: ReadAt::Start }
}

const fn reload(name: &'static str, default: &'static str) -> Key {
    Key { name, default, read_at: ReadAt::Reload }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;

    /// Those of the original that mean nothing here; the docs say why.
    const NOT_USED: [&str; 3] = [
        "deployd_max_service_instance_failures",
        "deployd_metrics_provider",
        "deployd_startup_oracle_enabled",
    ];

    #[test]
    fn defaults_are_those_of_the_settings() {
        let mut settings = crate::Settings::default();
        let counts = [
            ("deployd_number_workers", settings.workers),
            ("deployd_regenerations_at_once", settings.regenerations_at_once),
            ("deployd_urgent_workers", settings.urgent_workers),
        ];
        let counts = counts.map(|(name, count)| (name, count.to_string()));
        let regenerate = ("deployd_regenerate_seconds", format!("{} s", settings.regenerate_seconds));
        let seconds =
            crate::settings::seconds(&mut settings).map(|(name, value)| (name, format!("{value} s")));
        for (name, default) in counts.into_iter().chain([regenerate]).chain(seconds) {
            assert_eq!(key(name).map(|key| key.default), Some(default.as_str()), "{name}");
        }
        assert!(settings.use_zk_queue && settings.disabled_watchers.is_empty());
        assert_eq!(settings.session_margin_seconds, None);
    }

    #[test]
    fn the_table_in_the_docs_is_that_of_the_code() {
        let docs = include_str!("../../../docs/deployd.md");
        let rows = docs.lines().filter_map(|line| {
            let cells: Vec<&str> = line.split('|').map(str::trim).collect();
            let [_, name, default, read_at, meaning, _] = cells.as_slice() else { return None };
            let name = name.strip_prefix('`')?.strip_suffix('`')?;
            assert!(!meaning.is_empty(), "{name}");
            Some((name, *default, *read_at))
        });
        let words = |read_at| match read_at {
            ReadAt::Start => "start",
            ReadAt::Reload => "start, SIGHUP",
            ReadAt::Command => "each call",
        };
        let ours: Vec<_> = KEYS.iter().map(|key| (key.name, key.default, words(key.read_at))).collect();
        assert_eq!(rows.collect::<Vec<_>>(), ours);
        assert!(KEYS.is_sorted_by_key(|key| key.name));
        for name in READ_AT_START.iter().chain(&NOT_USED) {
            assert!(docs.contains(&format!("`{name}`")), "{name} is not in docs/deployd.md");
        }
    }

    #[test]
    fn the_help_names_what_is_read_at_the_start() {
        let help = include_str!("bin/paasta-deployd.rs");
        let told = |name: &str| help.contains(&format!("`{name}`"));
        let addresses = |name: &str| name.starts_with("synapse_") || name.starts_with("envoy_admin_");
        let missing: Vec<_> = READ_AT_START.iter().filter(|name| !told(name) && !addresses(name)).collect();
        assert_eq!(missing, Vec::<&&str>::new());
        assert!(READ_AT_START.is_sorted());
    }

    #[test]
    fn the_unit_keeps_off_the_ports_of_its_neighbours() {
        let unit = include_str!("../../../contrib/systemd/paasta-deployd.service");
        let start = unit.lines().find(|line| line.starts_with("ExecStart=")).expect("it starts something");
        let port: u16 = start.rsplit(':').next().and_then(|port| port.parse().ok()).expect("a port");
        let neighbours = [5049, 5050, 5051, 5052, 5054, 6666, 8080];
        assert!(!neighbours.contains(&port), "{start}");
        assert!(include_str!("../../../docs/deployd.md").contains(&format!("port {port} of loopback")));
    }

    /// Every name that the code holds in quotes is in the table.
    #[test]
    fn no_key_is_missing_in_the_table() {
        let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let folders = ["paasta-deployd/src", "paasta-cli/src", "paasta-config/src/system"];
        let mut found = BTreeSet::new();
        for folder in folders {
            in_quotes(&crates.join(folder), &mut found);
        }
        let known = KEYS.iter().map(|key| key.name).chain(NOT_USED);
        let known: BTreeSet<String> = known.map(str::to_owned).collect();
        assert_eq!(found.difference(&known).collect::<Vec<_>>(), Vec::<&String>::new());
    }

    fn in_quotes(folder: &Path, found: &mut BTreeSet<String>) {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                in_quotes(&path, found);
            } else {
                let text = std::fs::read_to_string(&path).expect("text");
                let names = text.split('"').filter(|part| {
                    part.strip_prefix("deployd_").is_some_and(|rest| {
                        !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
                    })
                });
                found.extend(names.map(str::to_owned));
            }
        }
    }
}
