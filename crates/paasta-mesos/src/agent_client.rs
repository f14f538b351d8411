//! An agent, asked what runs on it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use paasta_core::without_credentials;
use reqwest::Url;
use serde::de::DeserializeOwned;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::http::{ANSWER_BYTES_MAX, Http, Request, STATE_BYTES_MAX, garbled};
use crate::master::blocking;
use crate::{Agent, AgentState, ExecutorStatistics, MesosError, Patience, Peer};

/// Agents asked at one time.
const AGENTS_AT_ONCE: usize = 50;

/// The port of an agent, where nothing else is said.
pub const AGENT_PORT: u16 = 5051;

/// An agent that is asked over HTTP (monitoring.md §5.2). Each question ends within the time that [`Patience`] says.
#[derive(Clone, Debug)]
pub struct MesosAgent {
    /// From the scheme to where the paths of the agent begin.
    base: String,
    http: Http,
}

impl MesosAgent {
    /// How long an agent is waited for.
    pub const PATIENCE: Patience = Patience::reading(Duration::from_secs(5));

    /// The agent of a master's list: at the address of its pid, else at its host and [`AGENT_PORT`].
    pub async fn of(agent: &Agent, scheme: &str, patience: Patience) -> Result<Self, MesosError> {
        let base = match (agent.address(), agent.pid.split('@').next().filter(|name| !name.is_empty())) {
            (Some(address), Some(name)) => format!("{scheme}://{address}/{name}"),
            _ => format!("{scheme}://{}:{AGENT_PORT}", agent.hostname),
        };
        Self::at(base, patience).await
    }

    /// The agent whose paths begin there, such as `http://h1:5051`.
    pub async fn at(base: impl Into<String>, patience: Patience) -> Result<Self, MesosError> {
        let base = base.into();
        let secure = base.starts_with("https:");
        Ok(Self { base, http: blocking(move || Http::new(patience, secure)).await? })
    }

    /// What the agent knows of what runs on it.
    pub async fn state(&self) -> Result<AgentState, MesosError> {
        self.get(&["/state", "/state.json"], STATE_BYTES_MAX).await
    }

    pub(crate) async fn get<T: DeserializeOwned + Send + 'static>(
        &self,
        paths: &[&str],
        bytes_max: usize,
    ) -> Result<T, MesosError> {
        let urls: Vec<String> = paths.iter().map(|path| format!("{}{path}", self.base)).collect();
        self.http.first(Peer::Agent, &urls, bytes_max).await
    }

    /// What each executor here uses (monitoring.md §5.3).
    pub async fn statistics(&self) -> Result<Vec<ExecutorStatistics>, MesosError> {
        let paths = ["/monitor/statistics.json", "/monitor/statistics"];
        let urls: Vec<String> = paths.iter().map(|path| format!("{}{path}", self.root())).collect();
        self.http.first(Peer::Agent, &urls, STATE_BYTES_MAX).await
    }

    /// The answer to a question about files; `None` where the agent has none of these paths. Files may hold anything: what is no
    /// UTF-8 is replaced.
    pub(crate) async fn find<T: DeserializeOwned>(
        &self,
        paths: &[&str],
        query: &[(&str, &str)],
    ) -> Result<Option<T>, MesosError> {
        for path in paths {
            let url = format!("{}{path}", self.root());
            let wrong = |error: &dyn std::fmt::Display| MesosError::Unreachable {
                peer: Peer::Agent,
                url: without_credentials(&url),
                reason: error.to_string(),
            };
            let url = Url::parse_with_params(&url, query).map_err(|error| wrong(&error))?;
            match self.http.body(&Request::get(Peer::Agent, url.to_string(), ANSWER_BYTES_MAX)).await {
                Ok((url, body)) => {
                    let read = serde_json::from_str(&String::from_utf8_lossy(&body));
                    return read.map(Some).map_err(|error| garbled(Peer::Agent, &url, error.to_string()));
                }
                Err(MesosError::Refused { status: 404, .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }

    /// Scheme, host and port: where paths begin that are not of one agent alone.
    fn root(&self) -> &str {
        let host = self.base.find("://").map_or(0, |at| at + 3);
        let end = self.base[host..].find('/').map_or(self.base.len(), |at| host + at);
        &self.base[..end]
    }
}

/// What each of these agents tells of its executors, by the agents' ids, many asked at one time. An agent that is silent is
/// known as such and holds nobody up for longer than `patience`.
pub async fn statistics_of(
    agents: &[Agent],
    scheme: &str,
    patience: Patience,
) -> BTreeMap<String, Result<Vec<ExecutorStatistics>, MesosError>> {
    let places = Arc::new(Semaphore::new(AGENTS_AT_ONCE));
    let mut asking = JoinSet::new();
    for agent in agents.iter().cloned() {
        let (places, scheme) = (places.clone(), scheme.to_owned());
        asking.spawn(async move {
            // The semaphore is never closed.
            let _place = places.acquire_owned().await;
            let told = match MesosAgent::of(&agent, &scheme, patience).await {
                Ok(asked) => asked.statistics().await,
                Err(error) => Err(error),
            };
            (agent.id, told)
        });
    }
    let mut told = BTreeMap::new();
    while let Some(one) = asking.join_next().await {
        if let Ok((id, statistics)) = one {
            told.insert(id, statistics);
        }
    }
    for agent in agents {
        let lost = || Err(MesosError::Http("the question ended before it was answered".to_owned()));
        told.entry(agent.id.clone()).or_insert_with(lost);
    }
    told
}
