//! `paasta wait-for-deployment`: blocks until a marked commit runs (cli.md §1.11).

use std::process::ExitCode;
use std::time::Duration;

use anyhow::bail;
use paasta_core::GitSha;
use paasta_deployments::latest_deploy;

use crate::marks::{self, MarkArgs, Remote};
use crate::options::SoaDirOnly;
use crate::record::Recorder;
use crate::report::HintExt as _;
use crate::waiting::{self, Ended, Goal};
use crate::world::World;
use crate::{Context, EXIT_FAILED};

/// Wait until a commit that was marked for deployment runs
///
/// Asks the API of every cluster that the deploy group runs in. Exit code 0: it runs everywhere; 1: not within the
/// time, or something is wrong with what was asked for.
#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    #[command(flatten)]
    mark: MarkArgs,
    /// Seconds to wait at most
    #[arg(short = 't', long, value_name = "SECONDS", default_value_t = 3600)]
    timeout: u64,
    #[command(flatten)]
    soa_dir: SoaDirOnly,
    /// Tell every answer of the clusters, not only changes
    #[arg(short = 'v', long, action = clap::ArgAction::Count)]
    verbose: u8,
}

pub(crate) fn run(args: &Args, cx: &mut Context) -> anyhow::Result<ExitCode> {
    let world = World::open(args.soa_dir.soa_dir.as_deref(), cx)?;
    world.clusters()?;
    let remote = Remote::open(&args.mark.service, args.mark.git_url.as_deref(), &world)?;
    let group = args.mark.deploy_group.as_str();
    let groups = marks::groups_in_use(&remote.service, &world)?;
    if !groups.contains(group) {
        let error =
            anyhow::anyhow!("no instance of service `{}` follows deploy group `{group}`", remote.service);
        return Err(error).hint(format!("Its deploy groups: {}.", marks::listed(&groups)));
    }
    let commit = marked_commit(args, &remote, cx)?;
    let timeout = Duration::from_secs(args.timeout);
    let verbose = args.verbose > 0;
    let goal = Goal { service: &remote.service, deploy_group: group, commit: &commit, timeout, verbose };
    let recorder = Recorder::open(&world.system, cx)?;
    wait_and_tell(&goal, &world, &recorder, cx)
}

/// Waits, and says and logs how it ended. Exit code 0 or 1; Ctrl-C is the error it is everywhere.
pub(crate) fn wait_and_tell(
    goal: &Goal<'_>,
    world: &World,
    recorder: &Recorder,
    cx: &mut Context,
) -> anyhow::Result<ExitCode> {
    let (commit, group) = (goal.commit, goal.deploy_group);
    match waiting::wait(goal, world, cx) {
        Ok(Ended::Deployed { instances }) => {
            let message = format!("Deployment of {commit} to {group} complete");
            recorder.event(goal.service, None, &message);
            match instances {
                1 => writeln!(cx.stdout, "{commit} runs on the only instance of `{group}`")?,
                _ => writeln!(cx.stdout, "{commit} runs on all {instances} instances of `{group}`")?,
            }
            Ok(ExitCode::SUCCESS)
        }
        Ok(Ended::TimedOut(unfinished)) => {
            let seconds = goal.timeout.as_secs();
            let message = format!("{commit} is not deployed to {group} after {seconds} s");
            recorder.event(goal.service, None, &message);
            writeln!(cx.stderr, "\n{commit} does not run on all of `{group}` after {seconds} s")?;
            waiting::tell_how_to_go_on(goal, &unfinished, cx)?;
            Ok(ExitCode::from(EXIT_FAILED))
        }
        Err(error) => {
            if waiting::is_interrupt(&error) {
                waiting::tell_how_to_go_on(goal, &[], cx)?;
            }
            Err(error)
        }
    }
}

/// The commit, which must be the newest that was marked. If the repository cannot be asked, a full sha is believed.
fn marked_commit(args: &Args, remote: &Remote, cx: &mut Context) -> anyhow::Result<GitSha> {
    let (group, text) = (args.mark.deploy_group.as_str(), args.mark.commit.as_str());
    let refs = match (remote.list(), GitSha::new(text)) {
        (Ok(refs), _) => refs,
        (Err(error), Ok(full)) => {
            writeln!(cx.stderr, "warning: {error:#}; taking it that {full} is marked")?;
            return Ok(full);
        }
        (Err(error), Err(_)) => return Err(error),
    };
    let commit = marks::commit(text, &refs)?;
    match latest_deploy(&refs, group) {
        Some(latest) if latest.sha == commit => Ok(commit),
        Some(latest) => {
            bail!("{commit} is not what is marked for `{group}`: {} marks {}", latest.tag, latest.sha)
        }
        None => Err(anyhow::anyhow!("nothing is marked for deployment in `{group}`"))
            .hint("Mark it first, with `paasta mark-for-deployment`."),
    }
}
