//! Hosts whose maintenance was forgotten: what `paasta_cleanup_maintenance` does (monitoring.md §8.2).

use paasta_core::Timestamp;
use paasta_mesos::{Agent, Machine, MaintenanceStatus, Schedule};

/// So long after its time a host counts as forgotten: ten minutes.
pub const GRACE_NANOSECONDS: i128 = 600 * 1_000_000_000;

/// What is to be done so that nothing is left over.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Forgotten {
    /// Those that were to be away by now and are not: they stay.
    pub undrain: Vec<Machine>,
    /// Those that were to be back by now and are not: they come back.
    pub up: Vec<Machine>,
}

/// The hosts that are forgotten.
pub fn forgotten(status: &MaintenanceStatus, schedule: &Schedule, now: Timestamp) -> Forgotten {
    let started = schedule.past_start(now, GRACE_NANOSECONDS);
    let ended = schedule.past_end(now, GRACE_NANOSECONDS);
    let among = |machines: &[Machine], late: &std::collections::BTreeSet<&str>| -> Vec<Machine> {
        let is_late =
            |machine: &&Machine| machine.hostname.as_deref().is_some_and(|name| late.contains(name));
        machines.iter().filter(is_late).cloned().collect()
    };
    Forgotten { undrain: among(&status.draining, &started), up: among(&status.down, &ended) }
}

/// The machines of agents on which what is free is to be reserved, as they are about to leave; and of those that hold a
/// reservation although they are not.
pub fn reservations(status: &MaintenanceStatus, agents: &[Agent]) -> (Vec<Machine>, Vec<Machine>) {
    let is_draining = |agent: &&Agent| {
        status.draining.iter().any(|machine| machine.hostname.as_ref() == Some(&agent.hostname))
    };
    let machine = |agent: &Agent| Machine { hostname: Some(agent.hostname.clone()), ip: None };
    let (draining, others): (Vec<&Agent>, Vec<&Agent>) = agents.iter().partition(is_draining);
    let held = others
        .into_iter()
        .filter(|agent| agent.maintenance() != paasta_monitoring::utilisation::Amounts::default());
    (draining.into_iter().map(machine).collect(), held.map(machine).collect())
}

#[cfg(test)]
mod tests {
    use paasta_mesos::Unavailability;

    use super::*;

    fn machine(name: &str) -> Machine {
        Machine::new(name, "10.0.0.1")
    }

    #[test]
    fn hosts_are_forgotten_ten_minutes_after_their_time() {
        const SECOND: i128 = 1_000_000_000;
        let schedule = Schedule::default()
            .with(&[machine("a"), machine("b")], &Unavailability::new(0, 100 * SECOND))
            .with(&[machine("c"), machine("d")], &Unavailability::new(1000 * SECOND, 3600 * SECOND));
        let status = MaintenanceStatus {
            draining: ["a", "c", "x"].map(machine).to_vec(),
            down: ["b", "d", "y"].map(machine).to_vec(),
        };
        let at = |seconds: i64| forgotten(&status, &schedule, Timestamp::from_millis(seconds * 1000));
        assert_eq!(at(600), Forgotten::default());
        assert_eq!(at(601), Forgotten { undrain: vec![machine("a")], up: vec![] });
        assert_eq!(at(701), Forgotten { undrain: vec![machine("a")], up: vec![machine("b")] });
        assert_eq!(at(1601).undrain, [machine("a"), machine("c")]);
    }

    #[test]
    fn reservations_follow_who_is_about_to_leave() {
        let agent = |host: &str, reserved: &str| -> Agent {
            let text = format!(
                r#"{{"id": "{host}", "hostname": "{host}", "resources": {{}}, "reserved_resources": {{{reserved}}}}}"#
            );
            serde_json::from_str(&text).unwrap()
        };
        let held = r#""maintenance": {"cpus": 1}"#;
        let agents =
            [agent("a", held), agent("b", held), agent("c", ""), agent("d", r#""other": {"cpus": 1}"#)];
        let status = MaintenanceStatus { draining: vec![machine("a")], down: vec![] };
        let (reserve, give_back) = reservations(&status, &agents);
        let names = |machines: &[Machine]| {
            machines.iter().filter_map(|machine| machine.hostname.clone()).collect::<String>()
        };
        assert_eq!((names(&reserve), names(&give_back)), ("a".to_owned(), "b".to_owned()));
    }
}
