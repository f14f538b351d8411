//! What groups of agents use of what they have, beside their limits (monitoring.md §3.2).

use std::path::Path;

use anyhow::{Context as _, bail};
use paasta_config::{SystemConfig, read_regular};
use paasta_core::Reading;
use paasta_monitoring::utilisation::groups;
use paasta_monitoring::{Capacity, CapacityLimits, Check as _, Grouping, Override, Used, Verdict};

use super::{Deadline, mesos};

/// The limits that some groups have of their own: a JSON list of `groupings`, `warn` and `crit`. Blocks.
///
/// # Errors
/// The file cannot be read, or holds something else.
pub fn overrides(path: &Path) -> anyhow::Result<Vec<Override>> {
    let bytes = read_regular(path).with_context(|| format!("could not read `{}`", path.display()))?;
    serde_json::from_slice(&bytes).with_context(|| {
        let form = r#"[{"groupings": {ATTRIBUTE: VALUE}, "warn": {"cpus", "mem", "disk"}, "crit": {…}}, …]"#;
        format!("could not use `{}` as limits: expected {form}", path.display())
    })
}

/// Judges the groups of this host's cluster, by what its Mesos master tells.
///
/// # Errors
/// Another cluster is asked for.
pub async fn judge(
    system: &SystemConfig,
    deadline: &Deadline,
    limits: &CapacityLimits,
    attributes: &[String],
) -> anyhow::Result<Verdict> {
    let own = system.cluster()?;
    if limits.cluster != own.as_str() {
        bail!(
            "what cluster `{}` uses cannot be seen from here: this host is of cluster `{own}`, and only its Mesos master is asked",
            limits.cluster
        );
    }
    let state = mesos::state(system, deadline).await;
    let used = match state {
        Reading::Known(state) => state.utilisation(),
        Reading::Unknown(reason) => Reading::Unknown(reason),
    };
    let used: Reading<Vec<(Grouping, Used)>> = used.map(|(agents, tasks)| {
        let groups = groups(&agents, &tasks, attributes).into_iter();
        groups.map(|group| (group.groupings.iter().cloned().collect(), group.of(limits.resource))).collect()
    });
    Ok(Capacity::judge(limits, &used))
}
