//! What is created is written down, and nothing depends on it.

use std::sync::{Arc, Mutex};

use paasta_core::{Created, Health, History};
use paasta_testkit::Fault;

use crate::sim::{Shape, Sim, Want};

#[derive(Default)]
struct Written {
    records: Mutex<Vec<Created>>,
    broken: bool,
}

impl History for Written {
    fn created(&self, record: &Created) -> Result<(), String> {
        self.records.lock().expect("not poisoned").push(record.clone());
        if self.broken { Err("the disk is full".to_owned()) } else { Ok(()) }
    }
}

impl Written {
    fn take(&self) -> Vec<Created> {
        std::mem::take(&mut self.records.lock().expect("not poisoned"))
    }
}

fn sim(written: &Arc<Written>) -> Sim {
    let mut sim = Sim::new(Shape::Marathon, &Want { method: "crossover", instances: 2, margin: 1.0 }, 0.0);
    sim.seed("older", "previous", 1, Health::Alive);
    sim.seed("old", "current", 3, Health::Alive);
    sim.pass.history = Some(written.clone());
    sim
}

#[tokio::test]
async fn a_created_version_is_written_down_once_with_what_it_replaces() {
    let written = Arc::new(Written::default());
    let sim = sim(&written);
    sim.pass.run(&sim.wanted, None).await.expect("it goes on");
    let records = written.take();
    let [record] = records.as_slice() else { panic!("{records:?}") };
    assert_eq!(record.instance, sim.wanted.id);
    assert!(record.confirmed && record.instances == 2, "{record:?}");
    let replaced: Vec<_> = record.replaces.iter().map(|app| app.as_str()).collect();
    assert_eq!(replaced, ["svc.main.gitold.configold", "svc.main.gitolder.configolder"]);
    sim.step(1.0);
    sim.pass.run(&sim.wanted, None).await.expect("it goes on");
    assert!(written.take().is_empty(), "it exists already");
}

#[tokio::test]
async fn a_creation_whose_answer_was_lost_is_written_down_as_such_and_a_refused_one_is_not() {
    for (fault, expected) in [(Fault::LostReply { done: true }, Some(false)), (Fault::Refused, None)] {
        let written = Arc::new(Written::default());
        let sim = sim(&written);
        sim.engine.world().faults.plan_changes([Some(fault)]);
        sim.pass.run(&sim.wanted, None).await.expect("it goes on");
        assert_eq!(written.take().first().map(|record| record.confirmed), expected);
    }
}

#[tokio::test]
async fn a_history_that_cannot_be_written_hinders_nothing() {
    let written = Arc::new(Written { broken: true, ..Written::default() });
    let sim = sim(&written);
    let report = sim.pass.run(&sim.wanted, None).await.expect("it goes on");
    assert_eq!(report.problems, [""; 0]);
    assert_eq!(written.take().len(), 1);
}
