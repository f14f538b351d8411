//! Bounces a service from one version to the next on a simulated engine and prints what each pass waits for.

use std::sync::Arc;

use paasta_config::{Map, Value};
use paasta_core::{NoLog, Timestamp};
use paasta_drain::{DrainConfigError, DrainMethod, DrainPlace};
use paasta_setup::{Drains, Limits, Pass};
use paasta_testkit::{
    MemoryLocks, RecordingEngine, SimClock, SimDrains, SimEngine, SimRenderer, WantedBuilder,
};

/// Seconds of simulated time from pass to pass.
const STEP_SECONDS: f64 = 5.0;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let engine = Arc::new(RecordingEngine::new(["home"]));
    let clock = SimClock::at(Timestamp::from_millis(0));
    let pass = Pass {
        engine: engine.clone(),
        renderer: Arc::new(SimRenderer::new("home", [])),
        locks: Arc::new(MemoryLocks::default()),
        drains: Arc::new(TenSeconds(SimDrains::new(clock.clone(), 10.0, 100.0))),
        log: Arc::new(NoLog),
        clock: Arc::new(clock.clone()),
        history: None,
        discovery: None,
        leave: Default::default(),
        limits: Limits::default(),
    };
    for version in ["one", "two"] {
        let wanted = WantedBuilder::default()
            .set("version", Value::String(version.to_owned()))
            .set("instances", Value::Int(3))
            .build()?;
        loop {
            let report = pass.run(&wanted, None).await?;
            println!("version {version}: {}", report.why);
            if report.why.waiting.is_empty() {
                break;
            }
            engine.tick(clock.advance(STEP_SECONDS));
        }
    }
    Ok(())
}

/// Every instance drains alike here.
struct TenSeconds(SimDrains);

impl Drains for TenSeconds {
    fn build(&self, _: &Map, _: bool, _: &DrainPlace) -> Result<Box<dyn DrainMethod>, DrainConfigError> {
        Ok(Box::new(self.0.method()))
    }
}
