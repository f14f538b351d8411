//! Tells whoever acts on autoscaled counts that one changed.

use futures_core::stream::BoxStream;
use futures_util::{StreamExt, stream};
use paasta_core::InstanceId;

use crate::FileCounts;

/// What happened to the counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CountChange {
    /// The count of this instance was written or deleted.
    Of(InstanceId),
    /// Changes may have been missed, for this reason: all counts have to be read again. Told once at the start.
    Missed(String),
}

/// Tells changes of counts.
pub trait CountChanges: Send + Sync {
    /// Changes from now on, until the stream is dropped. It never ends.
    fn changes(&self) -> BoxStream<'static, CountChange>;
}

impl CountChanges for FileCounts {
    /// Files are not watched: nothing is told after the start. Whoever needs to know reads them again.
    fn changes(&self) -> BoxStream<'static, CountChange> {
        let begin = CountChange::Missed("counts in files are not watched".to_owned());
        Box::pin(stream::iter([begin]).chain(stream::pending()))
    }
}
