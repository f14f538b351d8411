//! An agent, asked what runs on it.

use std::time::Duration;

use crate::http::{Http, STATE_BYTES_MAX};
use crate::master::blocking;
use crate::{Agent, AgentState, MesosError, Patience, Peer};

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

    pub(crate) async fn get<T: serde::de::DeserializeOwned + Send + 'static>(
        &self,
        paths: &[&str],
        bytes_max: usize,
    ) -> Result<T, MesosError> {
        let urls: Vec<String> = paths.iter().map(|path| format!("{}{path}", self.base)).collect();
        self.http.first(Peer::Agent, &urls, bytes_max).await
    }
}
