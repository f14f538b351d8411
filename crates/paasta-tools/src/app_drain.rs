//! One app, taken out of service wherever it is (marathon-and-bounce.md §8.2).

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::Context as _;
use paasta_config::Wanted;
use paasta_core::{App, AppId, Fleet, HomeId, Homes, InstanceId, Reading};
use paasta_setup::PassReport;

use crate::passes::Passes;
use crate::program::Hint;

/// Steps in a row that may go wrong until it is given up.
const FAILURES_MAX: usize = 12;
/// Seconds until a step is repeated that did not say when.
const STEP_SECONDS: f64 = 1.0;

/// Where an app is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The homes that have it; at least one.
    pub homes: Homes,
    /// How many tasks it has in all.
    pub tasks: usize,
    /// The homes that did not answer, with the reasons.
    pub silent: Vec<String>,
}

/// Looks for an app in everything that is listed; none if no home that answered has it, with the reasons of those that
/// did not answer.
pub fn find(app: &AppId, fleet: &Fleet) -> Result<Found, Vec<String>> {
    let silent = fleet.homes.iter().filter_map(|(home, apps)| Some(format!("{home}: {}", apps.unknown()?)));
    let silent: Vec<String> = silent.collect();
    let own = fleet.homes.values().filter_map(Reading::known).flatten().filter(|one| one.id == *app);
    let own: Vec<&App> = own.collect();
    let homes: BTreeSet<&HomeId> = own.iter().map(|app| &app.home).collect();
    let mut homes = homes.into_iter().cloned();
    match homes.next() {
        None => Err(silent),
        Some(current) => Ok(Found {
            homes: Homes { current, previous: homes.collect() },
            tasks: own.iter().map(|app| app.tasks.len()).sum(),
            silent,
        }),
    }
}

/// The configured instance that an app is of.
pub fn instance_of<'a>(app: &AppId, configured: &'a [InstanceId]) -> Option<&'a InstanceId> {
    configured.iter().find(|id| app.belongs_to(id))
}

/// Drains the app and removes it, step by step, under its instance's bounce lock. Tells `done` of each step.
///
/// # Errors
/// Settings without which it is not known how its tasks lose their traffic, a lock that somebody else holds, and steps
/// that go wrong again and again.
pub async fn run(
    passes: &Passes,
    id: &InstanceId,
    app: &AppId,
    homes: Homes,
    mut done: impl FnMut(&PassReport),
) -> anyhow::Result<()> {
    let wanted = wanted(passes, id).await?;
    let drain = passes.pass().drain_app(&wanted, app, homes)?;
    if drain.wanted_version() == app {
        eprintln!(
            "note: {app} is the version that is wanted, so that the next pass creates it again; `paasta stop {id}` ends it \
             for good"
        );
    }
    let drain = drain
        .begin()
        .await
        .context(Hint("Try again when the pass that works on it, or another drain, has ended.".to_owned()))?;
    let mut failures = 0;
    loop {
        let report = drain.step().await?;
        done(&report);
        if report.is_steady() {
            return Ok(());
        }
        failures = if report.problems.is_empty() { 0 } else { failures + 1 };
        if failures >= FAILURES_MAX {
            let problem = report.problems.join("; ");
            return Err(anyhow::anyhow!("{problem}")
                .context(format!("gave up draining {app}"))
                .context(Hint(
                "Say the same again to go on; what is drained stays so for its drain method's expiration."
                    .to_owned(),
            )));
        }
        let seconds = report.look_again_seconds.unwrap_or(STEP_SECONDS).clamp(0.05, 60.0);
        tokio::time::sleep(Duration::from_secs_f64(seconds)).await;
    }
}

/// What the first step would do.
///
/// # Errors
/// As for [`run`].
pub async fn foresee(
    passes: &Passes,
    id: &InstanceId,
    app: &AppId,
    homes: Homes,
) -> anyhow::Result<crate::plans::InstancePlan> {
    let wanted = wanted(passes, id).await?;
    let look = passes.pass().drain_app(&wanted, app, homes)?.look().await;
    Ok(crate::plans::InstancePlan {
        instance: id.clone(),
        app: app.clone(),
        actions: look.actions,
        why: look.why,
    })
}

/// How many tasks the autoscaler wants does not matter to an app that goes.
async fn wanted(passes: &Passes, id: &InstanceId) -> anyhow::Result<Wanted> {
    let mut wanted = passes.wanted(id).await?;
    if wanted.autoscaled_count.unknown().is_some() {
        wanted.autoscaled_count = Reading::Known(None);
    }
    Ok(wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn app(home: &str, id: &str) -> App {
        App {
            id: AppId::new(id),
            home: HomeId::new(home),
            instances: 1,
            tasks: vec![],
            checks: None,
            deploying: false,
            launch: None,
            last_failure: None,
        }
    }

    #[test]
    fn an_app_is_found_in_every_home_that_has_it() {
        let id = AppId::new("web.main.gita.configb");
        let fleet = Fleet {
            homes: [
                (HomeId::new("a"), Reading::Known(vec![app("a", "web.main.gita.configc")])),
                (HomeId::new("b"), Reading::Known(vec![app("b", id.as_str())])),
                (HomeId::new("c"), Reading::Known(vec![app("c", "x"), app("c", id.as_str())])),
                (HomeId::new("d"), Reading::Unknown("no answer".to_owned())),
            ]
            .into(),
            leaving_hosts: Reading::Known(BTreeSet::new()),
        };
        let found = find(&id, &fleet).unwrap();
        assert_eq!(found.homes.all().map(HomeId::as_str).collect::<Vec<_>>(), ["b", "c"]);
        assert_eq!(found.silent, ["d: no answer"]);
        assert_eq!(find(&AppId::new("web.main.gita.configx"), &fleet).unwrap_err(), ["d: no answer"]);
    }

    #[test]
    fn names_are_found_as_they_are_configured() {
        let ids: Vec<InstanceId> =
            ["web.main2", "a--b.main", "web.ma_in"].map(|id| id.parse().unwrap()).into();
        let of = |app: &str| instance_of(&AppId::new(app), &ids).map(ToString::to_string);
        assert_eq!(of("web.ma--in.gita.configb").as_deref(), Some("web.ma_in"));
        assert_eq!(of("a--b.main.gita.configb").as_deref(), Some("a--b.main"));
        assert_eq!(of("web.main.gita.configb"), None);
    }
}
