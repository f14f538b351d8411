//! Which lines somebody wants. Pure.

use std::collections::BTreeSet;

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

    /// Whether a line is wanted. A line without a readable time is wanted unless there is a range.
    pub fn wants(&self, line: &LogLine) -> bool {
        line.service == self.service
            && self.wants_component(&line.component)
            && (self.levels.is_empty() || self.levels.contains(&line.level))
            && takes(&self.clusters, &line.cluster, &[NOT_APPLICABLE])
            && takes(&self.instances, &line.instance, &[NOT_APPLICABLE, "ALL"])
            && self.wants_time(line.at)
    }

    fn wants_component(&self, component: &str) -> bool {
        let output = matches!(component, "stdout" | "stderr") && self.components.contains("app_output");
        output || takes(&self.components, component, &[])
    }

    fn wants_time(&self, at: Option<Timestamp>) -> bool {
        match at {
            Some(at) => self.from.is_none_or(|from| at > from) && self.to.is_none_or(|to| at < to),
            None => self.from.is_none() && self.to.is_none(),
        }
    }
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
}
