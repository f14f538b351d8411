//! What runs in this host's cluster, as its Marathons list it. Only reads are sent.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::pin::pin;
use std::time::Duration;

use anyhow::Context as _;
use futures_util::future::{Either, select};
use paasta_config::SystemConfig;
use paasta_core::{HomeId, InstanceId, NoMaintenance, Reading, Rendered};
use paasta_marathon::{LiveApp, MarathonEngine, MarathonServers};
use tokio::time::sleep;

use crate::report::HintExt as _;

/// Longest wait for a whole listing, per URL.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
/// After so long it is said that one waits.
const SILENCE_MAX: Duration = Duration::from_secs(2);

/// One listing per home.
pub(crate) struct Live {
    homes: BTreeMap<HomeId, Reading<()>>,
    /// By the short id of their instance.
    apps: BTreeMap<String, Vec<LiveApp>>,
}

impl Live {
    /// Asks every Marathon of the system configuration.
    /// After a while `stderr` is told for whom one waits.
    pub(crate) async fn look(system: &SystemConfig, stderr: &mut (dyn Write + Send)) -> anyhow::Result<Self> {
        let servers = MarathonServers::from_system(system.map())?;
        if servers.homes().is_empty() {
            return Err(anyhow::anyhow!("the system configuration names no Marathon server")).hint(
                "Set `marathon_servers`, or compare two states of the configuration with `plan --against`.",
            );
        }
        let engine = MarathonEngine::with_answer_timeout(&servers, Box::new(NoMaintenance), ANSWER_TIMEOUT)
            .context("could not look at what runs")?;
        let mut live = Self { homes: BTreeMap::new(), apps: BTreeMap::new() };
        let listing = match select(pin!(engine.live_apps()), pin!(sleep(SILENCE_MAX))).await {
            Either::Left((listing, _)) => listing,
            Either::Right(((), listing)) => {
                let homes: Vec<&str> = servers.homes().iter().map(|(home, _)| home.as_str()).collect();
                let seconds = ANSWER_TIMEOUT.as_secs();
                writeln!(stderr, "waiting for Marathon ({}), {seconds} s per URL", homes.join(", "))?;
                listing.await
            }
        };
        for (home, listed) in listing {
            let answered = listed.map(|apps| live.add(apps));
            live.homes.insert(home, answered);
        }
        Ok(live)
    }

    fn add(&mut self, apps: Vec<LiveApp>) {
        for app in apps {
            self.apps.entry(app.id.short_id().to_owned()).or_default().push(app);
        }
    }

    /// The homes that did not answer, with the reasons.
    pub(crate) fn silent(&self) -> impl Iterator<Item = (&HomeId, &str)> {
        self.homes.iter().filter_map(|(home, reading)| Some((home, reading.unknown()?)))
    }

    /// The instances that apps say they are of.
    pub(crate) fn instances(&self) -> BTreeSet<InstanceId> {
        self.apps().filter_map(instance).collect()
    }

    /// How many apps are of no instance.
    pub(crate) fn strangers(&self) -> usize {
        self.apps().filter(|app| instance(app).is_none()).count()
    }

    /// The apps of one instance, the one that `rendered` means first, then the largest. Without a rendering they may be
    /// in any home. A home that did not answer makes all of it unknown.
    pub(crate) fn of(&self, id: &InstanceId, rendered: Option<&Rendered>) -> Result<Vec<&LiveApp>, String> {
        let homes: Vec<&HomeId> = match rendered {
            Some(rendered) => rendered.homes.all().collect(),
            None => self.homes.keys().collect(),
        };
        for home in &homes {
            match self.homes.get(*home) {
                Some(Reading::Known(())) => {}
                Some(Reading::Unknown(why)) if why.contains(home.as_str()) => return Err(why.clone()),
                Some(Reading::Unknown(why)) => return Err(format!("{home}: {why}")),
                None => return Err(format!("{home} was not asked")),
            }
        }
        let mut apps: Vec<&LiveApp> = self.own(id).filter(|app| homes.contains(&&app.home)).collect();
        apps.sort_by_key(|app| {
            let meant = rendered.is_some_and(|r| app.id == r.app && app.home == r.homes.current);
            (!meant, std::cmp::Reverse(app.instances), app.id.clone())
        });
        Ok(apps)
    }

    /// As [`Live::of`], with apps that stand in homes where nobody would look for them.
    pub(crate) fn everywhere(
        &self,
        id: &InstanceId,
        rendered: Option<&Rendered>,
    ) -> Result<Vec<&LiveApp>, String> {
        let mut apps = self.of(id, rendered)?;
        let astray: Vec<&LiveApp> =
            self.own(id).filter(|app| !apps.iter().any(|known| std::ptr::eq(*known, *app))).collect();
        apps.extend(astray);
        Ok(apps)
    }

    fn own(&self, id: &InstanceId) -> impl Iterator<Item = &LiveApp> {
        self.apps.get(&id.short_id()).into_iter().flatten()
    }

    fn apps(&self) -> impl Iterator<Item = &LiveApp> {
        self.apps.values().flatten()
    }
}

/// The instance that an app is of by its id, if it has the form of ours.
fn instance(app: &LiveApp) -> Option<InstanceId> {
    app.id.has_our_form().then(|| app.id.as_str().replace("--", "_").parse().ok())?
}
