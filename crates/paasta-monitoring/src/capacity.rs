//! Whether a cluster has room (monitoring.md §3.2).

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use paasta_core::CheckStatus;
use serde::{Deserialize, Serialize};

use crate::{Check, Verdict};

/// What agents have, and tasks use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Resource {
    /// Processors.
    Cpus,
    /// Memory, in MiB.
    Mem,
    /// Disk, in MiB.
    Disk,
    /// Graphics processors.
    Gpus,
}

impl Resource {
    /// Its name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cpus => "cpus",
            Self::Mem => "mem",
            Self::Disk => "disk",
            Self::Gpus => "gpus",
        }
    }
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Resource {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let all = [Self::Cpus, Self::Mem, Self::Disk, Self::Gpus];
        let found = all.into_iter().find(|resource| resource.name() == text);
        found.ok_or_else(|| format!("`{text}` is no resource, expected one of: cpus, mem, disk, gpus"))
    }
}

/// The attributes that a group of agents has in common.
pub type Grouping = BTreeMap<String, String>;

/// A limit of percent used for each resource.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Percents {
    /// Of processors.
    pub cpus: f64,
    /// Of memory.
    pub mem: f64,
    /// Of disk.
    pub disk: f64,
}

impl Percents {
    /// The same for all.
    pub const fn all(percent: f64) -> Self {
        Self { cpus: percent, mem: percent, disk: percent }
    }

    /// That of one resource; of graphics processors there is none, as they are meant to be used up.
    pub const fn of(&self, resource: Resource) -> f64 {
        match resource {
            Resource::Cpus => self.cpus,
            Resource::Mem => self.mem,
            Resource::Disk => self.disk,
            Resource::Gpus => 100.0,
        }
    }
}

/// The limits of one group. What is over a limit is beyond it; what is at it is not.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct GroupLimits {
    /// From here on it is a warning.
    pub warn: Percents,
    /// From here on it is critical.
    pub crit: Percents,
}

/// An entry of the file of overrides: limits of one group of its own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Override {
    /// Exactly these attributes.
    pub groupings: Grouping,
    /// From here on it is a warning.
    pub warn: Percents,
    /// From here on it is critical.
    pub crit: Percents,
}

/// What is expected of a cluster.
#[derive(Clone, Debug, PartialEq)]
pub struct CapacityLimits {
    /// The cluster, for the text.
    pub cluster: String,
    /// Of which resource.
    pub resource: Resource,
    /// The limits of every group without its own.
    pub limits: GroupLimits,
    /// The groups with their own.
    pub overrides: Vec<Override>,
}

/// The check of what is used. Observed is per group how much of the resource there is, and how much is used.
#[derive(Clone, Copy, Debug)]
pub struct Capacity;

/// A group that two overrides name, so that nobody knows which counts.
pub fn ambiguous<'a>(
    overrides: &[Override],
    groups: impl IntoIterator<Item = &'a Grouping>,
) -> Option<&'a Grouping> {
    let entries = |group: &Grouping| overrides.iter().filter(|entry| entry.groupings == *group).count();
    groups.into_iter().find(|group| entries(group) > 1)
}

impl Check for Capacity {
    type Expected = CapacityLimits;
    type Observed = Vec<(Grouping, Used)>;
    const NAME: &str = "check_capacity";
    const ASKS: &str = "whether the cluster has room";

    fn decide(expected: &CapacityLimits, observed: &Self::Observed) -> Verdict {
        if let Some(group) = ambiguous(&expected.overrides, observed.iter().map(|(group, _)| group)) {
            let text = format!("UNKNOWN: more than one override is for {}: leave one of them", show(group));
            return Verdict::unknown(text);
        }
        let (mut critical, mut warning) = (Vec::new(), Vec::new());
        for (group, used) in observed {
            let own = expected.overrides.iter().find(|entry| entry.groupings == *group);
            let limits =
                own.map_or(expected.limits, |entry| GroupLimits { warn: entry.warn, crit: entry.crit });
            let (crit, warn) = (limits.crit.of(expected.resource), limits.warn.of(expected.resource));
            let percent = used.percent();
            let line = |limit: f64| format!("    {}: {percent:.2}% used, limit {limit:.2}%", show(group));
            if percent > crit {
                critical.push(line(crit));
            } else if percent > warn {
                warning.push(line(warn));
            }
        }
        let heading = |status: CheckStatus| {
            format!("{status}: cluster {} uses much of its {}:", expected.cluster, expected.resource)
        };
        let mut lines = Vec::new();
        for (status, found) in [(CheckStatus::Critical, &critical), (CheckStatus::Warning, &warning)] {
            if !found.is_empty() {
                lines.push(heading(status));
                lines.extend(found.iter().cloned());
            }
        }
        match (critical.is_empty(), warning.is_empty()) {
            (false, _) => Verdict::critical(lines.join("\n")),
            (true, false) => Verdict::new(CheckStatus::Warning, lines.join("\n")),
            (true, true) => {
                Verdict::ok(format!("OK: cluster {} has room: {}", expected.cluster, expected.resource))
            }
        }
    }
}

/// How much of a resource there is, and how much of it is used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Used {
    /// All of it.
    pub total: f64,
    /// What is used.
    pub used: f64,
}

impl Used {
    /// What is used, in percent; 0 of nothing.
    pub fn percent(self) -> f64 {
        if self.total == 0.0 { 0.0 } else { 100.0 * self.used / self.total }
    }
}

fn show(group: &Grouping) -> String {
    group.iter().map(|(key, value)| format!("{key}: {value}")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use paasta_core::CheckStatus::{Critical, Ok, Unknown, Warning};

    use super::*;

    fn group(pool: &str) -> Grouping {
        Grouping::from([("pool".to_owned(), pool.to_owned())])
    }

    fn limits(warn: f64, crit: f64, overrides: Vec<Override>) -> CapacityLimits {
        let limits = GroupLimits { warn: Percents::all(warn), crit: Percents::all(crit) };
        CapacityLimits { cluster: "prod".to_owned(), resource: Resource::Cpus, limits, overrides }
    }

    fn half() -> Vec<(Grouping, Used)> {
        vec![(group("default"), Used { total: 2.0, used: 1.0 })]
    }

    /// The worked examples of monitoring.md §3.2.
    #[test]
    fn what_is_over_a_limit() {
        let status = |warn, crit| Capacity::decide(&limits(warn, crit, vec![]), &half()).status;
        assert_eq!(status(80.0, 90.0), Ok);
        assert_eq!(status(45.0, 80.0), Warning);
        assert_eq!(status(45.0, 49.0), Critical);
        assert_eq!(status(50.0, 50.0), Ok);
        let verdict = Capacity::decide(&limits(45.0, 49.0, vec![]), &half());
        assert!(
            verdict.output.contains("    pool: default: 50.00% used, limit 49.00%"),
            "{}",
            verdict.output
        );
        assert_eq!(
            Capacity::decide(&limits(0.0, 0.0, vec![]), &vec![(group("a"), Used::default())]).status,
            Ok
        );
    }

    #[test]
    fn groups_may_have_limits_of_their_own() {
        let text = r#"{"groupings": {"pool": "default"}, "warn": {"cpus": 40, "mem": 1, "disk": 1},
                       "crit": {"cpus": 45, "mem": 1, "disk": 1}}"#;
        let own: Override = serde_json::from_str(text).unwrap();
        let with = |overrides| Capacity::decide(&limits(80.0, 90.0, overrides), &half());
        assert_eq!(with(vec![own.clone()]).status, Critical);
        let elsewhere = Override { groupings: group("other"), ..own.clone() };
        assert_eq!(with(vec![elsewhere]).status, Ok);
        let twice = with(vec![own.clone(), own]);
        assert_eq!(twice.status, Unknown);
        assert!(twice.output.contains("pool: default"), "{}", twice.output);
    }
}
