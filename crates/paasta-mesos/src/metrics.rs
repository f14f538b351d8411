//! A master's figures of itself. Pure.

use std::collections::BTreeMap;

use paasta_core::Reading;
use paasta_monitoring::metastatus::TaskCounts;
use paasta_monitoring::{Resource, Used};
use serde::Deserialize;
use serde_json::Value;

/// The figures of `GET /metrics/snapshot`, by name. One that the master does not tell is unknown, and never 0.
///
/// ```
/// use paasta_mesos::Metrics;
///
/// let metrics: Metrics = serde_json::from_str(r#"{"master/slaves_active": 3.0}"#)?;
/// assert_eq!(metrics.get("master/slaves_active").known(), Some(&3.0));
/// assert!(metrics.get("master/slaves_inactive").unknown().is_some());
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(transparent)]
pub struct Metrics(BTreeMap<String, Value>);

impl Metrics {
    /// One figure.
    pub fn get(&self, name: &str) -> Reading<f64> {
        match self.0.get(name).and_then(Value::as_f64) {
            Some(value) => Reading::Known(value),
            None => Reading::Unknown(format!("the Mesos master tells no figure `{name}`")),
        }
    }

    /// How much of a resource there is, and how much is used. What is reserved for maintenance counts as used, and is to be
    /// added by whoever knows it ([`crate::State::maintenance`]).
    pub fn used(&self, resource: Resource, maintenance: f64) -> Reading<Used> {
        let figure = |what: &str| self.get(&format!("master/{resource}_{what}"));
        both(figure("total"), figure("used")).map(|(total, used)| Used { total, used: used + maintenance })
    }

    /// How many tasks there are, by how far they are.
    pub fn task_counts(&self) -> Reading<TaskCounts> {
        let figure = |state: &str| self.count(&format!("master/tasks_{state}"));
        let counts = both(figure("running"), both(figure("staging"), figure("starting")));
        counts.map(|(running, (staging, starting))| TaskCounts { running, staging, starting })
    }

    /// How many agents are active, and how many are not.
    pub fn agents(&self) -> Reading<(u64, u64)> {
        both(self.count("master/slaves_active"), self.count("master/slaves_inactive"))
    }

    /// Whether these are the figures of the master that leads: those of any other are all 0.
    pub fn leads(&self) -> bool {
        !matches!(self.get("master/elected"), Reading::Known(elected) if elected < 0.5)
    }

    fn count(&self, name: &str) -> Reading<u64> {
        self.get(name).map(|figure| figure.max(0.0) as u64)
    }
}

/// Both, or why one of them is not known.
fn both<A, B>(one: Reading<A>, other: Reading<B>) -> Reading<(A, B)> {
    match (one, other) {
        (Reading::Known(one), Reading::Known(other)) => Reading::Known((one, other)),
        (Reading::Unknown(reason), _) | (_, Reading::Unknown(reason)) => Reading::Unknown(reason),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_that_are_not_told_are_not_0() {
        let metrics: Metrics = serde_json::from_str(
            r#"{"master/cpus_total": 30, "master/cpus_used": 11.5, "master/mem_total": 5, "master/tasks_running": 7.0,
                "master/tasks_staging": 1, "master/tasks_starting": 0, "master/slaves_active": 2, "master/odd": "x",
                "master/elected": 1.0}"#,
        )
        .unwrap();
        assert_eq!(metrics.used(Resource::Cpus, 4.0), Reading::Known(Used { total: 30.0, used: 15.5 }));
        let counts = TaskCounts { running: 7, staging: 1, starting: 0 };
        assert_eq!(metrics.task_counts(), Reading::Known(counts));
        for (reading, name) in [
            (metrics.used(Resource::Mem, 0.0).map(|_| ()), "`master/mem_used`"),
            (metrics.used(Resource::Gpus, 0.0).map(|_| ()), "`master/gpus_total`"),
            (metrics.agents().map(|_| ()), "`master/slaves_inactive`"),
            (metrics.get("master/odd").map(|_| ()), "`master/odd`"),
        ] {
            assert!(reading.unknown().unwrap().contains(name), "{reading:?}");
        }
        assert!(metrics.leads() && Metrics::default().leads());
        assert!(!serde_json::from_str::<Metrics>(r#"{"master/elected": 0.0}"#).unwrap().leads());
    }
}
