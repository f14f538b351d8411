//! What the demo does, step by step, and the promises that each step tests.

use std::io::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};

use super::cluster::Cluster;
use super::load::Load;
use super::stage::{INSTANCES, Instance, SERVICE, Stage};
use super::summary::{Promise, Summary};
use super::watch::{View, Watch};

/// How long one step may take before the demo gives up.
const STEP_LIMIT: Duration = Duration::from_secs(40);
/// How long the version that never becomes healthy is given to do harm.
const BAD_VERSION_STAYS: Duration = Duration::from_secs(4);

/// The demo as it runs.
pub(super) struct Show<'a> {
    out: &'a mut (dyn Write + Send),
    stage: &'a Stage,
    cluster: &'a Arc<Cluster>,
    watches: Vec<(&'static Instance, Watch)>,
    promises: Vec<Promise>,
    begun: Instant,
}

impl<'a> Show<'a> {
    pub(super) fn new(out: &'a mut (dyn Write + Send), stage: &'a Stage, cluster: &'a Arc<Cluster>) -> Self {
        let watches =
            INSTANCES.iter().map(|instance| (instance, Watch::start(cluster, instance.name))).collect();
        Self { out, stage, cluster, watches, promises: Vec::new(), begun: cluster.begun() }
    }

    /// Plays it all. An error means that it could not be played; a broken promise is in the summary.
    pub(super) async fn perform(mut self) -> anyhow::Result<Summary> {
        self.say("one process is the cluster: engine, hacheck, API and deployd")?;
        self.first_deploy().await?;
        let load = Load::start(&self.watch("main")?.views);
        self.second_deploy().await?;
        self.bad_deploy().await?;
        self.stop_and_start().await?;
        self.heal().await?;
        let tasks = self.watches.iter().map(|(_, watch)| watch.tasks()).sum();
        let drained = self.watches.iter().map(|(_, watch)| watch.drained()).sum();
        let failed = load.failed();
        let first = load.first_failure().map(|what| format!(" (the first: {what})")).unwrap_or_default();
        self.promise(failed == 0, format!("requests that failed: {failed} of {}{first}", load.sent()));
        let status = self.cluster.paasta(&["status", "-s", SERVICE]).await?;
        Summary { status, tasks, drained, promises: self.promises, took: self.begun.elapsed() }
            .print(self.out)
    }

    async fn first_deploy(&mut self) -> anyhow::Result<()> {
        self.mark("web", "v1").await?;
        self.mark("jobs", "v1").await?;
        self.all_run("v1").await?;
        let tasks: usize = INSTANCES.iter().map(|instance| instance.count).sum();
        self.say(&format!("v1 is deployed: {tasks} tasks of {} instances are healthy", INSTANCES.len()))
    }

    async fn second_deploy(&mut self) -> anyhow::Result<()> {
        self.begin();
        self.mark("web", "v2").await?;
        self.mark("jobs", "v2").await?;
        self.all_run("v2").await?;
        self.say("v2 has replaced it under three bounce methods, while a client kept asking main")?;
        for instance in ["main", "search"] {
            self.never_below_count(instance, "while v2 came")?;
        }
        let versions = self.watch("batch")?.seen().versions;
        self.promise(versions <= 1, format!("downthenup, batch: {versions} version at a time"));
        Ok(())
    }

    async fn bad_deploy(&mut self) -> anyhow::Result<()> {
        self.begin();
        self.mark("web", "v3").await?;
        let bad = self.stage.sha("v3")?;
        for instance in ["main", "search"] {
            self.until(instance, "v3 to start", |view| view.of(bad).tasks > 0).await?;
        }
        // What is shown is that nothing happens; for that, time has to pass.
        tokio::time::sleep(BAD_VERSION_STAYS).await;
        let view = self.watch("main")?.views.borrow().clone();
        let why = view.why.map(|why| format!(" {why}")).unwrap_or_default();
        self.say(&format!("v3 never becomes healthy, so v2 keeps serving; waiting for{why}"))?;
        self.never_below_count("main", "beside v3")?;
        self.never_below_count("search", "beside v3")?;
        self.begin();
        self.mark("web", "v2").await?;
        self.all_run("v2").await?;
        self.say("v2 is marked again, and v3 is gone")
    }

    async fn stop_and_start(&mut self) -> anyhow::Result<()> {
        let (count, before) = (self.instance("main")?.count, self.watch("main")?.drained());
        self.cluster.paasta(&["stop", "-s", SERVICE, "-i", "main", "-c", "local", "--yes"]).await?;
        self.until("main", "main to stop", |view| view.tasks() == 0).await?;
        let drained = self.watch("main")?.drained() - before;
        self.promise(
            drained == count,
            format!("stop, main: {drained} of {count} tasks were drained before they ended"),
        );
        self.say("main is stopped: its tasks were drained to zero")?;
        self.mark("web", "v4").await?;
        self.runs("main", "v4").await?;
        self.runs("search", "v4").await?;
        self.say("v4 is deployed, which resets the stop")
    }

    async fn heal(&mut self) -> anyhow::Result<()> {
        let count = self.instance("search")?.count;
        let before = self.watch("search")?.tasks();
        let port = *self.watch("search")?.views.borrow().rotation.first().context("search has no task")?;
        let pid = self.cluster.kill_task(port).await?;
        let sha = self.stage.sha("v4")?.to_owned();
        let began = Instant::now();
        loop {
            let watch = self.watch("search")?;
            if watch.tasks() > before && watch.views.borrow().runs_only(&sha, count) {
                break;
            }
            if began.elapsed() > STEP_LIMIT {
                bail!("the killed task was not replaced within {} s", STEP_LIMIT.as_secs());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        self.say(&format!("a task of search was killed (kill -9 {pid}) and is replaced"))
    }

    async fn mark(&self, group: &str, version: &str) -> anyhow::Result<()> {
        let sha = self.stage.sha(version)?;
        self.cluster.paasta(&["mark-for-deployment", "-s", SERVICE, "-l", group, "-c", sha]).await.map(drop)
    }

    async fn all_run(&self, version: &str) -> anyhow::Result<()> {
        for instance in &INSTANCES {
            // The jobs are not deployed as often as the web is.
            if instance.group == "web" || version != "v4" {
                self.runs(instance.name, version).await?;
            }
        }
        Ok(())
    }

    async fn runs(&self, name: &str, version: &str) -> anyhow::Result<()> {
        let sha = self.stage.sha(version)?;
        let count = self.instance(name)?.count;
        self.until(name, &format!("{version} to run alone"), |view| view.runs_only(sha, count)).await
    }

    async fn until(&self, name: &str, what: &str, is_so: impl Fn(&View) -> bool) -> anyhow::Result<()> {
        let mut views = self.watch(name)?.views.clone();
        let waited = tokio::time::timeout(STEP_LIMIT, views.wait_for(|view| is_so(view))).await;
        if let Ok(Ok(_)) = waited {
            return Ok(());
        }
        let view = self.watch(name)?.views.borrow().clone();
        bail!("{SERVICE}.{name}: waited {} s for {what}; it stands at {view}", STEP_LIMIT.as_secs())
    }

    fn begin(&self) {
        self.watches.iter().for_each(|(_, watch)| watch.begin());
    }

    fn never_below_count(&mut self, name: &str, when: &str) -> anyhow::Result<()> {
        let Instance { method, count, .. } = self.instance(name)?;
        let lowest = self.watch(name)?.seen().lowest.unwrap_or_default();
        let text = format!("{method}, {name}: lowest healthy count {when} {lowest}, the floor is {count}");
        self.promise(lowest >= *count, text);
        Ok(())
    }

    fn promise(&mut self, kept: bool, text: String) {
        self.promises.push(Promise { kept, text });
    }

    fn say(&mut self, what: &str) -> anyhow::Result<()> {
        writeln!(self.out, "{:6.1} s  {what}", self.begun.elapsed().as_secs_f64())?;
        Ok(())
    }

    fn instance(&self, name: &str) -> anyhow::Result<&'static Instance> {
        INSTANCES.iter().find(|instance| instance.name == name).with_context(|| format!("no instance {name}"))
    }

    fn watch(&self, name: &str) -> anyhow::Result<&Watch> {
        let found = self.watches.iter().find(|(instance, _)| instance.name == name);
        found.map(|(_, watch)| watch).with_context(|| format!("no instance {name}"))
    }
}
