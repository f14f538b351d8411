//! A handle on ZooKeeper: one session at a time, and a new one when that is over.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use paasta_core::{Fence, Fenced};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, interval, sleep, timeout, timeout_at};
use zookeeper_client::{Client, Error, SessionState};

use super::janitor::{self, Leftover};
use super::session::{Session, lock};

/// Milliseconds before the second attempt to reach any server; it doubles with each.
const PAUSE_MILLIS: u64 = 50;
/// The longest pause between two attempts.
const PAUSE_MILLIS_MAX: u64 = 1000;

/// How a program wants its session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// How long the servers keep a session of which they hear nothing. They may grant less or more. Default 10 s, as in
    /// the original.
    pub session_timeout: Duration,
    /// How long before the servers may give a session up no change is begun any more. Default half the session timeout:
    /// a quarter for servers that pass on late of whom they heard, the rest for a change that is under way.
    pub margin: Duration,
    /// The longest that anybody waits for an answer, or for a first server. Default 5 s.
    pub request_timeout: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self::with_session_timeout(Duration::from_secs(10))
    }
}

impl Options {
    /// The defaults with another session timeout, and half of it as margin.
    pub fn with_session_timeout(session_timeout: Duration) -> Self {
        Self { session_timeout, margin: session_timeout / 2, request_timeout: Duration::from_secs(5) }
    }
}

/// Why no handle could be had.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConnectError {
    /// No server is named.
    #[error(
        "`{hosts}` names no ZooKeeper server: expected `host:port,host:port`, with a path at the end if there is one"
    )]
    NoHosts {
        /// As given.
        hosts: String,
    },
    /// The fence would never open.
    #[error("a margin of {margin:?} leaves nothing of a ZooKeeper session of {session_timeout:?}")]
    Margin {
        /// As given.
        margin: Duration,
        /// As given.
        session_timeout: Duration,
    },
    /// Nothing could run in the background.
    #[error("ZooKeeper can only be connected to from within a Tokio runtime")]
    NoRuntime,
}

/// How a handle stands with its servers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Link {
    /// There is no session; one is being made.
    Down {
        /// Why the last one ended, or could not be had.
        reason: String,
    },
    /// A session is there, but no server answers at the moment.
    Suspended,
    /// A session is there and answered.
    Connected,
}

/// What runs: a session, or the search for one.
#[derive(Clone, Debug)]
enum State {
    /// Since when, and why.
    Down(Instant, String),
    Up(Arc<Session>),
}

/// What the handle, its background task and its fences share.
pub(crate) struct Shared {
    hosts: String,
    options: Options,
    state: watch::Sender<State>,
    links: watch::Sender<Link>,
    /// Sessions that are over, while somebody still holds a lock taken in them.
    ended: Mutex<Vec<Arc<Session>>>,
}

/// ZooKeeper, as one program sees it. Connects in the background, reconnects, and makes a new session when one is over.
/// Clones share the session; it is closed once the last of them and of what they gave out is dropped.
#[derive(Clone)]
pub struct ZooKeeper {
    shared: Arc<Shared>,
    /// Its end tells the background task.
    stop: Arc<watch::Sender<()>>,
}

impl std::fmt::Debug for ZooKeeper {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ZooKeeper").field("hosts", &self.shared.hosts).finish_non_exhaustive()
    }
}

impl ZooKeeper {
    /// Servers as the system config's key `zookeeper` has them: `host:port,host:port`, with or without `zk://`, and a
    /// path at the end where everything is below it. Returns at once.
    ///
    /// # Errors
    /// Only for what no server could mend. Servers that do not answer are waited for.
    pub fn connect(hosts: &str, options: Options) -> Result<Self, ConnectError> {
        let runtime = tokio::runtime::Handle::try_current().map_err(|_| ConnectError::NoRuntime)?;
        let hosts = hosts.strip_prefix("zk://").unwrap_or(hosts).trim_end_matches('/').to_owned();
        if hosts.is_empty() || hosts.starts_with('/') {
            return Err(ConnectError::NoHosts { hosts });
        }
        let Options { margin, session_timeout, .. } = options;
        if margin >= session_timeout {
            return Err(ConnectError::Margin { margin, session_timeout });
        }
        let reason = "no server has answered yet".to_owned();
        let shared = Arc::new(Shared {
            hosts,
            options,
            links: watch::Sender::new(Link::Down { reason: reason.clone() }),
            state: watch::Sender::new(State::Down(Instant::now(), reason)),
            ended: Mutex::new(vec![]),
        });
        let stop = Arc::new(watch::Sender::new(()));
        let (leftovers, left) = mpsc::unbounded_channel();
        runtime.spawn(janitor::run(left));
        runtime.spawn(keep(shared.clone(), stop.subscribe(), leftovers));
        Ok(Self { shared, stop })
    }

    /// The servers, as they were given, without `zk://`.
    pub fn hosts(&self) -> &str {
        &self.shared.hosts
    }

    /// How it stands with the servers, now and whenever that changes.
    pub fn links(&self) -> watch::Receiver<Link> {
        self.shared.links.subscribe()
    }

    /// The fence of whoever takes locks and no leadership: open while the session is confirmed. It stays shut while
    /// somebody still holds a lock that was taken in a session that is over.
    pub fn fence(&self) -> SessionFence {
        SessionFence { zookeeper: self.clone() }
    }

    /// Closes the session: what was made in it is gone at once, and not only after its timeout. Whoever holds a lock of
    /// it is fenced. Waits at most for the bound of all questions. A handle that is used again finds nothing.
    pub async fn close(&self) {
        let state = self.shared.state.borrow().clone();
        self.stop.send_replace(());
        let State::Up(session) = state else { return };
        let Ok(client) = session.client() else { return };
        let mut watcher = client.state_watcher();
        session.end("it was closed");
        if client.state().is_terminated() {
            return;
        }
        drop(client);
        let closed = async { while !watcher.changed().await.is_terminated() {} };
        if timeout(self.shared.options.request_timeout, closed).await.is_err() {
            tracing::warn!(hosts = %self.shared.hosts, "ZooKeeper did not confirm the end of the session");
        }
    }

    /// The session, waiting for one no longer than anybody may: if there has been none for that long, not at all.
    pub(crate) async fn session(&self) -> Result<Arc<Session>, String> {
        let mut states = self.shared.state.subscribe();
        loop {
            let (since, reason) = match &*states.borrow_and_update() {
                State::Up(session) => return Ok(session.clone()),
                State::Down(since, reason) => (*since, reason.clone()),
            };
            let deadline = since + self.shared.options.request_timeout;
            if !matches!(timeout_at(deadline, states.changed()).await, Ok(Ok(()))) {
                return Err(self.unreachable(&reason));
            }
        }
    }

    /// The session, however long it takes to get one.
    pub(crate) async fn session_at_last(&self) -> Arc<Session> {
        let mut states = self.shared.state.subscribe();
        loop {
            if let State::Up(session) = &*states.borrow_and_update() {
                return session.clone();
            }
            // The sender is part of this handle.
            let _ = states.changed().await;
        }
    }

    /// A phrase for people.
    pub(crate) fn unreachable(&self, reason: impl std::fmt::Display) -> String {
        format!("ZooKeeper at `{}`: {reason}", self.shared.hosts)
    }

    /// Whether a change may start that what was taken in this session stands for.
    pub(crate) fn covers(&self, session: &Session) -> Result<(), Fenced> {
        session.check()?;
        let mut ended = lock(&self.shared.ended);
        ended.retain(|ended| ended.held() > 0);
        match ended.first() {
            None => Ok(()),
            Some(_) => Err(Fenced(
                "a lock is still held that was taken in a session with ZooKeeper which is over".to_owned(),
            )),
        }
    }
}

/// The fence of whoever takes locks in ZooKeeper; see [`ZooKeeper::fence`].
#[derive(Clone, Debug)]
pub struct SessionFence {
    zookeeper: ZooKeeper,
}

impl Fence for SessionFence {
    fn check(&self) -> Result<(), Fenced> {
        let state = self.zookeeper.shared.state.borrow().clone();
        match state {
            State::Up(session) => self.zookeeper.covers(&session),
            State::Down(_, reason) => Err(Fenced(self.zookeeper.unreachable(reason))),
        }
    }
}

/// Makes sessions, one after another, until the handle is gone.
async fn keep(
    shared: Arc<Shared>,
    mut stop: watch::Receiver<()>,
    leftovers: mpsc::UnboundedSender<Leftover>,
) {
    let mut pause = PAUSE_MILLIS;
    loop {
        let opened = tokio::select! {
            biased;
            _ = stop.changed() => return shared.down("the handle was closed".to_owned()),
            opened = shared.open(&leftovers) => opened,
        };
        match opened {
            Ok((session, client)) => {
                pause = PAUSE_MILLIS;
                shared.up(&session);
                let reason = tokio::select! {
                    biased;
                    _ = stop.changed() => return shared.down("the handle was closed".to_owned()),
                    reason = shared.serve(&session, client) => reason,
                };
                tracing::warn!(hosts = %shared.hosts, ?session, reason, "the session with ZooKeeper is over");
                shared.over(&session, reason);
            }
            Err(reason) => {
                shared.still_down(reason);
                tokio::select! {
                    biased;
                    _ = stop.changed() => return shared.down("the handle was closed".to_owned()),
                    () = sleep(Duration::from_millis(pause)) => {}
                }
                pause = (pause * 2).min(PAUSE_MILLIS_MAX);
            }
        }
    }
}

impl Shared {
    /// A new session, confirmed once.
    async fn open(
        &self,
        leftovers: &mpsc::UnboundedSender<Leftover>,
    ) -> Result<(Arc<Session>, Client), String> {
        let Options { session_timeout, margin, request_timeout } = self.options;
        let connector = Client::connector().with_session_timeout(session_timeout).with_fail_eagerly();
        let client = connector.connect(&self.hosts).await.map_err(|error| match error {
            Error::NoHosts => "no server answers".to_owned(),
            error => error.to_string(),
        })?;
        let session = Session::new(client.clone(), margin, request_timeout, leftovers.clone());
        session.beat().await.map_err(|problem| problem.to_string())?;
        if let Err(never) = session.check() {
            tracing::warn!(hosts = %self.hosts, %never, "no change can be made");
        }
        Ok((Arc::new(session), client))
    }

    /// Heartbeats, until the session is over; says why.
    async fn serve(&self, session: &Session, client: Client) -> String {
        let mut states = client.state_watcher();
        let first = client.state();
        // Kept by nobody, so that closing the session is possible.
        drop(client);
        let watch = async {
            let mut state = first;
            loop {
                match state {
                    SessionState::Disconnected => self.link(Link::Suspended),
                    state if state.is_terminated() => return state.to_string(),
                    _ => self.link(Link::Connected),
                }
                state = states.changed().await;
            }
        };
        tokio::select! {
            biased;
            state = watch => state,
            reason = session.until_over() => reason,
            reason = beats(session, self.options.session_timeout) => reason,
        }
    }

    fn link(&self, link: Link) {
        self.links.send_if_modified(|old| {
            let new = *old != link;
            *old = link;
            new
        });
    }

    fn up(&self, session: &Arc<Session>) {
        tracing::info!(hosts = %self.hosts, ?session, "a session with ZooKeeper is there");
        self.state.send_replace(State::Up(session.clone()));
        self.link(Link::Connected);
    }

    fn over(&self, session: &Arc<Session>, reason: String) {
        session.end(&reason);
        // Before any newer session is seen: its fence must not open over locks of this one.
        if session.held() > 0 {
            lock(&self.ended).push(session.clone());
        }
        self.down(reason);
    }

    fn down(&self, reason: String) {
        self.link(Link::Down { reason: reason.clone() });
        self.state.send_replace(State::Down(Instant::now(), reason));
    }

    /// Another attempt failed; how long there has been no session is counted on.
    fn still_down(&self, reason: String) {
        tracing::debug!(hosts = %self.hosts, reason, "no session with ZooKeeper yet");
        self.link(Link::Down { reason: reason.clone() });
        self.state.send_modify(|state| {
            if let State::Down(_, told) = state {
                *told = reason;
            }
        });
    }
}

/// Asks for a sign of life again and again. Ends, with a reason, only if the client itself does not notice that no
/// session can be left.
async fn beats(session: &Session, session_timeout: Duration) -> String {
    let mut ticks = interval(session.beat_every());
    let mut answered = Instant::now();
    loop {
        ticks.tick().await;
        match session.beat().await {
            Ok(()) => answered = Instant::now(),
            Err(problem) if answered.elapsed() > session_timeout * 3 => return problem.to_string(),
            Err(problem) => tracing::debug!(?session, %problem, "no heartbeat"),
        }
    }
}
