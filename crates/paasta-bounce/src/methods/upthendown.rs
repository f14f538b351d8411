//! `upthendown`: all of the new before any of the old goes.

use crate::method::{BounceDecision, BounceInput, BounceMethod, Promise};

/// all of the new before any of the old goes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct UpThenDown;

impl BounceMethod for UpThenDown {
    fn name(&self) -> &'static str {
        "upthendown"
    }

    fn summary(&self) -> &'static str {
        "Starts the whole new version, then stops the old one."
    }

    fn promise(&self) -> Promise {
        Promise::NewFirst
    }

    fn decide(&self, input: &BounceInput<'_>) -> BounceDecision {
        let new_serves = input.new_app_exists && input.happy_new >= input.instances;
        BounceDecision {
            create_app: !input.new_app_exists,
            drain: if new_serves { input.old_serving.to_vec() } else { Vec::new() },
        }
    }
}
