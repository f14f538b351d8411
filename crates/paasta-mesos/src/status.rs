//! The maintenance status of a master, as it words it. Pure.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::Machine;

/// Which machines are about to leave, and which are away.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct MaintenanceStatus {
    /// Those that are to be left.
    pub draining: Vec<Machine>,
    /// Those that are away.
    pub down: Vec<Machine>,
}

#[derive(Deserialize)]
struct Answer {
    get_maintenance_status: Told,
}

#[derive(Deserialize)]
struct Told {
    status: Status,
}

#[derive(Deserialize)]
struct Status {
    draining_machines: Option<Vec<Entry>>,
    down_machines: Option<Vec<Entry>>,
}

/// A machine, or what holds one.
#[derive(Deserialize)]
struct Entry {
    id: Option<Machine>,
    hostname: Option<String>,
    ip: Option<String>,
}

impl MaintenanceStatus {
    /// Of the answer to `GET_MAINTENANCE_STATUS`, in either of the forms in which machines are told. An empty status means
    /// none; an answer that is no status, or a machine without a name, is an error: it must not look like a cluster
    /// without maintenance.
    ///
    /// ```
    /// use paasta_mesos::{Machine, MaintenanceStatus};
    ///
    /// let answer = r#"{"get_maintenance_status": {"status": {"down_machines": [{"hostname": "h1", "ip": "10.0.0.1"}]}}}"#;
    /// let status = MaintenanceStatus::read(answer.as_bytes())?;
    /// assert_eq!(status.down, [Machine::new("h1", "10.0.0.1")]);
    /// # Ok::<(), String>(())
    /// ```
    pub fn read(answer: &[u8]) -> Result<Self, String> {
        let answer: Answer = serde_json::from_slice(answer).map_err(|error| error.to_string())?;
        let Status { draining_machines, down_machines } = answer.get_maintenance_status.status;
        Ok(Self {
            draining: machines(draining_machines, "a draining machine")?,
            down: machines(down_machines, "a machine that is down")?,
        })
    }
}

fn machines(entries: Option<Vec<Entry>>, what: &str) -> Result<Vec<Machine>, String> {
    let machine = |entry: Entry| match entry {
        Entry { id: Some(machine), .. } => machine,
        Entry { id: None, hostname, ip } => Machine { hostname, ip },
    };
    let is_named = |machine: &Machine| machine.hostname.as_deref().is_some_and(|name| !name.is_empty());
    let machines = entries.unwrap_or_default().into_iter().map(machine);
    let named = machines.map(|machine| Some(machine).filter(is_named)).collect::<Option<_>>();
    named.ok_or_else(|| format!("{what} has no hostname"))
}

/// The hosts that are being drained, from the answer to `GET_MAINTENANCE_STATUS`; see [`MaintenanceStatus::read`].
///
/// ```
/// let answer = r#"{"get_maintenance_status": {"status": {"draining_machines": [{"id": {"hostname": "h1"}}]}}}"#;
/// assert!(paasta_mesos::draining_hosts(answer.as_bytes())?.contains("h1"));
/// assert!(paasta_mesos::draining_hosts(b"{}").is_err());
/// # Ok::<(), String>(())
/// ```
pub fn draining_hosts(answer: &[u8]) -> Result<BTreeSet<String>, String> {
    let status = MaintenanceStatus::read(answer)?;
    Ok(status.draining.into_iter().filter_map(|machine| machine.hostname).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn both_forms_of_machines_are_read_and_down_ones_are_not_draining() {
        let status = r#"{"type": "GET_MAINTENANCE_STATUS", "get_maintenance_status": {"status": {
            "draining_machines": [{"id": {"hostname": "h1", "ip": "10.0.0.1"}}, {"hostname": "h2"}],
            "down_machines": [{"hostname": "h3"}]}}}"#;
        let hosts = draining_hosts(status.as_bytes()).unwrap();
        assert_eq!(hosts.into_iter().collect::<Vec<_>>(), ["h1", "h2"]);
    }

    #[test]
    fn only_an_empty_status_is_empty() {
        let of = |status: &str| format!(r#"{{"get_maintenance_status": {{"status": {status}}}}}"#);
        for status in ["{}", r#"{"draining_machines": []}"#, r#"{"draining_machines": null}"#] {
            assert_eq!(draining_hosts(of(status).as_bytes()), Ok(BTreeSet::new()), "{status}");
        }
        for status in [
            "null",
            "[1]",
            r#"{"draining_machines": {}}"#,
            r#"{"draining_machines": [{}]}"#,
            r#"{"draining_machines": [{"id": {}}]}"#,
            r#"{"draining_machines": [{"hostname": ""}]}"#,
            r#"{"draining_machines": [{"hostname": 1}]}"#,
        ] {
            assert!(draining_hosts(of(status).as_bytes()).is_err(), "{status}");
        }
        for answer in ["", "{}", "null", "<html>", r#"{"get_maintenance_status": {}}"#] {
            assert!(draining_hosts(answer.as_bytes()).is_err(), "{answer}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes: Vec<u8>) {
            let _ = draining_hosts(&bytes);
        }
    }
}
