//! The agents this engine plays: hosts of a cluster by their names and attributes, while every task runs on this machine.

use std::collections::BTreeMap;

use super::definition::Resources;

/// An agent as the engine plays it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Agent {
    /// Its id, as tasks show it (`slaveId`).
    pub id: String,
    /// Its host, as tasks show it. Whoever asks about tasks, such as hacheck's clients, has to reach this machine by it.
    pub host: String,
    /// What it says of itself, such as `pool` and `region`.
    pub attributes: BTreeMap<String, String>,
    /// What it has.
    pub resources: Resources,
    /// Whether no more fits than it has. Where not, `resources` is only told.
    pub is_limited: bool,
}

/// The agents there are; at least one.
#[derive(Clone, Debug, PartialEq)]
pub struct Fleet {
    first: Agent,
    others: Vec<Agent>,
}

impl Fleet {
    /// One agent alone: what an engine is that was told of no others. Constraints mean nothing to it.
    pub fn single(agent: Agent) -> Self {
        Self { first: agent, others: vec![] }
    }

    /// An agent for each of these hosts. Each attribute has a list of values, which are dealt out in turn, one to each
    /// agent; without `pool` they are all of the pool `default`, as instances are that name none.
    ///
    /// ```
    /// use paasta_engine::state::{Agent, Fleet, attributes_of};
    ///
    /// let attributes = attributes_of("region:west,east")?;
    /// let hosts = ["a", "b", "c"].map(str::to_owned);
    /// let fleet = Fleet::dealt("S", &hosts, &attributes, &Agent::default()).expect("there are hosts");
    /// let regions: Vec<_> = fleet.iter().map(|agent| agent.attributes["region"].as_str()).collect();
    /// assert_eq!(regions, ["west", "east", "west"]);
    /// # Ok::<(), String>(())
    /// ```
    pub fn dealt(
        id_prefix: &str,
        hosts: &[String],
        attributes: &[(String, Vec<String>)],
        like: &Agent,
    ) -> Option<Self> {
        let agent = |(index, host): (usize, &String)| {
            let mut own = BTreeMap::from([("pool".to_owned(), "default".to_owned())]);
            for (name, values) in attributes {
                if let Some(value) = values.get(index % values.len().max(1)) {
                    own.insert(name.clone(), value.clone());
                }
            }
            Agent { id: format!("{id_prefix}{index}"), host: host.clone(), attributes: own, ..like.clone() }
        };
        let mut agents = hosts.iter().enumerate().map(agent);
        Some(Self { first: agents.next()?, others: agents.collect() })
    }

    /// All of them, in their order.
    pub fn iter(&self) -> impl Iterator<Item = &Agent> {
        std::iter::once(&self.first).chain(&self.others)
    }

    /// How many there are.
    #[expect(clippy::len_without_is_empty, reason = "there is always one")]
    pub fn len(&self) -> usize {
        1 + self.others.len()
    }

    /// The agent of a task. What was started on an agent that is no longer played belongs to the first.
    pub fn get(&self, index: u16) -> &Agent {
        match usize::from(index).checked_sub(1) {
            None => &self.first,
            Some(index) => self.others.get(index).unwrap_or(&self.first),
        }
    }

    /// The same with the agents' numbers.
    pub fn numbered(&self) -> impl Iterator<Item = (u16, &Agent)> {
        (0..=u16::MAX).zip(self.iter())
    }
}

/// Attributes as they are written: `region:west,east;rack:1,2,3`.
pub fn attributes_of(text: &str) -> Result<Vec<(String, Vec<String>)>, String> {
    let wrong = |part: &str| {
        format!(
            "`{part}` is no attribute with values, such as `region:west,east`; several are separated by `;`"
        )
    };
    let parts = text.split(';').map(str::trim).filter(|part| !part.is_empty());
    let attribute = |part: &str| {
        let (name, values) = part.split_once(':').ok_or_else(|| wrong(part))?;
        let values: Vec<String> = values.split(',').map(|value| value.trim().to_owned()).collect();
        let is_named = !name.trim().is_empty() && values.iter().all(|value| !value.is_empty());
        is_named.then(|| (name.trim().to_owned(), values)).ok_or_else(|| wrong(part))
    };
    parts.map(attribute).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_dealt_out() {
        let attributes = attributes_of("region:west,east; rack: 1 , 2,3;").unwrap();
        let hosts: Vec<String> = (0..4).map(|n| format!("h{n}")).collect();
        let like = Agent { is_limited: true, ..Agent::default() };
        let fleet = Fleet::dealt("e-S", &hosts, &attributes, &like).unwrap();
        let told: Vec<String> = fleet
            .iter()
            .map(|agent| {
                format!("{} {} {:?}", agent.id, agent.host, agent.attributes.values().collect::<Vec<_>>())
            })
            .collect();
        assert_eq!(
            told,
            [
                r#"e-S0 h0 ["default", "1", "west"]"#,
                r#"e-S1 h1 ["default", "2", "east"]"#,
                r#"e-S2 h2 ["default", "3", "west"]"#,
                r#"e-S3 h3 ["default", "1", "east"]"#
            ]
        );
        assert_eq!((fleet.len(), fleet.get(3).host.as_str(), fleet.get(99).host.as_str()), (4, "h3", "h0"));
        assert!(fleet.get(1).is_limited);
        assert_eq!(Fleet::dealt("S", &[], &[], &like), None);
        for wrong in ["region", "region:", ":x", "region:a,,b", "a:b;c"] {
            assert!(attributes_of(wrong).unwrap_err().contains("`region:west,east`"), "{wrong}");
        }
        assert_eq!(attributes_of(""), Ok(vec![]));
    }
}
