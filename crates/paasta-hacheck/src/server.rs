//! The server: what it holds, how it is built, how it runs.

use std::fmt;
use std::future::{Future, pending};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::HeaderName;
use paasta_core::{Clock, SystemClock, Timestamp};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::time::sleep;

use crate::cache::Cache;
use crate::check::{CHECK_SECONDS_MAX, Checker};
use crate::counts::Counters;
use crate::recent::RecentAnswers;
use crate::{Counts, Spool, SpoolError, handle};

/// Seconds for which a check's result is kept unless told otherwise, as PaaSTA's sidecars have it.
const CACHE_SECONDS: f64 = 1.0;

/// Seconds for which requests that were begun may go on when the server is told to stop.
const STOP_SECONDS_MAX: u64 = CHECK_SECONDS_MAX + 1;

/// A hacheck server. Clones are the same server.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let directory = tempfile::tempdir()?;
/// let hacheck = paasta_hacheck::Hacheck::builder(directory.path())
///     .allow_remote_spool_changes(true)
///     .build()?;
/// let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
/// let address = listener.local_addr()?;
/// tokio::spawn(hacheck.clone().serve(listener));
/// # let stream = tokio::net::TcpStream::connect(address).await?;
/// assert_eq!(hacheck.counts().spool_reads, 0);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Hacheck(Arc<State>);

/// All that answering takes.
pub(crate) struct State {
    pub(crate) spool: Spool,
    pub(crate) allow_remote_spool_changes: bool,
    pub(crate) headers_to_copy: Vec<HeaderName>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) started: Timestamp,
    pub(crate) cache: Cache,
    pub(crate) checker: Checker,
    pub(crate) counters: Counters,
    pub(crate) recent: RecentAnswers,
}

/// Says how a server shall be.
#[derive(Clone)]
pub struct Builder {
    spool_root: PathBuf,
    allow_remote_spool_changes: bool,
    cache_time: Duration,
    headers_to_copy: Vec<HeaderName>,
    clock: Arc<dyn Clock>,
}

/// Why a server could not be built.
#[derive(Debug, thiserror::Error)]
pub enum HacheckError {
    /// The spool cannot be kept where it shall be.
    #[error("could not open the spool")]
    Spool(#[source] SpoolError),
    /// TLS could not be set up.
    #[error("could not set up TLS for checks")]
    Tls(#[source] rustls::Error),
    /// The client of the checks could not be built.
    #[error("could not build the HTTP client of the checks")]
    Client(#[source] reqwest::Error),
}

impl Hacheck {
    /// A server whose spool is below `spool_root`. Unless told otherwise it takes no orders over HTTP, keeps a
    /// check's result for one second, copies no headers and looks at this machine's clock.
    pub fn builder(spool_root: impl Into<PathBuf>) -> Builder {
        Builder {
            spool_root: spool_root.into(),
            allow_remote_spool_changes: false,
            cache_time: Duration::from_secs_f64(CACHE_SECONDS),
            headers_to_copy: Vec::new(),
            clock: Arc::new(SystemClock),
        }
    }

    /// Answers until the listener fails.
    pub async fn serve(self, listener: TcpListener) -> io::Result<()> {
        self.serve_until(listener, pending()).await
    }

    /// Answers until `stop` is ready, then ends what was begun, but waits no longer for that than a check takes.
    pub async fn serve_until(
        self,
        listener: TcpListener,
        stop: impl Future<Output = ()> + Send + 'static,
    ) -> io::Result<()> {
        let (tell, told) = oneshot::channel();
        let stop = async move {
            stop.await;
            // Nobody listens only once serving has ended.
            let _ = tell.send(());
        };
        let overdue = async move {
            if told.await.is_err() {
                pending::<()>().await;
            }
            sleep(Duration::from_secs(STOP_SECONDS_MAX)).await;
        };
        tokio::select! {
            served = axum::serve(listener, self.router()).with_graceful_shutdown(stop) => served,
            () = overdue => Ok(()),
        }
    }

    /// The server as a part of another one.
    pub fn router(&self) -> Router {
        handle::router(self.0.clone())
    }

    /// The spool it answers from.
    pub fn spool(&self) -> &Spool {
        &self.0.spool
    }

    /// How often it was asked so far.
    pub fn counts(&self) -> Counts {
        self.0.counters.read()
    }
}

impl fmt::Debug for Hacheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hacheck").field("spool", &self.0.spool).finish_non_exhaustive()
    }
}

impl Builder {
    /// Whether services may be taken out of traffic and back by POST. Whoever reaches the server can then do so.
    pub fn allow_remote_spool_changes(mut self, allow: bool) -> Self {
        self.allow_remote_spool_changes = allow;
        self
    }

    /// For how long a check's result is kept.
    pub fn cache_time(mut self, cache_time: Duration) -> Self {
        self.cache_time = cache_time;
        self
    }

    /// Headers of a request that its check sends along.
    pub fn http_headers_to_copy(mut self, headers: impl IntoIterator<Item = HeaderName>) -> Self {
        self.headers_to_copy = headers.into_iter().collect();
        self
    }

    /// Where the time comes from.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Opens the spool, making its directory if need be.
    pub fn build(self) -> Result<Hacheck, HacheckError> {
        Ok(Hacheck(Arc::new(State {
            spool: Spool::open(self.spool_root).map_err(HacheckError::Spool)?,
            allow_remote_spool_changes: self.allow_remote_spool_changes,
            headers_to_copy: self.headers_to_copy,
            started: self.clock.now(),
            clock: self.clock,
            cache: Cache::new(self.cache_time),
            checker: Checker::new()?,
            counters: Counters::default(),
            recent: RecentAnswers::default(),
        })))
    }
}
