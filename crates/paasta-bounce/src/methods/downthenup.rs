//! `downthenup`: never two versions at once.

use crate::method::{BounceDecision, BounceInput, BounceMethod, Promise};

/// never two versions at once.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DownThenUp;

impl BounceMethod for DownThenUp {
    fn name(&self) -> &'static str {
        "downthenup"
    }

    fn summary(&self) -> &'static str {
        "Stops the old version completely before the new one starts."
    }

    fn promise(&self) -> Promise {
        Promise::OldFirst
    }

    fn decide(&self, input: &BounceInput<'_>) -> BounceDecision {
        let old_gone = input.old_serving.is_empty() && input.old_draining == 0 && input.old_pending == 0;
        BounceDecision { create_app: !input.new_app_exists && old_gone, drain: input.old_serving.to_vec() }
    }
}
