//! Carries out what the state machine wants done to tasks.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use paasta_core::{TaskId, chain};
use tokio::sync::{Semaphore, watch};
use tokio::task::{AbortHandle, JoinSet};

use crate::artifacts::Artifacts;
use crate::core_loop::Caller;
use crate::executor::{Executor, Launch, ResolvedEnv};
use crate::health::{CheckTarget, Prober};
use crate::secrets::{Secrets, is_reference};
use crate::state::{Command, Effect, LaunchOrder, RunRef};

/// Starts, watches, checks and kills tasks. Dropping it stops that, not the tasks.
pub(crate) struct Actor {
    pub(crate) caller: Caller,
    pub(crate) executor: Arc<dyn Executor>,
    pub(crate) artifacts: Arc<dyn Artifacts>,
    pub(crate) secrets: Arc<dyn Secrets>,
    pub(crate) artifact_wait: Duration,
    pub(crate) prober: Arc<Prober>,
    pub(crate) work: JoinSet<()>,
    pub(crate) checks: HashMap<TaskId, Vec<AbortHandle>>,
    pub(crate) launches: HashMap<TaskId, watch::Sender<bool>>,
    pub(crate) runs: HashMap<TaskId, RunRef>,
    /// How many launches may be under way at a time.
    pub(crate) launching: Arc<Semaphore>,
}

impl Actor {
    /// Completes when some work is over and its remains were cleared away.
    pub(crate) async fn reap(&mut self) {
        match self.work.join_next().await {
            Some(Ok(())) => {}
            Some(Err(error)) if error.is_cancelled() => {}
            Some(Err(error)) => tracing::error!(%error, "a worker of the engine panicked"),
            None => std::future::pending().await,
        }
    }

    /// Begins to carry out one effect.
    pub(crate) fn act(&mut self, effect: Effect) {
        match effect {
            Effect::Launch(order) => self.launch(*order),
            Effect::Watch { task, run } => self.watch(task, run),
            Effect::Kill { task, run: Some(run), grace_seconds } => {
                let grace = Duration::try_from_secs_f64(grace_seconds).unwrap_or(Duration::ZERO);
                let executor = self.executor.clone();
                self.work.spawn(async move { executor.kill(&task, &run, grace).await });
            }
            Effect::Kill { task, run: None, .. } => self.call_off(&task),
            Effect::StartChecks { task, ports, checks } => {
                let Some(run) = self.runs.get(&task).cloned() else { return };
                for (index, check) in checks.into_iter().enumerate() {
                    let target = CheckTarget { task: task.clone(), run: run.clone(), ports: ports.clone() };
                    let (prober, caller) = (self.prober.clone(), self.caller.clone());
                    let checking = async move { prober.check_forever(&caller, &target, index, &check).await };
                    let handle = self.work.spawn(checking);
                    self.checks.entry(task.clone()).or_default().push(handle);
                }
            }
            Effect::StopChecks { task } => {
                for check in self.checks.remove(&task).unwrap_or_default() {
                    check.abort();
                }
            }
            Effect::Ended { task } => {
                self.launches.remove(&task);
                self.runs.remove(&task);
                let executor = self.executor.clone();
                self.work.spawn(async move { executor.ended(&task).await });
            }
            Effect::Publish { .. } | Effect::Note(_) => {}
        }
    }

    fn watch(&mut self, task: TaskId, run: RunRef) {
        self.launches.remove(&task);
        self.runs.insert(task.clone(), run.clone());
        let (executor, caller) = (self.executor.clone(), self.caller.clone());
        self.work.spawn(async move {
            let exit = executor.gone(&task, &run).await;
            caller.tell(Command::Exited { task, exit }).await;
        });
    }

    /// Tells a launch that it is not wanted any more. It always reports: what it started nevertheless is killed
    /// then. A task without a launch never ran.
    fn call_off(&mut self, task: &TaskId) {
        if let Some(launch) = self.launches.get(task) {
            // It may be done already, with its report under way.
            let _ = launch.send(true);
            return;
        }
        let (caller, task) = (self.caller.clone(), task.clone());
        let message = "killed before it was started".to_owned();
        self.work.spawn(async move { caller.tell(Command::LaunchFailed { task, message }).await });
    }

    fn launch(&mut self, order: LaunchOrder) {
        let (call_off, called_off) = watch::channel(false);
        self.launches.insert(order.task.clone(), call_off);
        let launcher = Launcher {
            executor: self.executor.clone(),
            artifacts: self.artifacts.clone(),
            secrets: self.secrets.clone(),
            artifact_wait: self.artifact_wait,
            launching: self.launching.clone(),
        };
        let caller = self.caller.clone();
        self.work.spawn(async move {
            let task = order.task.clone();
            let command = match launcher.launch(order, called_off).await {
                Ok(run) => Command::Started { task, run },
                Err(message) => Command::LaunchFailed { task, message },
            };
            caller.tell(command).await;
        });
    }
}

struct Launcher {
    executor: Arc<dyn Executor>,
    artifacts: Arc<dyn Artifacts>,
    secrets: Arc<dyn Secrets>,
    artifact_wait: Duration,
    launching: Arc<Semaphore>,
}

impl Launcher {
    async fn launch(
        &self,
        order: LaunchOrder,
        mut called_off: watch::Receiver<bool>,
    ) -> Result<RunRef, String> {
        let prepare = async {
            let turn = self.launching.acquire().await.map_err(|closed| closed.to_string())?;
            self.prepare(order).await.map(|prepared| (prepared, turn))
        };
        let (prepared, _turn) = tokio::select! {
            prepared = prepare => prepared?,
            _ = called_off.wait_for(|off| *off) => return Err("killed before it was started".to_owned()),
        };
        // From here on it either runs or has failed: spawning is never given up half-way.
        self.executor.spawn(&prepared).await.map_err(|error| chain(&error))
    }

    async fn prepare(&self, order: LaunchOrder) -> Result<Launch, String> {
        let env = self.resolve_env(&order.definition.env).await?;
        let artifact = match &order.definition.image {
            None => None,
            Some(image) => {
                let resolving = tokio::time::timeout(self.artifact_wait, self.artifacts.resolve(image)).await;
                let seconds = self.artifact_wait.as_secs();
                let resolved = resolving
                    .map_err(|_| format!("artifact of image `{image}` was not had within {seconds} s"))?;
                Some(resolved.map_err(|error| chain(&error))?)
            }
        };
        Ok(Launch { order, artifact, env })
    }

    async fn resolve_env(&self, env: &BTreeMap<String, String>) -> Result<ResolvedEnv, String> {
        let mut resolved = BTreeMap::new();
        for (name, value) in env {
            let value = if is_reference(value) {
                let secret = self.secrets.resolve(value, env).await;
                let secret = secret.map_err(|error| format!("environment variable `{name}`: {error}"))?;
                secret.expose().to_owned()
            } else {
                value.clone()
            };
            resolved.insert(name.clone(), value);
        }
        Ok(ResolvedEnv(resolved))
    }
}
