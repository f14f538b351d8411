//! What groups of agents have and use: the table of `paasta_metastatus -vv`, and what `check_capacity` asks for
//! (monitoring.md §§3.3, 3.4).

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::Resource;
use crate::capacity::Used;

/// States in which a task uses nothing any more. A task that is lost or cannot be reached may still use its part.
const TERMINAL: [&str; 7] = [
    "TASK_ERROR",
    "TASK_KILLED",
    "TASK_FAILED",
    "TASK_FINISHED",
    "TASK_DROPPED",
    "TASK_GONE",
    "TASK_GONE_BY_OPERATOR",
];

/// Whether a task in this state is over and uses nothing any more (monitoring.md §5.3).
pub fn is_terminal(state: &str) -> bool {
    TERMINAL.contains(&state)
}

/// An amount of each resource.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Amounts {
    /// Processors.
    pub cpus: f64,
    /// Memory, in MiB.
    pub mem: f64,
    /// Disk, in MiB.
    pub disk: f64,
    /// Graphics processors.
    pub gpus: f64,
}

impl Amounts {
    /// That of one resource.
    pub const fn of(&self, resource: Resource) -> f64 {
        match resource {
            Resource::Cpus => self.cpus,
            Resource::Mem => self.mem,
            Resource::Disk => self.disk,
            Resource::Gpus => self.gpus,
        }
    }

    fn add(&mut self, other: &Self) {
        self.cpus += other.cpus;
        self.mem += other.mem;
        self.disk += other.disk;
        self.gpus += other.gpus;
    }
}

/// An agent, as the master lists it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Agent {
    /// Its id.
    pub id: String,
    /// The host.
    pub host: String,
    /// What it says of itself.
    pub attributes: BTreeMap<String, String>,
    /// What it has.
    pub resources: Amounts,
    /// What of that is reserved for maintenance.
    pub maintenance: Amounts,
}

/// A task, as the master lists it; of connected frameworks, or of none.
#[derive(Clone, Debug, PartialEq)]
pub struct AgentTask {
    /// The agent's id.
    pub agent: String,
    /// Its state, as `TASK_RUNNING`.
    pub state: String,
    /// What it uses.
    pub resources: Amounts,
}

/// A group of agents.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Group {
    /// The value of each attribute asked for, in the order of the question.
    pub groupings: Vec<(String, String)>,
    /// What its agents have.
    pub total: Amounts,
    /// What of that is used or reserved.
    pub used: Amounts,
    /// How many agents.
    pub agents: usize,
}

impl Group {
    /// What there is of a resource, and what is used.
    pub fn of(&self, resource: Resource) -> Used {
        Used { total: self.total.of(resource), used: self.used.of(resource) }
    }

    /// What is free of a resource.
    pub fn free(&self, resource: Resource) -> f64 {
        self.total.of(resource) - self.used.of(resource)
    }

    /// Whether no more than `threshold` percent of any resource are used.
    pub fn is_healthy(&self, threshold: f64) -> bool {
        ALL.iter().all(|resource| self.of(*resource).percent() <= threshold)
    }
}

const ALL: [Resource; 4] = [Resource::Cpus, Resource::Mem, Resource::Disk, Resource::Gpus];

/// The agents grouped by attributes, sorted by their values. An agent without one of them is in group `unknown`; the
/// attribute `hostname` is the host.
pub fn groups(agents: &[Agent], tasks: &[AgentTask], groupings: &[String]) -> Vec<Group> {
    let mut used: BTreeMap<&str, Amounts> = BTreeMap::new();
    for task in tasks.iter().filter(|task| !is_terminal(&task.state)) {
        used.entry(&task.agent).or_default().add(&task.resources);
    }
    let mut groups: BTreeMap<Vec<String>, Group> = BTreeMap::new();
    for agent in agents {
        let values: Vec<String> = groupings.iter().map(|name| value(agent, name)).collect();
        let group = groups.entry(values.clone()).or_insert_with(|| Group {
            groupings: groupings.iter().cloned().zip(values).collect(),
            total: Amounts::default(),
            used: Amounts::default(),
            agents: 0,
        });
        group.agents += 1;
        group.total.add(&agent.resources);
        group.used.add(&agent.maintenance);
        if let Some(tasks) = used.get(agent.id.as_str()) {
            group.used.add(tasks);
        }
    }
    groups.into_values().collect()
}

fn value(agent: &Agent, attribute: &str) -> String {
    match attribute {
        "hostname" => agent.host.clone(),
        _ => agent.attributes.get(attribute).cloned().unwrap_or_else(|| "unknown".to_owned()),
    }
}

/// The agents that match every filter: an attribute and the values that it may have. An agent without it matches none.
pub fn filtered(agents: &[Agent], filters: &[(String, BTreeSet<String>)]) -> Vec<Agent> {
    let passes = |agent: &&Agent| {
        filters.iter().all(|(attribute, values)| {
            agent.attributes.get(attribute).is_some_and(|value| values.contains(value))
        })
    };
    agents.iter().filter(passes).cloned().collect()
}

/// How many more copies that need so much fit into a group, and what runs out first: the least counts, the first of memory,
/// processors, disk and graphics processors where several are as little. `None` for a copy that needs nothing.
pub fn room(group: &Group, need: &Amounts) -> Option<(u64, Resource)> {
    let order = [Resource::Mem, Resource::Cpus, Resource::Disk, Resource::Gpus];
    let fits = |resource: Resource| {
        let need = need.of(resource);
        (need > 0.0).then(|| ((group.free(resource).max(0.0) / need).floor() as u64, resource))
    };
    order.into_iter().filter_map(fits).reduce(|least, next| if next.0 < least.0 { next } else { least })
}

/// One cell of the table: `used/total (percent)`. Nothing of nothing reads 100 percent, as ever, although it is well.
pub fn cell(resource: Resource, used: Used) -> String {
    let percent = if used.total == 0.0 { 100.0 } else { used.percent() };
    let (in_use, total) = match resource {
        Resource::Cpus | Resource::Gpus => (format!("{:.2}", used.used), format!("{:.0}", used.total)),
        Resource::Mem | Resource::Disk => (size(used.used), size(used.total)),
    };
    format!("{in_use}/{total} ({percent:.2}%)")
}

/// MiB as people read them: `6.5G`.
fn size(mib: f64) -> String {
    const SUFFIXES: [&str; 8] = ["K", "M", "G", "T", "P", "E", "Z", "Y"];
    let bytes = mib * 1024.0 * 1024.0;
    if bytes.abs() < 1024.0 {
        return format!("{bytes:.0}B");
    }
    let mut value = bytes / 1024.0;
    let mut suffix = SUFFIXES[0];
    for next in &SUFFIXES[1..] {
        if value.abs() < 1024.0 {
            break;
        }
        value /= 1024.0;
        suffix = next;
    }
    format!("{value:.1}{suffix}")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn amounts(cpus: f64, mem: f64, disk: f64) -> Amounts {
        Amounts { cpus, mem, disk, gpus: 0.0 }
    }

    fn agent(id: &str, pool: &str, region: &str, maintenance: Amounts) -> Agent {
        let attributes =
            [("pool", pool), ("region", region)].map(|(key, value)| (key.to_owned(), value.to_owned()));
        Agent {
            id: id.to_owned(),
            host: format!("{id}.example.com"),
            attributes: attributes.into(),
            resources: amounts(10.0, 10_240.0, 102_400.0),
            maintenance,
        }
    }

    fn task(agent: &str, state: &str, resources: Amounts) -> AgentTask {
        AgentTask { agent: agent.to_owned(), state: state.to_owned(), resources }
    }

    fn names(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    fn world() -> (Vec<Agent>, Vec<AgentTask>) {
        let agents = vec![
            agent("c", "gpu", "east", Amounts::default()),
            agent("a", "default", "west", amounts(4.0, 1024.0, 0.0)),
            agent("b", "default", "west", Amounts::default()),
        ];
        let tasks = vec![
            task("a", "TASK_RUNNING", amounts(9.5, 5120.0, 1024.0)),
            task("b", "TASK_LOST", amounts(2.0, 512.0, 0.0)),
            task("c", "TASK_FINISHED", amounts(5.0, 5.0, 5.0)),
        ];
        (agents, tasks)
    }

    /// The example of monitoring.md §3.3.
    #[test]
    fn the_table() {
        let (agents, tasks) = world();
        let groups = groups(&agents, &tasks, &names("pool region"));
        let rows: Vec<String> = groups
            .iter()
            .map(|group| {
                let cells = ALL.map(|resource| cell(resource, group.of(resource))).join("  ");
                let values: Vec<&str> = group.groupings.iter().map(|(_, value)| value.as_str()).collect();
                format!("{}  {cells}  {}", values.join("  "), group.agents)
            })
            .collect();
        assert_eq!(
            rows,
            [
                "default  west  15.50/20 (77.50%)  6.5G/20.0G (32.50%)  1.0G/200.0G (0.50%)  0.00/0 (100.00%)  2",
                "gpu  east  0.00/10 (0.00%)  0B/10.0G (0.00%)  0B/100.0G (0.00%)  0.00/0 (100.00%)  1",
            ]
        );
        assert!(groups[0].is_healthy(77.5) && !groups[0].is_healthy(77.0) && groups[1].is_healthy(0.0));
    }

    #[test]
    fn groups_of_other_attributes() {
        let (agents, tasks) = world();
        let of = |text: &str| -> Vec<String> {
            let groups = groups(&agents, &tasks, &names(text));
            groups.iter().map(|group| group.groupings[0].1.clone()).collect()
        };
        assert_eq!(of("habitat"), ["unknown"]);
        assert_eq!(of("hostname"), ["a.example.com", "b.example.com", "c.example.com"]);
        let filters = [("pool".to_owned(), BTreeSet::from(["default".to_owned()]))];
        assert_eq!(filtered(&agents, &filters).len(), 2);
        let elsewhere = [("habitat".to_owned(), BTreeSet::from(["x".to_owned()]))];
        assert!(filtered(&agents, &elsewhere).is_empty());
    }

    #[test]
    fn how_many_more_fit() {
        let group = |cpus| Group {
            groupings: vec![],
            total: amounts(cpus, 10_240.0, 102_400.0),
            used: Amounts::default(),
            agents: 1,
        };
        let need = amounts(2.5, 1024.0, 512.0);
        assert_eq!(room(&group(0.5), &need), Some((0, Resource::Cpus)));
        assert_eq!(room(&group(4.0), &need), Some((1, Resource::Cpus)));
        assert_eq!(room(&group(10.0), &need), Some((4, Resource::Cpus)));
        assert_eq!(room(&group(25.0), &need), Some((10, Resource::Mem)));
        assert_eq!(room(&group(25.0), &Amounts::default()), None);
    }

    #[test]
    fn sizes() {
        for (mib, text) in
            [(0.0, "0B"), (0.5, "512.0K"), (1.0, "1.0M"), (1023.0, "1023.0M"), (6656.0, "6.5G")]
        {
            assert_eq!(size(mib), text);
        }
    }

    proptest! {
        /// However agents are grouped, nothing is lost or counted twice.
        #[test]
        fn groups_add_up(pools in proptest::collection::vec("[abc]", 1..10), cpus in proptest::collection::vec(0_u32..8, 0..20)) {
            let agents: Vec<Agent> = pools
                .iter()
                .enumerate()
                .map(|(index, pool)| agent(&index.to_string(), pool, "r", Amounts::default()))
                .collect();
            let tasks: Vec<AgentTask> = cpus
                .iter()
                .enumerate()
                .map(|(index, cpus)| {
                    task(&(index % agents.len()).to_string(), "TASK_RUNNING", amounts(f64::from(*cpus), 0.0, 0.0))
                })
                .collect();
            let groups = groups(&agents, &tasks, &names("pool"));
            prop_assert_eq!(groups.iter().map(|group| group.agents).sum::<usize>(), agents.len());
            let used: f64 = groups.iter().map(|group| group.used.cpus).sum();
            prop_assert_eq!(used, cpus.iter().map(|cpus| f64::from(*cpus)).sum::<f64>());
            prop_assert!(groups.is_sorted_by(|a, b| a.groupings < b.groupings));
        }
    }
}
