//! The API over an engine that a stranger would write, asked by the real client.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use futures_core::stream::BoxStream;
use paasta_api::{ApiState, router, serve};
use paasta_api_client::{
    ApiClient, ApiError, DeployStatus, InstanceStatus, StatusQuery, TaskHealth, Timeouts, WantedState,
};
use paasta_config::{Memory, RenderError, Renderer, Soa, SystemConfig, Wanted};
use paasta_core::{
    Action, App, AppId, Applied, Change, CheckTiming, Clock, Counts, Engine, EngineError, Fleet, Health,
    HomeId, Homes, InstanceId, LaunchWait, LogStream, LogTail, Reading, Registration, Rendered, Sighting,
    Task, TaskFailure, TaskId, TaskLog, TaskPhase, Timestamp,
};
use paasta_setup::Limits;

const NOW: f64 = 1_600_000_000.0;
const NEW: &str = "web.main.git22222222.configbbbbbbbb";
const OLD: &str = "web.main.git11111111.configaaaaaaaa";

/// Shows what a test put there; changes are refused, for the API must not ask for any.
#[derive(Default)]
struct Shown {
    apps: Mutex<Option<Reading<Vec<App>>>>,
}

#[async_trait]
impl Engine for Shown {
    async fn observe(&self, _: &InstanceId, homes: &Homes) -> Sighting {
        let apps = self.apps.lock().expect("not poisoned").clone().unwrap_or(Reading::Known(vec![]));
        Sighting {
            homes: homes.all().map(|home| (home.clone(), apps.clone())).collect(),
            leaving_hosts: Reading::Known(BTreeSet::new()),
        }
    }

    async fn observe_all(&self) -> Fleet {
        Fleet { homes: BTreeMap::new(), leaving_hosts: Reading::Unknown("not asked".to_owned()) }
    }

    async fn apply(&self, action: &Action) -> Result<Applied, EngineError> {
        Err(EngineError::Unsupported(format!("the API changed something: {action:?}")))
    }

    fn changes(&self) -> BoxStream<'static, Change> {
        Box::pin(futures_util::stream::pending())
    }

    async fn task_log(
        &self,
        task: &TaskId,
        stream: LogStream,
        tail: LogTail,
    ) -> Result<TaskLog, EngineError> {
        match task.as_str().ends_with("gone") {
            true => Err(EngineError::NotFound { what: format!("log of task `{task}`") }),
            false => Ok(TaskLog {
                lines: vec![format!("{task} {} {}", stream.as_str(), tail.lines)],
                unfinished: true,
                next: tail.after,
            }),
        }
    }
}

struct Fixed;

impl Renderer for Fixed {
    fn render(&self, wanted: &Wanted) -> Result<Rendered, RenderError> {
        if wanted.settings.get("cmd").is_some() {
            return Err(RenderError {
                class: "InvalidInstanceConfig",
                message: "`cmd` is odd".to_owned(),
                position: None,
            });
        }
        let instances = match wanted.desired_instances() {
            Ok(Reading::Known(n)) => usize::try_from(n).unwrap_or(0),
            _ => 0,
        };
        Ok(Rendered {
            app: AppId::new(NEW),
            config_hash: "configbbbbbbbb".to_owned(),
            hash_input: String::new(),
            body: String::new(),
            instances,
            homes: Homes { current: HomeId::new("home"), previous: vec![] },
        })
    }
}

#[async_trait]
impl Counts for Fixed {
    async fn count(&self, _: &InstanceId) -> Reading<Option<i64>> {
        Reading::Unknown("the counter is down".to_owned())
    }
}

impl Clock for Fixed {
    fn now(&self) -> Timestamp {
        Timestamp::from_seconds(NOW)
    }
}

const DEPLOYMENTS: &str = r#"{"v2": {
    "deployments": {"prod": {"docker_image": "img", "git_sha": "2222222233333333333333333333333333333333"}},
    "controls": {"web:pnw.main": {"desired_state": "start", "force_bounce": null},
                 "web:pnw.halted": {"desired_state": "stop", "force_bounce": null},
                 "web:pnw.scaled": {"desired_state": "start", "force_bounce": null},
                 "web:pnw.meshed": {"desired_state": "start", "force_bounce": null},
                 "web:pnw.odd": {"desired_state": "start", "force_bounce": null}}}}"#;

const INSTANCES: &str = "\
main: {instances: 2, deploy_group: prod, drain_method: noop}
halted: {instances: 2, deploy_group: prod}
scaled: {min_instances: 1, max_instances: 5, deploy_group: prod}
meshed: {deploy_group: prod}
odd: {cmd: x, deploy_group: prod}
fresh: {deploy_group: other}
";

fn soa() -> Soa {
    let tree = Memory::new()
        .with("web/marathon-pnw.yaml", INSTANCES)
        .with("web/tron-pnw.yaml", "job: {actions: {act: {command: x}}}\n")
        .with("web/smartstack.yaml", "meshed: {proxy_port: 20001}\n")
        .with("web/deployments.json", DEPLOYMENTS)
        .with("broken/marathon-pnw.yaml", "main: [\n")
        .with("other/marathon-nor.yaml", "main: {}\n");
    Soa::new(Arc::new(tree))
}

/// Serves the API over an engine until the test ends.
async fn api(apps: Reading<Vec<App>>) -> ApiClient {
    let system = r#"{"cluster": "pnw", "clusters": ["pnw", "nor"]}"#;
    let state = ApiState {
        cluster: "pnw".parse().expect("a name"),
        soa: soa(),
        system: SystemConfig::from_json(system).expect("a system configuration"),
        renderer: Arc::new(Fixed),
        engine: Arc::new(Shown { apps: Mutex::new(Some(apps)) }),
        drains: Arc::new(paasta_drain::DrainTools::new("test", "1").expect("tools")),
        discovery: None,
        limits: Limits::default(),
        counts: Arc::new(Fixed),
        clock: Arc::new(Fixed),
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    tokio::spawn(serve(listener, router(state), std::future::pending()));
    let timeouts = Timeouts { connect: Duration::from_secs(5), total: Duration::from_secs(20) };
    ApiClient::new("pnw".parse().expect("a name"), &url, timeouts).expect("a client")
}

fn task(app: &str, name: &str, health: Health) -> Task {
    Task {
        id: TaskId::new(format!("{app}.{name}")),
        app: AppId::new(app),
        host: "h1".to_owned(),
        ports: vec![31001],
        phase: TaskPhase::Running,
        staged_at: Some(Timestamp::from_seconds(NOW - 100.0)),
        started_at: Some(Timestamp::from_seconds(NOW - 90.0)),
        health,
    }
}

fn app(id: &str, instances: usize, tasks: Vec<Task>) -> App {
    App {
        id: AppId::new(id),
        home: HomeId::new("home"),
        instances,
        tasks,
        checks: Some(CheckTiming { grace_seconds: 60.0, interval_seconds: 10.0 }),
        deploying: false,
        launch: None,
        last_failure: None,
    }
}

fn two_versions() -> Reading<Vec<App>> {
    let old = app(OLD, 2, vec![task(OLD, "o1", Health::Alive), task(OLD, "o2", Health::Alive)]);
    let mut new = app(NEW, 2, vec![task(NEW, "n1", Health::Alive), task(NEW, "n2", Health::NoResults)]);
    new.deploying = true;
    Reading::Known(vec![old, new])
}

async fn status(apps: Reading<Vec<App>>, instance: &str) -> Result<InstanceStatus, ApiError> {
    let id = format!("web.{instance}").parse().expect("an instance");
    api(apps).await.status(&id, StatusQuery { verbose: 1 }).await
}

#[tokio::test]
async fn services_and_instances_are_those_of_this_cluster() {
    let api = api(Reading::Known(vec![])).await;
    assert_eq!(api.version().await.expect("a version"), env!("CARGO_PKG_VERSION"));
    let services = api.services().await.expect("services");
    let names: Vec<String> = services.services.iter().map(|(s, i)| format!("{s}.{i}")).collect();
    let all = ["web.fresh", "web.halted", "web.job.act", "web.main", "web.meshed", "web.odd", "web.scaled"];
    assert_eq!(names, all, "a service that cannot be read hides no other");
    let none = api.instances(&"other".parse().expect("a name")).await.expect("a service elsewhere");
    assert!(none.instances.is_empty());
    let error = api.instances(&"nope".parse().expect("a name")).await.expect_err("no such service");
    assert_eq!(error.status(), Some(404));
}

#[tokio::test]
async fn a_bounce_shows_both_versions_and_what_the_next_pass_waits_for() {
    let status = status(two_versions(), "main").await.expect("a status");
    assert_eq!(status.git_sha, "22222222");
    let marathon = status.marathon.expect("a long-running instance");
    assert_eq!((marathon.desired_state, marathon.app_count), (WantedState::Start, 2));
    assert_eq!(marathon.deploy_status, Some(DeployStatus::Deploying));
    assert_eq!((marathon.running_instance_count, marathon.expected_instance_count), (Some(4), Some(2)));
    let sha = |text: &str| Some(text.to_owned());
    assert_eq!(
        marathon.active_shas,
        [(sha("22222222"), sha("bbbbbbbb")), (sha("11111111"), sha("aaaaaaaa"))]
    );
    let first = &marathon.app_statuses[0];
    assert_eq!(first.id, marathon.desired_app_id);
    assert_eq!((first.tasks_running, first.tasks_healthy), (2, 1));
    let task = &first.tasks[0];
    assert_eq!((task.id.as_str(), task.host.as_deref(), task.port), ("n1", Some("h1"), Some(31001)));
    assert_eq!((task.is_healthy, task.health), (Some(true), Some(TaskHealth::Healthy)));
    assert_eq!(first.tasks[1].health, Some(TaskHealth::Unchecked));
    assert_eq!(task.deployed_timestamp, Some(NOW - 100.0));
    let bounce = marathon.bounce.expect("a bounce");
    assert!(bounce.in_progress);
    assert_eq!((bounce.wanted, bounce.happy_new, bounce.old_apps), (2, 1, 1));
    let reasons: Vec<&str> = bounce.why.iter().map(|why| why.kind.as_str()).collect();
    assert!(reasons.contains(&"new_happy"), "{:?}", bounce.why);
    let first = bounce.why.iter().find(|why| why.kind == "new_happy").expect("a reason");
    assert_eq!(first.detail["need"], 2);
    assert!(first.message.contains("1 of 2"), "{}", first.message);
    assert!(bounce.look_again_at.is_some());
}

#[tokio::test]
async fn a_steady_instance_waits_for_nothing() {
    let tasks = vec![task(NEW, "n1", Health::Alive), task(NEW, "n2", Health::Alive)];
    let status = status(Reading::Known(vec![app(NEW, 2, tasks)]), "main").await.expect("a status");
    let marathon = status.marathon.expect("a long-running instance");
    let bounce = marathon.bounce.expect("a bounce");
    assert!(!bounce.in_progress && bounce.why.is_empty() && bounce.look_again_at.is_none(), "{bounce:?}");
    assert_eq!(marathon.deploy_status, Some(DeployStatus::Running));
}

#[tokio::test]
async fn launches_that_are_put_off_say_so() {
    let mut new = app(NEW, 2, vec![]);
    new.launch = Some(LaunchWait::BackOff { seconds_left: 7.0 });
    let (task, message) = (TaskId::new(format!("{NEW}.x")), "Command exited with status 3".to_owned());
    new.last_failure = Some(TaskFailure { task, message, at: None });
    let marathon = status(Reading::Known(vec![new]), "main").await.expect("a status").marathon.expect("one");
    assert_eq!((marathon.deploy_status, marathon.backoff_seconds), (Some(DeployStatus::Delayed), Some(7.0)));
    let failure = marathon.app_statuses[0].last_failure.as_ref().expect("a failure");
    assert_eq!(failure.message, "Command exited with status 3");
    assert!(marathon.bounce.expect("a bounce").why.iter().any(|why| why.kind == "launch_back_off"));
}

#[tokio::test]
async fn what_could_not_be_seen_is_unknown_not_absent() {
    let unknown = Reading::Unknown("connection refused".to_owned());
    let marathon = status(unknown, "main").await.expect("a status").marathon.expect("one");
    assert_eq!((marathon.app_count, marathon.deploy_status), (-1, None));
    assert!(marathon.error_message.expect("an error").contains("connection refused"));
}

#[tokio::test]
async fn instances_that_cannot_be_shown_say_why() {
    let none = || Reading::Known(vec![]);
    let halted = status(none(), "halted").await.expect("a status").marathon.expect("one");
    assert_eq!(
        (halted.desired_state, halted.deploy_status),
        (WantedState::Stop, Some(DeployStatus::NotRunning))
    );
    let odd = status(none(), "odd").await.expect("a status").marathon.expect("one");
    assert!(odd.error_message.expect("an error").contains("`cmd` is odd"));
    let scaled = status(none(), "scaled").await.expect("a status").marathon.expect("one");
    assert!(scaled.error_message.expect("an error").contains("the counter is down"));

    let code = |outcome: Result<InstanceStatus, ApiError>| match outcome {
        Err(ApiError::Status { status, code, .. }) => (status, code),
        other => panic!("{other:?}"),
    };
    assert_eq!(code(status(none(), "fresh").await), (404, "not_deployed".to_owned()));
    assert_eq!(code(status(none(), "mian").await), (404, "no_such_instance".to_owned()));
    let tron: InstanceId =
        InstanceId::new("web".parse().expect("a name"), "job.act".parse().expect("a name"));
    let outcome = api(none()).await.status(&tron, StatusQuery::default()).await;
    assert_eq!(code(outcome), (501, "unsupported_type".to_owned()));
}

#[tokio::test]
async fn what_the_next_pass_would_refuse_is_said() {
    let meshed = status(Reading::Known(vec![]), "meshed").await.expect("a status").marathon.expect("one");
    let why = meshed.bounce.expect("a bounce").why;
    assert_eq!(why.len(), 1, "{why:?}");
    assert!(why[0].kind == "unknown" && why[0].message.contains("no load balancer"), "{why:?}");
}

#[tokio::test]
async fn the_endpoints_of_a_registration_are_its_tasks_of_all_versions() {
    let web: Registration = Registration::new("web.main").expect("a registration");
    let found = api(two_versions()).await.endpoints(&web).await.expect("endpoints");
    let told: Vec<String> = found
        .endpoints
        .iter()
        .map(|one| {
            let (health, traffic) = (one.health, one.takes_traffic);
            format!(
                "{}:{} {} {} {health:?} {:?} {traffic:?}",
                one.address, one.port, one.instance, one.task_id, one.draining
            )
        })
        .collect();
    let line = |app: &str, name: &str, health: &str, traffic: bool| {
        format!("h1:31001 main {app}.{name} {health} Some(false) Some({traffic})")
    };
    let mut want = [
        line(OLD, "o1", "Healthy", true),
        line(OLD, "o2", "Healthy", true),
        line(NEW, "n1", "Healthy", true),
        line(NEW, "n2", "Unchecked", false),
    ];
    want.sort();
    assert_eq!(told, want);
    let unknown: Vec<_> = found.unknown.iter().map(|one| one.service.as_str()).collect();
    assert_eq!(unknown, ["broken"], "its file cannot be read, so that it may be registered, too");
}

#[tokio::test]
async fn an_engine_that_does_not_answer_leaves_endpoints_unknown() {
    let web: Registration = Registration::new("web.main").expect("a registration");
    let found =
        api(Reading::Unknown("it is down".to_owned())).await.endpoints(&web).await.expect("an answer");
    assert!(found.endpoints.is_empty());
    let unknown: Vec<_> = found.unknown.iter().filter(|one| one.instance.is_some()).collect();
    assert!(unknown.len() == 1 && unknown[0].reason.contains("it is down"), "{unknown:?}");
}

#[tokio::test]
async fn task_logs_are_found_by_short_and_by_whole_id() {
    let api = api(two_versions()).await;
    let id: InstanceId = "web.main".parse().expect("an instance");
    let ask = |task: String, stream, lines| {
        let (api, id) = (api.clone(), id.clone());
        async move { api.task_log(&id, &TaskId::new(task), stream, LogTail { lines, after: Some(7) }).await }
    };
    let short = ask("o1".to_owned(), LogStream::Stderr, 3).await.expect("a log");
    assert_eq!(short.lines, [format!("{OLD}.o1 stderr 3")]);
    assert_eq!((short.unfinished, short.next), (true, Some(7)));
    let ended = ask(format!("{OLD}.ended"), LogStream::Stdout, 5).await.expect("a log of a task that ended");
    assert_eq!(ended.lines, [format!("{OLD}.ended stdout 5")]);
    for missing in ["nope".to_owned(), format!("{OLD}.gone"), "other.main.git1.config1.x".to_owned()] {
        let error = ask(missing, LogStream::Stdout, 1).await.expect_err("no such task");
        assert_eq!(error.status(), Some(404), "{error}");
    }
}
