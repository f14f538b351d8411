//! Whether a person must be asked before many instances change (cli.md §1.1, design decision 10).

use std::fmt;

/// How much a command line names, and who is there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Breadth {
    /// How many services are meant.
    pub services: usize,
    /// Whether the clusters were named, or there is only one to name.
    pub clusters_are_explicit: bool,
    /// Whether the instances were named.
    pub instances_are_explicit: bool,
    /// `--yes`.
    pub yes: bool,
    /// Whether somebody can answer.
    pub terminal: bool,
}

/// Whether to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Consent {
    /// Everything was named, or said yes to.
    Given,
    /// Show what would change, ask, and take no answer as no.
    Ask(Question),
    /// Nobody can be asked: do nothing.
    Refused(Question),
}

/// What makes the question necessary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Question {
    /// More than one service.
    SeveralServices,
    /// No cluster was named.
    NoClusters,
    /// No instance was named.
    NoInstances,
}

impl fmt::Display for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Question::SeveralServices => "more than one service is meant",
            Question::NoClusters => "no cluster was named, so every cluster is meant",
            Question::NoInstances => "no instance was named, so every instance is meant",
        })
    }
}

/// Whether a command that changes instances may go on.
///
/// ```
/// use paasta_deploy::{Breadth, Consent, consent};
///
/// let narrow = Breadth { services: 1, clusters_are_explicit: true, instances_are_explicit: true, ..Breadth::default() };
/// assert_eq!(consent(narrow), Consent::Given);
/// let wide = Breadth { services: 1, ..Breadth::default() };
/// assert!(matches!(consent(wide), Consent::Refused(_)));
/// ```
pub fn consent(breadth: Breadth) -> Consent {
    let question = if breadth.services > 1 {
        Question::SeveralServices
    } else if !breadth.clusters_are_explicit {
        Question::NoClusters
    } else if !breadth.instances_are_explicit {
        Question::NoInstances
    } else {
        return Consent::Given;
    };
    match (breadth.yes, breadth.terminal) {
        (true, _) => Consent::Given,
        (false, true) => Consent::Ask(question),
        (false, false) => Consent::Refused(question),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(services: usize, clusters: bool, instances: bool, yes: bool, terminal: bool, expected: Consent) {
        let got = consent(Breadth {
            services,
            clusters_are_explicit: clusters,
            instances_are_explicit: instances,
            yes,
            terminal,
        });
        assert_eq!(got, expected);
    }

    #[test]
    fn decisions() {
        check(1, true, true, false, false, Consent::Given);
        check(1, true, true, false, true, Consent::Given);
        check(2, true, true, false, true, Consent::Ask(Question::SeveralServices));
        check(2, true, true, false, false, Consent::Refused(Question::SeveralServices));
        check(1, false, true, false, false, Consent::Refused(Question::NoClusters));
        check(1, true, false, false, true, Consent::Ask(Question::NoInstances));
        check(2, false, false, true, false, Consent::Given);
    }
}
