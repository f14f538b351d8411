//! What was asked of another machine, and may not have been answered.

use serde::{Deserialize, Serialize};

/// An answer, or the reason why there is none. Unknown is never absent: a decision that needs an unknown part
/// waits, and says for what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reading<T> {
    /// The answer.
    Known(T),
    /// Why it could not be read, as a phrase for people.
    Unknown(String),
}

impl<T> Reading<T> {
    /// The answer, if there is one.
    pub fn known(&self) -> Option<&T> {
        match self {
            Reading::Known(value) => Some(value),
            Reading::Unknown(_) => None,
        }
    }

    /// Why there is no answer, if there is none.
    pub fn unknown(&self) -> Option<&str> {
        match self {
            Reading::Known(_) => None,
            Reading::Unknown(reason) => Some(reason),
        }
    }

    /// The same with the answer changed.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Reading<U> {
        match self {
            Reading::Known(value) => Reading::Known(change(value)),
            Reading::Unknown(reason) => Reading::Unknown(reason),
        }
    }

    /// The same, borrowed.
    pub fn as_ref(&self) -> Reading<&T> {
        match self {
            Reading::Known(value) => Reading::Known(value),
            Reading::Unknown(reason) => Reading::Unknown(reason.clone()),
        }
    }
}
