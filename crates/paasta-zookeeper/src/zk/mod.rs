//! On ZooKeeper.

pub(crate) mod claim;
pub(crate) mod clock;
pub(crate) mod count_watch;
pub(crate) mod counts;
pub(crate) mod election;
pub(crate) mod handle;
pub(crate) mod janitor;
pub(crate) mod locks;
pub(crate) mod nodes;
pub(crate) mod pulse;
pub(crate) mod session;
