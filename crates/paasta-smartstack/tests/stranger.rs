//! A provider as somebody outside writes it: a list in memory, which counts how often each host is asked.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use paasta_core::{
    AppId, Discovery, DiscoveryQuestion, Health, Reading, Registration, Task, TaskId, TaskPhase,
};
use paasta_smartstack::{
    Agent, Backend, BackendState, Backends, LoadBalancers, Provider, ProviderError, ReplicationQuestion,
    ResolveError, Resolver, Run,
};

/// What each host says: addresses and whether they are up. A host that is not there does not answer.
#[derive(Default)]
struct Catalog {
    hosts: BTreeMap<&'static str, Vec<(&'static str, bool)>>,
    asked: Mutex<BTreeMap<String, usize>>,
    /// A host that never ends its answer.
    endless: Option<&'static str>,
}

#[async_trait]
impl Provider for Catalog {
    fn name(&self) -> &str {
        "Catalog"
    }

    async fn backends(&self, host: &str, _: Option<&Registration>) -> Result<Backends, ProviderError> {
        *self.asked.lock().expect("no panic").entry(host.to_owned()).or_default() += 1;
        if self.endless == Some(host) {
            std::future::pending::<()>().await;
        }
        let known = self.hosts.get(host);
        let known = known.ok_or_else(|| ProviderError::Other(format!("`{host}` keeps no catalog")))?;
        Ok(known.iter().map(|(address, up)| backend(address, *up)).collect())
    }
}

fn backend(address: &str, up: bool) -> Backend {
    Backend {
        registration: "web.main".to_owned(),
        server: address.to_owned(),
        host: None,
        address: address.parse().ok(),
        state: if up { BackendState::Up } else { BackendState::Down },
        status: String::new(),
        check_status: String::new(),
        check_code: String::new(),
        check_duration_ms: None,
        last_change_seconds: None,
        weight: None,
    }
}

/// Hosts `h1`, `h2`, … have the addresses 10.0.0.1, 10.0.0.2, …; `lost` has none.
struct Numbers;

#[async_trait]
impl Resolver for Numbers {
    async fn address(&self, host: &str) -> Result<std::net::IpAddr, ResolveError> {
        let number = host.strip_prefix('h').and_then(|number| format!("10.0.0.{number}").parse().ok());
        number.ok_or_else(|| ResolveError { host: host.to_owned(), reason: "it has no number".to_owned() })
    }
}

fn task(host: &str, port: u16) -> Task {
    Task {
        id: TaskId::new(format!("{host}:{port}")),
        app: AppId::new("web.main.g.c"),
        host: host.to_owned(),
        ports: vec![port],
        phase: TaskPhase::Running,
        staged_at: None,
        started_at: None,
        health: Health::Alive,
    }
}

async fn seen(catalog: Catalog, tasks: &[Task], min_fraction_up: f64) -> BTreeMap<TaskId, Reading<bool>> {
    let balancers = LoadBalancers::new(Arc::new(catalog), Arc::new(|| 7))
        .with_resolver(Arc::new(Numbers))
        .with_patience(Duration::from_millis(300));
    let tasks: Vec<&Task> = tasks.iter().collect();
    let registration = Registration::new("web.main").expect("a registration");
    balancers.seen(&DiscoveryQuestion { registration: &registration, tasks: &tasks, min_fraction_up }).await
}

fn told(seen: &BTreeMap<TaskId, Reading<bool>>) -> Vec<String> {
    let word = |reading: &Reading<bool>| match reading {
        Reading::Known(true) => "seen".to_owned(),
        Reading::Known(false) => "not seen".to_owned(),
        Reading::Unknown(reason) => format!("? {reason}"),
    };
    seen.iter().map(|(task, reading)| format!("{} {}", task.as_str(), word(reading))).collect()
}

#[tokio::test]
async fn tasks_that_all_load_balancers_have_up_are_seen() {
    let both = vec![("10.0.0.1:1", true), ("10.0.0.2:1", true)];
    let catalog = || Catalog {
        hosts: [("h1", both.clone()), ("h2", vec![("10.0.0.1:1", true)])].into(),
        ..Catalog::default()
    };
    let tasks = [task("h1", 1), task("h2", 1)];
    assert_eq!(told(&seen(catalog(), &tasks, 1.0).await), ["h1:1 seen", "h2:1 not seen"]);
    assert_eq!(told(&seen(catalog(), &tasks, 0.5).await), ["h1:1 seen", "h2:1 seen"]);
    assert!(seen(catalog(), &[], 1.0).await.is_empty());
}

#[tokio::test]
async fn a_load_balancer_that_does_not_answer_leaves_it_open() {
    let hosts = || [("h1", vec![("10.0.0.1:1", true)])].into();
    let tasks = [task("h1", 1), task("h2", 1), task("lost", 1)];
    let refusing = Catalog { hosts: hosts(), ..Catalog::default() };
    let open = "? 2 of 3 load balancers gave no answer: `h2` keeps no catalog; `lost` keeps no catalog";
    let lost = "lost:1 ? could not find out the address of host `lost`: it has no number";
    // Whatever the others would have said, `h1` does not have it up.
    let want = [&format!("h1:1 {open}"), "h2:1 not seen", lost];
    assert_eq!(told(&seen(refusing, &tasks, 1.0).await), want);
    let endless = Catalog { hosts: hosts(), endless: Some("h2"), ..Catalog::default() };
    let found = told(&seen(endless, &tasks[..2], 1.0).await);
    assert_eq!(found[0], "h1:1 ? 1 of 2 load balancers gave no answer: there was no time left to ask `h2`");
}

#[tokio::test]
async fn twenty_load_balancers_are_asked_at_most() {
    let catalog = Arc::new(Catalog::default());
    let tasks: Vec<Task> = (1..=50).map(|number| task(&format!("h{number}"), 1)).collect();
    let tasks: Vec<&Task> = tasks.iter().collect();
    let registration = Registration::new("web.main").unwrap();
    let question = DiscoveryQuestion { registration: &registration, tasks: &tasks, min_fraction_up: 1.0 };
    let balancers =
        |seed| LoadBalancers::new(catalog.clone(), Arc::new(move || seed)).with_resolver(Arc::new(Numbers));
    balancers(1).seen(&question).await;
    let first: Vec<_> = catalog.asked.lock().unwrap().keys().cloned().collect();
    assert_eq!(first.len(), 20);
    balancers(2).seen(&question).await;
    assert!(catalog.asked.lock().unwrap().len() > 20, "another seed asks others");
}

fn agent(host: &str, region: &str) -> Agent {
    Agent { host: host.to_owned(), attributes: [("region".to_owned(), region.to_owned())].into() }
}

#[tokio::test]
async fn each_host_is_asked_once_in_a_run_also_if_it_fails() {
    let hosts = [("h1", vec![("10.0.0.1:1", true), ("10.0.0.2:1", false)]), ("h4", vec![])].into();
    let catalog = Arc::new(Catalog { hosts, ..Catalog::default() });
    let run = Run::new(catalog.clone(), Duration::from_secs(5));
    let agents = [agent("h1", "a"), agent("h2", "b"), agent("h3", "c"), agent("h4", "c")];
    for registration in ["web.main", "web.other", "api.main"] {
        let question = ReplicationQuestion { registration, discover: "region", pool: "default" };
        let (one, other) =
            tokio::join!(run.replication(&agents, &question), run.replication(&agents, &question));
        assert_eq!(one, other);
        let up = usize::from(registration == "web.main");
        assert_eq!(one["a"], Reading::Known(up));
        assert_eq!(one["b"], Reading::Unknown("`h2` keeps no catalog".to_owned()));
        assert_eq!(one["c"], Reading::Known(0), "the next host of a location answers");
    }
    assert!(catalog.asked.lock().unwrap().values().all(|count| *count == 1));
    assert_eq!(catalog.asked.lock().unwrap().len(), 4);
}

#[tokio::test]
async fn a_thousand_services_cost_one_question_to_each_location() {
    let catalog = Arc::new(Catalog {
        hosts: (0..9)
            .map(|at| (["h1", "h2", "h3", "h4", "h5", "h6", "h7", "h8", "h9"][at], vec![]))
            .collect(),
        ..Catalog::default()
    });
    let run = Run::new(catalog.clone(), Duration::from_secs(30));
    let agents: Vec<Agent> = (1..=9).map(|at| agent(&format!("h{at}"), ["a", "b", "c"][at % 3])).collect();
    for number in 0..1000 {
        let registration = format!("service{number}.main");
        let question =
            ReplicationQuestion { registration: &registration, discover: "region", pool: "default" };
        let counts = run.replication(&agents, &question).await;
        assert!(counts.len() == 3 && counts.values().all(|count| *count == Reading::Known(0)));
    }
    let asked = catalog.asked.lock().unwrap();
    assert_eq!(
        asked.iter().map(|(host, count)| (host.as_str(), *count)).collect::<Vec<_>>(),
        [("h1", 1), ("h2", 1), ("h3", 1)]
    );
}

#[tokio::test]
async fn a_run_ends_in_its_time_and_says_who_was_not_asked() {
    let hosts = [("h1", vec![("10.0.0.1:1", true)])].into();
    let catalog = Arc::new(Catalog { hosts, endless: Some("h2"), ..Catalog::default() });
    let run = Run::new(catalog.clone(), Duration::from_millis(200));
    let agents = [agent("h1", "a"), agent("h2", "b"), agent("h3", "b")];
    let question = ReplicationQuestion { registration: "web.main", discover: "region", pool: "default" };
    let counts = run.replication(&agents, &question).await;
    assert_eq!(counts["a"], Reading::Known(1));
    let told = "none of 2 hosts answered; the last: `h3` keeps no catalog";
    assert_eq!(counts["b"], Reading::Unknown(told.to_owned()));
}
