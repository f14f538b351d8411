//! `down`: stop without starting.

use crate::method::{BounceDecision, BounceInput, BounceMethod, Promise};

/// stop without starting.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Down;

impl BounceMethod for Down {
    fn name(&self) -> &'static str {
        "down"
    }

    fn summary(&self) -> &'static str {
        "Stops the old version and starts nothing."
    }

    fn promise(&self) -> Promise {
        Promise::NeverCreates
    }

    fn decide(&self, input: &BounceInput<'_>) -> BounceDecision {
        BounceDecision { create_app: false, drain: input.old_serving.to_vec() }
    }
}
