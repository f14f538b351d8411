//! One run's questions: each load balancer is asked once, whatever is wanted of it.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::stream::{self, StreamExt};
use paasta_core::{Reading, chain};
use tokio::sync::OnceCell;
use tokio::time::Instant;

use crate::{Agent, Backends, Location, Provider, ProviderError, locations, replication};

/// Locations asked at one time.
const LOCATIONS_AT_ONCE: usize = 32;
/// In one location so many hosts are tried until one answers.
const HOSTS_PER_LOCATION_MAX: usize = 10;

/// What the load balancer of one host said, or why it did not.
pub type Answer = Result<Arc<Backends>, ProviderError>;

/// The answers of one run. A host is asked for everything once, at the first question about it, and its answer or failure
/// stands as long as this lives: make a new one for the next run.
pub struct Run {
    provider: Arc<dyn Provider>,
    deadline: Instant,
    asked: Mutex<HashMap<String, Arc<OnceCell<Answer>>>>,
}

impl std::fmt::Debug for Run {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Run").field("provider", &self.provider.name()).finish_non_exhaustive()
    }
}

/// What the replication of a registration is asked by.
#[derive(Clone, Copy, Debug)]
pub struct ReplicationQuestion<'a> {
    /// `<service>.<namespace>`.
    pub registration: &'a str,
    /// The type of location it is discovered in, such as `region`.
    pub discover: &'a str,
    /// The pool its tasks run in.
    pub pool: &'a str,
}

impl Run {
    /// A run that asks that provider, and nobody any more after `patience` in all.
    pub fn new(provider: Arc<dyn Provider>, patience: Duration) -> Self {
        let now = Instant::now();
        // So long a patience is none that ends.
        let deadline = now.checked_add(patience).unwrap_or(now + Duration::from_secs(365 * 24 * 3600));
        Self { provider, deadline, asked: Mutex::default() }
    }

    /// Whom it asks.
    pub fn provider(&self) -> &Arc<dyn Provider> {
        &self.provider
    }

    /// What the load balancer on `host` says of all registrations. Whoever asks while it is being asked waits for the
    /// same answer.
    pub async fn ask(&self, host: &str) -> Answer {
        let cell = {
            let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(asked.entry(host.to_owned()).or_default())
        };
        let answer = cell.get_or_init(|| async {
            let question = self.provider.backends(host, None);
            match tokio::time::timeout_at(self.deadline, question).await {
                Ok(answer) => answer.map(Arc::new),
                Err(_) => Err(ProviderError::OutOfTime { host: host.to_owned() }),
            }
        });
        answer.await.clone()
    }

    /// What is seen in a location: by the first of its hosts that answers, of at most ten.
    pub async fn ask_location(&self, location: &Location) -> Reading<Arc<Backends>> {
        let mut reasons = Vec::new();
        for host in location.hosts.iter().take(HOSTS_PER_LOCATION_MAX) {
            match self.ask(host).await {
                Ok(backends) => return Reading::Known(backends),
                Err(error) => reasons.push(chain(&error)),
            }
        }
        match reasons.len() {
            0 => Reading::Unknown(format!("location `{}` has no host to ask", location.name)),
            1 => Reading::Unknown(reasons.remove(0)),
            count => Reading::Unknown(format!(
                "none of {count} hosts answered; the last: {}",
                reasons.remove(count - 1)
            )),
        }
    }

    /// What is seen in each location.
    pub async fn ask_locations(&self, locations: &[Location]) -> BTreeMap<String, Reading<Arc<Backends>>> {
        let asked = locations
            .iter()
            .map(|location| async { (location.name.clone(), self.ask_location(location).await) });
        let asked: Vec<_> = asked.collect();
        stream::iter(asked).buffer_unordered(LOCATIONS_AT_ONCE).collect().await
    }

    /// How many servers of a registration are up in each location of these agents; unknown where nobody answered. Without
    /// any location, the answer is empty.
    pub async fn replication(
        &self,
        agents: &[Agent],
        question: &ReplicationQuestion<'_>,
    ) -> BTreeMap<String, Reading<usize>> {
        let locations = locations(agents, question.discover, question.pool);
        replication(&self.ask_locations(&locations).await, question.registration)
    }
}
