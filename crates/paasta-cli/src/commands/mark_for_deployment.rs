//! `paasta mark-for-deployment`: declares which commit is to run in a deploy group (cli.md §1.10).

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, bail};
use paasta_config::Node;
use paasta_core::{Clock as _, GitSha, SystemClock, Timestamp};
use paasta_deployments::{ControlBranch, RemoteRef, WriteMode, deploy_tag, deploy_time_for, latest_deploy};

use super::wait_for_deployment::wait_and_tell;
use crate::Context;
use crate::marks::{self, MarkArgs, Remote};
use crate::nudge::nudge;
use crate::options::SoaDirOnly;
use crate::record::Recorder;
use crate::report::{HintExt as _, UsageError};
use crate::waiting::Goal;
use crate::world::World;

const ATTEMPTS_MAX: u64 = 3;
const PAUSE_PER_ATTEMPT: Duration = Duration::from_secs(5);

/// Mark a commit for deployment: it is what is to run in a deploy group from now on
///
/// Writes a tag to the service's git repository. Every cluster that the group runs in then replaces what it runs.
#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    #[command(flatten)]
    mark: MarkArgs,
    /// Wait until the commit runs everywhere
    #[arg(long, conflicts_with = "dry_run")]
    wait_for_deployment: bool,
    /// Only print the tag, and which instances would be replaced; writes nothing
    #[arg(long)]
    dry_run: bool,
    /// Seconds to wait at most
    #[arg(short = 't', long, value_name = "SECONDS", default_value_t = 3600)]
    timeout: u64,
    #[command(flatten)]
    soa_dir: SoaDirOnly,
    /// Name the git repository; while waiting, tell every answer of the clusters, not only changes
    #[arg(short = 'v', long, action = clap::ArgAction::Count)]
    verbose: u8,
    #[command(flatten)]
    later: Later,
}

/// Options of the original that do not work yet.
#[derive(clap::Args, Debug)]
struct Later {
    /// Not available yet
    #[arg(long, hide = true)]
    verify_image_exists: bool,
    /// Not available yet
    #[arg(long, hide = true)]
    auto_rollback: bool,
    /// Not available yet
    #[arg(long, hide = true)]
    auto_certify_delay: Option<f64>,
    /// Not available yet
    #[arg(long, hide = true)]
    auto_abandon_delay: Option<f64>,
    /// Not available yet
    #[arg(long, hide = true)]
    auto_rollback_delay: Option<f64>,
    /// Not available yet
    #[arg(long, hide = true)]
    author: Vec<String>,
}

impl Later {
    /// The error for the first of them that was given.
    fn refuse(&self) -> Result<(), UsageError> {
        let given = [
            ("--verify-image-exists", self.verify_image_exists),
            ("--auto-rollback", self.auto_rollback),
            ("--auto-certify-delay", self.auto_certify_delay.is_some()),
            ("--auto-abandon-delay", self.auto_abandon_delay.is_some()),
            ("--auto-rollback-delay", self.auto_rollback_delay.is_some()),
            ("--author", !self.author.is_empty()),
        ];
        match given.iter().find(|(_, given)| *given) {
            Some((option, _)) => Err(UsageError(format!("{option} is not available yet"))),
            None => Ok(()),
        }
    }
}

pub(crate) fn run(args: &Args, cx: &mut Context) -> anyhow::Result<ExitCode> {
    args.later.refuse()?;
    let world = World::open(args.soa_dir.soa_dir.as_deref(), cx)?;
    let remote = Remote::open(&args.mark.service, args.mark.git_url.as_deref(), &world)?;
    let group = args.mark.deploy_group.as_str();
    check_permission(&remote, &world)?;
    if args.verbose > 0 {
        writeln!(cx.stderr, "note: the git repository is {}", remote.refs.url())?;
    }
    let mut branches = marks::branches(&remote.service, &world)?;
    warn_if_unused(&remote, group, &world, cx)?;
    branches.retain(|branch| branch.deploy_group.as_deref() == Some(group));
    print_radius(group, &branches, cx)?;
    if args.dry_run {
        return foretell(&remote, (group, &args.mark.commit), &branches, cx);
    }
    let recorder = Recorder::open(&world.system, cx)?;
    let (commit, refs) = mark(&remote, (group, &args.mark.commit), &recorder, cx)?;
    warn_of_stops(&remote, &branches, &refs, cx)?;
    nudge(&world.system, remote.service.as_str(), remote.refs.url(), cx)?;
    if !args.wait_for_deployment {
        return Ok(ExitCode::SUCCESS);
    }
    let timeout = Duration::from_secs(args.timeout);
    let verbose = args.verbose > 0;
    let goal = Goal { service: &remote.service, deploy_group: group, commit: &commit, timeout, verbose };
    wait_and_tell(&goal, &world, &recorder, cx)
}

/// What is to be written.
struct Mark {
    commit: GitSha,
    tag: String,
    /// All refs before.
    refs: Vec<RemoteRef>,
}

/// The commit that is meant, and the tag that marks it now. What goes wrong here is told at once.
fn decide(remote: &Remote, (group, text): (&str, &str), cx: &mut Context) -> anyhow::Result<Mark> {
    let refs = remote.list()?;
    let commit = marks::commit(text, &refs)?;
    let now = SystemClock.now();
    let at = deploy_time_for(&refs, group, &commit, now)
        .hint("Delete that tag, or wait until its time has come.")?;
    let old = latest_deploy(&refs, group).map(|latest| latest.sha);
    tell_about(&commit, old.as_ref(), group, (at, now), cx)?;
    Ok(Mark { tag: deploy_tag(group, at), commit, refs })
}

/// What would be written where.
fn foretell(
    remote: &Remote,
    what: (&str, &str),
    branches: &[ControlBranch],
    cx: &mut Context,
) -> anyhow::Result<ExitCode> {
    let Mark { commit, tag, mut refs } = decide(remote, what, cx)?;
    if !refs.iter().any(|known| *known.commit() == commit) {
        let shows = "whether the repository has it shows only when the tag is written";
        writeln!(cx.stderr, "note: no tag or branch points at {commit}; {shows}")?;
    }
    let (group, url) = (what.0, remote.refs.url());
    writeln!(cx.stdout, "would mark {commit} for deployment in `{group}`: {tag} in {url}")?;
    refs.push(RemoteRef::new(tag, commit));
    warn_of_stops(remote, branches, &refs, cx)?;
    Ok(ExitCode::SUCCESS)
}

/// Which instances will be replaced, before anything is written.
fn print_radius(group: &str, branches: &[ControlBranch], cx: &mut Context) -> anyhow::Result<()> {
    if branches.is_empty() {
        return Ok(());
    }
    let noun = if branches.len() == 1 { "instance follows" } else { "instances follow" };
    writeln!(cx.stderr, "mark-for-deployment: {} {noun} deploy group `{group}`", branches.len())?;
    let mut by_cluster: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (cluster, instance) in branches.iter().filter_map(|branch| branch.branch.split_once('.')) {
        by_cluster.entry(cluster).or_default().push(instance);
    }
    for (cluster, names) in by_cluster {
        writeln!(cx.stderr, "  in {cluster}: {}", names.join(", "))?;
    }
    Ok(())
}

/// Writes the tag and logs it; gives the commit and all refs, the new one included. A remote that is away during the
/// write is asked again.
fn mark(
    remote: &Remote,
    (group, text): (&str, &str),
    recorder: &Recorder,
    cx: &mut Context,
) -> anyhow::Result<(GitSha, Vec<RemoteRef>)> {
    let Mark { commit, tag, mut refs } = decide(remote, (group, text), cx)?;
    write_with_patience(remote, (&tag, &commit), recorder, &thread::sleep, cx)
        .with_context(|| format!("could not mark {commit} for deployment in `{group}`"))?;
    writeln!(cx.stdout, "{commit} is marked for deployment in `{group}`: {tag}")?;
    let message = format!("Marked {commit} for deployment in deploy group {group} by {}", recorder.who());
    recorder.event(&remote.service, None, &message);
    let details = [("deploy_group", group), ("commit", commit.as_str())];
    let details = details.map(|(key, value)| (key.to_owned(), value.to_owned())).into_iter().collect();
    recorder.audit("mark-for-deployment", details, &remote.service, None);
    refs.push(RemoteRef::new(tag, commit.clone()));
    Ok((commit, refs))
}

/// Up to three attempts with the same name, 5 and 10 seconds apart (config.md §5.2).
fn write_with_patience(
    remote: &Remote,
    (tag, commit): (&str, &GitSha),
    recorder: &Recorder,
    sleep: &dyn Fn(Duration),
    cx: &mut Context,
) -> anyhow::Result<()> {
    let mut attempt = 1;
    loop {
        let Err(error) = remote.refs.write(tag, commit, WriteMode::Overwrite) else { return Ok(()) };
        let message = format!("Attempt {attempt} to write {tag} failed: {error}");
        recorder.event(&remote.service, None, &message);
        if attempt == ATTEMPTS_MAX || !marks::may_pass(&error) {
            return Err(error.into());
        }
        let pause = PAUSE_PER_ATTEMPT * u32::try_from(attempt).unwrap_or(1);
        writeln!(cx.stderr, "warning: {error}; trying again in {} s", pause.as_secs())?;
        sleep(pause);
        attempt += 1;
    }
}

fn tell_about(
    commit: &GitSha,
    old: Option<&GitSha>,
    group: &str,
    (at, now): (Timestamp, Timestamp),
    cx: &mut Context,
) -> anyhow::Result<()> {
    if old == Some(commit) {
        writeln!(cx.stderr, "warning: {commit} is what is marked for `{group}` already")?;
    }
    if at.since(now) > Duration::from_secs(60) {
        writeln!(
            cx.stderr,
            "warning: the newest tag of `{group}` is from the future; the new one is dated {at}"
        )?;
    }
    Ok(())
}

fn warn_if_unused(remote: &Remote, group: &str, world: &World, cx: &mut Context) -> anyhow::Result<()> {
    let groups = marks::groups_in_use(&remote.service, world)?;
    if !groups.contains(group) {
        writeln!(
            cx.stderr,
            "warning: no instance of service `{}` follows deploy group `{group}`; its deploy groups: {}",
            remote.service,
            marks::listed(&groups)
        )?;
    }
    Ok(())
}

/// A stop belongs to a commit: marking that commit again brings the stop back (config.md §4.5).
fn warn_of_stops(
    remote: &Remote,
    branches: &[ControlBranch],
    refs: &[RemoteRef],
    cx: &mut Context,
) -> anyhow::Result<()> {
    let stopped = marks::stopped(&remote.service, branches, refs);
    if !stopped.is_empty() {
        let stopped = stopped.join(", ");
        writeln!(
            cx.stderr,
            "warning: stopped at this very commit, which stays so until `paasta start`: {stopped}"
        )?;
    }
    Ok(())
}

/// Where deploys are limited to some groups of people, we cannot tell yet who is in them, so nobody is let through.
fn check_permission(remote: &Remote, world: &World) -> anyhow::Result<()> {
    let deploy = world.soa.file(&remote.service, "deploy.yaml")?;
    let own = deploy.get_set("allowed_push_groups").and_then(Node::as_list);
    let own = own.map(|groups| groups.iter().filter_map(Node::as_str).map(str::to_owned).collect());
    let groups: Option<Vec<String>> = own.or(world.system.default_push_groups()?);
    match groups {
        None => Ok(()),
        Some(groups) => bail!(
            "only members of `{}` may deploy service `{}`, and who is a member cannot be checked yet",
            groups.join("`, `"),
            remote.service
        ),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use paasta_config::SystemConfig;
    use paasta_deployments::{Refs, RefsError, Written};

    use super::*;
    use crate::Environment;

    /// Fails as it is told, one after the other; takes the write when nothing is left to fail with.
    #[derive(Default)]
    struct Shaky {
        failures: Mutex<Vec<RefsError>>,
        asked: Mutex<Vec<String>>,
    }

    impl Refs for Shaky {
        fn url(&self) -> &str {
            "shaky"
        }

        fn list(&self) -> Result<Vec<RemoteRef>, RefsError> {
            Ok(Vec::new())
        }

        fn write(&self, name: &str, commit: &GitSha, mode: WriteMode) -> Result<Written, RefsError> {
            self.asked.lock().unwrap().push(format!("{name} {} {mode:?}", commit.short()));
            self.failures.lock().unwrap().pop().map_or(Ok(Written::Done), Err)
        }
    }

    /// How often the remote was asked, the seconds slept, and whether it went well.
    fn attempts(failures: Vec<RefsError>) -> (usize, Vec<u64>, bool) {
        let refs = Arc::new(Shaky { failures: Mutex::new(failures), ..Shaky::default() });
        let remote = Remote { service: "web".parse().unwrap(), refs: refs.clone() };
        let mut cx = Context::captured(Environment::default());
        let recorder = Recorder::open(&SystemConfig::from_json("{}").unwrap(), &mut cx).unwrap();
        let slept = Mutex::new(Vec::new());
        let sleep = |time: Duration| slept.lock().unwrap().push(time.as_secs());
        let commit = GitSha::new("a".repeat(40)).unwrap();
        let done = write_with_patience(&remote, ("refs/tags/t", &commit), &recorder, &sleep, &mut cx).is_ok();
        let asked = refs.asked.lock().unwrap().clone();
        assert!(asked.iter().all(|one| one == "refs/tags/t aaaaaaaa Overwrite"), "{asked:?}");
        (asked.len(), slept.into_inner().unwrap(), done)
    }

    #[test]
    fn a_remote_that_is_away_is_asked_three_times() {
        let away = || RefsError::TimedOut { url: "shaky".to_owned(), seconds: 60 };
        let refused =
            RefsError::Refused { url: "shaky".to_owned(), name: "t".to_owned(), reason: "no".to_owned() };
        assert_eq!(attempts(vec![]), (1, vec![], true));
        assert_eq!(attempts(vec![away()]), (2, vec![5], true));
        assert_eq!(attempts(vec![away(), away()]), (3, vec![5, 10], true));
        assert_eq!(attempts(vec![away(), away(), away()]), (3, vec![5, 10], false));
        assert_eq!(attempts(vec![refused]), (1, vec![], false));
    }
}
