//! Servers as load balancers see them.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

/// One server of one registration, as one load balancer sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backend {
    /// `<service>.<namespace>`.
    pub registration: String,
    /// The server's name at the load balancer.
    pub server: String,
    /// The host, where it is told.
    pub host: Option<String>,
    /// Where it serves, where it is told.
    pub address: Option<SocketAddr>,
    /// Whether it gets traffic.
    pub state: BackendState,
    /// Its state in the load balancer's words.
    pub status: String,
    /// The last health check: its kind and result, such as `L7OK`; empty where none is told.
    pub check_status: String,
    /// The last health check: the code it was answered with, such as `200`; empty where none is told.
    pub check_code: String,
    /// The last health check: how long it took.
    pub check_duration_ms: Option<u64>,
    /// Seconds since its state changed.
    pub last_change_seconds: Option<i64>,
    /// Its share of traffic beside that of others.
    pub weight: Option<u64>,
}

impl Backend {
    /// Whether it gets traffic. A server that is `UP 1/3` does: it has begun to fail, and is not down yet.
    pub fn is_up(&self) -> bool {
        self.state == BackendState::Up
    }
}

/// Whether a server gets traffic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BackendState {
    /// It does.
    Up,
    /// Its checks fail.
    Down,
    /// It was taken out: by hand, or because nobody registers it any more.
    Maintenance,
    /// What it has is finished, and nothing new comes.
    Draining,
    /// None of these, for instance a server that nobody checks; it does not count as up.
    Other,
}

impl BackendState {
    /// From HAProxy's word: whatever begins with `UP` is up (monitoring.md §4.3).
    ///
    /// ```
    /// use paasta_smartstack::BackendState;
    ///
    /// assert_eq!(BackendState::of_haproxy("UP 1/2"), BackendState::Up);
    /// assert_eq!(BackendState::of_haproxy("MAINT (via web.main/a)"), BackendState::Maintenance);
    /// assert_eq!(BackendState::of_haproxy("no check"), BackendState::Other);
    /// ```
    pub fn of_haproxy(status: &str) -> Self {
        // `NOLB` is a server that asked for no new traffic.
        let known = [
            ("UP", Self::Up),
            ("DOWN", Self::Down),
            ("MAINT", Self::Maintenance),
            ("DRAIN", Self::Draining),
            ("NOLB", Self::Draining),
        ];
        known.into_iter().find(|(word, _)| status.starts_with(word)).map_or(Self::Other, |(_, state)| state)
    }
}

/// Everything that one load balancer told in one answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Backends {
    by_registration: BTreeMap<String, Vec<Backend>>,
    proxied: BTreeSet<String>,
}

impl FromIterator<Backend> for Backends {
    fn from_iter<I: IntoIterator<Item = Backend>>(backends: I) -> Self {
        let mut by_registration: BTreeMap<String, Vec<Backend>> = BTreeMap::new();
        for backend in backends {
            match by_registration.get_mut(&backend.registration) {
                Some(own) => own.push(backend),
                None => {
                    by_registration.insert(backend.registration.clone(), vec![backend]);
                }
            }
        }
        Self { by_registration, proxied: BTreeSet::new() }
    }
}

impl Backends {
    /// Marks registrations whose traffic goes through a caching proxy.
    #[must_use]
    pub fn with_proxied(self, proxied: BTreeSet<String>) -> Self {
        Self { proxied, ..self }
    }

    /// The servers of one registration, in the load balancer's order; none where it knows none.
    pub fn of(&self, registration: &str) -> &[Backend] {
        self.by_registration.get(registration).map(Vec::as_slice).unwrap_or_default()
    }

    /// How many servers of one registration get traffic.
    pub fn up(&self, registration: &str) -> usize {
        self.of(registration).iter().filter(|backend| backend.is_up()).count()
    }

    /// How many servers get traffic, by registration; those with none are left out.
    pub fn all_up(&self) -> BTreeMap<&str, usize> {
        let counts = self.by_registration.keys().map(|name| (name.as_str(), self.up(name)));
        counts.filter(|(_, up)| *up > 0).collect()
    }

    /// All servers, by registration.
    pub fn iter(&self) -> impl Iterator<Item = &Backend> {
        self.by_registration.values().flatten()
    }

    /// Whether the traffic of one registration goes through a caching proxy.
    pub fn is_proxied(&self, registration: &str) -> bool {
        self.proxied.contains(registration)
    }
}
