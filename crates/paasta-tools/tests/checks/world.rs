//! A cluster of files, with one server that is its Mesos master, its Marathon and all of its load balancers.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use assert_cmd::Command;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::server::{Answer, Server};

const SHA: &str = "0123456789abcdef0123456789abcdef01234567";
pub(crate) const CHECK: &str = "check_marathon_services_replication";
/// The longest that anything may take, on a machine that has much else to do.
const PATIENCE: Duration = Duration::from_secs(120);

pub(crate) struct World {
    directory: TempDir,
    system: Value,
    pub(crate) server: Server,
}

/// How a program ended, and what it said.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) talk: String,
}

impl Run {
    /// The lines of JSON of one kind.
    pub(crate) fn lines(&self, kind: &str) -> Vec<Value> {
        let lines = self.out.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        lines.filter(|line| line["kind"] == kind).collect()
    }

    pub(crate) fn summary(&self) -> Value {
        self.lines("summary").pop().unwrap_or_else(|| panic!("{self:?}"))
    }

    /// What was found of one instance.
    pub(crate) fn of(&self, instance: &str) -> Value {
        let found = self.lines("instance").into_iter().find(|line| line["instance"] == instance);
        found.unwrap_or_else(|| panic!("{self:?}"))
    }
}

impl World {
    /// Without agents, tasks and services; alerts go nowhere.
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let server = Server::start();
        let port = server.port;
        let system = json!({
            "cluster": "prod", "clusters": ["prod"], "docker_registry": "r.example.com", "volumes": [],
            "marathon_servers": [{ "url": [format!("http://127.0.0.1:{port}")], "user": "", "password": "" }],
            "log_writer": { "driver": "null" }, "host_maintenance": "mesos", "sensu_host": null,
            "coordination": { "driver": "file", "directory": directory.path().join("locks") },
            "mesos_config": { "path": directory.path().join("mesos-cli.json") },
            "synapse_port": port, "synapse_haproxy_url_format": "http://127.0.0.1:{port}/at/{host}/;csv;scope={scope}",
        });
        let world = Self { directory, system, server };
        world.set(json!({}));
        let cli = json!({ "default": { "master": format!("127.0.0.1:{port}") } });
        world.file("mesos-cli.json", &cli.to_string());
        world.agents(&[]);
        world.tasks(&[]);
        fs::create_dir_all(world.path("soa")).unwrap();
        world
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path
    }

    /// The system configuration, with some keys changed.
    pub(crate) fn set(&self, keys: Value) {
        let mut all = self.system.clone();
        for (key, value) in keys.as_object().unwrap() {
            all[key] = value.clone();
        }
        self.file("etc/c.json", &all.to_string());
    }

    /// An instance of a service of its own, that is deployed. `port` puts it into SmartStack.
    pub(crate) fn instance(&self, id: &str, yaml: &str, port: Option<&str>) {
        let (service, instance) = id.split_once('.').unwrap();
        self.file(&format!("soa/{service}/marathon-prod.yaml"), &format!("{instance}: {yaml}\n"));
        if let Some(more) = port {
            let text = format!("{instance}: {{proxy_port: 20001, {more}}}\n");
            self.file(&format!("soa/{service}/smartstack.yaml"), &text);
        }
        self.file(&format!("soa/{service}/monitoring.yaml"), "team: owners\n");
        self.deployed(service, instance, "start");
    }

    pub(crate) fn deployed(&self, service: &str, instance: &str, state: &str) {
        let image = json!({ "docker_image": format!("services-{service}:paasta-{SHA}"), "git_sha": SHA });
        let control = json!({ "desired_state": state, "force_bounce": null });
        let file = json!({ "v2": {
            "deployments": { format!("prod.{instance}"): image },
            "controls": { format!("{service}:prod.{instance}"): control },
        } });
        self.file(&format!("soa/{service}/deployments.json"), &file.to_string());
    }

    /// The agents that the master lists: `host region=west pool=p`.
    pub(crate) fn agents(&self, lines: &[&str]) {
        let agent = |(index, line): (usize, &&str)| {
            let (host, attributes) = line.split_once(' ').unwrap_or((line, ""));
            let attributes = attributes.split(' ').filter_map(|pair| pair.split_once('='));
            let attributes: serde_json::Map<String, Value> =
                attributes.map(|(name, value)| (name.to_owned(), json!(value))).collect();
            json!({
                "id": format!("agent-S{index}"), "hostname": host, "pid": format!("slave(1)@10.0.0.{index}:5051"),
                "active": true, "attributes": attributes,
                "resources": { "cpus": 10.0, "mem": 10240.0, "disk": 102400.0, "gpus": 0.0, "ports": "[31000-32000]" },
                "used_resources": { "cpus": 0.0, "mem": 0.0, "disk": 0.0, "gpus": 0.0 },
                "reserved_resources": {},
            })
        };
        let agents: Vec<Value> = lines.iter().enumerate().map(agent).collect();
        self.server.answer("/master/slaves", Answer::json(&json!({ "slaves": agents })));
    }

    /// The load balancer of a host: `web.main=UP,UP,DOWN`.
    pub(crate) fn balancer(&self, host: &str, proxies: &[&str]) {
        let mut table = "# pxname,svname,status,\n".to_owned();
        for proxy in proxies {
            let (name, states) = proxy.split_once('=').unwrap();
            for (index, state) in states.split(',').filter(|state| !state.is_empty()).enumerate() {
                table += &format!("{name},h_10.0.0.1:{},{state},\n", 31000 + index);
            }
        }
        self.server.answer(&format!("/at/{host}/"), Answer::Says(table));
    }

    /// The tasks that Marathon lists.
    pub(crate) fn tasks(&self, tasks: &[Value]) {
        self.server.answer("/v2/tasks", Answer::json(&json!({ "tasks": tasks })));
    }

    /// Runs the check.
    pub(crate) fn check(&self, arguments: &[&str]) -> Run {
        let soa = self.path("soa").display().to_string();
        let arguments: Vec<&str> = ["-d", &soa].into_iter().chain(arguments.iter().copied()).collect();
        self.run(CHECK, &arguments)
    }

    pub(crate) fn run(&self, program: &str, arguments: &[&str]) -> Run {
        self.end_of(Command::cargo_bin(program).unwrap(), arguments)
    }

    /// The same, with commands that are looked for in this folder first.
    pub(crate) fn run_with_path(&self, program: &str, arguments: &[&str], folder: &Path) -> Run {
        let mut command = Command::cargo_bin(program).unwrap();
        command.env("PATH", format!("{}:/usr/bin:/bin", folder.display()));
        self.end_of(command, arguments)
    }

    /// The same, with commands that are looked for in this folder alone.
    pub(crate) fn run_with_only_path(&self, program: &str, folder: &Path) -> Run {
        let mut command = Command::cargo_bin(program).unwrap();
        command.env("PATH", folder);
        self.end_of(command, &[])
    }

    fn end_of(&self, mut command: Command, arguments: &[&str]) -> Run {
        command.env("PAASTA_SYSTEM_CONFIG_DIR", self.path("etc")).args(arguments).timeout(PATIENCE);
        let output = command.output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Run { code: output.status.code(), out: text(output.stdout), talk: text(output.stderr) }
    }
}

/// A task that has been healthy for long.
pub(crate) fn task(app: &str) -> Value {
    json!({ "appId": app, "startedAt": "2021-04-10T11:59:01.000Z", "healthCheckResults": [{ "alive": true }] })
}
