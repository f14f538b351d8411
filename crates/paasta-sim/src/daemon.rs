//! The real deployd over the world: its ports, and a supervisor that starts it again.

use std::collections::{BTreeMap, BTreeSet};
use std::future::pending;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::stream::{self, BoxStream, StreamExt};
use paasta_config::Wanted;
use paasta_core::{InstanceId, Reading, ServiceName};
use paasta_deployd::{
    Configs, Files, Handle, HostsLooked, Listed, Listing, Maintenance, PassReport, Passes, Ports,
    RegenerateResult, RunPass, Scope, Settings, Swept, Wake, run,
};
use paasta_setup::{Decide, Planner};
use tokio::sync::mpsc;
use tokio::time::sleep;

use crate::bounds::RESTART_MILLIS;
use crate::config::Broken;
use crate::link::{Class, Fate, Link, Shared};
use crate::marathon::MTask;
use crate::mutants::{Mutant, MutantPasses};
use crate::ports;
use crate::trace::ALL;
use crate::world::{BY_HAND, World, tell};

/// How a simulated deployd paces itself: as by default, but with waits that fit into a day full of changes.
pub(crate) fn settings() -> Settings {
    Settings {
        failure_backoff_factor_seconds: 5.0,
        failure_backoff_seconds_max: 60.0,
        // Most files and tags are told; these find what was not.
        file_sweep_seconds: 120.0,
        first_regenerations_seconds: 20.0,
        maintenance_polling_seconds: 60.0,
        pass_seconds_max: 120.0,
        ..Settings::default()
    }
}

/// Runs a daemon for ever: whenever one has died, the next life begins a little later.
pub(crate) async fn supervise(shared: Arc<Shared>, actor: usize, mutant: Option<Mutant>) {
    loop {
        let (to_changes, changes) = mpsc::unbounded_channel();
        let (to_standing, standing) = mpsc::unbounded_channel();
        let (to_counts, counts) = mpsc::unbounded_channel();
        let life = shared.with(|world| {
            let it = &mut world.actors[actor];
            it.changes = Some(to_changes);
            it.standing = Some(to_standing);
            it.counts = Some(to_counts);
            it.dirty.clear();
            it.frozen = false;
            let life = it.life;
            world.join(actor);
            life
        });
        let link = Link { shared: shared.clone(), actor, life };
        let handle = Handle::new(settings(), Arc::new(link.steady()));
        let shown = handle.clone();
        shared.with(|world| world.show(actor, Some(shown)));
        let configs = Arc::new(SimConfigs(link.clone()));
        let ports = Ports {
            clock: Arc::new(link.steady()),
            configs: configs.clone(),
            passes: passes(&link, mutant),
            changes: received(changes),
            files: configs.clone(),
            standing: received(standing),
            counts: received(counts),
            maintenance: Some(configs),
            inbox: None,
            alerts: None,
            nudges: None,
            // Nobody watches it.
            turn_every: Duration::from_secs(600),
        };
        let running = tokio::spawn(run(handle, ports, pending()));
        until_dead(&shared, actor, life).await;
        running.abort();
        // Whatever it still does ends here.
        let _ = running.await;
        let wait = shared.with(|world| {
            let it = &mut world.actors[actor];
            (it.changes, it.standing, it.counts, it.frozen) = (None, None, None, false);
            it.looks.iter_mut().for_each(|look| look.open = false);
            world.show(actor, None);
            world.lose_contact(actor);
            world.rng.within(1000, RESTART_MILLIS)
        });
        sleep(Duration::from_millis(u64::try_from(wait).unwrap_or(1000))).await;
    }
}

async fn until_dead(shared: &Shared, actor: usize, life: u64) {
    loop {
        let stirred = shared.stirred.notified();
        if shared.with(|world| world.actors[actor].life) != life {
            return;
        }
        stirred.await;
    }
}

fn received<T: Send + 'static>(mut from: mpsc::UnboundedReceiver<T>) -> BoxStream<'static, T> {
    let next = move |cx: &mut Context<'_>| match from.poll_recv(cx) {
        // It is endless, as the loop wants it.
        Poll::Ready(None) => Poll::Pending,
        told => told,
    };
    stream::poll_fn(next).boxed()
}

fn passes(link: &Link, mutant: Option<Mutant>) -> Arc<dyn RunPass> {
    let decide: Arc<dyn Decide> = match mutant {
        Some(mutant) => mutant.decide(),
        None => Arc::new(Planner),
    };
    let passes = Passes::new(ports::pass(link), Arc::new(link.steady())).deciding(decide);
    let passes = SimPasses { link: link.clone(), passes };
    match mutant {
        Some(mutant) if mutant.is_of_the_queue() => Arc::new(MutantPasses::new(mutant, passes)),
        _ => Arc::new(passes),
    }
}

/// The real passes, with settings from the world.
pub(crate) struct SimPasses {
    link: Link,
    passes: Passes,
}

#[async_trait]
impl RunPass for SimPasses {
    async fn run_pass(&self, instance: &InstanceId, wake: Wake) -> PassReport {
        let actor = self.link.actor;
        let index = self.link.with(|world| world.index_of(instance));
        let Some(index) = index else { return PassReport::failed("no such instance") };
        let wanted = match begin(&self.link, index).await {
            Ok(wanted) => wanted,
            Err(reason) => return PassReport::failed(reason),
        };
        let report = self.passes.run(&wanted, wake).await;
        self.link.with(|world| world.end_pass(actor, index, wake, &report));
        report
    }
}

/// Reads the settings for a pass, and notes what it aims at.
async fn begin(link: &Link, index: usize) -> Result<Arc<Wanted>, String> {
    let actor = link.actor;
    let mut wanted = link.with(|world| world.begin_pass(actor, index))?;
    if wanted.settings.get("max_instances").is_some() {
        let fate = link.call(Class::Count).await;
        let reaches = link.with(|world| world.reaches_zk(actor));
        if fate == Fate::Failed || !reaches {
            let unknown =
                Wanted { autoscaled_count: Reading::Unknown("no answer".to_owned()), ..(*wanted).clone() };
            wanted = Arc::new(unknown);
        }
        link.answered(fate).await;
    }
    Ok(wanted)
}

/// One pass by hand, as `setup_marathon_job` makes it.
pub(crate) async fn pass_by_hand(shared: Arc<Shared>, index: usize) {
    let link = Link { life: shared.with(|world| world.actors[BY_HAND].life), shared, actor: BY_HAND };
    let Ok(wanted) = begin(&link, index).await else { return };
    if link.with(|world| world.instances[index].conf.broken.is_none()) {
        // How it ended is of no interest: what it did is judged.
        let _ = ports::pass(&link).run(&wanted, None).await;
    }
    link.with(|world| world.actors[BY_HAND].looks[index].open = false);
}

/// soa-configs, git and the sweep over files.
struct SimConfigs(Link);

#[async_trait]
impl Configs for SimConfigs {
    async fn list(&self, scope: &Scope) -> Result<Listing, String> {
        let fate = self.0.call(Class::Files).await;
        if fate == Fate::Failed {
            return Err("the folder cannot be read".to_owned());
        }
        let listing = self.0.with(|world| world.listing(scope));
        self.0.answered(fate).await;
        Ok(listing)
    }

    async fn regenerate(&self, service: &ServiceName) -> RegenerateResult {
        let fate = self.0.call(Class::Tags).await;
        // It is on its own, so that it is not ended with the daemon that began it.
        self.0.runs().await;
        let result = self.0.with(|world| world.regenerate(service));
        self.0.answered(fate).await;
        result
    }
}

#[async_trait]
impl Files for SimConfigs {
    async fn sweep(&self) -> Swept {
        let fate = self.0.call(Class::Sweep).await;
        let services = self.0.with(|world| {
            let dirty = std::mem::take(&mut world.actors[self.0.actor].dirty);
            dirty.into_iter().filter_map(|service| world.service_name(service)).collect::<BTreeSet<_>>()
        });
        self.0.answered(fate).await;
        Swept { services, ..Swept::default() }
    }

    async fn stirred(&self) {
        loop {
            let told = self.0.shared.files.notified();
            if self.0.with(|world| std::mem::take(&mut world.actors[self.0.actor].files_stirred)) {
                return;
            }
            told.await;
        }
    }
}

#[async_trait]
impl Maintenance for SimConfigs {
    async fn look(&self, known: &BTreeSet<String>) -> Result<HostsLooked, String> {
        let fate = self.0.call(Class::Maintenance).await;
        if fate == Fate::Failed {
            return Err("the masters do not answer".to_owned());
        }
        let looked = self.0.with(|world| {
            let leaving: BTreeSet<String> =
                world.hosts.iter().filter(|host| host.leaving).map(|host| host.name.clone()).collect();
            let new = |task: &MTask| leaving.contains(&task.wire.host) && !known.contains(&task.wire.host);
            let apps = world.homes.iter().flatten().filter(|app| app.tasks.iter().any(new));
            HostsLooked { apps: apps.map(|app| app.id.clone()).collect(), leaving }
        });
        self.0.answered(fate).await;
        Ok(looked)
    }
}

impl World {
    pub(crate) fn index_of(&self, id: &InstanceId) -> Option<usize> {
        self.instances.iter().position(|it| it.conf.id == *id)
    }

    pub(crate) fn service_name(&self, service: usize) -> Option<ServiceName> {
        let one = self.instances.iter().find(|it| it.conf.service == service)?;
        Some(one.conf.id.service().clone())
    }

    fn begin_pass(&mut self, actor: usize, index: usize) -> Result<Arc<Wanted>, String> {
        self.tally.passes += 1;
        let now = self.now;
        let conf = &mut self.instances[index].conf;
        if conf.broken == Some(Broken::Unreadable) {
            return Err("its settings cannot be read".to_owned());
        }
        let goal = conf.goal();
        let wanted = conf.wanted().map_err(|error| error.to_string())?;
        let look = &mut self.actors[actor].looks[index];
        *look = crate::judge::Look {
            open: true,
            started: now,
            at: now,
            read_at: [now; 2],
            goal,
            ..Default::default()
        };
        Ok(wanted)
    }

    fn end_pass(&mut self, actor: usize, index: usize, wake: Wake, report: &PassReport) {
        self.actors[actor].looks[index].open = false;
        tell!(self, index, "daemon {actor}: pass, {}: {}", wake.because.as_str(), Ended(report));
        self.note_convergence(index);
    }

    fn listing(&mut self, scope: &Scope) -> Listing {
        let mut listing = Listing {
            scope: scope.clone(),
            services: BTreeSet::new(),
            instances: BTreeMap::new(),
            unreadable: BTreeMap::new(),
        };
        for it in self.instances.iter().filter(|it| scope.holds(it.conf.id.service())) {
            let service = it.conf.id.service();
            listing.services.insert(service.clone());
            if it.conf.broken == Some(Broken::Unreadable) {
                listing.unreadable.insert(service.clone(), "its file is no YAML".to_owned());
            }
            if it.conf.present {
                listing.instances.insert(it.conf.id.clone(), Listed::default());
            }
        }
        listing
    }

    fn regenerate(&mut self, service: &ServiceName) -> RegenerateResult {
        if self.now < self.disk_full_until {
            return RegenerateResult::Failed("no space left on device".to_owned());
        }
        let mut result = RegenerateResult::Unchanged;
        for index in 0..self.instances.len() {
            let conf = &mut self.instances[index].conf;
            if conf.id.service() != service
                || (conf.deployed, conf.stopped) == (conf.tagged, conf.stop_tagged)
            {
                continue;
            }
            (conf.deployed, conf.stopped, conf.wanted) = (conf.tagged, conf.stop_tagged, None);
            result = RegenerateResult::Changed;
            self.retargeted(index);
        }
        if result == RegenerateResult::Changed {
            tell!(self, ALL, "deployments.json of {service} is written");
        }
        result
    }
}

/// How a pass ended, in few words.
struct Ended<'a>(&'a PassReport);

impl std::fmt::Display for Ended<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        use paasta_deployd::PassResult::*;
        match &self.0.result {
            Steady => f.write_str("steady")?,
            NotDeployed(missing) => write!(f, "not deployed: {missing}")?,
            LookAgain { seconds } => write!(f, "look again in {seconds:.1} s")?,
            LockHeld => f.write_str("lock held")?,
            Unseen { reason } => write!(f, "could not look: {reason}")?,
            Stopped(reason) => write!(f, "stopped: {reason}")?,
            Failed(reason) => write!(f, "failed: {reason}")?,
        }
        match &self.0.why {
            Some(why) if !why.waiting.is_empty() => write!(f, " ({why})"),
            _ => Ok(()),
        }
    }
}
