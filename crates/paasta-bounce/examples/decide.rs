//! Reads cases of one bounce decision, one JSON object per line, and prints what its method decides.

use std::io::{BufRead, Write};

use paasta_bounce::{BounceInput, MarginFactor, method};
use paasta_core::TaskId;
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Deserialize)]
struct Line {
    #[serde(rename = "in")]
    input: Case,
}

#[derive(Deserialize)]
struct Case {
    method: String,
    instances: usize,
    new_app_running: bool,
    happy_new_tasks: Vec<String>,
    old_non_draining_tasks: Vec<String>,
    margin_factor: f64,
}

fn main() -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    for line in std::io::stdin().lock().lines() {
        let answer = match serde_json::from_str::<Line>(&line?) {
            Ok(line) => decide(&line.input),
            Err(error) => json!({ "error": "BadCase", "message": error.to_string() }),
        };
        writeln!(out, "{answer}")?;
    }
    Ok(())
}

fn decide(case: &Case) -> Value {
    let method = match method(&case.method) {
        Ok(method) => method,
        Err(error) => return json!({ "error": "UnknownMethod", "message": error.to_string() }),
    };
    // Only crossover looks at the margin, so only there a bad one is an error.
    let margin = match MarginFactor::new(case.margin_factor) {
        Err(error) if method.name() == "crossover" => {
            return json!({ "error": "AssertionError", "message": error.to_string() });
        }
        margin => margin.unwrap_or_default(),
    };
    let old: Vec<_> = case.old_non_draining_tasks.iter().map(TaskId::new).collect();
    let decision = method.decide(&BounceInput {
        instances: case.instances,
        new_app_exists: case.new_app_running,
        happy_new: case.happy_new_tasks.len(),
        old_serving: &old,
        old_draining: 0,
        old_pending: 0,
        margin,
    });
    let mut drain: Vec<_> = decision.drain.iter().map(TaskId::as_str).collect();
    drain.sort_unstable();
    json!({ "create_app": decision.create_app, "tasks_to_drain": drain })
}
