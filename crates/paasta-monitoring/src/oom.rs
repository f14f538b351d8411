//! Tasks that were killed for their memory (monitoring.md §3.6).

use std::collections::{BTreeMap, BTreeSet};

use paasta_core::{InstanceId, Timestamp};

use crate::Verdict;

/// One kill, as the log of kills tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kill {
    /// When.
    pub at: Timestamp,
    /// In which cluster.
    pub cluster: String,
    /// Of which instance.
    pub instance: InstanceId,
    /// The container.
    pub container: String,
}

/// The containers that were killed in `cluster` after `since`, by instance. A container counts once however often it is told
/// of.
pub fn killed_since(
    kills: &[Kill],
    cluster: &str,
    since: Timestamp,
) -> BTreeMap<InstanceId, BTreeSet<String>> {
    let mut killed: BTreeMap<InstanceId, BTreeSet<String>> = BTreeMap::new();
    for kill in kills.iter().filter(|kill| kill.cluster == cluster && kill.at > since) {
        killed.entry(kill.instance.clone()).or_default().insert(kill.container.clone());
    }
    killed
}

/// What to say of one instance; `None` says nothing, which keeps an alert open that is open. `killed` is how many of its
/// containers were killed, `threshold` from how many on it alerts, `enabled` its own `check_oom_events`.
pub fn decide(instance: &InstanceId, killed: usize, threshold: usize, enabled: bool) -> Option<Verdict> {
    match killed {
        _ if !enabled => Some(Verdict::ok(format!("`check_oom_events` is switched off for {instance}"))),
        0 => Some(Verdict::ok(format!("no task of {instance} was killed for its memory"))),
        _ if killed >= threshold => Some(Verdict::critical(format!(
            "{killed} tasks of {instance} were killed for their memory (limit {threshold})"
        ))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use paasta_core::CheckStatus::{Critical, Ok};

    use super::*;

    #[test]
    fn a_few_kills_say_nothing() {
        let instance = "web.main".parse().unwrap();
        let status = |killed, threshold, enabled| {
            decide(&instance, killed, threshold, enabled).map(|verdict| verdict.status)
        };
        assert_eq!(status(0, 1, true), Some(Ok));
        assert_eq!(status(1, 1, true), Some(Critical));
        assert_eq!(status(2, 3, true), None);
        assert_eq!(status(3, 3, true), Some(Critical));
        assert_eq!(status(9, 1, false), Some(Ok));
    }

    #[test]
    fn containers_count_once_and_only_lately_and_here() {
        let since = Timestamp::from_millis(1000);
        let kill = |millis, cluster: &str, container: &str| Kill {
            at: Timestamp::from_millis(millis),
            cluster: cluster.to_owned(),
            instance: "web.main".parse().unwrap(),
            container: container.to_owned(),
        };
        let kills = [
            kill(1001, "p", "a"),
            kill(1002, "p", "a"),
            kill(1003, "p", "b"),
            kill(1000, "p", "c"),
            kill(1004, "q", "d"),
        ];
        let killed = killed_since(&kills, "p", since);
        assert_eq!(killed[&"web.main".parse().unwrap()], BTreeSet::from(["a".to_owned(), "b".to_owned()]));
    }
}
