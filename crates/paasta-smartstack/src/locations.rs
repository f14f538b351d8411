//! How many copies each location has (monitoring.md §2.4): decided from agents and answers, without asking anybody.

use std::collections::BTreeMap;

use paasta_core::Reading;

use crate::Backends;

/// The pool of an agent, or an instance, that names none.
const DEFAULT_POOL: &str = "default";

/// A machine of the cluster, and what it says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Agent {
    /// Its name.
    pub host: String,
    /// `pool`, `region` and the like.
    pub attributes: BTreeMap<String, String>,
}

impl Agent {
    /// The pool it belongs to.
    pub fn pool(&self) -> &str {
        self.attributes.get("pool").map_or(DEFAULT_POOL, String::as_str)
    }
}

/// One place that is discovered by itself, and whom to ask what is seen there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location {
    /// Its name, such as `us-west-1`.
    pub name: String,
    /// Hosts, the one to ask first being first; there is always one.
    pub hosts: Vec<String>,
}

/// The locations of the type `discover`, sorted by name. In each, the agents of the pool are asked, in their order; where
/// none is of the pool, the first of the location. Agents without that attribute are in no location.
///
/// ```
/// use paasta_smartstack::{Agent, locations};
///
/// let agent = |host: &str, region: &str| Agent {
///     host: host.to_owned(),
///     attributes: [("region".to_owned(), region.to_owned())].into(),
/// };
/// let agents = [agent("h1", "west"), agent("h2", "east"), agent("h3", "west")];
/// let found = locations(&agents, "region", "default");
/// assert_eq!(found[0].name, "east");
/// assert_eq!(found[1].hosts, ["h1", "h3"]);
/// ```
pub fn locations(agents: &[Agent], discover: &str, pool: &str) -> Vec<Location> {
    let mut grouped: BTreeMap<&str, Vec<&Agent>> = BTreeMap::new();
    for agent in agents {
        if let Some(name) = agent.attributes.get(discover) {
            grouped.entry(name).or_default().push(agent);
        }
    }
    let location = |(name, agents): (&str, Vec<&Agent>)| {
        let of_pool: Vec<_> =
            agents.iter().filter(|agent| agent.pool() == pool).map(|agent| agent.host.clone()).collect();
        let first = || agents.first().map(|agent| agent.host.clone()).into_iter().collect();
        Location { name: name.to_owned(), hosts: if of_pool.is_empty() { first() } else { of_pool } }
    };
    grouped.into_iter().map(location).collect()
}

/// How many servers of one registration are up in each location, by what the load balancer asked there answered. Where
/// none answered that is unknown, with the reason, and never none.
pub fn replication<B: AsRef<Backends>>(
    answers: &BTreeMap<String, Reading<B>>,
    registration: &str,
) -> BTreeMap<String, Reading<usize>> {
    let count = |answer: &Reading<B>| match answer {
        Reading::Known(backends) => Reading::Known(backends.as_ref().up(registration)),
        Reading::Unknown(reason) => Reading::Unknown(reason.clone()),
    };
    answers.iter().map(|(location, answer)| (location.clone(), count(answer))).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn agent(line: &str) -> Agent {
        let (host, attributes) = line.split_once(' ').unwrap_or((line, ""));
        let attributes = attributes.split(' ').filter_map(|pair| pair.split_once('='));
        let attributes = attributes.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        Agent { host: host.to_owned(), attributes }
    }

    #[track_caller]
    fn check(agents: &[&str], pool: &str, want: &[&str]) {
        let agents: Vec<_> = agents.iter().map(|line| agent(line)).collect();
        let found = locations(&agents, "region", pool);
        let told = |location: &Location| format!("{}: {}", location.name, location.hosts.join(" "));
        assert_eq!(found.iter().map(told).collect::<Vec<_>>(), want);
    }

    #[test]
    fn agents_of_the_pool_are_asked_and_else_the_first() {
        let agents =
            ["h1 region=b pool=p", "h2 region=b", "h3 region=a pool=q", "h4 pool=p", "h5 region=b pool=p"];
        check(&agents, "p", &["a: h3", "b: h1 h5"]);
        check(&agents, "default", &["a: h3", "b: h2"]);
        check(&["h pool=p"], "p", &[]);
    }

    #[test]
    fn who_could_not_be_asked_does_not_count_as_none() {
        let table = crate::read_table(b"# pxname,svname,status,\nw.m,h_10.0.0.1:1,UP,\n").unwrap();
        let answers = [
            ("a".to_owned(), Reading::Known(Arc::new(table))),
            ("b".to_owned(), Reading::Unknown("h: no answer".to_owned())),
        ];
        let answers = answers.into();
        let counts = replication(&answers, "w.m");
        assert_eq!(counts["a"], Reading::Known(1));
        assert_eq!(counts["b"], Reading::Unknown("h: no answer".to_owned()));
        assert_eq!(replication(&answers, "w.other")["a"], Reading::Known(0));
    }
}
