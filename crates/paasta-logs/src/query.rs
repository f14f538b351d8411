//! Which lines somebody wants. Pure.

use std::collections::BTreeSet;
use std::fmt;

use paasta_core::{LogLevel, Timestamp};

use crate::LogLine;
use crate::line::NOT_APPLICABLE;

/// What lines of one service to show. An empty set takes all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query {
    /// Of this service.
    pub service: String,
    /// Of these components; `app_output` takes `stdout` and `stderr` too.
    pub components: BTreeSet<String>,
    /// Of these levels.
    pub levels: Vec<LogLevel>,
    /// Of these clusters, and what concerns none in particular (`N/A`).
    pub clusters: BTreeSet<String>,
    /// Of these instances, and what concerns all (`N/A`, `ALL`).
    pub instances: BTreeSet<String>,
    /// Of what containers print (`stdout`, `stderr`, `app_output`), only that of these.
    pub pods: BTreeSet<String>,
    /// Later than this.
    pub from: Option<Timestamp>,
    /// Earlier than this.
    pub to: Option<Timestamp>,
}

impl Query {
    /// Everything of a service.
    pub fn of_service(service: impl Into<String>) -> Self {
        Self { service: service.into(), ..Self::default() }
    }

    /// Whether a line is wanted.
    pub fn wants(&self, line: &LogLine) -> bool {
        self.judge(line).is_ok()
    }

    /// Whether a line is wanted, and if not, why. A line without a readable time is wanted unless there is a range; one that
    /// a container printed is wanted then too, and whatever its level.
    pub fn judge(&self, line: &LogLine) -> Result<(), PassedOver> {
        let is_output = is_output(&line.component);
        let tests = [
            (PassedOver::Service, line.service == self.service),
            (PassedOver::Component, self.wants_component(&line.component)),
            (PassedOver::Level, is_output || self.levels.is_empty() || self.levels.contains(&line.level)),
            (PassedOver::Cluster, takes(&self.clusters, &line.cluster, &[NOT_APPLICABLE])),
            (PassedOver::Instance, takes(&self.instances, &line.instance, &[NOT_APPLICABLE, "ALL"])),
            (PassedOver::Pod, !is_output || takes(&self.pods, line.pod.as_deref().unwrap_or_default(), &[])),
            (PassedOver::Time, self.wants_time(line.at, is_output)),
        ];
        tests.into_iter().find(|(_, passes)| !passes).map_or(Ok(()), |(why, _)| Err(why))
    }

    fn wants_component(&self, component: &str) -> bool {
        let output = matches!(component, "stdout" | "stderr") && self.components.contains("app_output");
        output || takes(&self.components, component, &[])
    }

    fn wants_time(&self, at: Option<Timestamp>, is_output: bool) -> bool {
        match at {
            Some(at) => self.from.is_none_or(|from| at > from) && self.to.is_none_or(|to| at < to),
            None => is_output || (self.from.is_none() && self.to.is_none()),
        }
    }
}

/// Why a line is not wanted: the first test that it does not pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PassedOver {
    /// It is about another service.
    Service,
    /// It is of another component.
    Component,
    /// It is of another level.
    Level,
    /// It is about another cluster.
    Cluster,
    /// It is about another instance.
    Instance,
    /// Another container printed it.
    Pod,
    /// It is from before or after the range of time, or nobody knows when.
    Time,
}

impl fmt::Display for PassedOver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            PassedOver::Service => "of another service",
            PassedOver::Component => "of other components",
            PassedOver::Level => "of another level",
            PassedOver::Cluster => "of other clusters",
            PassedOver::Instance => "of other instances",
            PassedOver::Pod => "of other tasks",
            PassedOver::Time => "outside of the range of time",
        })
    }
}

/// Whether lines of this component are what containers print.
fn is_output(component: &str) -> bool {
    matches!(component, "stdout" | "stderr" | "app_output")
}

fn takes(wanted: &BTreeSet<String>, value: &str, always: &[&str]) -> bool {
    wanted.is_empty() || wanted.contains(value) || always.contains(&value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(component: &str, cluster: &str, instance: &str) -> LogLine {
        LogLine {
            at: Some(Timestamp::from_millis(1000)),
            service: "web".to_owned(),
            instance: instance.to_owned(),
            cluster: cluster.to_owned(),
            component: component.to_owned(),
            level: LogLevel::Event,
            message: String::new(),
            pod: None,
            raw: String::new(),
        }
    }

    fn set(words: &str) -> BTreeSet<String> {
        words.split_whitespace().map(str::to_owned).collect()
    }

    #[track_caller]
    fn check(components: &str, clusters: &str, instances: &str, line: &LogLine, wanted: bool) {
        let query = Query {
            components: set(components),
            clusters: set(clusters),
            instances: set(instances),
            ..Query::of_service("web")
        };
        assert_eq!(query.wants(line), wanted);
    }

    #[test]
    fn what_a_line_is_about() {
        check("", "", "", &line("deploy", "prod", "main"), true);
        check("deploy", "prod", "main", &line("deploy", "prod", "main"), true);
        check("deploy", "prod", "main", &line("deploy", "N/A", "ALL"), true);
        check("deploy", "prod", "main", &line("deploy", "N/A", "N/A"), true);
        check("build", "", "", &line("deploy", "prod", "main"), false);
        check("", "dev", "", &line("deploy", "prod", "main"), false);
        // The original compares parts of texts here.
        check("", "", "main", &line("deploy", "prod", "mai"), false);
        check("app_output", "", "", &line("stderr", "prod", "main"), true);
        check("stdout", "", "", &line("stderr", "prod", "main"), false);
        assert!(!Query::of_service("we").wants(&line("deploy", "prod", "main")));
    }

    #[test]
    fn levels_and_times() {
        let line = line("deploy", "prod", "main");
        let at = |millis| Some(Timestamp::from_millis(millis));
        for (from, to, wanted) in [
            (None, None, true),
            (at(999), at(1001), true),
            (at(1000), None, false),
            (None, at(1000), false),
            (at(1001), None, false),
        ] {
            let query = Query { from, to, ..Query::of_service("web") };
            assert_eq!(query.wants(&line), wanted, "{from:?} {to:?}");
        }
        let debug = Query { levels: vec![LogLevel::Debug], ..Query::of_service("web") };
        assert!(!debug.wants(&line));
    }

    /// Behaviour of PaaSTA's `scribereader` filter of what containers print: no test of the level, and an unreadable time
    /// passes.
    #[test]
    fn what_containers_print() {
        let at = |millis| Some(Timestamp::from_millis(millis));
        let range = Query { from: at(1), to: at(2), ..Query::of_service("web") };
        let printed = LogLine { at: None, ..line("stdout", "prod", "main") };
        assert_eq!(range.judge(&printed), Ok(()));
        assert_eq!(range.judge(&line("stdout", "prod", "main")), Err(PassedOver::Time));
        assert_eq!(
            range.judge(&LogLine { at: None, ..line("deploy", "prod", "main") }),
            Err(PassedOver::Time)
        );
        let debug = Query { levels: vec![LogLevel::Debug], ..Query::of_service("web") };
        assert_eq!(debug.judge(&printed), Ok(()));
        assert_eq!(debug.judge(&line("deploy", "prod", "main")), Err(PassedOver::Level));
        let pods = Query { pods: set("one two"), ..Query::of_service("web") };
        let by =
            |pod: &str| pods.judge(&LogLine { pod: Some(pod.to_owned()), ..line("stderr", "prod", "main") });
        assert_eq!((by("one"), by("three")), (Ok(()), Err(PassedOver::Pod)));
        assert_eq!(pods.judge(&printed), Err(PassedOver::Pod));
        assert_eq!(pods.judge(&line("deploy", "prod", "main")), Ok(()));
    }
}
