//! What runs in the cluster, beside what the configuration asks for.

use std::collections::BTreeSet;
use std::io::Write;

use paasta_config::FieldChange;
use paasta_core::{Created, InstanceId, Rendered, ServiceName};
use paasta_deploy::{Effect, Side, Tasks, Verdict, Version, effect};
use paasta_marathon::{LiveApp, compare_with_live};

use super::compare::tasks_changed;
use super::report::{Row, check_names};
use super::{Comparison, Targets};
use crate::changes::Change;
use crate::live::Live;
use crate::renderings::{Loaded, State};

/// Every instance that is configured or runs.
pub(super) async fn against_cluster(
    after: &State<'_>,
    comparison: &Comparison,
    targets: &Targets,
    stderr: &mut (dyn Write + Send),
) -> anyhow::Result<Vec<Row>> {
    let live = Live::look(&comparison.system, stderr).await?;
    let mut rows = Vec::new();
    let mut configured = BTreeSet::new();
    for service in after.soa.services()?.iter().filter(|service| targets.has_service(service)) {
        let names = match after.names(service, &comparison.cluster) {
            Ok(names) => names,
            Err(reason) => {
                rows.extend(unlisted(service, &reason, &live, targets));
                continue;
            }
        };
        for name in names {
            let id = InstanceId::new(service.clone(), name);
            configured.insert(id.short_id());
            if targets.has(&id) {
                let new = after.load(&id, comparison.counts.as_ref()).await;
                rows.push(row(&id, &new, &live, comparison, after));
            }
        }
    }
    configured.extend(rows.iter().filter_map(|row| row.id.as_ref().map(InstanceId::short_id)));
    for id in live.instances().into_iter().filter(|id| targets.has(id)) {
        if !configured.contains(&id.short_id()) {
            let seen = Seen::of(&id, None, &live);
            rows.push(Row::new(
                &id,
                effect(&seen.side, &Side::Absent),
                &seen.side,
                &Side::Absent,
                Vec::new(),
            ));
        }
    }
    rows.sort_by(|a, b| a.service.cmp(&b.service));
    let known: BTreeSet<&InstanceId> = rows.iter().filter_map(|row| row.id.as_ref()).collect();
    check_names(targets, &known, comparison)?;
    Ok(rows)
}

/// The instances of a service whose file cannot be read, as far as they run.
fn unlisted(service: &ServiceName, reason: &str, live: &Live, targets: &Targets) -> Vec<Row> {
    let mut rows = Vec::new();
    for id in live.instances().into_iter().filter(|id| id.service() == service && targets.has(id)) {
        let (old, new) = (Seen::of(&id, None, live).side, Side::Refused(reason.to_owned()));
        rows.push(Row::new(&id, effect(&old, &new), &old, &new, Vec::new()));
    }
    if rows.is_empty() { vec![Row::of_service(service, reason)] } else { rows }
}

/// What was seen of one instance.
struct Seen<'a> {
    side: Side,
    /// The version that counts: the one wanted, else the largest.
    app: Option<&'a LiveApp>,
    /// Tasks of all the others.
    others: usize,
}

impl<'a> Seen<'a> {
    fn of(id: &InstanceId, rendered: Option<&Rendered>, live: &'a Live) -> Self {
        let apps = match live.of(id, rendered) {
            Ok(apps) => apps,
            Err(why) => return Self { side: Side::Unknown(why), app: None, others: 0 },
        };
        let Some((app, others)) = apps.split_first() else {
            return Self { side: Side::Absent, app: None, others: 0 };
        };
        let tasks = Tasks::Known(app.instances);
        let version = Version { app: app.id.clone(), home: app.home.clone(), tasks };
        let others = others.iter().map(|other| other.instances).sum();
        Self { side: Side::Version(version), app: Some(app), others }
    }
}

fn row(id: &InstanceId, new: &Loaded, live: &Live, comparison: &Comparison, after: &State<'_>) -> Row {
    let seen = Seen::of(id, new.rendered.as_ref(), live);
    let mut verdict = effect(&seen.side, &new.side);
    let log = match verdict.effect {
        Effect::Bounce => event_log(id, comparison, after),
        _ => Ok(Vec::new()),
    };
    let changes = changes(&verdict, &seen, new, log.as_deref().unwrap_or_default(), comparison, after);
    if let Err(unread) = log {
        verdict.reason = Some(verdict.reason.map_or(unread.clone(), |reason| format!("{reason}; {unread}")));
    }
    match verdict.effect {
        Effect::Bounce => verdict.replaced += seen.others,
        _ if seen.others > 0 => {
            let still = format!("a bounce is under way: {} tasks of other versions", seen.others);
            verdict.reason =
                Some(verdict.reason.map_or(still.clone(), |reason| format!("{reason}; {still}")));
        }
        _ => {}
    }
    Row::new(id, verdict, &seen.side, &new.side, changes)
}

/// What is written down of the instance. Where it cannot be read, that is warned of once for all instances, and said of
/// this one.
fn event_log(id: &InstanceId, comparison: &Comparison, after: &State<'_>) -> Result<Vec<Created>, String> {
    let Some(history) = &comparison.history else { return Ok(Vec::new()) };
    history.read(&comparison.cluster, id).map_err(|error| {
        let directory = comparison.world.system.history_directory().ok().flatten();
        let directory = directory.map(|directory| directory.display().to_string()).unwrap_or_default();
        after.warn(format!("could not read the event log in `{directory}`: {}", error.source));
        "compared by what Marathon lists alone".to_owned()
    })
}

fn changes(
    verdict: &Verdict,
    seen: &Seen<'_>,
    new: &Loaded,
    log: &[Created],
    comparison: &Comparison,
    after: &State<'_>,
) -> Vec<Change> {
    let (Some(wanted), Some(rendered), Some(app)) = (&new.wanted, &new.rendered, seen.app) else {
        return Vec::new();
    };
    let fields = match verdict.effect {
        Effect::Bounce => bounced(app, rendered, log, after),
        Effect::Scale | Effect::Stop => vec![tasks_changed(&seen.side, &new.side)],
        _ => return Vec::new(),
    };
    comparison.roots.now(&fields, after.renderer, wanted)
}

/// By the hash input that was written down when the app was created; else by what Marathon lists of it.
fn bounced(app: &LiveApp, rendered: &Rendered, log: &[Created], after: &State<'_>) -> Vec<FieldChange> {
    if let Some(created) = log.iter().rev().find(|created| created.app == app.id) {
        return after.renderer.compare(&created.hash_input, &rendered.hash_input);
    }
    compare_with_live(app, &rendered.body).map(|difference| difference.definition).unwrap_or_default()
}
