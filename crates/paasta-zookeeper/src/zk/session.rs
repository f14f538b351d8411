//! One session with ZooKeeper: asks with a bound, and says whether it may still be relied on.

use std::future::Future;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use paasta_core::Fenced;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep, timeout, timeout_at};
use zookeeper_client::{Acls, Client, CreateMode, CreateOptions, Error};

use super::clock::since_boot;
use super::janitor::Leftover;
use super::pulse::Pulse;

/// Milliseconds between two attempts over a connection that was lost.
pub(crate) const RETRY_MILLIS: u64 = 50;

/// Whoever lives here is readable and writable by all, as everything that kazoo clients make.
pub(crate) const PERSISTENT: CreateOptions<'static> = CreateMode::Persistent.with_acls(Acls::anyone_all());

/// Why a question was not answered.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum Problem {
    /// ZooKeeper said no, or the connection broke.
    #[error("{0}")]
    Told(Error),
    /// No answer came in time. What was asked may still happen.
    #[error("no answer within {0:?}")]
    Slow(Duration),
    /// The session is over, and whatever was made in it gone.
    #[error("the session is over: {0}")]
    Over(String),
}

impl Problem {
    /// The node is not there.
    pub(crate) fn is_no_node(&self) -> bool {
        matches!(self, Self::Told(Error::NoNode))
    }

    /// Whether asking again may help, within the same session.
    pub(crate) fn may_pass(&self) -> bool {
        matches!(
            self,
            Self::Slow(_) | Self::Told(Error::ConnectionLoss | Error::Throttled | Error::Custom(_))
        )
    }

    /// Whether it can not be known if what was asked was done.
    pub(crate) fn is_lost_reply(&self) -> bool {
        matches!(self, Self::Slow(_) | Self::Told(Error::ConnectionLoss | Error::Custom(_)))
    }
}

/// One session. Locks and leaderships belong to the one they were taken in.
pub(crate) struct Session {
    /// As the servers know it.
    pub(crate) id: i64,
    client: Mutex<Option<Client>>,
    request_timeout: Duration,
    pulse: Mutex<Pulse>,
    /// Ticks with every heartbeat, and with the end.
    beats: watch::Sender<()>,
    /// Locks held in it that are not dropped yet.
    held: AtomicUsize,
    leftovers: mpsc::UnboundedSender<Leftover>,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").field("id", &format_args!("{:#x}", self.id)).finish_non_exhaustive()
    }
}

impl Session {
    pub(crate) fn new(
        client: Client,
        margin: Duration,
        request_timeout: Duration,
        leftovers: mpsc::UnboundedSender<Leftover>,
    ) -> Self {
        Self {
            id: client.session_id().0,
            request_timeout,
            pulse: Mutex::new(Pulse::new(client.session_timeout(), margin)),
            client: Mutex::new(Some(client)),
            beats: watch::Sender::new(()),
            held: AtomicUsize::new(0),
            leftovers,
        }
    }

    /// The client, for one question. Whoever keeps it keeps the session from being closed.
    pub(crate) fn client(&self) -> Result<Client, Problem> {
        if let Some(reason) = self.over() {
            return Err(Problem::Over(reason));
        }
        lock(&self.client).clone().ok_or_else(|| Problem::Over("it was closed".to_owned()))
    }

    /// Asks once, and waits for the answer within the bound of all questions.
    pub(crate) async fn ask<T, F>(&self, question: impl FnOnce(Client) -> F) -> Result<T, Problem>
    where
        F: Future<Output = Result<T, Error>>,
    {
        self.ask_until(Instant::now() + self.request_timeout, question).await
    }

    async fn ask_until<T, F>(
        &self,
        deadline: Instant,
        question: impl FnOnce(Client) -> F,
    ) -> Result<T, Problem>
    where
        F: Future<Output = Result<T, Error>>,
    {
        let client = self.client()?;
        match timeout_at(deadline, question(client)).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error @ (Error::SessionExpired | Error::ClientClosed | Error::AuthFailed))) => {
                Err(Problem::Over(self.over().unwrap_or_else(|| error.to_string())))
            }
            Ok(Err(error)) => Err(Problem::Told(error)),
            Err(_) => Err(Problem::Slow(self.request_timeout)),
        }
    }

    /// Asks what may be asked twice, again after a lost connection, within the bound of all questions.
    pub(crate) async fn insist<T, F>(&self, question: impl Fn(Client) -> F) -> Result<T, Problem>
    where
        F: Future<Output = Result<T, Error>>,
    {
        let deadline = Instant::now() + self.request_timeout;
        loop {
            let pause = Duration::from_millis(RETRY_MILLIS);
            match self.ask_until(deadline, &question).await {
                Err(problem) if problem.may_pass() && Instant::now() + pause < deadline => sleep(pause).await,
                answer => return answer,
            }
        }
    }

    /// The children of a node, in no order; none where it is not there.
    pub(crate) async fn children(&self, path: &str) -> Result<Vec<String>, Problem> {
        let children = self.insist(|client| async move { client.list_children(path).await }).await;
        match children {
            Err(problem) if problem.is_no_node() => Ok(vec![]),
            children => children,
        }
    }

    /// The children of a node, with whatever was asked before on any connection of this session.
    pub(crate) async fn settled_children(&self, path: &str) -> Result<Vec<String>, Problem> {
        self.insist(|client| async move { client.sync(path).await }).await?;
        self.children(path).await
    }

    /// A node's data; `None` where it is not there.
    pub(crate) async fn data(&self, path: &str) -> Result<Option<Vec<u8>>, Problem> {
        match self.insist(|client| async move { client.get_data(path).await }).await {
            Ok((data, _)) => Ok(Some(data)),
            Err(problem) if problem.is_no_node() => Ok(None),
            Err(problem) => Err(problem),
        }
    }

    /// Whether a node is there.
    pub(crate) async fn exists(&self, path: &str) -> Result<bool, Problem> {
        Ok(self.insist(|client| async move { client.check_stat(path).await }).await?.is_some())
    }

    /// Makes a persistent, empty node and those above it, where they are missing.
    pub(crate) async fn make_directory(&self, path: &str) -> Result<(), Problem> {
        self.insist(|client| async move { client.mkdir(path, &PERSISTENT).await }).await
    }

    /// Asks the leader of the servers for a sign, and notes when it was asked.
    pub(crate) async fn beat(&self) -> Result<(), Problem> {
        let sent = since_boot();
        // Not a read: a follower that has lost its leader goes on answering those for a while.
        self.ask(|client| async move { client.sync("/").await }).await?;
        lock(&self.pulse).confirm(sent);
        self.beats.send_replace(());
        Ok(())
    }

    /// How far heartbeats are apart.
    pub(crate) fn beat_every(&self) -> Duration {
        lock(&self.pulse).beat()
    }

    /// The fence of this session.
    pub(crate) fn check(&self) -> Result<(), Fenced> {
        lock(&self.pulse).check(since_boot())
    }

    /// Why it is over, if it is.
    pub(crate) fn over(&self) -> Option<String> {
        lock(&self.pulse).over().map(str::to_owned)
    }

    /// Ends it, for good: its fence shuts at once.
    pub(crate) fn end(&self, reason: &str) {
        lock(&self.pulse).end(reason);
        lock(&self.client).take();
        self.beats.send_replace(());
    }

    /// Waits until the fence is as asked, or the session over.
    pub(crate) async fn until(&self, open: bool) {
        let mut beats = self.beats.subscribe();
        loop {
            beats.mark_unchanged();
            if self.over().is_some() || self.check().is_ok() == open {
                return;
            }
            let until = lock(&self.pulse).open_until();
            let rest = until.map(|until| until.saturating_sub(since_boot()).max(Duration::from_millis(1)));
            match rest {
                // The sender is part of this session.
                Some(rest) if !open => drop(timeout(rest, beats.changed()).await),
                _ => drop(beats.changed().await),
            }
        }
    }

    /// Waits until it is over.
    pub(crate) async fn until_over(&self) -> String {
        let mut beats = self.beats.subscribe();
        loop {
            beats.mark_unchanged();
            match self.over() {
                Some(reason) => return reason,
                None => drop(beats.changed().await),
            }
        }
    }

    /// Has something cleared away in the background, for as long as the session lives.
    pub(crate) fn leave_behind(&self, leftover: Leftover) {
        // Without a janitor the runtime is gone, and the session with it.
        let _ = self.leftovers.send(leftover);
    }

    /// Locks of this session that somebody still holds.
    pub(crate) fn held(&self) -> usize {
        self.held.load(Ordering::SeqCst)
    }
}

/// Counts one lock of a session as held.
#[derive(Debug)]
pub(crate) struct Hold(Arc<Session>);

impl Hold {
    /// `Err` if the session is over meanwhile.
    pub(crate) fn new(session: &Arc<Session>) -> Result<Self, Problem> {
        session.held.fetch_add(1, Ordering::SeqCst);
        let hold = Self(session.clone());
        match session.over() {
            None => Ok(hold),
            Some(reason) => Err(Problem::Over(reason)),
        }
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.0.held.fetch_sub(1, Ordering::SeqCst);
    }
}

/// What a panic elsewhere left is still whole: nothing here panics half-way.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
