//! The queue of instances that deployd works on, in ZooKeeper as the original has it (marathon-and-bounce.md §9.5).

mod name;
mod record;
mod taken;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use paasta_core::Timestamp;
use tokio::time::{Instant, timeout_at};
use zookeeper_client::{Acls, CreateMode, CreateOptions, Error, OneshotWatcher};

pub use name::EntryName;
pub use record::QueueRecord;
pub use taken::TakenEntry;

use crate::zk::handle::ZooKeeper;
use crate::zk::janitor::Leftover;
use crate::zk::session::{PERSISTENT, Problem, Session, lock};
use name::{Choice, choose};

const ENTRY: CreateOptions<'static> = CreateMode::PersistentSequential.with_acls(Acls::anyone_all());
const LOCK: CreateOptions<'static> = CreateMode::Ephemeral.with_acls(Acls::anyone_all());

/// Why the queue did not do as it was told.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum QueueError {
    /// A time does not fit into a name, or is none.
    #[error(
        "`{key}`: {seconds} is no time of the queue, expected unix seconds above 0 and below 9999999999.9995"
    )]
    Time {
        /// Of the record.
        key: &'static str,
        /// As given.
        seconds: f64,
    },
    /// ZooKeeper did not answer, or said no. What was asked may have been done nevertheless.
    #[error("could not {what}: {reason}")]
    Unavailable {
        /// What was to be done.
        what: String,
        /// What happened.
        reason: String,
    },
    /// The lock on an entry is somebody else's by now, or nobody's. The entry stays, for whoever takes it next.
    #[error("entry `{entry}` of the queue is no longer locked by this process")]
    Lost {
        /// Its name.
        entry: EntryName,
    },
}

/// A queue in ZooKeeper. Entries are taken at least once: one whose work is not finished before its session ends is
/// taken again. Nothing is merged.
///
/// An entry whose name or record cannot be read is moved to `quarantine` beside `entries`, as it is, with an error in the
/// log: it stops nobody.
#[derive(Clone, Debug)]
pub struct ZkQueue {
    zookeeper: ZooKeeper,
    path: Arc<str>,
    /// Unreadable entries that could not be moved either, so that each is told once.
    stuck: Arc<Mutex<BTreeSet<String>>>,
}

/// What [`ZkQueue::take`] found.
#[derive(Debug)]
pub enum Take {
    /// An entry, locked for this process.
    Entry(Box<TakenEntry>),
    /// Nothing that may be worked on now.
    Nothing(Idle),
}

impl ZkQueue {
    /// Where deployd has its queue.
    pub const DEPLOYD: &str = "/paasta-deployd-queue";

    /// The queue at a path.
    pub fn new(zookeeper: &ZooKeeper, path: &str) -> Self {
        Self { zookeeper: zookeeper.clone(), path: path.into(), stuck: Arc::default() }
    }

    fn entries_path(&self) -> String {
        format!("{}/entries", self.path)
    }

    fn locks_path(&self) -> String {
        format!("{}/locks", self.path)
    }

    fn entry_path(&self, name: &str) -> String {
        format!("{}/entries/{name}", self.path)
    }

    fn lock_path(&self, name: &str) -> String {
        format!("{}/locks/{name}", self.path)
    }

    fn unavailable(&self, what: &str, problem: impl std::fmt::Display) -> QueueError {
        QueueError::Unavailable { what: what.to_owned(), reason: self.zookeeper.unreachable(problem) }
    }

    async fn session(&self, what: &str) -> Result<Arc<Session>, QueueError> {
        let no = |reason| QueueError::Unavailable { what: what.to_owned(), reason };
        self.zookeeper.session().await.map_err(no)
    }

    /// Adds an entry, ordered by its `bounce_by` and available from its `wait_until` on.
    ///
    /// # Errors
    /// After a lost reply it may be there nevertheless; twice does no harm.
    pub async fn put(&self, record: &QueueRecord) -> Result<(), QueueError> {
        let what = "put an entry into the queue";
        let prefix = EntryName::prefix(record.bounce_by, record.wait_until)?;
        let (path, data) = (self.entry_path(&prefix), record.to_json()?);
        let (path, data) = (path.as_str(), data.as_bytes());
        let session = self.session(what).await?;
        let put = || session.ask(|client| async move { client.create(path, data, &ENTRY).await });
        let mut done = put().await;
        if done.as_ref().is_err_and(Problem::is_no_node) {
            let made = session.make_directory(&self.entries_path()).await;
            made.map_err(|problem| self.unavailable(what, problem))?;
            done = put().await;
        }
        done.map(drop).map_err(|problem| self.unavailable(what, problem))
    }

    /// The names of all entries, in their order, those that are locked or have to wait among them.
    pub async fn entries(&self) -> Result<Vec<EntryName>, QueueError> {
        let what = "list the queue";
        let session = self.session(what).await?;
        let children = session.children(&self.entries_path()).await;
        let children = children.map_err(|problem| self.unavailable(what, problem))?;
        let mut entries: Vec<_> = children.iter().filter_map(|name| EntryName::parse(name)).collect();
        entries.sort();
        Ok(entries)
    }

    /// Takes and locks the entry that hurries most, of those that may be worked on now.
    pub async fn take(&self, now: Timestamp) -> Result<Take, QueueError> {
        let what = "take an entry from the queue";
        let session = self.session(what).await?;
        self.take_in(&session, now).await.map_err(|problem| self.unavailable(what, problem))
    }

    async fn take_in(&self, session: &Arc<Session>, now: Timestamp) -> Result<Take, Problem> {
        for path in [self.entries_path(), self.locks_path()] {
            session.make_directory(&path).await?;
        }
        // Those that somebody else was quicker with; their locks may not be seen yet.
        let mut passed = BTreeSet::new();
        let mut watched = false;
        loop {
            let (children, mut locked, watchers) = self.list(session, watched).await?;
            locked.extend(passed.iter().cloned());
            let mut entries = Vec::with_capacity(children.len());
            for child in children {
                match EntryName::parse(&child) {
                    Some(name) => entries.push(name),
                    None => self.quarantine(session, &child, None, "its name is none of an entry").await,
                }
            }
            entries.sort();
            match choose(&entries, &locked, now.seconds()) {
                Choice::Take(name) => match self.lock_entry(session, name, now).await? {
                    Some(taken) => return Ok(Take::Entry(Box::new(taken))),
                    None => drop(passed.insert(name.as_str().to_owned())),
                },
                // What is waited for has to be what was seen: look again, with watches.
                Choice::Wait(_) if !watched => watched = true,
                Choice::Wait(until) => {
                    let session = session.clone();
                    let until = until.map(|seconds| Timestamp::from_millis((seconds * 1000.0).ceil() as i64));
                    return Ok(Take::Nothing(Idle { session, until, watchers }));
                }
            }
        }
    }

    /// Entries as their nodes are called, the names of those that are locked, and watches on both where they are wanted.
    async fn list(
        &self,
        session: &Session,
        watched: bool,
    ) -> Result<(Vec<String>, BTreeSet<String>, Vec<OneshotWatcher>), Problem> {
        let (entries, locks) = (self.entries_path(), self.locks_path());
        if !watched {
            let locked = session.children(&locks).await?;
            return Ok((session.children(&entries).await?, locked.into_iter().collect(), vec![]));
        }
        let watch = |path: String| async move {
            let path = path.as_str();
            session.insist(|client| async move { client.list_and_watch_children(path).await }).await
        };
        let (locked, of_locks) = watch(locks).await?;
        let (children, of_entries) = watch(entries).await?;
        Ok((children, locked.into_iter().collect(), vec![of_entries, of_locks]))
    }

    /// Locks an entry and reads it; `None` if somebody else has it, or had it.
    async fn lock_entry(
        &self,
        session: &Arc<Session>,
        name: &EntryName,
        now: Timestamp,
    ) -> Result<Option<TakenEntry>, Problem> {
        // One id for each time that an entry is taken: whatever the replies, a lock is ours or it is not.
        let id = uuid::Uuid::new_v4().simple().to_string();
        // There before the node is: whoever gives up half-way leaves none behind.
        let held = taken::Held::new(session, self.lock_path(name.as_str()), id);
        let made = session
            .ask(|client| {
                let (path, id) = (held.path().to_owned(), held.id().to_owned());
                async move { client.create(&path, id.as_bytes(), &LOCK).await }
            })
            .await;
        match made {
            Ok(_) => {}
            Err(Problem::Told(Error::NodeExists)) => {
                held.forget();
                return Ok(None);
            }
            Err(problem) if problem.is_lost_reply() => {
                if !held.is_ours().await? {
                    return Ok(None);
                }
            }
            Err(problem) => return Err(problem),
        }
        let Some(data) = session.data(&self.entry_path(name.as_str())).await? else { return Ok(None) };
        match QueueRecord::parse(&data, now.seconds()) {
            Ok(record) => Ok(Some(TakenEntry::new(self.clone(), name.clone(), record, held))),
            Err(reason) => {
                self.quarantine(session, name.as_str(), Some(held.path()), &reason).await;
                Ok(None)
            }
        }
    }

    /// Moves an entry that cannot be read out of the way.
    async fn quarantine(&self, session: &Session, name: &str, locked: Option<&str>, reason: &str) {
        let entry = self.entry_path(name);
        let aside = format!("{}/quarantine/{name}", self.path);
        match self.set_aside(session, &entry, &aside, locked).await {
            Ok(()) => {
                tracing::error!(entry, reason, aside, "moved an entry of the queue that cannot be read")
            }
            // Somebody else did it.
            Err(problem) if problem.is_no_node() => {}
            Err(problem) => {
                if lock(&self.stuck).insert(name.to_owned()) {
                    tracing::error!(entry, reason, %problem, "an entry of the queue can neither be read nor moved");
                }
            }
        }
    }

    async fn set_aside(
        &self,
        session: &Session,
        entry: &str,
        aside: &str,
        locked: Option<&str>,
    ) -> Result<(), Problem> {
        session.make_directory(&format!("{}/quarantine", self.path)).await?;
        let data = session.data(entry).await?.ok_or(Problem::Told(Error::NoNode))?;
        let data = data.as_slice();
        session
            .ask(|client| async move {
                let mut writer = client.new_multi_writer();
                writer.add_create(aside, data, &PERSISTENT)?;
                writer.add_delete(entry, None)?;
                if let Some(locked) = locked {
                    writer.add_delete(locked, None)?;
                }
                let commit = writer.commit();
                commit.await?;
                Ok(())
            })
            .await
    }
}

/// Nothing is to be done at the moment.
#[derive(Debug)]
pub struct Idle {
    session: Arc<Session>,
    until: Option<Timestamp>,
    watchers: Vec<OneshotWatcher>,
}

impl Idle {
    /// When the next entry that is known now may be worked on.
    pub fn until(&self) -> Option<Timestamp> {
        self.until
    }

    /// Waits until the queue changed from what was seen, or the connection has to be looked after, but at most so long.
    pub async fn changed(self, at_most: Duration) {
        let deadline = Instant::now().checked_add(at_most);
        let session = self.session;
        let changes = self.watchers.into_iter().map(|watcher| Box::pin(watcher.changed()));
        let change = async {
            tokio::select! {
                biased;
                _ = session.until_over() => {}
                _ = futures_util::future::select_all(changes) => {}
            }
        };
        match deadline {
            Some(deadline) => drop(timeout_at(deadline, change).await),
            None => change.await,
        }
    }
}

/// The leftover of an entry's lock.
pub(crate) fn leftover(session: &Arc<Session>, path: &str, id: &str) -> Leftover {
    Leftover::Marked { session: session.clone(), path: path.to_owned(), data: id.as_bytes().to_vec() }
}
