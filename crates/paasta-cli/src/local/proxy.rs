//! Service discovery on one machine: a HAProxy that follows what is registered.

mod registered;

use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{FutureExt as _, StreamExt as _};
use paasta_config::{Soa, SystemConfig};
use paasta_core::{ClusterName, Engine};
use paasta_smartstack::proxy::{HaProxy, Place, Wanted};
use tokio::time::{Instant, MissedTickBehavior};

use self::registered::{Registered, Told};
use super::base::part;
use super::{CLUSTER, LocalError, reachable};
use crate::http;

/// Between two looks when nothing tells of a change.
const LOOK: Duration = Duration::from_millis(500);
/// Between two attempts to bring HAProxy back.
const RETRY: Duration = Duration::from_secs(2);

/// A HAProxy for a local cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProxyOptions {
    /// The program.
    pub program: PathBuf,
    /// Where its stats page is to be; port 0 takes any.
    pub stats_port: u16,
}

/// What the proxy needs of the cluster.
pub(super) struct Cluster {
    pub(super) soa: Soa,
    pub(super) system: SystemConfig,
    pub(super) engine: Arc<dyn Engine>,
    pub(super) hacheck: SocketAddr,
    pub(super) listen: std::net::IpAddr,
    pub(super) folder: PathBuf,
}

/// A port that nobody listens on, if any will do.
pub(super) fn stats_address(listen: std::net::IpAddr, port: u16) -> std::io::Result<SocketAddr> {
    match port {
        0 => TcpListener::bind((listen, 0))?.local_addr(),
        port => Ok(SocketAddr::new(listen, port)),
    }
}

/// A HAProxy that runs, and what it follows.
pub(super) struct Following {
    proxy: HaProxy,
    registered: Arc<Registered>,
    wanted: Wanted,
    engine: Arc<dyn Engine>,
    hacheck: SocketAddr,
    told: Told,
}

impl Following {
    /// Starts HAProxy with what is registered now.
    pub(super) async fn start(
        program: &std::path::Path,
        stats: SocketAddr,
        cluster: Cluster,
    ) -> Result<Self, LocalError> {
        let Cluster { soa, system, engine, hacheck, listen, folder } = cluster;
        let name = ClusterName::new(CLUSTER).map_err(|error| part("HAProxy", error))?;
        let hacheck = reachable(hacheck);
        let place = Place { listen, hacheck, stats, folder };
        let registered = Arc::new(Registered { soa, system, cluster: name, listen });
        let (mut wanted, mut told) = (Wanted::default(), Told::default());
        look(&registered, &engine, hacheck, &mut wanted, &mut told).await;
        let started = HaProxy::start(program, place, &wanted).await;
        let proxy = started.map_err(|error| part("HAProxy", error))?;
        Ok(Self { proxy, registered, wanted, engine, hacheck, told })
    }

    /// Follows until `stopped` resolves, and ends HAProxy.
    pub(super) async fn run(mut self, stopped: impl Future<Output = ()>) -> Result<(), LocalError> {
        let mut changes = self.engine.changes();
        let mut ticks = tokio::time::interval(LOOK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut retry_at: Option<Instant> = None;
        tokio::pin!(stopped);
        loop {
            tokio::select! {
                () = &mut stopped => break,
                _ = ticks.tick() => {}
                Some(_) = changes.next() => {}
            }
            // One look is enough for all that came meanwhile.
            while let Some(Some(_)) = changes.next().now_or_never() {}
            look(&self.registered, &self.engine, self.hacheck, &mut self.wanted, &mut self.told).await;
            if retry_at.is_some_and(|at| Instant::now() < at) {
                continue;
            }
            retry_at = match self.proxy.bring(&self.wanted).await {
                Ok(_) => {
                    self.told.forget("haproxy");
                    None
                }
                Err(error) => {
                    self.told.once("haproxy", || paasta_core::chain(&error));
                    Some(Instant::now() + RETRY)
                }
            };
        }
        self.proxy.stop().await;
        Ok(())
    }
}

/// Sees what is registered. Whoever is new joins once hacheck says that it serves.
async fn look(
    registered: &Arc<Registered>,
    engine: &Arc<dyn Engine>,
    hacheck: SocketAddr,
    wanted: &mut Wanted,
    told: &mut Told,
) {
    let fleet = engine.observe_all().await;
    let (reader, before) = (Arc::clone(registered), wanted.clone());
    // Files are read, and ports tried.
    let read = tokio::task::spawn_blocking(move || reader.look(&fleet, &before)).await;
    let Ok((mut fresh, problems)) = read else { return };
    told.all(problems);
    for (registration, servers) in &mut fresh.servers {
        let Some(listener) = fresh.listeners.get(registration) else { continue };
        let known = wanted.servers.get(registration);
        let mut serving = std::collections::BTreeSet::new();
        for server in std::mem::take(servers) {
            let is_known = known.is_some_and(|known| known.contains(&server));
            let uri = listener.check_uri.trim_start_matches('/');
            let path = format!("/{}/{registration}/{}/{uri}", listener.check_mode, server.address.port());
            if is_known || http::get(hacheck, &path).await.is_ok_and(|answer| answer.status == 200) {
                serving.insert(server);
            }
        }
        *servers = serving;
    }
    *wanted = fresh;
}
