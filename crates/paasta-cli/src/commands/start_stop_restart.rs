//! `paasta start`, `stop` and `restart`: the wanted state of instances, by git tags (cli.md §1.1).

use std::collections::BTreeMap;
use std::io::BufRead as _;
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use paasta_core::{Clock as _, ClusterName, GitSha, SystemClock};
use paasta_deploy::{Breadth, Candidate, Consent, Question, consent};
use paasta_deployments::{RefsError, RemoteRef, State, WriteMode, latest_deploy, state_tag, state_time_for};

use crate::marks::Remote;
use crate::nudge::nudge;
use crate::options::{Selection, SoaDirOnly};
use crate::record::Recorder;
use crate::report::{HintExt as _, write_error};
use crate::selection::{Chosen, choose};
use crate::world::World;
use crate::{Context, EXIT_FAILED};

const ATTEMPTS_MAX: usize = 3;
/// Kinds whose state is set otherwise than by tags.
const OTHERWISE: [&str; 4] = ["flink", "cassandracluster", "kafkacluster", "nrtsearchservice"];

/// What all three take.
#[derive(clap::Args, Debug)]
pub(crate) struct StateArgs {
    #[command(flatten)]
    selection: Selection,
    #[command(flatten)]
    soa_dir: SoaDirOnly,
    /// Do not ask
    #[arg(short = 'y', long)]
    yes: bool,
    /// Only print which instances would change, and the tags
    #[arg(long)]
    dry_run: bool,
}

/// One of the three commands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    /// Run as configured.
    Start,
    /// Run nothing until the next deploy.
    Stop,
    /// The same as start; the new tag makes a new version, hence a bounce.
    Restart,
}

impl Verb {
    fn word(self) -> &'static str {
        match self {
            Verb::Start => "start",
            Verb::Stop => "stop",
            Verb::Restart => "restart",
        }
    }

    fn state(self) -> State {
        match self {
            Verb::Start | Verb::Restart => State::Start,
            Verb::Stop => State::Stop,
        }
    }

    fn meaning(self) -> &'static str {
        match self {
            Verb::Start | Verb::Restart => {
                "Each instance is replaced by a new copy of what it runs, by its own bounce method."
            }
            Verb::Stop => {
                "Stopped instances stay so until the next deploy of their group, or `paasta start`. For good, set \
                 `instances: 0`."
            }
        }
    }
}

/// Carries out one of the three.
pub(crate) fn run(verb: Verb, args: &StateArgs, cx: &mut Context) -> anyhow::Result<ExitCode> {
    let world = World::open(args.soa_dir.soa_dir.as_deref(), cx)?;
    let chosen = choose(&args.selection, &world, cx)?;
    check_kinds(verb, &chosen)?;
    print_radius(verb, &chosen, cx)?;
    if !args.dry_run && !is_agreed(verb, args, &chosen, cx)? {
        return Ok(ExitCode::from(EXIT_FAILED));
    }
    let recorder = Recorder::open(&world.system, cx)?;
    let (mut undeployed, mut failed) = (Vec::new(), Vec::new());
    for service in chosen.services() {
        let of_service: Vec<&Candidate> = chosen.instances.iter().filter(|c| c.service == service).collect();
        let of_service = Group { service, instances: &of_service };
        match change_service(verb, &of_service, args.dry_run, (&world, &recorder), cx) {
            Ok(not_yet) => undeployed.extend(not_yet),
            Err(error) if chosen.services().len() == 1 => return Err(error),
            Err(error) => {
                let colours = cx.colours_stderr();
                write_error(&error, colours, &mut cx.stderr)?;
                failed.push(service.to_owned());
            }
        }
    }
    if !failed.is_empty() {
        let others = if undeployed.is_empty() { "" } else { "; nothing is deployed yet for: " };
        let others = format!("{others}{}", undeployed.join(", "));
        bail!("could not {} every instance of: {}{others}", verb.word(), failed.join(", "));
    }
    if undeployed.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    bail!("nothing is deployed yet, so there is nothing to {}, for: {}", verb.word(), undeployed.join(", "))
}

fn check_kinds(verb: Verb, chosen: &Chosen) -> anyhow::Result<()> {
    match chosen.instances.iter().find(|c| OTHERWISE.contains(&c.kind.as_str())) {
        None => Ok(()),
        Some(one) => {
            let error = anyhow::anyhow!(
                "`{}` is not available yet for {} instances such as {}.{}",
                verb.word(),
                one.kind,
                one.service,
                one.instance
            );
            Err(error).hint("Name the others with --instances.")
        }
    }
}

/// What will change, before anything does.
fn print_radius(verb: Verb, chosen: &Chosen, cx: &mut Context) -> anyhow::Result<()> {
    let mut by_cluster: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for c in &chosen.instances {
        by_cluster.entry(&c.cluster).or_default().push(format!("{}.{}", c.service, c.instance));
    }
    let (instances, services) = (chosen.instances.len(), chosen.services().len());
    let several = if services > 1 { format!(" of {services} services") } else { String::new() };
    let noun = if instances == 1 { "instance" } else { "instances" };
    writeln!(cx.stderr, "{}: {instances} {noun}{several}", verb.word())?;
    for (cluster, names) in by_cluster {
        writeln!(cx.stderr, "  in {cluster}: {}", names.join(", "))?;
    }
    writeln!(cx.stderr, "{}", verb.meaning())?;
    Ok(())
}

fn is_agreed(verb: Verb, args: &StateArgs, chosen: &Chosen, cx: &mut Context) -> anyhow::Result<bool> {
    let breadth = Breadth {
        services: chosen.services().len(),
        clusters_are_explicit: chosen.clusters_are_explicit,
        instances_are_explicit: chosen.instances_are_explicit,
        yes: args.yes,
        terminal: cx.environment.stdin_is_terminal,
    };
    match consent(breadth) {
        Consent::Given => Ok(true),
        Consent::Ask(question) => ask(verb, question, cx),
        Consent::Refused(question) => Err(anyhow::anyhow!("{question}, and nobody is there to be asked"))
            .hint("Name the clusters and instances with --clusters and --instances, or say --yes."),
    }
}

/// Anything but yes is no.
fn ask(verb: Verb, question: Question, cx: &mut Context) -> anyhow::Result<bool> {
    write!(cx.stderr, "Note that {question}. {} all of them? [y/N] ", capitalized(verb.word()))?;
    cx.stderr.flush()?;
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line).context("could not read the answer")?;
    let agreed = matches!(line.trim().to_lowercase().as_str(), "y" | "yes");
    if !agreed {
        writeln!(cx.stderr, "Nothing was changed.")?;
    }
    Ok(agreed)
}

fn capitalized(word: &str) -> String {
    let mut chars = word.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

/// The chosen instances of one service.
struct Group<'a> {
    service: &'a str,
    instances: &'a [&'a Candidate],
}

/// Tags every instance of one service; gives those back that nothing is deployed for.
fn change_service(
    verb: Verb,
    group: &Group<'_>,
    dry_run: bool,
    (world, recorder): (&World, &Recorder),
    cx: &mut Context,
) -> anyhow::Result<Vec<String>> {
    let Group { service, instances } = *group;
    let remote = Remote::open(service, None, world)?;
    let refs = remote.list()?;
    let (mut undeployed, mut written) = (Vec::new(), 0);
    for instance in instances {
        let group = instance.deploy_group.as_deref();
        let Some(latest) = group.and_then(|group| latest_deploy(&refs, group)) else {
            let group = group.unwrap_or("none");
            undeployed.push(format!(
                "{service}.{} in {} (deploy group {group})",
                instance.instance, instance.cluster
            ));
            continue;
        };
        let change = Change { verb, instance, commit: &latest.sha };
        let tag = if dry_run { change.tag(&refs)? } else { change.write(&remote, &refs)? };
        let would = if dry_run { "would " } else { "" };
        writeln!(
            cx.stdout,
            "{service}.{} in {}: {would}{} at {}: {tag}",
            instance.instance,
            instance.cluster,
            verb.word(),
            latest.sha.short()
        )?;
        if !dry_run {
            written += 1;
            record(&change, &remote, recorder)?;
        }
    }
    if written > 0 {
        nudge(&world.system, service, remote.refs.url(), cx)?;
    }
    Ok(undeployed)
}

struct Change<'a> {
    verb: Verb,
    instance: &'a Candidate,
    commit: &'a GitSha,
}

impl Change<'_> {
    /// The tag that would do it now.
    fn tag(&self, refs: &[RemoteRef]) -> anyhow::Result<String> {
        let branch = format!("{}.{}", self.instance.cluster, self.instance.instance);
        let at = state_time_for(refs, &branch, self.commit, SystemClock.now())
            .hint("Delete that tag, or deploy another commit.")?;
        Ok(state_tag(&branch, at, self.verb.state()))
    }

    /// Writes it. If somebody else was quicker with the same name, looks again and takes the next second.
    fn write(&self, remote: &Remote, refs: &[RemoteRef]) -> anyhow::Result<String> {
        let mut fresh: Option<Vec<RemoteRef>> = None;
        let mut attempt = 1;
        loop {
            let tag = self.tag(fresh.as_deref().unwrap_or(refs))?;
            match remote.refs.write(&tag, self.commit, WriteMode::CreateOnly) {
                Ok(_) => return Ok(tag),
                Err(RefsError::Exists { .. }) if attempt < ATTEMPTS_MAX => fresh = Some(remote.list()?),
                Err(error) => {
                    let Candidate { service, instance, cluster, .. } = self.instance;
                    let word = self.verb.word();
                    return Err(error)
                        .with_context(|| format!("could not {word} `{service}.{instance}` in `{cluster}`"));
                }
            }
            attempt += 1;
        }
    }
}

fn record(change: &Change<'_>, remote: &Remote, recorder: &Recorder) -> anyhow::Result<()> {
    let cluster = ClusterName::new(change.instance.cluster.as_str())?;
    let name = change.instance.instance.as_str();
    let state = change.verb.state();
    let message = format!(
        "Issued request to change state of {name} (an instance of {}) to '{state}' by {}",
        remote.service,
        recorder.who()
    );
    recorder.event(&remote.service, Some((&cluster, name)), &message);
    recorder.audit(state.as_str(), BTreeMap::new(), &remote.service, Some((&cluster, name)));
    Ok(())
}
