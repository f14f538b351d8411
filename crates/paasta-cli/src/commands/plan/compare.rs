//! Two states of the configuration, instance by instance.

use std::collections::BTreeSet;

use paasta_config::{FieldChange, Renderer};
use paasta_core::{InstanceId, ServiceName};
use paasta_deploy::{Effect, Side, Verdict, effect};

use super::report::Row;
use super::{Comparison, Targets};
use crate::changes::Change;
use crate::renderings::{Loaded, State};

/// Every instance that either state has, by service and then in file order.
pub(super) async fn states(
    before: &State<'_>,
    after: &State<'_>,
    comparison: &Comparison,
    targets: &Targets,
) -> anyhow::Result<Vec<Row>> {
    let mut services: BTreeSet<ServiceName> = after.soa.services()?.into_iter().collect();
    services.extend(before.soa.services()?);
    let mut rows = Vec::new();
    for service in services.iter().filter(|service| targets.has_service(service)) {
        let (old, new) =
            (before.names(service, &comparison.cluster), after.names(service, &comparison.cluster));
        let mut names = new.clone().unwrap_or_default();
        let gone = old.iter().flatten().filter(|name| !names.contains(name)).cloned().collect::<Vec<_>>();
        names.extend(gone);
        if let (true, Some(reason)) = (names.is_empty(), new.as_ref().err().or(old.as_ref().err())) {
            rows.push(Row::of_service(service, reason));
        }
        for name in names {
            let id = InstanceId::new(service.clone(), name);
            if !targets.has(&id) {
                continue;
            }
            let one = async |state: &State<'_>, names: &Result<_, String>| match names {
                Ok(_) => state.load(&id, comparison.counts.as_ref()).await,
                Err(reason) => Loaded::of(Side::Refused(reason.clone())),
            };
            let (old, new) = (one(before, &old).await, one(after, &new).await);
            rows.push(row(&id, &old, &new, comparison, after.renderer));
        }
    }
    let known: BTreeSet<&InstanceId> = rows.iter().filter_map(|row| row.id.as_ref()).collect();
    super::report::check_names(targets, &known, comparison)?;
    Ok(rows)
}

fn row(id: &InstanceId, old: &Loaded, new: &Loaded, comparison: &Comparison, renderer: &dyn Renderer) -> Row {
    let verdict = effect(&old.side, &new.side);
    let changes = changes(&verdict, old, new, comparison, renderer);
    Row::new(id, verdict, &old.side, &new.side, changes)
}

fn changes(
    verdict: &Verdict,
    old: &Loaded,
    new: &Loaded,
    comparison: &Comparison,
    renderer: &dyn Renderer,
) -> Vec<Change> {
    let (Some(before), Some(after)) = (&old.wanted, &new.wanted) else { return Vec::new() };
    let fields = match (verdict.effect, &old.rendered, &new.rendered) {
        (Effect::Bounce, Some(a), Some(b)) => renderer.compare(&a.hash_input, &b.hash_input),
        (Effect::Scale | Effect::Stop, _, _) => vec![tasks_changed(&old.side, &new.side)],
        _ => return Vec::new(),
    };
    comparison.roots.between(&fields, renderer, before, after)
}

/// The number of tasks as a field.
pub(super) fn tasks_changed(old: &Side, new: &Side) -> FieldChange {
    let tasks = |side: &Side| match side {
        Side::Version(version) => Some(version.tasks.most().to_string()),
        _ => None,
    };
    FieldChange { field: "instances".to_owned(), old: tasks(old), new: tasks(new) }
}
