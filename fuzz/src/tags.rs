//! Tags read into deployments, against a slow reading of the rules (config.md §4.3 to §4.5).

use paasta_config::Deployments as Read;
use paasta_core::{ClusterName, GitSha, InstanceName, ServiceName};
use paasta_deployments::{ControlBranch, RemoteRef, StateTag, deploy_tag_parts, generate, latest_deploy};

/// Lines: `= BRANCH GROUP` for an instance (no group: never deployed), else `SHA PEELED NAME` for a ref, where SHA and
/// PEELED are one hexadecimal digit each and `-` says that the ref is not annotated.
pub fn tags(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let (mut branches, mut refs) = (Vec::new(), Vec::new());
    for line in text.lines().take(200) {
        match line.strip_prefix("= ") {
            Some(line) => branches.push(branch(line)),
            None => refs.extend(remote_ref(line)),
        }
    }
    for r in &refs {
        one_name(&r.name);
    }
    let made = generate("svc", &branches, &refs);
    let got: Vec<_> = made
        .entries
        .iter()
        .map(|e| {
            let state = e.desired_state.as_str();
            (e.branch.clone(), e.deploy_group.clone(), e.git_sha.clone(), state, e.force_bounce.clone())
        })
        .collect();
    assert_eq!(got, slow_generate(&branches, &refs));
    for group in branches.iter().filter_map(|b| b.deploy_group.as_deref()) {
        let latest = latest_deploy(&refs, group).map(|latest| (latest.time, latest.sha));
        assert_eq!(latest, slow_latest(&refs, group), "{group}");
    }
    written_and_read(&made);
}

fn branch(line: &str) -> ControlBranch {
    match line.split_once(' ') {
        Some((branch, group)) => ControlBranch::new(branch, Some(group)),
        None => ControlBranch::new(line, None),
    }
}

fn remote_ref(line: &str) -> Option<RemoteRef> {
    let mut parts = line.splitn(3, ' ');
    let sha = |digit: &str| GitSha::new(digit.repeat(40)).ok();
    let (at, peeled, name) = (sha(parts.next()?)?, sha(parts.next()?), parts.next()?);
    Some(RemoteRef { name: name.to_owned(), sha: at, peeled })
}

/// One name alone.
fn one_name(name: &str) {
    let got = StateTag::parse(name).map(|tag| (tag.branch, tag.token, tag.state.as_str()));
    assert_eq!(got, slow_state(name), "{name}");
    if let Some((group, time)) = deploy_tag_parts(name) {
        assert_eq!(name, format!("refs/tags/paasta-{group}-{time}-deploy"));
        assert!(slow_state(name).is_none());
    }
}

/// The grammar of state tags as a pattern matcher with backtracking would try it.
fn slow_state(name: &str) -> Option<(&str, &str, &str)> {
    let rest = name.strip_prefix("refs/tags/")?;
    for prefixes in [2, 1, 0] {
        let Some(rest) = rest.strip_prefix(&"paasta-".repeat(prefixes)) else { continue };
        let in_class = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        let longest = rest.find(|c| !in_class(c)).unwrap_or(rest.len());
        for end in (1..=longest).rev() {
            let (branch, after) = rest.split_at(end);
            let Some(after) = after.strip_prefix('-') else { continue };
            let token = after.split('-').next().unwrap_or_default();
            let state = match after[token.len()..].strip_prefix('-') {
                Some("start") => "start",
                Some("stop") => "stop",
                _ => continue,
            };
            if !token.is_empty() {
                return Some((branch, token, state));
            }
        }
    }
    None
}

fn slow_latest(refs: &[RemoteRef], group: &str) -> Option<(String, GitSha)> {
    let mut best: Option<(String, GitSha)> = None;
    for r in refs {
        let Some(rest) = r.name.strip_prefix(&format!("refs/tags/paasta-{group}-")) else { continue };
        let Some(time) = rest.strip_suffix("-deploy") else { continue };
        let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
        let fits = match time.split_once('T') {
            Some((day, second)) => day.len() == 8 && second.len() == 6 && digits(day) && digits(second),
            None => false,
        };
        if fits && best.as_ref().is_none_or(|(greatest, _)| time > greatest.as_str()) {
            best = Some((time.to_owned(), r.commit().clone()));
        }
    }
    best
}

type Row = (String, String, GitSha, &'static str, Option<String>);

fn slow_generate(branches: &[ControlBranch], refs: &[RemoteRef]) -> Vec<Row> {
    let mut rows = Vec::new();
    for (place, first) in branches.iter().enumerate() {
        if branches[..place].iter().any(|earlier| earlier.branch == first.branch) {
            continue;
        }
        let last = branches.iter().rev().find(|b| b.branch == first.branch).expect("at least itself");
        let Some(group) = &last.deploy_group else { continue };
        let Some((_, sha)) = slow_latest(refs, group) else { continue };
        let mut tokens: Vec<(&str, &str)> = refs
            .iter()
            .filter(|r| *r.commit() == sha)
            .filter_map(|r| slow_state(&r.name))
            .filter(|(branch, ..)| *branch == first.branch)
            .map(|(_, token, state)| (token, state))
            .collect();
        tokens.sort_by_key(|(token, _)| *token);
        let (state, token) = match tokens.last() {
            Some((token, "start")) => ("start", Some((*token).to_owned())),
            Some((token, _)) => ("stop", Some((*token).to_owned())),
            None => ("start", None),
        };
        rows.push((first.branch.clone(), group.clone(), sha, state, token));
    }
    rows
}

/// The file says to the reader what was meant, and to the writer that nothing is new.
fn written_and_read(made: &paasta_deployments::Deployments) {
    let text = made.to_text();
    assert!(text.is_ascii() && !text.contains('\n'));
    assert!(made.same_as(text.as_bytes()));
    assert!(made.differences(text.as_bytes()).is_empty());
    let read = Read::parse(text.as_bytes(), "deployments.json").expect("what we write can be read");
    let service: ServiceName = "svc".parse().expect("a name");
    for entry in &made.entries {
        let Some((cluster, instance)) = entry.branch.split_once('.') else { continue };
        let (Ok(cluster), Ok(instance)) = (ClusterName::new(cluster), InstanceName::new(instance)) else {
            continue;
        };
        let record = read.record(&service, &cluster, &instance, Some(&entry.deploy_group));
        let record = record.expect("our own record").expect("the entry is there");
        assert_eq!(record.git_sha, entry.git_sha.as_str());
        assert_eq!(record.force_bounce, entry.force_bounce);
        assert_eq!(record.docker_image, format!("services-svc:paasta-{}", entry.git_sha));
    }
}
