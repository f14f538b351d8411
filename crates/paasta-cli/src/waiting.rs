//! Waits until a commit runs wherever a deploy group runs (cli.md §1.11). What each answer means is decided in
//! `paasta-deploy`; here answers are asked for and progress is told.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::io;
use std::time::Duration;

use anyhow::Context as _;
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use paasta_api_client::{ApiClient, InstanceStatus, StatusQuery, Timeouts, WantedState};
use paasta_config::InstanceType;
use paasta_core::{Clock as _, ClusterName, GitSha, InstanceId, ServiceName, SystemClock, Timestamp};
use paasta_deploy::{Answer, Progress, Sight, judge, poll_delay};

use crate::report::HintExt as _;
use crate::world::{WHERE_CONFIGURATION_COMES_FROM, World};
use crate::{Context, Interrupted};

/// One answer may take this long; the next round asks again.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
const QUESTIONS_AT_ONCE_MAX: usize = 16;

/// What is waited for.
pub(crate) struct Goal<'a> {
    pub(crate) service: &'a ServiceName,
    pub(crate) deploy_group: &'a str,
    pub(crate) commit: &'a GitSha,
    pub(crate) timeout: Duration,
    /// Tell every answer, not only changes.
    pub(crate) verbose: bool,
}

/// How it ended.
pub(crate) enum Ended {
    /// Everywhere it should.
    Deployed {
        /// On how many instances.
        instances: usize,
    },
    /// Time is up; these are not done: who, and what they wait for.
    TimedOut(Vec<(Place, String)>),
}

/// One instance in one cluster.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Place {
    pub(crate) id: InstanceId,
    pub(crate) cluster: ClusterName,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} in {}", self.id, self.cluster)
    }
}

struct Watched {
    place: Place,
    margin: f64,
    url: String,
}

/// Asks every cluster until all are done, time is up, or somebody presses Ctrl-C ([`Interrupted`]). Changes are told on
/// stderr, one line each.
pub(crate) fn wait(goal: &Goal<'_>, world: &World, cx: &mut Context) -> anyhow::Result<Ended> {
    let watched = watched(goal, world, cx)?;
    let instances = watched.len();
    let mut open: Vec<Watched> = watched;
    let mut last: HashMap<Place, String> = HashMap::new();
    let start = SystemClock.now();
    loop {
        let answers = cx.block_on(ask_all(&open, goal.commit))?;
        for (place, progress) in answers {
            let text = text(&progress);
            if goal.verbose || last.get(&place) != Some(&text) {
                tell(cx, start, &place, &text)?;
            }
            if progress.is_done() {
                open.retain(|watched| watched.place != place);
                last.remove(&place);
            } else {
                last.insert(place, text);
            }
        }
        if open.is_empty() {
            return Ok(Ended::Deployed { instances });
        }
        let waited = SystemClock.now().since(start);
        let Some(left) = goal.timeout.checked_sub(waited).filter(|left| !left.is_zero()) else {
            return Ok(Ended::TimedOut(unfinished(&open, &last)));
        };
        let delay = poll_delay(waited).min(left);
        cx.block_on(async {
            tokio::time::sleep(delay).await;
            Ok(())
        })?;
    }
}

/// Says how to go on after a wait that did not end well.
pub(crate) fn tell_how_to_go_on(
    goal: &Goal<'_>,
    unfinished: &[(Place, String)],
    cx: &mut Context,
) -> io::Result<()> {
    for (place, reason) in unfinished {
        writeln!(cx.stderr, "not done: {place}: {reason}")?;
    }
    let (service, group, commit) = (goal.service, goal.deploy_group, goal.commit);
    writeln!(
        cx.stderr,
        "\nPaaSTA goes on deploying {} to `{group}` by itself. To look at it or wait longer:",
        commit.short()
    )?;
    writeln!(cx.stderr, "  paasta status -s {service} -l {group}")?;
    writeln!(cx.stderr, "  paasta logs -s {service} -C deploy")?;
    writeln!(cx.stderr, "  paasta wait-for-deployment -s {service} -l {group} -k {commit}")
}

/// Whether an error is Ctrl-C.
pub(crate) fn is_interrupt(error: &anyhow::Error) -> bool {
    error.is::<Interrupted>()
}

/// The Marathon instances of the group, each with the API of its cluster.
fn watched(goal: &Goal<'_>, world: &World, cx: &mut Context) -> anyhow::Result<Vec<Watched>> {
    let mut watched = Vec::new();
    for cluster in world.soa.clusters(goal.service, &world.system)? {
        let here = instances_of(goal, &cluster, world, cx)?;
        if here.is_empty() {
            continue;
        }
        let url = world.system.api_endpoint(&cluster).hint(WHERE_CONFIGURATION_COMES_FROM)?;
        let with_api = |(id, margin)| Watched {
            place: Place { id, cluster: cluster.clone() },
            margin,
            url: url.clone(),
        };
        watched.extend(here.into_iter().map(with_api));
    }
    Ok(watched)
}

fn instances_of(
    goal: &Goal<'_>,
    cluster: &ClusterName,
    world: &World,
    cx: &mut Context,
) -> anyhow::Result<Vec<(InstanceId, f64)>> {
    let mut found = Vec::new();
    for kind in [InstanceType::Marathon, InstanceType::Kubernetes] {
        for name in world.soa.instances(goal.service, cluster, kind)? {
            let id = InstanceId::new(goal.service.clone(), name);
            let instance = world
                .soa
                .instance(&id, kind, cluster, &world.system)
                .with_context(|| format!("could not load instance `{id}` in `{cluster}`"))?;
            if instance.config().deploy_group()?.as_deref() != Some(goal.deploy_group) {
                continue;
            }
            if kind == InstanceType::Kubernetes {
                writeln!(cx.stderr, "note: {id} in {cluster} is not waited for: it runs on Kubernetes")?;
                continue;
            }
            found.push((id, instance.config().bounce_margin_factor()?));
        }
    }
    Ok(found)
}

/// One round. Clients live as long as the round: the connections of one belong to the runtime it was used in.
async fn ask_all(open: &[Watched], commit: &GitSha) -> anyhow::Result<Vec<(Place, Progress)>> {
    let mut clients: HashMap<&ClusterName, ApiClient> = HashMap::new();
    for Watched { place, url, .. } in open {
        if let Entry::Vacant(vacant) = clients.entry(&place.cluster) {
            let timeouts = Timeouts { total: ANSWER_TIMEOUT, ..Timeouts::default() };
            vacant.insert(ApiClient::new(place.cluster.clone(), url, timeouts)?);
        }
    }
    let mut answers = Vec::with_capacity(open.len());
    for some in open.chunks(QUESTIONS_AT_ONCE_MAX) {
        let asked: FuturesUnordered<_> = some
            .iter()
            .filter_map(|watched| Some(ask(watched, clients.get(&watched.place.cluster)?, commit)))
            .collect();
        answers.extend(asked.collect::<Vec<_>>().await);
    }
    answers.sort_by(|(a, _), (b, _)| (&a.id, &a.cluster).cmp(&(&b.id, &b.cluster)));
    Ok(answers)
}

async fn ask(watched: &Watched, api: &ApiClient, commit: &GitSha) -> (Place, Progress) {
    let answer = match api.status(&watched.place.id, StatusQuery { verbose: 0 }).await {
        Ok(status) => answer(status),
        Err(error) => Answer::Unknown(error.to_string()),
    };
    (watched.place.clone(), judge(commit, watched.margin, &answer))
}

fn answer(status: InstanceStatus) -> Answer {
    let Some(marathon) = status.marathon else { return Answer::NotLongRunning };
    if let Some(message) = marathon.error_message {
        return Answer::Unknown(message);
    }
    let why = marathon.bounce.as_ref().and_then(|bounce| bounce.why.first()).map(|why| why.message.clone());
    Answer::Seen(Sight {
        git_sha: status.git_sha,
        stopped: marathon.desired_state == WantedState::Stop,
        expected: marathon.expected_instance_count,
        versions: usize::try_from(marathon.app_count).unwrap_or(0),
        deploy_status: marathon.deploy_status.map(|status| status.as_str().to_owned()),
        running: marathon.running_instance_count.unwrap_or(0),
        happy: marathon.bounce.map(|bounce| bounce.happy_new),
        active_shas: marathon.active_shas.into_iter().filter_map(|(git, _)| git).collect(),
        why,
    })
}

fn text(progress: &Progress) -> String {
    match progress {
        Progress::Done => "done".to_owned(),
        Progress::Waiting(waiting) => waiting.to_string(),
        Progress::Unknown(reason) => format!("not known: {reason}"),
    }
}

fn tell(cx: &mut Context, start: Timestamp, place: &Place, text: &str) -> io::Result<()> {
    let seconds = SystemClock.now().since(start).as_secs();
    writeln!(cx.stderr, "{seconds:>4} s  {place}: {text}")
}

fn unfinished(open: &[Watched], last: &HashMap<Place, String>) -> Vec<(Place, String)> {
    let reason = |place: &Place| last.get(place).cloned().unwrap_or_else(|| "not asked yet".to_owned());
    open.iter().map(|watched| (watched.place.clone(), reason(&watched.place))).collect()
}
