//! What the deploy commands share: a service's remote, its groups, and the commit an argument means.

use std::collections::BTreeSet;
use std::sync::Arc;

use anyhow::Context as _;
use paasta_core::{GitSha, ServiceName};
use paasta_deployments::{
    CommitError, ControlBranch, Limits, Refs, RefsError, RemoteRef, State, control_branches, expand_commit,
    generate, git_url, refs_for_url,
};

use crate::report::{HintExt as _, validate_hint};
use crate::world::World;

/// The options that say what is deployed where.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct MarkArgs {
    /// The service
    #[arg(short = 's', long, value_name = "SERVICE")]
    pub(crate) service: String,
    /// The deploy group
    #[arg(
        short = 'l',
        long,
        visible_alias = "deploy_group",
        alias = "clusterinstance",
        value_name = "GROUP"
    )]
    pub(crate) deploy_group: String,
    /// The commit: 40 hexadecimal digits, or at least 4 that only one tag or branch points at
    #[arg(short = 'k', long, short_alias = 'c', value_name = "SHA", value_parser = commit_text)]
    pub(crate) commit: String,
    /// The git repository, if not the service's own
    #[arg(short = 'u', long, value_name = "URL")]
    pub(crate) git_url: Option<String>,
}

/// A service and its remote.
pub(crate) struct Remote {
    pub(crate) service: ServiceName,
    pub(crate) refs: Arc<dyn Refs>,
}

impl Remote {
    /// The service of that name (a leading `services-` does not count) and the way to its repository.
    pub(crate) fn open(name: &str, url: Option<&str>, world: &World) -> anyhow::Result<Self> {
        let service = world.service(name.strip_prefix("services-").unwrap_or(name))?;
        let url = match url {
            Some(url) => url.to_owned(),
            None => git_url(&world.soa, &world.system, &service)
                .with_context(|| format!("could not find the git repository of service `{service}`"))?,
        };
        Ok(Self { refs: refs_for_url(&url, Limits::from_system(&world.system)?)?, service })
    }

    /// All refs.
    pub(crate) fn list(&self) -> anyhow::Result<Vec<RemoteRef>> {
        self.refs
            .list()
            .hint_with(|| format!("Check that `git ls-remote {}` works from here.", self.refs.url()))
            .with_context(|| format!("could not list the tags of service `{}`", self.service))
    }
}

/// What may be a commit.
fn commit_text(text: &str) -> Result<String, CommitError> {
    match expand_commit(text, &[]) {
        Err(error @ CommitError::Malformed(_)) => Err(error),
        Ok(_) | Err(_) => Ok(text.to_owned()),
    }
}

/// The full sha that an argument means.
pub(crate) fn commit(text: &str, refs: &[RemoteRef]) -> anyhow::Result<GitSha> {
    expand_commit(text, refs).hint("Give all 40 digits, as `git rev-parse` prints them.")
}

/// The deploy groups that instances of the service follow, in any known cluster.
pub(crate) fn groups_in_use(service: &ServiceName, world: &World) -> anyhow::Result<BTreeSet<String>> {
    Ok(branches(service, world)?.into_iter().filter_map(|branch| branch.deploy_group).collect())
}

/// The instances of the service in all known clusters, with their groups.
pub(crate) fn branches(service: &ServiceName, world: &World) -> anyhow::Result<Vec<ControlBranch>> {
    let found = control_branches(&world.soa, &world.system, service)
        .hint_with(|| validate_hint(service))
        .with_context(|| format!("could not read the instances of service `{service}`"))?;
    Ok(found.branches)
}

/// The instances (as `<cluster>.<instance>`) that are stopped at the commit that is newest in their group.
pub(crate) fn stopped(service: &ServiceName, branches: &[ControlBranch], refs: &[RemoteRef]) -> Vec<String> {
    let entries = generate(service.as_str(), branches, refs).entries;
    entries.into_iter().filter(|entry| entry.desired_state == State::Stop).map(|entry| entry.branch).collect()
}

/// The groups as a list for people.
pub(crate) fn listed(groups: &BTreeSet<String>) -> String {
    match groups.is_empty() {
        true => "it has none".to_owned(),
        false => groups.iter().map(|group| format!("`{group}`")).collect::<Vec<_>>().join(", "),
    }
}

/// Whether trying again can help.
pub(crate) fn may_pass(error: &RefsError) -> bool {
    matches!(error, RefsError::Unreachable { .. } | RefsError::TimedOut { .. } | RefsError::Garbled { .. })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_may_pass_is_tried_again() {
        let url = || "u".to_owned();
        assert!(may_pass(&RefsError::TimedOut { url: url(), seconds: 1 }));
        assert!(!may_pass(&RefsError::Refused {
            url: url(),
            name: "r".to_owned(),
            reason: "frozen".to_owned()
        }));
    }
}
