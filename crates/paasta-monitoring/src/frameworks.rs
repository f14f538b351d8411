//! Whether the frameworks of a Mesos master are those that should be (monitoring.md §3).

use std::collections::BTreeMap;

use paasta_core::CheckStatus;

use crate::{Check, Verdict};

/// The check that frameworks are connected. Expected and observed are their names.
#[derive(Clone, Copy, Debug)]
pub struct ActiveFrameworks;

impl Check for ActiveFrameworks {
    type Expected = Vec<String>;
    type Observed = Vec<String>;
    const NAME: &str = "check_mesos_active_frameworks";
    const ASKS: &str = "whether the expected frameworks are connected";

    /// Nothing is wrong where nothing is expected; empty names expect nothing.
    fn decide(expected: &Vec<String>, observed: &Vec<String>) -> Verdict {
        let wanted: Vec<&String> = expected.iter().filter(|name| !name.is_empty()).collect();
        let missing: Vec<&str> =
            wanted.iter().filter(|name| !observed.contains(name)).map(|name| name.as_str()).collect();
        match missing.as_slice() {
            [] => Verdict::ok(format!("OK: all {} expected frameworks are connected", wanted.len())),
            _ => Verdict::critical(format!("CRITICAL: frameworks not connected: {}", missing.join(", "))),
        }
    }
}

/// The check that no framework is connected twice under one name. Expected are the prefixes of the names to look at, which
/// are all where there is none; observed are the names.
#[derive(Clone, Copy, Debug)]
pub struct DuplicateFrameworks;

impl Check for DuplicateFrameworks {
    type Expected = Vec<String>;
    type Observed = Vec<String>;
    const NAME: &str = "check_mesos_duplicate_frameworks";
    const ASKS: &str = "whether no framework is connected twice";

    fn decide(expected: &Vec<String>, observed: &Vec<String>) -> Verdict {
        let all = [String::new()];
        let prefixes = if expected.is_empty() { all.as_slice() } else { expected.as_slice() };
        let (mut lines, mut status) = (Vec::new(), CheckStatus::Ok);
        for prefix in prefixes {
            let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
            for name in observed.iter().filter(|name| name.starts_with(prefix.as_str())) {
                *counts.entry(name).or_default() += 1;
            }
            for (name, count) in counts.iter().filter(|(_, count)| **count > 1) {
                status = CheckStatus::Critical;
                lines.push(format!("CRITICAL: {count} frameworks are connected as `{name}`"));
            }
            let total: usize = counts.values().sum();
            let which =
                if prefix.is_empty() { String::new() } else { format!(" with names from `{prefix}` on") };
            lines.push(format!("frameworks{which}: {total}"));
        }
        if status == CheckStatus::Ok {
            lines.insert(0, "OK: no framework is connected twice".to_owned());
        }
        Verdict::new(status, lines.join("\n"))
    }
}

#[cfg(test)]
mod tests {
    use paasta_core::CheckStatus::{Critical, Ok};

    use super::*;

    fn names(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn expected_frameworks() {
        let check =
            |expected: Vec<String>, observed: &str| ActiveFrameworks::decide(&expected, &names(observed));
        assert_eq!(check(names("a b"), "b a c").status, Ok);
        let missing = check(names("a b c"), "b");
        assert_eq!(missing.status, Critical);
        assert!(missing.output.ends_with(": a, c"), "{}", missing.output);
        // The whole name counts.
        assert_eq!(check(names("marathon"), "marathon1").status, Critical);
    }

    /// A row of docs/differences.md (monitoring.md §10, 13).
    #[test]
    fn mended_who_expects_no_framework_misses_none() {
        assert_eq!(ActiveFrameworks::decide(&vec![], &names("a")).status, Ok);
        assert_eq!(ActiveFrameworks::decide(&vec![String::new()], &vec![]).status, Ok);
    }

    #[test]
    fn frameworks_that_are_there_twice() {
        let check =
            |prefixes: &str, observed: &str| DuplicateFrameworks::decide(&names(prefixes), &names(observed));
        assert_eq!(check("marathon", "marathon marathon1 chronos chronos").status, Ok);
        let twice = check("marathon", "marathon1 marathon marathon1");
        assert_eq!(twice.status, Critical);
        assert!(twice.output.contains("2 frameworks are connected as `marathon1`"), "{}", twice.output);
        assert!(twice.output.contains("`marathon` on: 3"), "{}", twice.output);
        assert_eq!(check("", "a a").status, Critical);
    }
}
