//! What is refused, by name, before anything is done.

use std::sync::Arc;
use std::time::Duration;

use paasta_config::{Node, Value};
use paasta_core::{Health, LockError, LockGuard, Locks, Reading};
use paasta_drain::DrainTools;
use paasta_setup::{Need, PassError, PassState};
use paasta_testkit::ListFault;

use crate::sim::{Shape, Sim, Want};

fn sim() -> Sim {
    let sim = Sim::new(Shape::Marathon, &Want { method: "crossover", instances: 2, margin: 1.0 }, 0.0);
    sim.seed("old", "current", 2, Health::Alive);
    sim
}

/// Runs a pass that must be refused without any request, and gives the whole text of the error.
#[track_caller]
fn refused(sim: &Sim) -> (PassError, String) {
    let error = sim.run(None).expect("nothing hangs").expect_err("it is refused");
    assert_eq!(sim.engine.world().calls().writes, 0);
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(&error);
    while let Some(one) = cause {
        text.push_str(&format!(": {one}"));
        cause = one.source();
    }
    assert!(text.contains("svc.main"), "{text}");
    (error, text)
}

fn set(sim: &mut Sim, key: &str, value: Value) {
    sim.wanted.settings.insert(Node::text(key), Node::new(value));
}

#[test]
fn an_unknown_bounce_method() {
    let mut sim = sim();
    set(&mut sim, "bounce_method", Value::String("croosover".to_owned()));
    let (error, text) = refused(&sim);
    assert!(error.is_config());
    assert!(text.contains("`croosover`, expected one of: brutal"), "{text}");
}

#[test]
fn an_unknown_drain_method() {
    let mut sim = sim();
    sim.pass.drains = Arc::new(DrainTools::new("test", "0").expect("a client"));
    set(&mut sim, "drain_method", Value::String("uwsgi".to_owned()));
    let (error, text) = refused(&sim);
    assert!(error.is_config());
    assert!(text.contains("uwsgi") && text.contains("hacheck"), "{text}");
}

#[test]
fn a_margin_out_of_range() {
    let mut sim = sim();
    set(&mut sim, "bounce_margin_factor", Value::Float(1.5));
    assert!(refused(&sim).0.is_config());
}

#[test]
fn a_count_that_cannot_be_read() {
    let mut sim = sim();
    set(&mut sim, "max_instances", Value::Int(5));
    sim.wanted.autoscaled_count = Reading::Unknown("nobody answers".to_owned());
    let (error, text) = refused(&sim);
    assert!(matches!(error, PassError::Needs { need: Need::AutoscaledCount, .. }), "{text}");
}

#[test]
fn load_balancers_that_nobody_can_ask() {
    let mut sim = sim();
    let params = [(Node::text("check_haproxy"), Node::new(Value::Bool(true)))].into_iter().collect();
    set(&mut sim, "bounce_health_params", Value::Map(params));
    let (error, text) = refused(&sim);
    assert!(matches!(error, PassError::Needs { need: Need::LoadBalancers, .. }), "{text}");
}

#[test]
fn leaving_hosts_that_nobody_knows() {
    let sim = sim();
    sim.engine.world().faults.plan_listings([Some(ListFault::LeavingHosts)]);
    let (error, text) = refused(&sim);
    assert!(matches!(error, PassError::Needs { need: Need::LeavingHosts, .. }), "{text}");
    assert!(!error.is_config());
}

#[test]
fn a_lock_that_cannot_be_had() {
    struct NoLocks;
    #[async_trait::async_trait]
    impl Locks for NoLocks {
        async fn acquire(&self, name: &str, _wait: Duration) -> Result<LockGuard, LockError> {
            Err(LockError::Unavailable { name: name.to_owned(), reason: "not available yet".to_owned() })
        }
    }
    let mut sim = sim();
    sim.pass.locks = Arc::new(NoLocks);
    let (error, text) = refused(&sim);
    assert!(matches!(error, PassError::Needs { need: Need::Lock, .. }), "{text}");
}

/// Not an error: somebody else does the work; the instance is looked at again soon (mended B6).
#[test]
fn a_lock_that_somebody_else_holds() {
    let sim = sim();
    let held = sim.locks.acquire("/bounce/svc.main", Duration::ZERO);
    let held = futures_util::FutureExt::now_or_never(held).expect("no wait").expect("it is free");
    let report = sim.run(None).expect("nothing hangs").expect("no error");
    assert_eq!(report.state, PassState::LockHeld);
    assert!(report.look_again_seconds.is_some_and(|seconds| seconds <= 5.0));
    assert_eq!(sim.engine.world().calls().reads, 0);
    drop(held);
    let report = sim.run(None).expect("nothing hangs").expect("no error");
    assert_eq!(report.state, PassState::Working);
}
