//! The engine's state in Marathon's JSON.

use paasta_core::{TaskId, Timestamp};
use serde_json::{Map, Value, json};

use super::{App, CheckState, Engine, PathId, Phase, Task, TaskFailure};

/// Which inner parts of an app are shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Embed {
    /// Its tasks.
    pub tasks: bool,
    /// Its last failed task.
    pub last_task_failure: bool,
}

impl Embed {
    /// From the values of `embed=`, with `app.` or `apps.` before the part. Counts and deployments are always
    /// shown; parts not known are passed over, as Marathon does.
    pub fn from_names<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        let mut embed = Self::default();
        for name in names.into_iter().flat_map(|names| names.split(',')) {
            match name.trim_start_matches("apps.").trim_start_matches("app.") {
                "tasks" => embed.tasks = true,
                "lastTaskFailure" => embed.last_task_failure = true,
                "failures" => embed = Self { tasks: true, last_task_failure: true },
                _ => {}
            }
        }
        embed
    }
}

/// Members every app shows, with the value it has where its JSON names none.
fn defaults() -> Vec<(&'static str, Value)> {
    vec![
        ("env", json!({})),
        ("instances", json!(1)),
        ("cpus", json!(1)),
        ("mem", json!(128)),
        ("disk", json!(0)),
        ("gpus", json!(0)),
        ("executor", json!("")),
        ("constraints", json!([])),
        ("uris", json!([])),
        ("fetch", json!([])),
        ("storeUrls", json!([])),
        ("backoffSeconds", json!(1)),
        ("backoffFactor", json!(1.15)),
        ("maxLaunchDelaySeconds", json!(3600)),
        ("healthChecks", json!([])),
        ("readinessChecks", json!([])),
        ("dependencies", json!([])),
        ("upgradeStrategy", json!({"minimumHealthCapacity": 1, "maximumOverCapacity": 1})),
        ("labels", json!({})),
        ("requirePorts", json!(false)),
        ("secrets", json!({})),
        ("killSelection", json!("YOUNGEST_FIRST")),
    ]
}

/// Marathon's id for the instance that holds a task.
pub(crate) fn instance_id(task: &TaskId) -> String {
    match task.as_str().rsplit_once('.') {
        Some((app, unique)) => format!("{app}.marathon-{unique}"),
        None => task.to_string(),
    }
}

impl Engine {
    /// One app, if it is there.
    pub fn app_json(&self, id: &PathId, embed: Embed) -> Option<Value> {
        let app = self.memory.apps.get(id)?;
        let mut json = definition_json(app, &app.raw, app.version);
        json.insert(
            "versionInfo".to_owned(),
            json!({"lastScalingAt": app.scaled_at, "lastConfigChangeAt": app.config_version}),
        );
        self.insert_counts(app, &mut json);
        let deployments = self.memory.deployments.iter().filter(|d| &d.app == id);
        let deployments: Vec<Value> = deployments.map(|d| json!({"id": d.id})).collect();
        json.insert("deployments".to_owned(), Value::Array(deployments));
        if embed.tasks {
            json.insert("tasks".to_owned(), Value::Array(self.tasks_json(Some(id))));
        }
        if embed.last_task_failure
            && let Some(failure) = &app.last_failure
        {
            json.insert("lastTaskFailure".to_owned(), self.failure_json(app, failure));
        }
        Some(Value::Object(json))
    }

    /// An old version of an app.
    pub fn version_json(&self, id: &PathId, version: Timestamp) -> Option<Value> {
        let app = self.memory.apps.get(id)?;
        Some(Value::Object(definition_json(app, app.at(version)?, version)))
    }

    /// All tasks, or those of one app.
    pub fn tasks_json(&self, app: Option<&PathId>) -> Vec<Value> {
        let ours = self.memory.tasks.values().filter(|task| app.is_none_or(|app| &task.app == app));
        ours.map(|task| self.render_task(task)).collect()
    }

    /// One task, if it is there.
    pub fn task_json(&self, id: &TaskId) -> Option<Value> {
        self.memory.tasks.get(id).map(|task| self.render_task(task))
    }

    /// Apps that lack tasks, and what they wait for.
    pub fn queue_json(&self, now: Timestamp, unused_offers: bool) -> Value {
        let waiting = self.memory.apps.values().filter(|app| app.queued_since.is_some());
        let queue: Vec<Value> = waiting.map(|app| self.queue_item(app, now, unused_offers)).collect();
        json!({ "queue": queue })
    }

    fn queue_item(&self, app: &App, now: Timestamp, unused_offers: bool) -> Value {
        let live = self.tasks_of(&app.id).filter(|t| t.is_live() && t.version >= app.config_version).count();
        let wanted = usize::try_from(app.definition.instances).unwrap_or(usize::MAX);
        let left_seconds = app.delay.left_seconds(now).ceil() as u64;
        let mut item = json!({
            "app": definition_json(app, &app.raw, app.version),
            "count": wanted.saturating_sub(live),
            "delay": {"timeLeftSeconds": left_seconds, "overdue": left_seconds == 0},
            "since": app.queued_since,
            "processedOffersSummary": {
                "processedOffersCount": u8::from(app.lacks_port),
                "unusedOffersCount": u8::from(app.lacks_port),
                "rejectSummaryLastOffers": [],
                "rejectSummaryLaunchAttempt": [],
            },
        });
        if unused_offers && let Some(members) = item.as_object_mut() {
            members.insert("lastUnusedOffers".to_owned(), self.unused_offers(app, now));
        }
        item
    }

    /// What stands in the way, as Marathon tells it: the offer of each agent and why it was not taken.
    fn unused_offers(&self, app: &App, now: Timestamp) -> Value {
        if !app.lacks_port {
            return json!([]);
        }
        let (begin, end) = self.settings.ports;
        let ranges = json!([{"begin": begin, "end": end}]);
        let used = self.used_by(app);
        let offer = |(index, agent): (u16, &super::Agent)| {
            let attribute =
                |(name, value): (&String, &String)| json!({"name": name, "text": {"value": value}});
            json!({
                "offer": {
                    "id": format!("{}-O0", agent.id),
                    "agentId": agent.id,
                    "hostname": agent.host,
                    "resources": [{"name": "ports", "ranges": ranges, "role": "*"}],
                    "attributes": agent.attributes.iter().map(attribute).collect::<Vec<_>>(),
                },
                "timestamp": now,
                "reason": [self.why_not(app, index, agent, &used).unwrap_or("InsufficientPorts")],
            })
        };
        self.settings.fleet.numbered().map(offer).collect()
    }

    fn insert_counts(&self, app: &App, json: &mut Map<String, Value>) {
        let (mut staged, mut running, mut healthy, mut unhealthy) = (0, 0, 0, 0);
        let checks = &app.definition.checks;
        for task in self.tasks_of(&app.id) {
            match task.phase {
                Phase::Staging => staged += 1,
                Phase::Running { .. } => running += 1,
                Phase::Killing { .. } => continue,
            }
            if !checks.is_empty() && task.is_healthy(checks) {
                healthy += 1;
            } else if task.is_unhealthy() {
                unhealthy += 1;
            }
        }
        json.insert("tasksStaged".to_owned(), json!(staged));
        json.insert("tasksRunning".to_owned(), json!(running));
        json.insert("tasksHealthy".to_owned(), json!(healthy));
        json.insert("tasksUnhealthy".to_owned(), json!(unhealthy));
    }

    fn render_task(&self, task: &Task) -> Value {
        let state = match task.phase {
            Phase::Staging => "TASK_STAGING",
            Phase::Running { .. } => "TASK_RUNNING",
            Phase::Killing { .. } => "TASK_KILLING",
        };
        let agent = self.settings.fleet.get(task.agent);
        let mut json = json!({
            "id": task.id,
            "appId": task.app,
            "host": agent.host,
            "ipAddresses": [],
            "ports": task.ports,
            "servicePorts": [],
            "slaveId": agent.id,
            "state": state,
            "stagedAt": task.staged_at,
            "version": task.version,
        });
        let results: Vec<Value> = task.health.iter().flatten().map(|state| check_json(task, state)).collect();
        if let Some(members) = json.as_object_mut() {
            if let Some(started_at) = task.started_at() {
                members.insert("startedAt".to_owned(), json!(started_at));
            }
            if !results.is_empty() {
                members.insert("healthCheckResults".to_owned(), Value::Array(results));
            }
        }
        json
    }

    fn failure_json(&self, app: &App, failure: &TaskFailure) -> Value {
        let agent = self.settings.fleet.get(failure.agent);
        json!({
            "appId": app.id,
            "host": agent.host,
            "message": failure.message,
            "state": failure.state,
            "taskId": failure.task,
            "instanceId": instance_id(&failure.task),
            "slaveId": agent.id,
            "timestamp": failure.at,
            "version": failure.version,
        })
    }
}

fn check_json(task: &Task, state: &CheckState) -> Value {
    json!({
        "alive": state.alive(),
        "consecutiveFailures": state.consecutive_failures,
        "firstSuccess": state.first_success,
        "lastSuccess": state.last_success,
        "lastFailure": state.last_failure,
        "lastFailureCause": state.last_failure_cause,
        "instanceId": instance_id(&task.id),
        "taskId": task.id,
    })
}

fn definition_json(app: &App, raw: &Map<String, Value>, version: Timestamp) -> Map<String, Value> {
    let mut json = raw.clone();
    for (key, value) in defaults() {
        if !json.contains_key(key) {
            json.insert(key.to_owned(), value);
        }
    }
    let ports = || app.definition.ports.iter().map(|port| port.fixed.unwrap_or(0));
    if !json.contains_key("ports") {
        json.insert("ports".to_owned(), ports().collect());
    }
    json.insert("version".to_owned(), json!(version));
    json
}
