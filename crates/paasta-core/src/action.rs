//! What an engine can be told to do, and how it answers.

use serde::{Deserialize, Serialize};

use crate::{AppId, HomeId, TaskId};

/// One change to one home. Every action may be repeated: it names the state that is wanted, not a difference.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Start a new app. An app of that id that exists already is a [`Applied::Conflict`].
    Create {
        /// Where.
        home: HomeId,
        /// Its id.
        app: AppId,
        /// The body for this engine, from [`crate::Rendered::body`].
        body: String,
    },
    /// Let the app have this many tasks.
    Scale {
        /// Where.
        home: HomeId,
        /// Which app.
        app: AppId,
        /// How many tasks it is to have.
        instances: usize,
    },
    /// End these tasks and let their apps shrink with them, so that none of them is replaced.
    KillAndShrink {
        /// Where.
        home: HomeId,
        /// Per app, what goes and what remains.
        kills: Vec<Kill>,
    },
    /// Remove the app with whatever it still has. One that is gone already is [`Applied::Done`].
    Delete {
        /// Where.
        home: HomeId,
        /// Which app.
        app: AppId,
    },
}

/// Part of [`Action::KillAndShrink`]: the tasks of one app that go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kill {
    /// The app.
    pub app: AppId,
    /// The tasks that end.
    pub tasks: Vec<TaskId>,
    /// How many tasks the app is to have afterwards.
    pub instances_after: usize,
}

/// How an engine took an [`Action`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Applied {
    /// It is so now, or will be without our doing more.
    Done,
    /// What stands there contradicts it: somebody else was quicker. Look again.
    Conflict(String),
    /// The engine takes no change now. Try again later.
    Busy(String),
    /// It was sent, and whether it took effect is not known. Look before anything else.
    Unknown(String),
}

impl Applied {
    /// Whether it is [`Applied::Done`].
    pub fn is_done(&self) -> bool {
        matches!(self, Applied::Done)
    }
}
