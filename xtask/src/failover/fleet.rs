//! What is wanted, who makes it so, and what is seen of it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, ensure};
use serde_json::{Value, json};

use crate::wire;

const CLUSTER: &str = "trial";
const SERVICES: usize = 8;
const INSTANCES: [&str; 2] = ["main", "canary"];
/// Services that one change touches.
const CHANGED_AT_ONCE: usize = 3;
const TASKS: usize = 3;
const SHA: &str = "0123456789abcdef0123456789abcdef01234567";

/// What is wanted: a version per service, written into its files.
pub(super) struct Fleet {
    soa: PathBuf,
    versions: Vec<usize>,
    changes: usize,
}

impl Fleet {
    pub(super) fn write(soa: &Path) -> anyhow::Result<Self> {
        let fleet = Self { soa: soa.to_owned(), versions: vec![0; SERVICES], changes: 0 };
        for index in 0..SERVICES {
            fs::create_dir_all(soa.join(name(index))).context("could not make a directory")?;
            fs::write(soa.join(name(index)).join("deployments.json"), deployments(&name(index)))?;
            fleet.write_service(index)?;
        }
        Ok(fleet)
    }

    fn write_service(&self, index: usize) -> anyhow::Result<()> {
        let mut text = String::new();
        for instance in INSTANCES {
            // One of each pair is bounced in one go, the other task by task.
            let method = if instance == "main" { "crossover" } else { "upthendown" };
            let _ = write!(
                text,
                "{instance}:\n  deploy_group: everything\n  cpus: 0.1\n  mem: 32\n  instances: {TASKS}\n  \
                 cmd: sleep 1000\n  env: {{VERSION: '{}'}}\n  healthcheck_mode: cmd\n  healthcheck_cmd: 'true'\n  \
                 healthcheck_interval_seconds: 1\n  healthcheck_grace_period_seconds: 60\n  bounce_method: {method}\n  \
                 drain_method: noop\n",
                self.versions[index]
            );
        }
        let path = self.soa.join(name(index)).join(format!("marathon-{CLUSTER}.yaml"));
        let fresh = path.with_extension("fresh");
        fs::write(&fresh, text).and_then(|()| fs::rename(&fresh, &path)).context("could not write settings")
    }

    /// A new version of some services; which ones depends on the round.
    pub(super) fn change(&mut self, round: usize) -> anyhow::Result<()> {
        for offset in 0..CHANGED_AT_ONCE {
            let index = (round * CHANGED_AT_ONCE + offset) % SERVICES;
            self.versions[index] += 1;
            self.changes += INSTANCES.len();
            self.write_service(index)?;
        }
        Ok(())
    }

    pub(super) fn soa(&self) -> &Path {
        &self.soa
    }

    pub(super) fn instances(&self) -> usize {
        SERVICES * INSTANCES.len()
    }

    pub(super) fn changes(&self) -> usize {
        self.changes
    }

    fn versions(&self) -> impl Iterator<Item = (String, String)> {
        self.versions.iter().enumerate().flat_map(|(index, version)| {
            INSTANCES.map(|instance| (format!("{}.{instance}", name(index)), version.to_string()))
        })
    }
}

fn name(index: usize) -> String {
    format!("service{index}")
}

fn deployments(service: &str) -> String {
    let image = format!("services-{service}:paasta-{SHA}");
    let control = json!({"desired_state": "start", "force_bounce": null});
    let controls: serde_json::Map<_, _> = INSTANCES
        .iter()
        .map(|instance| (format!("{service}:{CLUSTER}.{instance}"), control.clone()))
        .collect();
    json!({
        "v1": {},
        "v2": {"deployments": {"everything": {"docker_image": image, "git_sha": SHA}}, "controls": controls},
    })
    .to_string()
}

/// One deployd.
pub(super) struct Deployd {
    program: PathBuf,
    etc: PathBuf,
    log: PathBuf,
    child: Option<Child>,
}

impl Deployd {
    pub(super) fn new(
        program: &Path,
        dir: &Path,
        soa: &Path,
        marathon: &str,
        zookeeper: SocketAddr,
        session_seconds: u64,
    ) -> anyhow::Result<Self> {
        let etc = dir.join("etc");
        fs::create_dir_all(&etc).context("could not make a directory")?;
        let system = json!({
            "cluster": CLUSTER,
            "clusters": [CLUSTER],
            "soa_dir": soa,
            "docker_registry": "registry.example.com",
            "zookeeper": format!("zk://{zookeeper}"),
            "volumes": [],
            "marathon_servers": [{"url": [marathon], "user": "", "password": ""}],
            "log_writer": {"driver": "null", "options": {}},
            "coordination": {"driver": "zookeeper"},
            "history_directory": null,
            "host_maintenance": "none",
            "deployd_session_timeout_seconds": session_seconds,
            "deployd_regenerate_seconds": 0,
            "deployd_worker_failure_backoff_factor": 0.5,
            "deployd_failure_backoff_seconds_max": 5,
        });
        fs::write(etc.join("paasta.json"), system.to_string()).context("could not write a system config")?;
        Ok(Self { program: program.to_owned(), etc, log: dir.join("log"), child: None })
    }

    pub(super) fn spawn(&mut self) -> anyhow::Result<()> {
        let log = fs::OpenOptions::new().create(true).append(true).open(&self.log)?;
        let child = Command::new(&self.program)
            .arg("--system-config-dir")
            .arg(&self.etc)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .with_context(|| format!("could not start `{}`", self.program.display()))?;
        self.child = Some(child);
        Ok(())
    }

    /// `kill -9`.
    pub(super) fn kill(&mut self) -> anyhow::Result<()> {
        let Some(mut child) = self.child.take() else { return Ok(()) };
        child.kill().context("could not kill a deployd")?;
        child.wait().context("could not wait for a deployd")?;
        Ok(())
    }

    pub(super) fn signal(&self, signal: &str) -> anyhow::Result<()> {
        let child = self.child.as_ref().context("it does not run")?;
        let sent = Command::new("kill").args([format!("-{signal}"), child.id().to_string()]).status()?;
        ensure!(sent.success(), "could not send SIG{signal}");
        Ok(())
    }
}

impl Drop for Deployd {
    fn drop(&mut self) {
        self.kill().ok();
    }
}

/// Looks at the engine, not through anybody.
pub(super) struct Watch {
    engine: SocketAddr,
    counts: bool,
    looks: usize,
    below_floor: Vec<String>,
}

impl Watch {
    pub(super) fn new(engine: SocketAddr) -> Self {
        Self { engine, counts: false, looks: 0, below_floor: Vec::new() }
    }

    /// From now on every instance must be served by as many tasks as it wants.
    pub(super) fn begin_to_count(&mut self) {
        self.counts = true;
    }

    pub(super) fn looks(&self) -> usize {
        self.looks
    }

    pub(super) fn below_floor(&self) -> &[String] {
        &self.below_floor
    }

    /// What is not as wanted.
    pub(super) async fn look(&mut self, fleet: &Fleet) -> anyhow::Result<Vec<String>> {
        let body = wire::get(self.engine, "/v2/apps?embed=app.tasks").await?;
        let list: Value = serde_json::from_slice(&body).context("the engine's answer is no JSON")?;
        let mut apps: BTreeMap<String, Vec<&Value>> = BTreeMap::new();
        for app in list["apps"].as_array().context("the engine's answer has no apps")? {
            let id = app["id"].as_str().unwrap_or_default().trim_start_matches('/');
            let instance: Vec<&str> = id.splitn(3, '.').take(2).collect();
            apps.entry(instance.join(".")).or_default().push(app);
        }
        self.looks += 1;
        let mut wrong = Vec::new();
        for (instance, version) in fleet.versions() {
            let own = apps.remove(&instance).unwrap_or_default();
            let serving: usize = own.iter().map(|app| serving(app)).sum();
            if self.counts && serving < TASKS {
                self.below_floor.push(format!("{instance} by {serving} of {TASKS}"));
            }
            let is_right = |app: &&Value| app["env"]["VERSION"] == version && serving == TASKS;
            match own.as_slice() {
                [app] if is_right(app) => {}
                _ => wrong.push(format!("{instance} has {} apps and {serving} tasks that serve", own.len())),
            }
        }
        wrong.extend(apps.keys().map(|instance| format!("nobody wants {instance}")));
        Ok(wrong)
    }
}

/// Tasks of one app that take traffic.
fn serving(app: &Value) -> usize {
    let tasks = app["tasks"].as_array().map(Vec::as_slice).unwrap_or_default();
    let alive = |task: &&Value| {
        task["state"] == "TASK_RUNNING"
            && task["healthCheckResults"]
                .as_array()
                .is_some_and(|results| results.iter().any(|result| result["alive"] == true))
    };
    tasks.iter().filter(alive).count()
}
