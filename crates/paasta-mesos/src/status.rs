//! The maintenance status of a master, as it words it. Pure.

use std::collections::BTreeSet;

use serde::Deserialize;

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
    draining_machines: Option<Vec<Machine>>,
}

/// A machine, or what holds one.
#[derive(Deserialize)]
struct Machine {
    id: Option<MachineId>,
    hostname: Option<String>,
}

#[derive(Deserialize)]
struct MachineId {
    hostname: Option<String>,
}

/// The hosts that are being drained, from the answer to `GET_MAINTENANCE_STATUS`, in either of the forms in which machines
/// are told. An empty status means none; an answer that is no status, or a machine without a name, is an error: it must
/// not look like a cluster without maintenance.
///
/// ```
/// let answer = r#"{"get_maintenance_status": {"status": {"draining_machines": [{"id": {"hostname": "h1"}}]}}}"#;
/// assert!(paasta_mesos::draining_hosts(answer.as_bytes())?.contains("h1"));
/// assert!(paasta_mesos::draining_hosts(b"{}").is_err());
/// # Ok::<(), String>(())
/// ```
pub fn draining_hosts(answer: &[u8]) -> Result<BTreeSet<String>, String> {
    let answer: Answer = serde_json::from_slice(answer).map_err(|error| error.to_string())?;
    let machines = answer.get_maintenance_status.status.draining_machines.unwrap_or_default();
    let name = |machine: Machine| match machine {
        Machine { id: Some(MachineId { hostname: Some(name) }), .. } => Some(name),
        Machine { id: None, hostname } => hostname,
        _ => None,
    };
    let names = machines.into_iter().map(|machine| name(machine).filter(|name| !name.is_empty()));
    names.collect::<Option<_>>().ok_or_else(|| "a draining machine has no hostname".to_owned())
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
