//! What Marathon holds of an app beside what we would send: what Marathon adds by itself is taken off first.

use paasta_config::FieldChange;
use paasta_core::{AppId, HomeId};
use serde_json::{Map, Number, Value};

use super::documents;

/// An app as Marathon lists it.
#[derive(Clone, Debug, PartialEq)]
pub struct LiveApp {
    /// Its id.
    pub id: AppId,
    /// Which Marathon has it.
    pub home: HomeId,
    /// How many tasks it is to have.
    pub instances: usize,
    /// How many it has, staged ones included.
    pub tasks: usize,
    /// Whether Marathon is changing it right now.
    pub deploying: bool,
    /// Its definition as listed.
    pub(crate) definition: Map<String, Value>,
}

/// How an app that runs differs from the body that would create it. In each change `old` is what runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LiveDifference {
    /// Members of the definition: what a new version is for.
    pub definition: Vec<FieldChange>,
    /// Members that are sent when an app is created and never again, so that they may differ: `backoffSeconds`
    /// (marathon-and-bounce.md §1.4).
    pub creation_only: Vec<FieldChange>,
}

/// Members that Marathon fills in, or that say how the app does.
const FILLED_IN: [&str; 22] = [
    "id",
    "instances",
    "version",
    "versionInfo",
    "tasks",
    "tasksStaged",
    "tasksRunning",
    "tasksHealthy",
    "tasksUnhealthy",
    "taskStats",
    "deployments",
    "lastTaskFailure",
    "readinessCheckResults",
    "ports",
    "upgradeStrategy",
    "killSelection",
    "unreachableStrategy",
    "executor",
    "fetch",
    "networks",
    "role",
    "tty",
];

/// Members of a check that we send, or that decide where it goes.
const CHECK: [&str; 9] = [
    "protocol",
    "path",
    "command",
    "port",
    "portIndex",
    "gracePeriodSeconds",
    "intervalSeconds",
    "timeoutSeconds",
    "maxConsecutiveFailures",
];

/// Compares what runs with the body that would create it. How many tasks either wants is not compared.
///
/// # Errors
/// The body is no JSON object.
pub fn compare_with_live(live: &LiveApp, body: &str) -> Result<LiveDifference, serde_json::Error> {
    let ours: Map<String, Value> = serde_json::from_str(body)?;
    let live = normal(&live.definition, Some(&ours));
    let ours = normal(&ours, None);
    let changes = documents::changes(&Value::Object(live), &Value::Object(ours));
    let (creation_only, definition) =
        changes.into_iter().partition(|change: &FieldChange| change.field == "backoffSeconds");
    Ok(LiveDifference { definition, creation_only })
}

/// The members that count, in one spelling. With `ours`, what Marathon chose where we chose nothing is taken off.
fn normal(definition: &Map<String, Value>, ours: Option<&Map<String, Value>>) -> Map<String, Value> {
    let mut out = Map::new();
    for (name, value) in definition {
        let sent = ours.is_none_or(|ours| ours.contains_key(name));
        let value = match name.as_str() {
            name if FILLED_IN.contains(&name) => continue,
            // Without port mappings of ours, service ports are all that stands here.
            "portDefinitions" if !sent => continue,
            "portDefinitions" => ports(value, ours.and_then(|ours| ours.get("portDefinitions"))),
            "container" => container(value, definition),
            "healthChecks" => each(value, |check| kept(check, &CHECK)),
            "constraints" => each(value, without_empty_end),
            "gpus" if is_zero(value) => continue,
            "requirePorts" if !sent && *value == Value::Bool(false) => continue,
            _ => value.clone(),
        };
        out.insert(name.clone(), value);
    }
    if let (None, Some(fetched)) =
        (definition.get("uris").filter(|uris| !is_empty(uris)), fetched(definition))
    {
        out.insert("uris".to_owned(), fetched);
    }
    out.retain(|_, value| !is_empty(value));
    out.values_mut().for_each(one_spelling);
    out
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.is_empty(),
        _ => false,
    }
}

fn is_zero(value: &Value) -> bool {
    value.as_f64() == Some(0.0)
}

fn each(value: &Value, change: impl Fn(&Value) -> Value) -> Value {
    match value {
        Value::Array(items) => Value::Array(items.iter().map(change).collect()),
        other => other.clone(),
    }
}

/// Those members, where they say anything.
fn kept(value: &Value, names: &[&str]) -> Value {
    let Some(object) = value.as_object() else { return value.clone() };
    let member = |(name, value): (&String, &Value)| {
        (names.contains(&name.as_str()) && !is_empty(value)).then(|| (name.clone(), value.clone()))
    };
    Value::Object(object.iter().filter_map(member).collect())
}

/// `[field, operator, ""]` is `[field, operator]`.
fn without_empty_end(constraint: &Value) -> Value {
    match constraint.as_array().map(Vec::as_slice) {
        Some([field, operator, last]) if is_empty(last) => {
            Value::Array(vec![field.clone(), operator.clone()])
        }
        _ => constraint.clone(),
    }
}

/// For a port 0 that we send, Marathon keeps the service port that it chose.
fn ports(value: &Value, ours: Option<&Value>) -> Value {
    let sent = |index: usize| ours.and_then(|ours| ours.get(index)?.get("port"));
    let Some(items) = value.as_array() else { return value.clone() };
    let port = |(index, item): (usize, &Value)| {
        let mut item = kept(item, &["port", "protocol"]);
        if let (Some(sent), Some(port)) = (sent(index).filter(|port| is_zero(port)), item.get_mut("port")) {
            *port = sent.clone();
        }
        item
    };
    Value::Array(items.iter().enumerate().map(port).collect())
}

fn container(value: &Value, definition: &Map<String, Value>) -> Value {
    let Some(container) = value.as_object() else { return value.clone() };
    let mapping = |item: &Value| kept(item, &["containerPort", "hostPort", "protocol"]);
    let mut docker = kept(
        container.get("docker").unwrap_or(&Value::Null),
        &["image", "network", "parameters", "portMappings", "privileged", "forcePullImage"],
    );
    if let Some(docker) = docker.as_object_mut() {
        // What is not true need not be said.
        docker.retain(|name, value| {
            !(matches!(name.as_str(), "privileged" | "forcePullImage") && *value == false)
        });
        // Newer Marathons keep mappings and networks elsewhere.
        if let Some(mappings) = container.get("portMappings").filter(|mappings| !is_empty(mappings)) {
            docker.entry("portMappings").or_insert_with(|| mappings.clone());
        }
        if let Some(mappings) = docker.get_mut("portMappings") {
            *mappings = each(mappings, mapping);
        }
        if let Some(network) =
            network(definition).filter(|_| container.get("type").is_some_and(|t| t == "DOCKER"))
        {
            docker.entry("network").or_insert_with(|| Value::from(network));
        }
    }
    let mut out = Map::new();
    out.insert("type".to_owned(), container.get("type").cloned().unwrap_or(Value::Null));
    out.insert("docker".to_owned(), docker);
    if let Some(volumes) = container.get("volumes").filter(|volumes| !is_empty(volumes)) {
        out.insert("volumes".to_owned(), volumes.clone());
    }
    Value::Object(out)
}

/// The network in the words of Marathon before 1.5.
fn network(definition: &Map<String, Value>) -> Option<&'static str> {
    match definition.get("networks")?.get(0)?.get("mode")?.as_str()? {
        "container/bridge" => Some("BRIDGE"),
        "host" => Some("HOST"),
        _ => None,
    }
}

/// `uris` in the words of Marathon since 1.5.
fn fetched(definition: &Map<String, Value>) -> Option<Value> {
    let fetch = definition.get("fetch")?.as_array().filter(|fetch| !fetch.is_empty())?;
    Some(Value::Array(fetch.iter().filter_map(|one| one.get("uri").cloned()).collect()))
}

/// `4096.0` and `4096` are one number to Marathon.
fn one_spelling(value: &mut Value) {
    match value {
        Value::Number(number) => {
            if let Some(spelled) = number.as_f64().and_then(spelled) {
                *number = spelled;
            }
        }
        Value::Array(items) => items.iter_mut().for_each(one_spelling),
        Value::Object(members) => members.values_mut().for_each(one_spelling),
        _ => {}
    }
}

fn spelled(number: f64) -> Option<Number> {
    const EXACT_MAX: f64 = 9_007_199_254_740_992.0;
    if number.fract() == 0.0 && number.abs() < EXACT_MAX {
        return Some(Number::from(number as i64));
    }
    Number::from_f64(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &str = r#"{"id": "s.i.gitx.configy", "instances": 2, "mem": 4096.0, "backoffSeconds": 5,
        "uris": ["file:///root/.dockercfg"], "env": {"A": "1", "E": ""},
        "constraints": [["pool", "LIKE", "default"], ["hostname", "UNIQUE"]], "container": {"type": "DOCKER",
            "docker": {"image": "r/i", "network": "BRIDGE", "privileged": false, "forcePullImage": false,
            "parameters": [{"key": "init", "value": "true"}],
            "portMappings": [{"containerPort": 8888, "hostPort": 0, "protocol": "tcp"}]}},
        "healthChecks": [{"protocol": "MESOS_HTTP", "path": "/status", "portIndex": 0, "gracePeriodSeconds": 60}]}"#;

    /// As Marathon 1.4 lists it.
    const LISTED: &str = r#"{"id": "/s.i.gitx.configy", "instances": 2, "mem": 4096, "backoffSeconds": 5, "cmd": null,
        "args": null, "user": null, "uris": ["file:///root/.dockercfg"], "fetch": [{"uri": "file:///root/.dockercfg",
        "extract": true, "executable": false, "cache": false}], "env": {"A": "1", "E": ""}, "labels": {},
        "constraints": [["pool", "LIKE", "default"], ["hostname", "UNIQUE", ""]], "gpus": 0, "disk": null,
        "container": {"type": "DOCKER", "volumes": [], "docker": {"image": "r/i", "network": "BRIDGE",
            "privileged": false, "parameters": [{"key": "init", "value": "true"}], "forcePullImage": false,
            "portMappings": [{"containerPort": 8888, "hostPort": 0, "servicePort": 10013, "protocol": "tcp",
            "labels": {}}]}},
        "healthChecks": [{"protocol": "MESOS_HTTP", "path": "/status", "portIndex": 0, "gracePeriodSeconds": 60,
            "ignoreHttp1xx": false, "ipProtocol": "IPv4", "delaySeconds": 15}],
        "ports": [10013], "portDefinitions": [{"port": 10013, "protocol": "tcp", "labels": {}}], "requirePorts": false,
        "upgradeStrategy": {"minimumHealthCapacity": 1, "maximumOverCapacity": 1}, "dependencies": [],
        "version": "2015-09-25T15:13:48.343Z", "tasksRunning": 2, "deployments": []}"#;

    fn live(json: &str) -> LiveApp {
        LiveApp {
            id: AppId::new("s.i.gitx.configy"),
            home: HomeId::new("h"),
            instances: 2,
            tasks: 2,
            deploying: false,
            definition: serde_json::from_str(json).unwrap(),
        }
    }

    #[track_caller]
    fn check(listed: &str, body: &str, expected: &[&str]) {
        let found = compare_with_live(&live(listed), body).unwrap();
        let fields: Vec<_> =
            found.definition.iter().chain(&found.creation_only).map(|change| change.field.as_str()).collect();
        assert_eq!(fields, expected, "{found:?}");
    }

    #[test]
    fn what_marathon_adds_is_no_difference() {
        check(LISTED, BODY, &[]);
        check(BODY, BODY, &[]);
        let newer = LISTED
            .replace(r#""uris": ["file:///root/.dockercfg"], "#, "")
            .replace(r#""network": "BRIDGE","#, "")
            .replace(r#""gpus": 0"#, r#""networks": [{"mode": "container/bridge"}]"#);
        check(&newer, BODY, &[]);
    }

    #[test]
    fn what_somebody_changed_is_a_difference() {
        check(&LISTED.replace(r#""mem": 4096"#, r#""mem": 4097"#), BODY, &["mem"]);
        check(&LISTED.replace(r#""A": "1""#, r#""A": "2", "B": """#), BODY, &["env.A", "env.B"]);
        check(
            &LISTED.replace(r#""E": ""}, "labels": {}"#, r#""E": ""}, "labels": {"x": "y"}"#),
            BODY,
            &["labels.x"],
        );
        check(&LISTED.replace(r#""cmd": null"#, r#""cmd": "sleep""#), BODY, &["cmd"]);
        check(
            &LISTED.replace(r#""value": "true""#, r#""value": "no""#),
            BODY,
            &["container.docker.parameters[init]"],
        );
        check(&LISTED.replace("8888", "8889"), BODY, &["container.docker.portMappings[0].containerPort"]);
        check(&LISTED.replace(r#""gpus": 0"#, r#""gpus": 1"#), BODY, &["gpus"]);
        check(
            &LISTED.replace(r#""privileged": false"#, r#""privileged": true"#),
            BODY,
            &["container.docker.privileged"],
        );
        check(&LISTED.replace(r#""backoffSeconds": 5"#, r#""backoffSeconds": 1"#), BODY, &["backoffSeconds"]);
    }

    #[test]
    fn a_port_that_marathon_chose_is_no_difference() {
        let ours = |port: &str| {
            format!(
                r#"{{"portDefinitions": [{{"port": {port}, "protocol": "tcp"}}], "requirePorts": false}}"#
            )
        };
        let listed = r#"{"portDefinitions": [{"port": 10013, "protocol": "tcp", "name": null, "labels": {}}],
            "requirePorts": false}"#;
        check(listed, &ours("0"), &[]);
        check(listed, &ours("80"), &["portDefinitions[0].port"]);
    }
}
