//! Resources that are reserved while a host is about to leave, so that nothing more is started there. Pure.

use paasta_monitoring::utilisation::Amounts;
use serde_json::{Value, json};

use crate::{Agent, MAINTENANCE_ROLE};

/// What is free of an agent: what it has, less what is used, less what any role has reserved (monitoring.md §8.1). Mesos
/// counts in thousandths; what is less is left out, as it could not be had.
pub fn reservable(agent: &Agent) -> Amounts {
    let free = |of: fn(&Amounts) -> f64| {
        let reserved: f64 = agent.reserved_resources.values().map(|role| of(&role.amounts())).sum();
        let left = of(&agent.resources.amounts()) - of(&agent.used_resources.amounts()) - reserved;
        // A hundredth of a thousandth is what sums of decimals may be off.
        ((left * 1000.0 + 0.01).floor() / 1000.0).max(0.0)
    };
    Amounts {
        cpus: free(|amounts| amounts.cpus),
        mem: free(|amounts| amounts.mem),
        disk: free(|amounts| amounts.disk),
        gpus: free(|amounts| amounts.gpus),
    }
}

/// The call that reserves so much on an agent, or gives it back; `None` where it is nothing. Mesos wants the resources
/// inside of the call, beside the agent's id; the original puts them where Mesos does not look.
pub fn call(verb: Verb, agent_id: &str, amounts: &Amounts, principal: Option<&str>) -> Option<Value> {
    let reservation = principal.map_or_else(|| json!({}), |principal| json!({ "principal": principal }));
    let named =
        [("disk", amounts.disk), ("mem", amounts.mem), ("cpus", amounts.cpus), ("gpus", amounts.gpus)];
    let resource = |(name, value): (&str, f64)| {
        json!({
            "name": name,
            "type": "SCALAR",
            "scalar": { "value": value },
            "role": MAINTENANCE_ROLE,
            "reservation": reservation,
        })
    };
    let resources: Vec<Value> = named.into_iter().filter(|(_, value)| *value > 0.0).map(resource).collect();
    let (kind, member) = match verb {
        Verb::Reserve => ("RESERVE_RESOURCES", "reserve_resources"),
        Verb::Unreserve => ("UNRESERVE_RESOURCES", "unreserve_resources"),
    };
    let inside = json!({ "agent_id": { "value": agent_id }, "resources": resources });
    (!resources.is_empty()).then(|| json!({ "type": kind, member: inside }))
}

/// What is done with a reservation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// It is made.
    Reserve,
    /// It is given back.
    Unreserve,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn agent(text: &str) -> Agent {
        serde_json::from_str(&format!(r#"{{"id": "S1", "hostname": "h1", {text}}}"#)).unwrap()
    }

    #[test]
    fn what_nobody_uses_or_holds_can_be_reserved() {
        let agent = agent(
            r#""resources": {"cpus": 10, "mem": 100, "disk": 5, "ports": "[1-2]"},
               "used_resources": {"cpus": 9.3, "mem": 40},
               "reserved_resources": {"a": {"cpus": 0.5, "mem": 1}, "maintenance": {"mem": 9, "disk": 9}}"#,
        );
        let amounts = Amounts { cpus: 0.2, mem: 50.0, disk: 0.0, gpus: 0.0 };
        assert_eq!(reservable(&agent), amounts);
        assert_eq!(reservable(&self::agent(r#""resources": {}"#)), Amounts::default());
    }

    /// A row of docs/differences.md (monitoring.md §10, 14).
    #[test]
    fn mended_resources_stand_inside_of_the_call() {
        let amounts = Amounts { cpus: 0.5, mem: 64.0, ..Amounts::default() };
        let resource = |name: &str, value: f64| {
            json!({"name": name, "type": "SCALAR", "scalar": {"value": value}, "role": "maintenance",
                "reservation": {"principal": "paasta"}})
        };
        assert_eq!(
            call(Verb::Reserve, "S1", &amounts, Some("paasta")).unwrap(),
            json!({"type": "RESERVE_RESOURCES", "reserve_resources":
                {"agent_id": {"value": "S1"}, "resources": [resource("mem", 64.0), resource("cpus", 0.5)]}})
        );
        let back = call(Verb::Unreserve, "S1", &Amounts { gpus: 1.0, ..Amounts::default() }, None).unwrap();
        assert_eq!(back["type"], "UNRESERVE_RESOURCES");
        assert_eq!(back["unreserve_resources"]["resources"][0]["reservation"], json!({}));
        assert_eq!(call(Verb::Reserve, "S1", &Amounts::default(), None), None);
    }
}
