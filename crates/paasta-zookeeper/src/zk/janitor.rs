//! Clears away, in the background, what dropped guards and given-up attempts leave behind.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::sync::mpsc;
use tokio::time::sleep;

use super::session::{Problem, RETRY_MILLIS, Session};

/// The longest pause between two attempts, in milliseconds.
const PAUSE_MILLIS_MAX: u64 = 1000;

/// A node that nobody wants any more.
#[derive(Debug)]
pub(crate) enum Leftover {
    /// A contender's, by a prefix that only it has; its name, where the answer came.
    Contender { session: Arc<Session>, directory: String, prefix: String, name: Option<String> },
    /// One that others may make again under the same path: only as long as it holds this.
    Marked { session: Arc<Session>, path: String, data: Vec<u8> },
}

impl Leftover {
    fn session(&self) -> &Session {
        match self {
            Self::Contender { session, .. } | Self::Marked { session, .. } => session,
        }
    }

    async fn clear_once(&self) -> Result<(), Problem> {
        match self {
            Self::Contender { session, directory, name: Some(name), .. } => {
                delete(session, &format!("{directory}/{name}")).await
            }
            Self::Contender { session, directory, prefix, name: None } => {
                // The request to make it may still be under way, on this connection or on the one before.
                let children = session.settled_children(directory).await?;
                for child in children.iter().filter(|child| child.starts_with(prefix.as_str())) {
                    delete(session, &format!("{directory}/{child}")).await?;
                }
                Ok(())
            }
            Self::Marked { session, path, data } => {
                // Behind whatever is under way, as above.
                session.ask(|client| async move { client.sync(path).await }).await?;
                match session.data(path).await? {
                    Some(found) if found == *data => delete(session, path).await,
                    _ => Ok(()),
                }
            }
        }
    }

    /// Until it is gone, or its session: an ephemeral node goes with that.
    async fn clear(self) {
        let mut pause = RETRY_MILLIS;
        while let Err(problem) = self.clear_once().await {
            if matches!(problem, Problem::Over(_)) || self.session().over().is_some() {
                return;
            }
            if !problem.may_pass() {
                tracing::warn!(%problem, leftover = ?self, "could not delete a node in ZooKeeper yet");
            }
            sleep(Duration::from_millis(pause)).await;
            pause = (pause * 2).min(PAUSE_MILLIS_MAX);
        }
    }
}

async fn delete(session: &Session, path: &str) -> Result<(), Problem> {
    match session.ask(|client| async move { client.delete(path, None).await }).await {
        Err(problem) if problem.is_no_node() => Ok(()),
        answer => answer,
    }
}

/// Works until whoever leaves something behind is gone, and all is cleared.
pub(crate) async fn run(mut leftovers: mpsc::UnboundedReceiver<Leftover>) {
    let mut clearing = FuturesUnordered::new();
    loop {
        tokio::select! {
            biased;
            leftover = leftovers.recv() => match leftover {
                Some(leftover) => clearing.push(leftover.clear()),
                None => break,
            },
            Some(()) = clearing.next(), if !clearing.is_empty() => {}
        }
    }
    while clearing.next().await.is_some() {}
}
