//! The say of load balancers in bounces: [`Discovery`] over a [`Provider`].

use std::collections::hash_map::RandomState;
use std::collections::{BTreeMap, BTreeSet};
use std::hash::{BuildHasher as _, Hasher as _};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::stream::{self, StreamExt};
use paasta_config::SystemConfig;
use paasta_core::{Discovery, DiscoveryQuestion, Reading, TaskId, chain};
use tokio::time::Instant;

use crate::{
    Asker, Backends, DiscoveryProviders, Provider, ProviderError, Resolver, SERVICES_FILE, SystemResolver,
    choose, proxy_name, verdicts,
};

/// Load balancers asked about one instance (marathon-and-bounce.md §4.5).
const HOSTS_MAX: usize = 20;
/// For all questions about one instance together.
const PATIENCE: Duration = Duration::from_secs(30);
/// Addresses looked up at one time.
const LOOKUPS_AT_ONCE: usize = 20;

/// Where the choice of hosts begins, anew for each question.
pub type Seeds = Arc<dyn Fn() -> u64 + Send + Sync>;

/// Seeds that nobody can foretell, for programs.
pub fn random_seeds() -> Seeds {
    Arc::new(|| RandomState::new().build_hasher().finish())
}

/// What programs hand to their passes, as the system configuration wants it: [`DiscoveryProviders::of_bounces`]; none where
/// it names nobody to ask. What is wrong there is the reason that is given to whoever asks.
pub fn discovery(system: &SystemConfig, asker: Asker<'_>, seeds: Seeds) -> Option<Arc<dyn Discovery>> {
    match DiscoveryProviders::from_system(system, asker, SERVICES_FILE.as_ref()) {
        Ok(providers) => {
            let provider = providers.of_bounces()?.clone();
            Some(Arc::new(LoadBalancers::new(provider, seeds)))
        }
        Err(error) => Some(Arc::new(UnknownDiscovery { reason: chain(&error) })),
    }
}

/// Load balancers that cannot be asked, with the reason.
struct UnknownDiscovery {
    reason: String,
}

#[async_trait]
impl Discovery for UnknownDiscovery {
    async fn seen(&self, question: &DiscoveryQuestion<'_>) -> BTreeMap<TaskId, Reading<bool>> {
        let unknown = || Reading::Unknown(self.reason.clone());
        question.tasks.iter().map(|task| (task.id.clone(), unknown())).collect()
    }
}

/// Asks the load balancers on the hosts of an instance's tasks, twenty of them where there are more.
#[derive(Clone)]
pub struct LoadBalancers {
    provider: Arc<dyn Provider>,
    resolver: Arc<dyn Resolver>,
    seeds: Seeds,
    patience: Duration,
}

impl std::fmt::Debug for LoadBalancers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LoadBalancers").field("provider", &self.provider.name()).finish_non_exhaustive()
    }
}

impl LoadBalancers {
    /// Asks that provider; which hosts is left to `seeds`.
    pub fn new(provider: Arc<dyn Provider>, seeds: Seeds) -> Self {
        Self { provider, resolver: Arc::new(SystemResolver), seeds, patience: PATIENCE }
    }

    /// With another way to find out addresses of hosts.
    #[must_use]
    pub fn with_resolver(self, resolver: Arc<dyn Resolver>) -> Self {
        Self { resolver, ..self }
    }

    /// With another bound on all questions about one instance together; 30 s if none is given.
    #[must_use]
    pub fn with_patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    async fn addresses<'a>(
        &self,
        hosts: &BTreeSet<&'a str>,
        deadline: Instant,
    ) -> BTreeMap<&'a str, Result<IpAddr, String>> {
        let lookups = hosts.iter().map(|host| async move {
            let found = match tokio::time::timeout_at(deadline, self.resolver.address(host)).await {
                Ok(found) => found.map_err(|error| chain(&error)),
                Err(_) => Err(format!("there was no time left to find out the address of host `{host}`")),
            };
            (*host, found)
        });
        let lookups: Vec<_> = lookups.collect();
        stream::iter(lookups).buffer_unordered(LOOKUPS_AT_ONCE).collect().await
    }

    async fn answers<'a>(
        &self,
        hosts: Vec<&'a str>,
        question: &DiscoveryQuestion<'_>,
        deadline: Instant,
    ) -> BTreeMap<&'a str, Result<Backends, String>> {
        let count = hosts.len().max(1);
        let asked = hosts.into_iter().map(|host| async move {
            let answer = self.provider.backends(host, Some(question.registration));
            let answer = match tokio::time::timeout_at(deadline, answer).await {
                Ok(answer) => answer,
                Err(_) => Err(ProviderError::OutOfTime { host: host.to_owned() }),
            };
            (host, answer.map_err(|error| chain(&error)))
        });
        let asked: Vec<_> = asked.collect();
        stream::iter(asked).buffer_unordered(count).collect().await
    }
}

#[async_trait]
impl Discovery for LoadBalancers {
    async fn seen(&self, question: &DiscoveryQuestion<'_>) -> BTreeMap<TaskId, Reading<bool>> {
        let deadline = Instant::now() + self.patience;
        let hosts: BTreeSet<&str> = question.tasks.iter().map(|task| task.host.as_str()).collect();
        let chosen = choose(hosts.clone(), HOSTS_MAX, (self.seeds)());
        let (addresses, tables) =
            tokio::join!(self.addresses(&hosts, deadline), self.answers(chosen, question, deadline));
        let name = proxy_name(question.registration);
        let answers = tables
            .iter()
            .map(|(host, table)| (*host, table.as_ref().map(|table| table.of(&name)).map_err(Clone::clone)));
        let answers = answers.collect();
        verdicts(question.tasks, &addresses, &answers, question.min_fraction_up)
    }
}
