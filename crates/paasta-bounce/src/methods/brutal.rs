//! `brutal`: everything at once.

use crate::method::{BounceDecision, BounceInput, BounceMethod, Promise};

/// everything at once.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Brutal;

impl BounceMethod for Brutal {
    fn name(&self) -> &'static str {
        "brutal"
    }

    fn summary(&self) -> &'static str {
        "Starts the new version and stops the old one at once."
    }

    fn promise(&self) -> Promise {
        Promise::Nothing
    }

    fn decide(&self, input: &BounceInput<'_>) -> BounceDecision {
        BounceDecision { create_app: !input.new_app_exists, drain: input.old_serving.to_vec() }
    }
}
