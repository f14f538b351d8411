//! Refs and instances in, what is deployed out (config.md §4.3 to §4.5). Pure.

use std::collections::HashMap;

use paasta_core::GitSha;

use crate::grammar::{State, StateTag, deploy_tag_parts};
use crate::{Deployments, Entry, RemoteRef};

/// One instance as this crate sees it: where its state tags point, and which deploy group it follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ControlBranch {
    /// `<cluster>.<instance>`; for Tron `<cluster>.<job>.<action>`.
    pub branch: String,
    /// The deploy group, interpolated. An instance without one is never deployed.
    pub deploy_group: Option<String>,
}

impl ControlBranch {
    /// An instance and its deploy group.
    pub fn new(branch: impl Into<String>, deploy_group: Option<&str>) -> Self {
        Self { branch: branch.into(), deploy_group: deploy_group.map(str::to_owned) }
    }
}

/// The newest deploy tag of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LatestDeploy {
    /// The full ref name.
    pub tag: String,
    /// The time in its name.
    pub time: String,
    /// The commit it marks.
    pub sha: GitSha,
}

/// What runs where, from a service's instances (in file order; a branch that comes twice keeps its first place and
/// takes its last group) and the refs of its remote.
pub fn generate(service: &str, branches: &[ControlBranch], refs: &[RemoteRef]) -> Deployments {
    let marked = newest_per_group(refs);
    let states = state_table(refs);
    let entry = |branch: &str, group: &str| {
        let sha = marked.get(group)?.1;
        let state = states.get(&(branch, sha));
        Some(Entry {
            branch: branch.to_owned(),
            deploy_group: group.to_owned(),
            git_sha: sha.clone(),
            desired_state: state.map_or(State::Start, |(_, state)| *state),
            force_bounce: state.map(|(token, _)| (*token).to_owned()),
        })
    };
    let entries =
        in_order(branches).into_iter().filter_map(|(branch, group)| entry(branch, group?)).collect();
    Deployments { service: service.to_owned(), entries }
}

/// The newest deploy tag of `deploy_group`, if there is one: the greatest time text (config.md §4.4). A tag that is
/// annotated stands for the commit it points at.
pub fn latest_deploy(refs: &[RemoteRef], deploy_group: &str) -> Option<LatestDeploy> {
    let of_group = |r: &RemoteRef| {
        deploy_tag_parts(&r.name).filter(|(g, _)| *g == deploy_group).map(|(_, t)| t.to_owned())
    };
    let (time, newest) =
        refs.iter().rev().filter_map(|r| Some((of_group(r)?, r))).max_by(|a, b| a.0.cmp(&b.0))?;
    Some(LatestDeploy { tag: newest.name.clone(), time, sha: newest.commit().clone() })
}

/// Each branch once, in the order of Python's dict.
fn in_order(branches: &[ControlBranch]) -> Vec<(&str, Option<&str>)> {
    let mut order: Vec<(&str, Option<&str>)> = Vec::with_capacity(branches.len());
    let mut seen: HashMap<&str, usize> = HashMap::new();
    for b in branches {
        let next = order.len();
        let place = *seen.entry(b.branch.as_str()).or_insert(next);
        match order.get_mut(place) {
            Some(old) => old.1 = b.deploy_group.as_deref(),
            None => order.push((&b.branch, b.deploy_group.as_deref())),
        }
    }
    order
}

/// Per deploy group the greatest time and its commit; the first seen wins a tie.
fn newest_per_group(refs: &[RemoteRef]) -> HashMap<&str, (&str, &GitSha)> {
    let mut newest: HashMap<&str, (&str, &GitSha)> = HashMap::new();
    for r in refs {
        if let Some((group, time)) = deploy_tag_parts(&r.name) {
            let best = newest.entry(group).or_insert((time, r.commit()));
            if time > best.0 {
                *best = (time, r.commit());
            }
        }
    }
    newest
}

/// Per branch and commit the greatest token and its state; the last seen wins a tie.
fn state_table(refs: &[RemoteRef]) -> HashMap<(&str, &GitSha), (&str, State)> {
    let mut table: HashMap<(&str, &GitSha), (&str, State)> = HashMap::new();
    for r in refs {
        if let Some(tag) = StateTag::parse(&r.name) {
            let best = table.entry((tag.branch, r.commit())).or_insert((tag.token, tag.state));
            if tag.token >= best.0 {
                *best = (tag.token, tag.state);
            }
        }
    }
    table
}

#[cfg(test)]
mod tests;
