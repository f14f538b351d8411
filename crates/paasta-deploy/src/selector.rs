//! Which instances a command line means (cli.md §0.4).

use std::collections::BTreeSet;

use paasta_config::close_matches;

/// One instance that could be meant.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Candidate {
    /// Its service.
    pub service: String,
    /// Its cluster.
    pub cluster: String,
    /// Its name.
    pub instance: String,
    /// What kind of thing, by its file's name: `marathon`, `tron`, ….
    pub kind: String,
    /// The group it is deployed by.
    pub deploy_group: Option<String>,
    /// Under which names it is discovered; empty for types without that notion.
    pub registrations: Vec<String>,
    /// The team that owns it.
    pub owner: Option<String>,
}

impl Candidate {
    /// A Marathon instance of which only the name is known.
    pub fn new(service: impl Into<String>, cluster: impl Into<String>, instance: impl Into<String>) -> Self {
        Self {
            service: service.into(),
            cluster: cluster.into(),
            instance: instance.into(),
            kind: "marathon".to_owned(),
            ..Self::default()
        }
    }
}

/// What must hold, all of it. An empty list holds for everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Names of services.
    pub services: Vec<String>,
    /// Names of clusters.
    pub clusters: Vec<String>,
    /// Names of instances.
    pub instances: Vec<String>,
    /// Names of deploy groups.
    pub deploy_groups: Vec<String>,
    /// Registrations; one without a dot is of the candidate's own service.
    pub registrations: Vec<String>,
    /// Teams.
    pub owners: Vec<String>,
}

/// What a filter comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selected<'a> {
    /// Every candidate for which all holds, in the candidates' order.
    pub matched: Vec<&'a Candidate>,
    /// Instance names asked for that no service and cluster of the filter has.
    pub unknown_instances: Vec<Unknown>,
}

/// A name that nothing has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unknown {
    /// As it was given.
    pub name: String,
    /// What it may have been meant to be, closest first.
    pub similar: Vec<String>,
}

/// Why a positional argument is no selection.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// No dot, or nothing on one side of it.
    #[error("`{0}` is not SERVICE.INSTANCE[,INSTANCE]")]
    Malformed(String),
}

/// Takes `SERVICE.INSTANCE[,INSTANCE]` apart at the first dot.
///
/// ```
/// let (service, instances) = paasta_deploy::split_target("web.main,canary").expect("a dot");
/// assert_eq!((service, instances), ("web".to_owned(), vec!["main".to_owned(), "canary".to_owned()]));
/// ```
pub fn split_target(target: &str) -> Result<(String, Vec<String>), TargetError> {
    let malformed = || TargetError::Malformed(target.to_owned());
    let (service, instances) = target.split_once('.').ok_or_else(malformed)?;
    let instances: Vec<String> = instances.split(',').map(str::to_owned).collect();
    if service.is_empty() || instances.iter().any(String::is_empty) {
        return Err(malformed());
    }
    Ok((service.to_owned(), instances))
}

/// The candidates that a filter means, and the instance names in it that do not exist.
pub fn select<'a>(candidates: &'a [Candidate], filter: &Filter) -> Selected<'a> {
    let in_scope =
        |c: &&Candidate| holds(&filter.services, &c.service) && holds(&filter.clusters, &c.cluster);
    let scope: Vec<&Candidate> = candidates.iter().filter(in_scope).collect();
    let matched = scope.iter().copied().filter(|c| matches(c, filter)).collect();
    let names: BTreeSet<&str> = scope.iter().map(|c| c.instance.as_str()).collect();
    let missing = filter.instances.iter().filter(|name| !names.contains(name.as_str()));
    let unknown_instances =
        missing.map(|name| Unknown { name: name.clone(), similar: similar(name, &names) }).collect();
    Selected { matched, unknown_instances }
}

fn holds(wanted: &[String], value: &str) -> bool {
    wanted.is_empty() || wanted.iter().any(|w| w == value)
}

fn matches(candidate: &Candidate, filter: &Filter) -> bool {
    let of_option = |wanted: &[String], value: Option<&str>| {
        wanted.is_empty() || value.is_some_and(|value| holds(wanted, value))
    };
    holds(&filter.instances, &candidate.instance)
        && of_option(&filter.deploy_groups, candidate.deploy_group.as_deref())
        && of_option(&filter.owners, candidate.owner.as_deref())
        && (filter.registrations.is_empty()
            || filter.registrations.iter().any(|r| is_registered(candidate, r)))
}

fn is_registered(candidate: &Candidate, registration: &str) -> bool {
    let full = if registration.contains('.') {
        registration.to_owned()
    } else {
        format!("{}.{registration}", candidate.service)
    };
    candidate.registrations.contains(&full)
}

/// What a wrong name may mean; `main.123` is first tried without what follows the dot.
fn similar(name: &str, names: &BTreeSet<&str>) -> Vec<String> {
    if let Some((stem, _)) = name.split_once('.')
        && names.contains(stem)
    {
        return vec![stem.to_owned()];
    }
    close_matches(name, names.iter().copied())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn world() -> Vec<Candidate> {
        let with = |service: &str, cluster: &str, instance: &str, group: &str, owner: &str| Candidate {
            deploy_group: Some(group.to_owned()),
            owner: Some(owner.to_owned()),
            registrations: vec![format!("{service}.main")],
            ..Candidate::new(service, cluster, instance)
        };
        vec![
            with("web", "pnw", "main", "prod", "a"),
            with("web", "nor", "main", "prod", "a"),
            with("web", "pnw", "canary", "canary", "a"),
            with("api", "pnw", "main", "prod", "b"),
            Candidate { kind: "tron".into(), ..Candidate::new("api", "pnw", "job.act") },
        ]
    }

    #[track_caller]
    fn check(filter: Filter, expected: &[&str]) {
        let world = world();
        let selected = select(&world, &filter);
        let got: Vec<String> =
            selected.matched.iter().map(|c| format!("{}.{}@{}", c.service, c.instance, c.cluster)).collect();
        assert_eq!(got, expected);
    }

    fn list(items: &[&str]) -> Vec<String> {
        items.iter().map(|i| (*i).to_owned()).collect()
    }

    #[test]
    fn all_filters_must_hold() {
        let any = Filter::default;
        check(
            Filter { services: list(&["web"]), ..any() },
            &["web.main@pnw", "web.main@nor", "web.canary@pnw"],
        );
        check(Filter { services: list(&["web"]), clusters: list(&["nor"]), ..any() }, &["web.main@nor"]);
        check(
            Filter { deploy_groups: list(&["prod"]), clusters: list(&["pnw"]), ..any() },
            &["web.main@pnw", "api.main@pnw"],
        );
        check(Filter { owners: list(&["b", "c"]), ..any() }, &["api.main@pnw"]);
        check(Filter { registrations: list(&["api.main"]), ..any() }, &["api.main@pnw"]);
        check(
            Filter {
                registrations: list(&["main"]),
                services: list(&["web"]),
                clusters: list(&["pnw"]),
                ..any()
            },
            &["web.main@pnw", "web.canary@pnw"],
        );
        check(Filter { instances: list(&["job.act"]), ..any() }, &["api.job.act@pnw"]);
        check(Filter { owners: list(&["a"]), services: list(&["api"]), ..any() }, &[]);
    }

    #[test]
    fn wrong_names_get_suggestions() {
        let world = world();
        let filter = Filter {
            services: list(&["web"]),
            instances: list(&["main.123", "canry", "canary", "zzz"]),
            ..Filter::default()
        };
        let unknown = select(&world, &filter).unknown_instances;
        let got: Vec<_> = unknown.iter().map(|u| (u.name.as_str(), u.similar.join(" "))).collect();
        assert_eq!(got, [("main.123", "main".into()), ("canry", "canary".into()), ("zzz", String::new())]);
    }

    #[test]
    fn targets_split_at_the_first_dot() {
        let parts = |t: &str| split_target(t).map(|(s, i)| format!("{s} {}", i.join("|")));
        assert_eq!(parts("api.job.act"), Ok("api job.act".to_owned()));
        for bad in ["api", ".main", "api.", "api.a,,b"] {
            assert!(parts(bad).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn a_narrower_filter_never_selects_more(
            services in prop::collection::vec("web|api|x", 0..2),
            instances in prop::collection::vec("main|canary|x", 0..3),
            owners in prop::collection::vec("a|b", 0..2),
        ) {
            let world = world();
            let wide = Filter { services, ..Filter::default() };
            let narrow = Filter { instances, owners, ..wide.clone() };
            let all = select(&world, &wide).matched;
            for one in select(&world, &narrow).matched {
                prop_assert!(all.contains(&one));
            }
        }
    }
}
