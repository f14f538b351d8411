//! How many tasks (marathon-and-bounce.md §1.4, §1.5).

use paasta_config::{DesiredState, Node, RenderError, Wanted};
use paasta_core::Reading;

use super::failure;
use super::number::Number;
use super::pyjson::Json;

/// How many tasks are wanted, as it is sent and as a number.
pub(crate) struct Desired<'a> {
    pub(crate) json: Json<'a>,
    pub(crate) number: Number,
}

impl Desired<'_> {
    /// As a count of tasks.
    pub(crate) fn count(&self) -> Result<usize, RenderError> {
        let count = self.number.to_f64();
        if count.is_finite() && count >= 0.0 {
            return Ok(count as usize);
        }
        Err(failure("InvalidInstanceConfig", None, format!("instances: {count} is not a count of tasks")))
    }
}

/// Zero when stopped, else the count within the instance's limits.
pub(crate) fn desired(wanted: &Wanted) -> Result<Desired<'_>, RenderError> {
    if wanted.deployment.desired_state == DesiredState::Stop {
        return Ok(Desired { json: Json::Int(0), number: Number::Int(0) });
    }
    configured(wanted)
}

fn configured(wanted: &Wanted) -> Result<Desired<'_>, RenderError> {
    let Some(max) = wanted.settings.get_set("max_instances") else {
        return of("instances", wanted.settings.get("instances"), 1);
    };
    let max = of("max_instances", Some(max), 0)?;
    let count = match &wanted.autoscaled_count {
        Reading::Known(None) => return Ok(max),
        Reading::Known(Some(count)) => Number::Int(i128::from(*count)),
        Reading::Unknown(reason) => {
            let message = format!("the autoscaled count is not known: {reason}");
            return Err(failure("AutoscaledCountUnknown", wanted.settings.get("max_instances"), message));
        }
    };
    let below = |a: Number, b: Number| a.compare(b).is_some_and(|order| order.is_lt());
    let limited = if below(count, max.number) {
        Desired {
            json: Json::Int(wanted.autoscaled_count.known().copied().flatten().unwrap_or(0)),
            number: count,
        }
    } else {
        max
    };
    let min = of("min_instances", wanted.settings.get("min_instances"), 1)?;
    Ok(if below(min.number, limited.number) { limited } else { min })
}

fn of<'a>(key: &str, node: Option<&'a Node>, default: i64) -> Result<Desired<'a>, RenderError> {
    let number = Number::of_key(key, node, i128::from(default))?;
    Ok(Desired { json: Json::node_or(node, Json::Int(default)), number })
}

/// The size that the hostname rule looks at: the greatest that the instance may come to.
pub(crate) fn size(wanted: &Wanted, desired: &Desired<'_>) -> Result<Number, RenderError> {
    match wanted.settings.get("max_instances").filter(|node| node.is_truthy()) {
        Some(max) => Number::of("max_instances", max),
        None => Ok(desired.number),
    }
}

/// Seconds between two starts: ten over the configured count, at least such that all start within ten seconds.
pub(crate) fn backoff_seconds(wanted: &Wanted) -> Result<i64, RenderError> {
    let (key, node) = match wanted.settings.get_set("max_instances") {
        Some(max) => ("max_instances", Some(max)),
        None => ("instances", wanted.settings.get("instances")),
    };
    let count = Number::of_key(key, node, 1)?;
    if count.is_zero() {
        return Ok(1);
    }
    let seconds = (10.0 / count.to_f64()).ceil();
    if seconds.is_finite() {
        return Ok(seconds as i64);
    }
    Err(failure("ValueError", node, format!("{key}: {} is not a count of tasks", count.to_f64())))
}
