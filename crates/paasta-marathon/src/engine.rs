//! Marathon as an [`Engine`].

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_core::stream::BoxStream;
use futures_util::future::join_all;
use futures_util::{StreamExt, stream};
use paasta_config::Map;
use paasta_core::{
    Action, App, AppId, Applied, Change, Engine, EngineError, Fence, Fleet, HomeId, Homes, InstanceId,
    LeavingHosts, LogStream, LogTail, Reading, Sighting, TaskId, TaskLog,
};
use reqwest::{Method, StatusCode};

use crate::LiveApp;
use crate::client::{ANSWER_TIMEOUT, Client, HttpClients, escaped};
use crate::gate::DeploymentGate;
use crate::requests::{Counters, RequestCounts, RequestTallies};
use crate::servers::{MarathonServers, ServersError};
use crate::wire::{AppList, DefinitionList, LogAnswer, Queue};
use crate::{apply, events};

/// The engine over one or more Marathon servers.
///
/// Each server is a home. Requests are made with the time limits of marathon-and-bounce.md §2.3; nothing is cached.
///
/// ```
/// use paasta_core::NoMaintenance;
/// use paasta_marathon::{MarathonEngine, MarathonServers};
///
/// let engine = MarathonEngine::new(&MarathonServers::default(), Box::new(NoMaintenance)).expect("no TLS needed");
/// assert_eq!(engine.requests().writes(), 0);
/// ```
pub struct MarathonEngine {
    homes: BTreeMap<HomeId, Home>,
    leaving: Box<dyn LeavingHosts>,
    counters: Arc<Counters>,
}

struct Home {
    requests: Client,
    streams: Client,
}

/// Why the engine could not be set up.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SetUpError {
    /// The servers are not written as they should be.
    #[error("could not read the Marathon servers from the system configuration")]
    Servers(#[source] ServersError),
    /// No HTTP client can be had.
    #[error("could not set up the HTTP client for Marathon: {0}")]
    Http(String),
}

impl MarathonEngine {
    /// An engine over these servers that learns of leaving hosts from `leaving`.
    pub fn new(servers: &MarathonServers, leaving: Box<dyn LeavingHosts>) -> Result<Self, SetUpError> {
        Self::with_answer_timeout(servers, leaving, ANSWER_TIMEOUT)
    }

    /// As [`MarathonEngine::new`], for somebody who waits at a terminal: each URL has at most `answer_timeout` for its
    /// whole answer.
    pub fn with_answer_timeout(
        servers: &MarathonServers,
        leaving: Box<dyn LeavingHosts>,
        answer_timeout: Duration,
    ) -> Result<Self, SetUpError> {
        let http = HttpClients::new(servers, answer_timeout).map_err(SetUpError::Http)?;
        let counters = Arc::new(Counters::default());
        let home = |(id, server): &(HomeId, crate::Server)| {
            let client = |reads: &reqwest::Client| {
                Client::new(reads.clone(), http.changes.clone(), server.clone(), counters.clone())
            };
            (id.clone(), Home { requests: client(&http.reads), streams: client(&http.streams) })
        };
        Ok(Self { homes: servers.homes().iter().map(home).collect(), leaving, counters })
    }

    /// An engine over the servers of the merged system configuration (keys `marathon_servers` and
    /// `previous_marathon_servers`) that learns of leaving hosts from `leaving`.
    pub fn from_system(system: &Map, leaving: Box<dyn LeavingHosts>) -> Result<Self, SetUpError> {
        let servers = MarathonServers::from_system(system).map_err(SetUpError::Servers)?;
        Self::new(&servers, leaving)
    }

    /// Lets no request that changes something begin while the fence is shut, each of those that one change takes
    /// included. Whoever holds locks or leads for a limited time gives the fence of that here and to the pass, which asks
    /// before it begins. Each is sent over a connection of its own, which is made after the fence was asked and within a
    /// second: the fence has to shut more than that before somebody else may take over.
    #[must_use]
    pub fn with_fence(mut self, fence: &Arc<dyn Fence>) -> Self {
        for home in self.homes.values_mut() {
            home.requests.set_fence(fence.clone());
        }
        self
    }

    /// How many requests were sent since it was made.
    pub fn requests(&self) -> RequestCounts {
        self.counters.snapshot()
    }

    /// How its requests ended until now, and will have ended whenever this is looked at.
    pub fn request_tallies(&self) -> RequestTallies {
        RequestTallies::of(self.counters.clone())
    }

    /// Lets changes of this engine through while fewer than `max` deployments run at their home.
    pub fn gate(&self, max: usize) -> DeploymentGate {
        DeploymentGate::new(self.homes.iter().map(|(id, home)| (id.clone(), home.requests.clone())), max)
    }

    /// Every app of every home as listed, its definition included: one listing per home. A home that does not answer is
    /// unknown. Apps in folders, which none of ours is in, are left out.
    pub async fn live_apps(&self) -> BTreeMap<HomeId, Reading<Vec<LiveApp>>> {
        let list = |(id, home): (&HomeId, &Home)| {
            let (id, requests) = (id.clone(), home.requests.clone());
            async move {
                let reading = match requests.get::<DefinitionList>("/v2/apps").await {
                    Ok(list) => Reading::Known(list.into_apps(&id)),
                    Err(error) => Reading::Unknown(error.to_string()),
                };
                (id, reading)
            }
        };
        join_all(self.homes.iter().map(list)).await.into_iter().collect()
    }

    async fn list(&self, id: &HomeId, path: &str) -> Reading<Vec<App>> {
        let Some(home) = self.homes.get(id) else {
            return Reading::Unknown(
                "no Marathon server of the system configuration has this URL".to_owned(),
            );
        };
        match home.requests.get::<AppList>(path).await {
            Ok(list) => Reading::Known(list.into_apps(id)),
            Err(error) => Reading::Unknown(error.to_string()),
        }
    }

    /// Adds what launches wait for, if an app has fewer tasks than it should.
    async fn add_waits(&self, id: &HomeId, reading: &mut Reading<Vec<App>>) {
        let (Reading::Known(apps), Some(home)) = (reading, self.homes.get(id)) else { return };
        if !apps.iter().any(lacks_tasks) {
            return;
        }
        let queue = match home.requests.get::<Queue>("/v2/queue?embed=lastUnusedOffers").await {
            Ok(queue) => queue,
            Err(error) => return tracing::warn!(%error, "launch queue not read"),
        };
        let items: BTreeMap<AppId, _> =
            queue.queue.into_iter().map(|item| (AppId::new(item.app.id.as_str()), item)).collect();
        for app in apps.iter_mut().filter(|app| lacks_tasks(app)) {
            app.launch = items.get(&app.id).and_then(|item| item.wait());
        }
    }

    /// Whom to ask, by home.
    pub(crate) fn clients(&self) -> impl Iterator<Item = (&HomeId, &Client)> {
        self.homes.iter().map(|(id, home)| (id, &home.requests))
    }

    fn client(&self, home: &HomeId) -> Result<&Client, EngineError> {
        let found = self.homes.get(home).map(|home| &home.requests);
        found.ok_or_else(|| EngineError::NotFound { what: format!("Marathon server `{home}`") })
    }
}

fn lacks_tasks(app: &App) -> bool {
    app.tasks.len() < app.instances
}

#[async_trait]
impl Engine for MarathonEngine {
    async fn observe(&self, instance: &InstanceId, homes: &Homes) -> Sighting {
        // Marathon's filter finds the text anywhere in an id, so its answer is filtered again.
        let id = escaped(&instance.short_id());
        let path = format!("/v2/apps?id=/{id}&embed=app.tasks&embed=app.lastTaskFailure");
        let home = |id: &HomeId| {
            let (id, path) = (id.clone(), &path);
            async move {
                let own =
                    |apps: Vec<App>| apps.into_iter().filter(|app| app.id.belongs_to(instance)).collect();
                let mut reading = self.list(&id, path).await.map(own);
                self.add_waits(&id, &mut reading).await;
                (id, reading)
            }
        };
        let (homes, leaving_hosts) =
            futures_util::join!(join_all(homes.all().map(home)), self.leaving.leaving_hosts());
        Sighting { homes: homes.into_iter().collect(), leaving_hosts }
    }

    async fn observe_all(&self) -> Fleet {
        // What failed last is one stored record per app at Marathon: asked for one instance only.
        let home = |id: &HomeId| {
            let id = id.clone();
            async move {
                let mut reading = self.list(&id, "/v2/apps?embed=app.tasks").await;
                self.add_waits(&id, &mut reading).await;
                (id, reading)
            }
        };
        let (homes, leaving_hosts) =
            futures_util::join!(join_all(self.homes.keys().map(home)), self.leaving.leaving_hosts());
        Fleet { homes: homes.into_iter().collect(), leaving_hosts }
    }

    async fn apply(&self, action: &Action) -> Result<Applied, EngineError> {
        let (Action::Create { home, .. }
        | Action::Scale { home, .. }
        | Action::KillAndShrink { home, .. }
        | Action::Delete { home, .. }) = action;
        apply::apply_over(self.client(home)?, action).await
    }

    fn changes(&self) -> BoxStream<'static, Change> {
        let homes = self.homes.values().map(|home| events::changes(home.streams.clone()));
        // Without homes nothing ever changes, which is not the end of the engine.
        stream::select_all(homes).chain(stream::pending()).boxed()
    }

    async fn task_log(
        &self,
        task: &TaskId,
        stream: LogStream,
        tail: LogTail,
    ) -> Result<TaskLog, EngineError> {
        let after = tail.after.map(|position| format!("&after={position}")).unwrap_or_default();
        let path = format!(
            "/paasta/tasks/{}/log?stream={}&lines={}{after}",
            escaped(task.as_str()),
            stream.as_str(),
            tail.lines
        );
        let mut result =
            Err(EngineError::NotFound { what: format!("task `{task}`: there is no Marathon server") });
        for home in self.homes.values() {
            let answer = match home.requests.send(Method::GET, &path, None).await {
                Ok(answer) => answer,
                Err(silent) => {
                    result = Err(silent.into_error());
                    continue;
                }
            };
            if answer.status.is_success() {
                let LogAnswer { lines, unfinished, next } = answer.json()?;
                return Ok(TaskLog { lines, unfinished, next });
            }
            result = Err(match answer.status {
                StatusCode::NOT_FOUND if answer.refusal().is_some_and(|told| told.message.is_some()) => {
                    EngineError::NotFound { what: format!("task `{task}`") }
                }
                StatusCode::NOT_FOUND => EngineError::Unsupported(format!(
                    "{} keeps no task output; logs of tasks on Mesos agents cannot be read yet",
                    answer.endpoint
                )),
                _ => answer.refused(),
            });
        }
        result
    }
}
