//! Tables of agents that are played: where tasks go, and what happens when machines are taken away.

use super::*;

fn fleet(hosts: &[&str], attributes: &str, cpus: Option<f64>) -> Fleet {
    let hosts: Vec<String> = hosts.iter().map(|host| (*host).to_owned()).collect();
    let like = Agent {
        resources: Resources { cpus: cpus.unwrap_or(100.0), mem: 1e6, ..Resources::default() },
        is_limited: cpus.is_some(),
        ..Agent::default()
    };
    Fleet::dealt("S", &hosts, &attributes_of(attributes).expect("attributes"), &like).expect("hosts")
}

fn rig(hosts: &[&str], attributes: &str, cpus: Option<f64>) -> Rig {
    Rig::of(fleet(hosts, attributes, cpus), (31000, 31999))
}

fn machine(host: &str) -> Machine {
    Machine { hostname: host.to_owned(), ip: "127.0.0.1".to_owned() }
}

fn window(hosts: &[&str]) -> Window {
    let start = Nanoseconds { nanoseconds: 0 };
    let machine_ids = hosts.iter().map(|host| machine(host)).collect();
    Window { machine_ids, unavailability: Unavailability { start, duration: None } }
}

impl Rig {
    /// How many live tasks each host has, as `a1 b2`.
    fn spread(&self) -> String {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for task in self.engine.memory().tasks.values().filter(|task| task.is_live()) {
            *counts.entry(&self.engine.settings().fleet.get(task.agent).host).or_default() += 1;
        }
        counts.iter().map(|(host, count)| format!("{host}{count}")).collect::<Vec<_>>().join(" ")
    }

    fn app(&mut self, id: &str, instances: usize, constraints: Value) {
        let app =
            json!({"id": id, "cmd": "x", "instances": instances, "cpus": 1, "constraints": constraints});
        self.create(app).expect("created");
    }

    /// Whatever was told to go is gone.
    fn let_go(&mut self) {
        let going: Vec<TaskId> = self
            .engine
            .memory()
            .tasks
            .values()
            .filter(|task| !task.is_live())
            .map(|task| task.id.clone())
            .collect();
        for task in going {
            self.ask(Command::Exited { task, exit: Exit::Signal(15) }).expect("known");
        }
    }
}

#[test]
fn tasks_are_spread_over_the_agents_that_may_take_them() {
    let mut rig = rig(&["a", "b", "c"], "region:west,east", None);
    rig.app("/spread", 6, json!([]));
    assert_eq!(rig.spread(), "a2 b2 c2");
    rig.app("/grouped", 4, json!([["region", "GROUP_BY", "2"], ["pool", "LIKE", "default"]]));
    assert_eq!(rig.spread(), "a3 b4 c3", "two in each region");
    rig.app("/west", 2, json!([["region", "LIKE", "west"]]));
    assert_eq!(rig.spread(), "a4 b4 c4");
    rig.app("/unique", 5, json!([["hostname", "UNIQUE"]]));
    assert_eq!(rig.spread(), "a5 b5 c5");
    let queue = rig.engine.queue_json(rig.now, true);
    let offers = queue["queue"][0]["lastUnusedOffers"].as_array().expect("offers");
    assert_eq!(queue["queue"][0]["count"], 2);
    assert!(offers.len() == 3 && offers.iter().all(|offer| offer["reason"][0] == "UnfulfilledConstraint"));
}

#[test]
fn no_more_fits_on_a_limited_agent_than_it_has() {
    let mut rig = rig(&["a", "b"], "", Some(2.0));
    rig.app("/app", 5, json!([]));
    assert_eq!(rig.spread(), "a2 b2");
    let queue = rig.engine.queue_json(rig.now, true);
    assert_eq!(queue["queue"][0]["lastUnusedOffers"][0]["reason"][0], "InsufficientCpus");
    let amount = Resources { cpus: 1.0, ..Resources::default() };
    let reserve = |is_given_back| Command::Reserve {
        agent: "S0".to_owned(),
        role: "maintenance".to_owned(),
        resources: amount,
        is_given_back,
    };
    assert!(matches!(rig.ask(reserve(false)), Err(Refusal::Maintenance(_))), "nothing is free");
    assert!(matches!(rig.ask(reserve(true)), Err(Refusal::Maintenance(_))), "nothing is reserved");
    let task = rig.engine.memory().tasks.values().find(|task| task.agent == 0).map(|task| task.id.clone());
    let which = Victims::Ids(vec![task.expect("one on a")]);
    rig.ask(Command::KillTasks { which, scale: true, force: true }).expect("killed");
    rig.let_go();
    assert_eq!(rig.spread(), "a2 b2", "the fifth has come");
    let which = Victims::AllOf(PathId::parse("/app").expect("an id"), Some("a".to_owned()));
    rig.ask(Command::KillTasks { which, scale: true, force: true }).expect("killed");
    rig.let_go();
    assert_eq!(rig.spread(), "b2");
    rig.ask(reserve(false)).expect("free");
    rig.app("/more", 3, json!([]));
    assert_eq!(rig.spread(), "a1 b2", "what is reserved is not given to tasks");
    rig.ask(reserve(true)).expect("reserved");
    assert_eq!(rig.spread(), "a2 b2");
}

#[test]
fn machines_drain_go_down_and_come_back() {
    let mut rig = rig(&["a", "b"], "", None);
    rig.app("/app", 4, json!([]));
    assert_eq!(rig.spread(), "a2 b2");
    let down = |host: &str| Command::StartMaintenance { machines: vec![machine(host)] };
    let up = |host: &str| Command::StopMaintenance { machines: vec![machine(host)] };
    assert!(
        matches!(rig.ask(down("a")), Err(Refusal::Maintenance(why)) if why.contains("not part of a maintenance schedule"))
    );
    assert!(rig.ask(up("a")).is_err());
    rig.ask(Command::Schedule { windows: vec![window(&["a"])] }).expect("scheduled");
    assert_eq!(rig.spread(), "a2 b2", "what runs there goes on");
    rig.app("/new", 2, json!([]));
    assert_eq!(rig.spread(), "a2 b4", "what is new goes elsewhere");
    rig.ask(down("a")).expect("draining");
    assert_eq!(rig.spread(), "b6", "what ran there is replaced");
    rig.let_go();
    assert_eq!(rig.spread(), "b6");
    assert!(rig.ask(down("a")).is_err(), "it is down already");
    assert!(rig.ask(Command::Schedule { windows: vec![] }).is_err(), "what is down stays scheduled");
    let status = rig.engine.maintenance_status_json();
    assert_eq!(status["down_machines"][0]["hostname"], "a");
    assert!(status.get("draining_machines").is_none(), "{status}");
    rig.ask(up("a")).expect("down");
    assert_eq!(
        (rig.engine.maintenance_status_json(), rig.engine.maintenance_schedule_json()),
        (json!({}), json!({}))
    );
    assert!(rig.engine.memory().maintenance.is_empty());
    rig.app("/last", 2, json!([]));
    assert_eq!(rig.spread(), "a1 b7");
}

#[test]
fn schedules_that_mesos_refuses_are_refused() {
    let mut rig = rig(&["a"], "", None);
    let mut backwards = window(&["a"]);
    backwards.unavailability.duration = Some(Nanoseconds { nanoseconds: -1 });
    for windows in [
        vec![window(&[])],
        vec![window(&["a", "a"])],
        vec![window(&["a"]), window(&["a"])],
        vec![backwards],
        vec![Window { machine_ids: vec![Machine::default()], ..window(&["a"]) }],
    ] {
        assert!(
            matches!(rig.ask(Command::Schedule { windows: windows.clone() }), Err(Refusal::Maintenance(_))),
            "{windows:?}"
        );
    }
    assert!(rig.engine.memory().maintenance.is_empty());
}

/// State that was written before there were agents is read, and written so where there are none.
#[test]
fn one_agent_leaves_no_trace_in_the_state() {
    let mut rig = Rig::new((31000, 31999));
    rig.app("/app", 1, json!([["pool", "LIKE", "nowhere"]]));
    assert_eq!(rig.spread(), "here1", "constraints mean nothing to one machine");
    let text = serde_json::to_string(rig.engine.memory()).expect("writes");
    assert!(!text.contains("maintenance") && !text.contains("\"agent\""), "{text}");
}
