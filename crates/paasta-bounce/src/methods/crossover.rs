//! `crossover`: one for one, never below the margin.

use crate::method::{BounceDecision, BounceInput, BounceMethod, Promise};

/// one for one, never below the margin.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Crossover;

impl BounceMethod for Crossover {
    fn name(&self) -> &'static str {
        "crossover"
    }

    fn summary(&self) -> &'static str {
        "Replaces old tasks one for one as new ones become happy."
    }

    fn promise(&self) -> Promise {
        Promise::Floor
    }

    fn decide(&self, input: &BounceInput<'_>) -> BounceDecision {
        let needed = input.margin.needed(input.instances).saturating_sub(input.happy_new);
        BounceDecision {
            create_app: !input.new_app_exists,
            drain: input.old_serving.iter().skip(needed).cloned().collect(),
        }
    }
}
