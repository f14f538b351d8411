//! Marathon's constraints: which agents an app may use (`constraints` of its JSON).

use serde_json::{Map, Value};

use super::fleet::Agent;

/// One constraint: a field, an operator, and what it is compared with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Constraint<'a> {
    field: &'a str,
    operator: &'a str,
    value: Option<&'a str>,
}

/// The constraints of an app's JSON. What has no form of one is left out, as whoever sent the app was told.
pub(super) fn constraints(raw: &Map<String, Value>) -> Vec<Constraint<'_>> {
    let rows = raw.get("constraints").and_then(Value::as_array).into_iter().flatten();
    rows.filter_map(constraint).collect()
}

fn constraint(row: &Value) -> Option<Constraint<'_>> {
    let row = row.as_array()?;
    let text = |index: usize| row.get(index).and_then(Value::as_str);
    Some(Constraint { field: text(0)?, operator: text(1)?, value: text(2) })
}

impl Constraint<'_> {
    fn value_of<'a>(&self, agent: &'a Agent) -> Option<&'a str> {
        match self.field.trim_start_matches('@') {
            "hostname" => Some(&agent.host),
            field => agent.attributes.get(field).map(String::as_str),
        }
    }

    /// Whether an agent may take one more task of the app, whose other tasks are on `used`.
    pub(super) fn allows(&self, agent: &Agent, used: &[&Agent]) -> bool {
        let own = self.value_of(agent);
        let same = || used.iter().filter(|other| self.value_of(other) == own).count();
        match self.operator {
            "LIKE" => own.is_some_and(|own| matches(self.value.unwrap_or_default(), own)),
            // An agent without the attribute is none of those that are ruled out.
            "UNLIKE" => own.is_none_or(|own| !matches(self.value.unwrap_or_default(), own)),
            "IS" => own.is_some() && own == self.value,
            "CLUSTER" => match self.value {
                Some(value) if !value.is_empty() => own == Some(value),
                _ => own.is_some() && same() == used.len(),
            },
            "UNIQUE" => own.is_some() && same() == 0,
            "MAX_PER" => {
                let most = self.value.and_then(|value| value.parse::<usize>().ok()).unwrap_or(usize::MAX);
                own.is_some() && same() < most
            }
            // It says how to spread, not where not to; one that is not known says nothing.
            _ => true,
        }
    }

    /// How many tasks there are already where `GROUP_BY` would rather have few.
    pub(super) fn crowd(&self, agent: &Agent, used: &[&Agent]) -> usize {
        match self.operator {
            "GROUP_BY" => used.iter().filter(|other| self.value_of(other) == self.value_of(agent)).count(),
            _ => 0,
        }
    }
}

/// Whether the whole of a value is one of the alternatives of a pattern: words with `|` between them, in which `.*` stands for
/// anything. PaaSTA writes no others.
fn matches(pattern: &str, value: &str) -> bool {
    pattern.trim_matches(['(', ')']).split('|').any(|alternative| matches_one(alternative, value))
}

fn matches_one(pattern: &str, value: &str) -> bool {
    let plain = |text: &str| text.replace("\\", "");
    let Some((begin, rest)) = pattern.split_once(".*") else { return plain(pattern) == value };
    let Some(mut left) = value.strip_prefix(plain(begin).as_str()) else { return false };
    loop {
        if matches_one(rest, left) {
            return true;
        }
        let mut chars = left.chars();
        if chars.next().is_none() {
            return false;
        }
        left = chars.as_str();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn agent(line: &str) -> Agent {
        let (host, attributes) = line.split_once(' ').unwrap_or((line, ""));
        let pairs = attributes.split(' ').filter_map(|pair| pair.split_once('='));
        let attributes = pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        Agent { host: host.to_owned(), attributes, ..Agent::default() }
    }

    #[track_caller]
    fn check(constraint: &[&str], one: &str, used: &[&str], want: bool) {
        let Value::Object(raw) = serde_json::json!({ "constraints": [constraint] }) else { unreachable!() };
        let used: Vec<Agent> = used.iter().map(|line| agent(line)).collect();
        let used: Vec<&Agent> = used.iter().collect();
        assert_eq!(constraints(&raw)[0].allows(&agent(one), &used), want, "{constraint:?} {one}");
    }

    #[test]
    fn where_tasks_may_run() {
        check(&["pool", "LIKE", "default"], "h pool=default", &[], true);
        check(&["pool", "LIKE", "default"], "h pool=default2", &[], false);
        check(&["pool", "LIKE", "default"], "h", &[], false);
        check(&["region", "LIKE", "west|east"], "h region=east", &[], true);
        check(&["region", "LIKE", "us-.*"], "h region=us-west", &[], true);
        check(&["region", "LIKE", ".*-west"], "h region=eu-east", &[], false);
        check(&["region", "UNLIKE", "west"], "h region=west", &[], false);
        check(&["region", "UNLIKE", "west"], "h", &[], true);
        check(&["hostname", "UNIQUE"], "h", &["h"], false);
        check(&["hostname", "UNIQUE"], "h", &["g"], true);
        check(&["@hostname", "CLUSTER", "g"], "h", &[], false);
        check(&["region", "CLUSTER"], "h region=a", &["g region=a"], true);
        check(&["region", "CLUSTER"], "h region=b", &["g region=a"], false);
        check(&["region", "MAX_PER", "2"], "h region=a", &["g region=a"], true);
        check(&["region", "MAX_PER", "2"], "h region=a", &["g region=a", "i region=a"], false);
        check(&["region", "IS", "a"], "h region=a", &[], true);
        check(&["region", "GROUP_BY", "2"], "h", &["h"], true);
        let odd = serde_json::json!({ "constraints": [1, ["a"], ["a", 2]] });
        assert!(constraints(odd.as_object().unwrap()).is_empty());
        assert!(constraints(&Map::new()).is_empty());
    }
}
