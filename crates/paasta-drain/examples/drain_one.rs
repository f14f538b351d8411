//! Drains one task through a hacheck, shows how it stands, and gives it back:
//! `cargo run -p paasta-drain --example drain_one -- HOST HACHECK_PORT REGISTRATION TASK_PORT`
//!
//! `cargo run -p paasta-hacheck --example serve` starts a hacheck to try it on.

use paasta_config::{Map, Node, Value};
use paasta_core::{AppId, Clock, Health, Registration, SystemClock, Task, TaskId, TaskPhase};
use paasta_drain::{DrainPlace, DrainTools, build};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [host, hacheck_port, registration, task_port] = arguments.as_slice() else {
        eprintln!("usage: drain_one HOST HACHECK_PORT REGISTRATION TASK_PORT");
        std::process::exit(2);
    };
    let registration = Registration::new(registration.as_str())?;
    let place = DrainPlace {
        service: registration.service().parse()?,
        instance: registration.namespace().parse()?,
        registrations: vec![registration],
    };
    let mut params = Map::new();
    params.insert(Node::text("delay"), Node::new(Value::Int(5)));
    params.insert(Node::text("hacheck_port"), Node::text(hacheck_port.as_str()));
    let method = build(&Node::text("hacheck"), &params, &place, &DrainTools::new("drain_one", "0.1.0")?)?;
    let task = Task {
        id: TaskId::new("example"),
        app: AppId::new("example"),
        host: host.clone(),
        ports: vec![task_port.parse()?],
        phase: TaskPhase::Running,
        staged_at: None,
        started_at: None,
        health: Health::NoResults,
    };

    println!("before:  {:?}", method.status(&task).await?);
    method.drain(&task, SystemClock.now()).await?;
    let status = method.status(&task).await?;
    println!("drained: {status:?}");
    println!("again:   {:?}", status.look_again(&method.timing(), SystemClock.now()));
    method.stop_draining(&task).await?;
    println!("after:   {:?}", method.status(&task).await?);
    Ok(())
}
