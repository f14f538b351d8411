//! Marathon's answers, as far as they are read (marathon-and-bounce.md §3.1). Members not named here are ignored.

use std::fmt;

use paasta_core::{
    App, AppId, CheckTiming, Health, HomeId, LaunchWait, Task, TaskFailure, TaskId, TaskPhase, Timestamp,
};
use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use crate::LiveApp;

/// `GET /v2/apps`, in everybody's words; apps in folders, which none of ours is in, are left out.
#[derive(Debug, Deserialize)]
pub(crate) struct AppList {
    #[serde(deserialize_with = "one_by_one")]
    apps: Vec<App>,
}

impl AppList {
    /// The apps, as those of this home.
    pub(crate) fn into_apps(self, home: &HomeId) -> Vec<App> {
        let mut apps = self.apps;
        for app in &mut apps {
            app.home = home.clone();
        }
        apps
    }
}

/// Each app is turned into everybody's words as soon as it is read: a listing of thousands never stands there twice.
fn one_by_one<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<App>, D::Error> {
    struct Apps;

    impl<'de> Visitor<'de> for Apps {
        type Value = Vec<App>;

        fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            formatter.write_str("a list of apps")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vec<App>, A::Error> {
            let (mut apps, nowhere) = (Vec::new(), HomeId::new(""));
            while let Some(app) = list.next_element::<WireApp>()? {
                if !app.is_in_folder() {
                    apps.push(app.into_app(&nowhere));
                }
            }
            Ok(apps)
        }
    }

    from.deserialize_seq(Apps)
}

/// `GET /v2/apps`, with all that is said of each app.
#[derive(Debug, Deserialize)]
pub(crate) struct DefinitionList {
    apps: Vec<serde_json::Map<String, serde_json::Value>>,
}

impl DefinitionList {
    /// The same in everybody's words, but for the definitions. What has no id is no app.
    pub(crate) fn into_apps(self, home: &HomeId) -> Vec<LiveApp> {
        let app = |definition: serde_json::Map<String, serde_json::Value>| {
            let id = definition.get("id")?.as_str()?.trim_start_matches('/');
            if id.contains('/') {
                return None;
            }
            let count =
                |name: &str| definition.get(name).and_then(serde_json::Value::as_u64).unwrap_or(0) as usize;
            let deployments = definition.get("deployments").and_then(serde_json::Value::as_array);
            Some(LiveApp {
                id: AppId::new(id),
                home: home.clone(),
                instances: count("instances"),
                tasks: count("tasksRunning") + count("tasksStaged"),
                deploying: deployments.is_some_and(|deployments| !deployments.is_empty()),
                definition,
            })
        };
        self.apps.into_iter().filter_map(app).collect()
    }
}

/// One app of a listing.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct WireApp {
    pub(crate) id: String,
    #[serde(default)]
    instances: i64,
    tasks: Option<Vec<WireTask>>,
    health_checks: Option<Vec<WireCheck>>,
    deployments: Option<Vec<serde::de::IgnoredAny>>,
    last_task_failure: Option<WireFailure>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireFailure {
    task_id: Option<String>,
    message: Option<String>,
    timestamp: Option<Timestamp>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireCheck {
    grace_period_seconds: Option<f64>,
    interval_seconds: Option<f64>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireTask {
    id: String,
    host: Option<String>,
    ports: Option<Vec<u16>>,
    started_at: Option<Timestamp>,
    staged_at: Option<Timestamp>,
    state: Option<String>,
    health_check_results: Option<Vec<Option<WireResult>>>,
}

/// What one health check of a task says.
#[derive(Debug, Deserialize)]
pub(crate) struct WireResult {
    #[serde(default)]
    pub(crate) alive: bool,
}

/// Marathon's own grace period and interval, where a check names none.
const GRACE_SECONDS_DEFAULT: f64 = 300.0;
const INTERVAL_SECONDS_DEFAULT: f64 = 60.0;

impl WireApp {
    /// Whether it lies in a folder, as no app of ours does.
    pub(crate) fn is_in_folder(&self) -> bool {
        self.id.strip_prefix('/').unwrap_or(&self.id).contains('/')
    }

    /// The same in everybody's words.
    pub(crate) fn into_app(self, home: &HomeId) -> App {
        let id = AppId::new(self.id);
        let tasks = self.tasks.unwrap_or_default().into_iter().map(|task| task.into_task(&id)).collect();
        let checks = self.health_checks.unwrap_or_default();
        App {
            home: home.clone(),
            instances: usize::try_from(self.instances).unwrap_or(0),
            tasks,
            checks: checks.first().map(|check| CheckTiming {
                grace_seconds: check.grace_period_seconds.unwrap_or(GRACE_SECONDS_DEFAULT),
                interval_seconds: check.interval_seconds.unwrap_or(INTERVAL_SECONDS_DEFAULT),
            }),
            deploying: self.deployments.is_some_and(|deployments| !deployments.is_empty()),
            launch: None,
            last_failure: self.last_task_failure.and_then(WireFailure::into_failure),
            id,
        }
    }
}

impl WireFailure {
    /// Nothing, if it does not say which task or why: then there is nothing to tell.
    fn into_failure(self) -> Option<TaskFailure> {
        Some(TaskFailure {
            task: TaskId::new(self.task_id?),
            message: self.message.filter(|message| !message.is_empty())?,
            at: self.timestamp,
        })
    }
}

impl WireTask {
    fn into_task(self, app: &AppId) -> Task {
        let results: Vec<WireResult> =
            self.health_check_results.unwrap_or_default().into_iter().flatten().collect();
        Task {
            id: TaskId::new(self.id),
            app: app.clone(),
            host: self.host.unwrap_or_default(),
            ports: self.ports.unwrap_or_default(),
            phase: phase(self.state, self.started_at.is_some()),
            staged_at: self.staged_at,
            started_at: self.started_at,
            health: match results.iter().any(|result| result.alive) {
                true => Health::Alive,
                false if results.is_empty() => Health::NoResults,
                false => Health::Dead,
            },
        }
    }
}

/// Old Marathons name no state; there a task that has started runs.
fn phase(state: Option<String>, started: bool) -> TaskPhase {
    match state.as_deref() {
        Some("TASK_RUNNING") => TaskPhase::Running,
        Some("TASK_STAGING" | "TASK_STARTING" | "TASK_CREATED") => TaskPhase::Staging,
        Some("TASK_UNREACHABLE") => TaskPhase::Unreachable,
        Some("TASK_KILLING") => TaskPhase::Killing,
        Some(other) => TaskPhase::Other(other.to_owned()),
        None if started => TaskPhase::Running,
        None => TaskPhase::Staging,
    }
}

/// `GET /v2/queue`.
#[derive(Debug, Deserialize)]
pub(crate) struct Queue {
    pub(crate) queue: Vec<QueueItem>,
}

/// An app that waits for a launch.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct QueueItem {
    pub(crate) app: QueueApp,
    delay: Option<Delay>,
    last_unused_offers: Option<Vec<UnusedOffer>>,
}

/// Which app waits.
#[derive(Debug, Deserialize)]
pub(crate) struct QueueApp {
    pub(crate) id: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Delay {
    #[serde(default)]
    overdue: bool,
    #[serde(default)]
    time_left_seconds: f64,
}

#[derive(Debug, Deserialize)]
struct UnusedOffer {
    reason: Option<Vec<String>>,
}

impl QueueItem {
    /// What the next launch waits for, if for anything.
    pub(crate) fn wait(&self) -> Option<LaunchWait> {
        let delay = self.delay.as_ref()?;
        if delay.overdue {
            return Some(LaunchWait::Resources { reason: self.unused_reasons() });
        }
        (delay.time_left_seconds > 0.0)
            .then_some(LaunchWait::BackOff { seconds_left: delay.time_left_seconds })
    }

    fn unused_reasons(&self) -> String {
        let offers = self.last_unused_offers.iter().flatten();
        let mut reasons: Vec<&str> =
            offers.flat_map(|offer| offer.reason.iter().flatten()).map(String::as_str).collect();
        reasons.sort_unstable();
        reasons.dedup();
        if reasons.is_empty() { "no offer that fits has come".to_owned() } else { reasons.join(", ") }
    }
}

/// An answer that says no.
#[derive(Debug, Deserialize)]
pub(crate) struct Refusal {
    pub(crate) message: Option<String>,
    deployments: Option<serde_json::Value>,
    details: Option<serde_json::Value>,
}

impl Refusal {
    /// Whether it says that a deployment holds the app: it names the deployment, or says so in words.
    pub(crate) fn is_locked(&self) -> bool {
        let holders = self.deployments.as_ref().and_then(serde_json::Value::as_array);
        let told = self.message.as_ref().is_some_and(|message| message.contains("locked by"));
        told || holders.is_some_and(|holders| !holders.is_empty())
    }

    /// The message with its details.
    pub(crate) fn text(&self) -> Option<String> {
        let message = self.message.as_ref()?;
        Some(match &self.details {
            Some(details) => format!("{message}: {details}"),
            None => message.clone(),
        })
    }
}

/// `GET /paasta/tasks/<id>/log`, a route of the embedded engine.
#[derive(Debug, Deserialize)]
pub(crate) struct LogAnswer {
    pub(crate) lines: Vec<String>,
    #[serde(default)]
    pub(crate) unfinished: bool,
    pub(crate) next: Option<u64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn app(json: &str) -> App {
        let app: WireApp = serde_json::from_str(json).unwrap();
        app.into_app(&HomeId::new("h"))
    }

    #[test]
    fn the_last_failure_is_kept_if_it_says_anything() {
        let said = |json: &str| app(json).last_failure;
        assert_eq!(said(r#"{"id": "/s.i.g.c"}"#), None);
        assert_eq!(said(r#"{"id": "/s.i.g.c", "lastTaskFailure": {"message": ""}}"#), None);
        let failed =
            r#"{"id": "/s.i.g.c", "lastTaskFailure": {"message": "exit 1", "taskId": "t", "host": "h"}}"#;
        assert_eq!(said(failed).map(|failure| failure.message).as_deref(), Some("exit 1"));
    }

    #[test]
    fn apps_of_a_listing_are_those_of_its_home_without_folders() {
        let text = r#"{"new": 1, "apps": [{"id": "/a.b.c.d", "instances": 2}, {"id": "/folder/a"}, {"id": "/e.f"}]}"#;
        let list: AppList = serde_json::from_str(text).unwrap();
        let found = list.into_apps(&HomeId::new("h")).into_iter();
        let found: Vec<_> = found.map(|app| (app.home.to_string(), app.id.to_string())).collect();
        let home = |id: &str| ("h".to_owned(), id.to_owned());
        assert_eq!(found, [home("a.b.c.d"), home("e.f")]);
        for wrong in [r#"{"apps": {}}"#, r#"{"apps": null}"#, "{}"] {
            assert!(serde_json::from_str::<AppList>(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn missing_empty_and_null_results_are_no_results() {
        for results in ["", r#","healthCheckResults":[]"#, r#","healthCheckResults":[null]"#] {
            let text =
                format!(r#"{{"id":"/a.b.c.d","instances":1,"tasks":[{{"id":"t"{results}}}],"new":{{}}}}"#);
            assert_eq!(app(&text).tasks[0].health, Health::NoResults, "{results}");
        }
        let text = r#"{"id":"/a","tasks":[{"id":"t","healthCheckResults":[{"alive":false},{"alive":true}]},
            {"id":"u","healthCheckResults":[{"alive":false}]}]}"#;
        let app = app(text);
        assert_eq!((app.tasks[0].health, app.tasks[1].health), (Health::Alive, Health::Dead));
    }

    #[test]
    fn waits_are_overdue_first() {
        let wait = |json: &str| serde_json::from_str::<QueueItem>(json).unwrap().wait();
        assert_eq!(wait(r#"{"app":{"id":"/a"},"delay":{"timeLeftSeconds":0,"overdue":false}}"#), None);
        assert_eq!(
            wait(r#"{"app":{"id":"/a"},"delay":{"timeLeftSeconds":7,"overdue":false}}"#),
            Some(LaunchWait::BackOff { seconds_left: 7.0 })
        );
        let overdue = r#"{"app":{"id":"/a"},"delay":{"timeLeftSeconds":0,"overdue":true},
            "lastUnusedOffers":[{"reason":["InsufficientMemory","InsufficientCpus"]},{"reason":["InsufficientCpus"]}]}"#;
        let reason = "InsufficientCpus, InsufficientMemory".to_owned();
        assert_eq!(wait(overdue), Some(LaunchWait::Resources { reason }));
    }
}
