//! An entry that this process works on.

use std::sync::Arc;

use zookeeper_client::Error;

use super::{EntryName, QueueError, QueueRecord, ZkQueue, leftover};
use crate::zk::session::{Problem, Session};

/// The lock on an entry, by what it is marked with. Dropping it takes it away.
#[derive(Debug)]
pub(crate) struct Held {
    session: Arc<Session>,
    path: String,
    id: String,
    gone: bool,
}

impl Held {
    pub(crate) fn new(session: &Arc<Session>, path: String, id: String) -> Self {
        Self { session: session.clone(), path, id, gone: false }
    }

    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// There is nothing to take away.
    pub(crate) fn forget(mut self) {
        self.gone = true;
    }

    /// Asks the servers, with all that was written before.
    pub(crate) async fn is_ours(&self) -> Result<bool, Problem> {
        let path = self.path.as_str();
        self.session.insist(|client| async move { client.sync(path).await }).await?;
        Ok(self.session.data(path).await?.as_deref() == Some(self.id.as_bytes()))
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if !self.gone {
            self.session.leave_behind(leftover(&self.session, &self.path, &self.id));
        }
    }
}

/// An entry of the queue, locked for this process. Dropping it gives it back, to be taken again.
#[derive(Debug)]
pub struct TakenEntry {
    queue: ZkQueue,
    name: EntryName,
    record: QueueRecord,
    held: Held,
}

impl TakenEntry {
    pub(crate) fn new(queue: ZkQueue, name: EntryName, record: QueueRecord, held: Held) -> Self {
        Self { queue, name, record, held }
    }

    /// Its name.
    pub fn name(&self) -> &EntryName {
        &self.name
    }

    /// What it holds.
    pub fn record(&self) -> &QueueRecord {
        &self.record
    }

    /// Removes it, since its work is done; entry and lock go in one transaction.
    ///
    /// # Errors
    /// [`QueueError::Lost`] if somebody else may work on it by now: it stays, and is worked on again.
    pub async fn consume(mut self) -> Result<(), QueueError> {
        let what = format!("remove entry `{}` from the queue", self.name);
        match self.remove().await {
            Ok(true) => {
                self.held.gone = true;
                Ok(())
            }
            Ok(false) | Err(Problem::Over(_)) => Err(QueueError::Lost { entry: self.name.clone() }),
            Err(problem) => Err(self.queue.unavailable(&what, problem)),
        }
    }

    /// Whether it was removed, and not lost before.
    async fn remove(&self) -> Result<bool, Problem> {
        let session = &self.held.session;
        let (locked, entry) = (self.held.path(), self.queue.entry_path(self.name.as_str()));
        let entry = entry.as_str();
        let mut asked = false;
        loop {
            if !self.held.is_ours().await? {
                // Nobody but us removes an entry that we have locked.
                return Ok(asked && !session.exists(entry).await?);
            }
            let removed = session
                .ask(|client| async move {
                    let mut writer = client.new_multi_writer();
                    writer.add_delete(locked, None)?;
                    writer.add_delete(entry, None)?;
                    let commit = writer.commit();
                    commit.await?;
                    Ok(())
                })
                .await;
            match removed {
                Ok(()) => return Ok(true),
                Err(problem) if problem.is_lost_reply() && !asked => asked = true,
                // Somebody removed it by hand: done is done.
                Err(Problem::Told(Error::NoNode)) if !session.exists(entry).await? => return Ok(true),
                Err(problem) => return Err(problem),
            }
        }
    }

    /// Gives it back at once, to be taken again.
    pub fn release(self) {}
}
