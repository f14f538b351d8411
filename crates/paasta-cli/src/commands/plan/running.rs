//! What runs in the cluster, beside what the configuration asks for.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context as _;
use paasta_core::{HomeId, InstanceId, Reading, ServiceName};
use paasta_deploy::{Effect, Side, Tasks, Verdict, Version, effect};
use paasta_marathon::{LiveApp, MarathonEngine, MarathonServers, NoMaintenance, compare_with_live};

use super::compare::tasks_changed;
use super::report::{Row, check_names};
use super::{Comparison, Targets};
use crate::changes::Change;
use crate::renderings::{Loaded, State};

type Live = BTreeMap<HomeId, Reading<Vec<LiveApp>>>;

/// Every instance that is configured or runs.
pub(super) async fn against_cluster(
    after: &State<'_>,
    comparison: &Comparison,
    targets: &Targets,
) -> anyhow::Result<Vec<Row>> {
    let live = live_apps(comparison).await?;
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
    let told: BTreeSet<String> =
        rows.iter().filter_map(|row| row.id.as_ref().map(InstanceId::short_id)).collect();
    for id in running(&live) {
        let elsewhere = configured.contains(&id.short_id()) || told.contains(&id.short_id());
        if !elsewhere && targets.has(&id) {
            let old = seen(&id, None, &live);
            let verdict = effect(&old.side, &Side::Absent);
            rows.push(Row::new(&id, verdict, &old.side, &Side::Absent, Vec::new()));
        }
    }
    rows.sort_by(|a, b| a.service.cmp(&b.service));
    let known: BTreeSet<&InstanceId> = rows.iter().filter_map(|row| row.id.as_ref()).collect();
    check_names(targets, &known, comparison)?;
    Ok(rows)
}

async fn live_apps(comparison: &Comparison) -> anyhow::Result<Live> {
    let servers = MarathonServers::from_system(comparison.system.map())?;
    let engine =
        MarathonEngine::new(&servers, Box::new(NoMaintenance)).context("could not look at what runs")?;
    Ok(engine.live_apps().await)
}

/// The instances of a service whose file cannot be read, as far as they run.
fn unlisted(service: &ServiceName, reason: &str, live: &Live, targets: &Targets) -> Vec<Row> {
    let mut rows = Vec::new();
    for id in running(live).into_iter().filter(|id| id.service() == service && targets.has(id)) {
        let (old, new) = (seen(&id, None, live).side, Side::Refused(reason.to_owned()));
        rows.push(Row::new(&id, effect(&old, &new), &old, &new, Vec::new()));
    }
    if rows.is_empty() { vec![Row::of_service(service, reason)] } else { rows }
}

/// The instances that apps say they are of.
fn running(live: &Live) -> BTreeSet<InstanceId> {
    let apps = live.values().filter_map(Reading::known).flatten();
    let id = |app: &LiveApp| {
        let parts = app.id.as_str().split('.').count();
        app.id.as_str().replace("--", "_").parse().ok().filter(|_| parts == 4)
    };
    apps.filter_map(id).collect()
}

/// What was seen of one instance.
struct Seen<'a> {
    side: Side,
    /// The version that counts: the one wanted, else the largest.
    app: Option<&'a LiveApp>,
    /// Tasks of all the others.
    others: usize,
}

fn seen<'a>(id: &InstanceId, new: Option<&Loaded>, live: &'a Live) -> Seen<'a> {
    let rendered = new.and_then(|new| new.rendered.as_ref());
    let homes: Vec<&HomeId> = match rendered {
        Some(rendered) => rendered.homes.all().collect(),
        None => live.keys().collect(),
    };
    let mut apps: Vec<&LiveApp> = Vec::new();
    for home in homes {
        match live.get(home) {
            Some(Reading::Known(listed)) => apps.extend(listed.iter().filter(|app| app.id.belongs_to(id))),
            Some(Reading::Unknown(why)) => return unseen(format!("{home}: {why}")),
            None => return unseen(format!("{home}: it was not listed")),
        }
    }
    let is_wanted = |app: &LiveApp| {
        rendered.is_some_and(|rendered| app.id == rendered.app && app.home == rendered.homes.current)
    };
    let Some(app) = apps.iter().copied().max_by_key(|app| (is_wanted(app), app.instances, app.id.clone()))
    else {
        return Seen { side: Side::Absent, app: None, others: 0 };
    };
    let others = apps.iter().filter(|other| **other != app).map(|other| other.instances).sum();
    let version = Version { app: app.id.clone(), home: app.home.clone(), tasks: Tasks::Known(app.instances) };
    Seen { side: Side::Version(version), app: Some(app), others }
}

fn unseen<'a>(why: String) -> Seen<'a> {
    Seen { side: Side::Unknown(why), app: None, others: 0 }
}

fn row(id: &InstanceId, new: &Loaded, live: &Live, comparison: &Comparison, after: &State<'_>) -> Row {
    let seen = seen(id, Some(new), live);
    let mut verdict = effect(&seen.side, &new.side);
    let changes = changes(&verdict, &seen, new, comparison, after);
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

fn changes(
    verdict: &Verdict,
    seen: &Seen<'_>,
    new: &Loaded,
    comparison: &Comparison,
    after: &State<'_>,
) -> Vec<Change> {
    let (Some(wanted), Some(rendered), Some(app)) = (&new.wanted, &new.rendered, seen.app) else {
        return Vec::new();
    };
    let fields = match verdict.effect {
        Effect::Bounce => match compare_with_live(app, &rendered.body) {
            Ok(difference) => difference.definition,
            Err(_) => Vec::new(),
        },
        Effect::Scale | Effect::Stop => vec![tasks_changed(&seen.side, &new.side)],
        _ => return Vec::new(),
    };
    comparison.roots.now(&fields, after.renderer, wanted)
}
