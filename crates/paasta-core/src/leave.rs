//! Whether a program may change anything now: leadership, its fence, and room at the engine.

use async_trait::async_trait;
use futures_core::stream::BoxStream;

use crate::{Action, LockGuard};

/// Says whether this process may still start a change. Whoever holds a lock or a leadership of limited time asks right
/// before each change, so that none starts after somebody else may have taken over (design decisions 3 and 4).
///
/// Between the answer and the first byte of a change a connection may have to be made. Whoever sends changes gives that
/// one second at most (name resolution and TLS included) and never sends one again by itself; so a fence shuts more than
/// one second before what it guards may be somebody else's.
pub trait Fence: Send + Sync {
    /// Nothing where a change may start now; otherwise why not. Never waits.
    fn check(&self) -> Result<(), Fenced>;
}

/// Why no change may start now.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Fenced(pub String);

/// The fence of whoever cannot lose what it holds, such as a lock on a local file.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoFence;

impl Fence for NoFence {
    fn check(&self) -> Result<(), Fenced> {
        Ok(())
    }
}

/// Where a candidate stands in an election.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Somebody else leads, or nobody is known to.
    Waiting {
        /// Who leads, where that is known.
        leader: Option<String>,
    },
    /// This process leads.
    Leading,
    /// This process led, and cannot tell at the moment whether it still does: nothing is begun until it can.
    Doubtful(String),
    /// This process led and does so no longer. It stands again by itself.
    Lost(String),
}

/// Chooses one acting process among several.
pub trait Election: Send + Sync {
    /// Stands for election and tells each change of standing, the present one first, until the stream is dropped, which
    /// gives the leadership up.
    fn stand(&self) -> BoxStream<'static, Standing>;
}

/// How much one instance's work hurries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Haste {
    /// It may stand back, as in a bounce of everything.
    Usual,
    /// A person waits for it.
    #[default]
    Urgent,
}

/// Bounds how much an engine is asked to do at one time.
#[async_trait]
pub trait Gate: Send + Sync {
    /// Asks for room for one change. The guard is kept until the change is answered. An error says what has to end first;
    /// nothing was sent then, and it may be asked again a little later.
    async fn enter(&self, action: &Action, haste: Haste) -> Result<LockGuard, NoRoom>;
}

/// The engine has as much to do as it may.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NoRoom(pub String);

/// Lets everything through.
#[derive(Clone, Copy, Debug, Default)]
pub struct OpenGate;

#[async_trait]
impl Gate for OpenGate {
    async fn enter(&self, _action: &Action, _haste: Haste) -> Result<LockGuard, NoRoom> {
        Ok(LockGuard::new(()))
    }
}
