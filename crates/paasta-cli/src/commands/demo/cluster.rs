//! The demo's own cluster: `paasta local up` as a child, and what is asked of it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use paasta_api_client::{ApiClient, AppStatus, MarathonStatus, StatusQuery, TaskStatus, Timeouts};
use paasta_config::SystemConfig;
use paasta_core::InstanceId;
use tokio::process::{Child, Command};

use super::on_this_machine;
use super::stage::{SERVICE, Stage};
use super::watch::{Tally, View};
use crate::http;
use crate::local;

/// How long the cluster may take to come up.
const UP_LIMIT: Duration = Duration::from_secs(20);

/// A running local cluster.
pub(super) struct Cluster {
    program: PathBuf,
    home: PathBuf,
    api: ApiClient,
    hacheck_port: u16,
    begun: Instant,
    _child: Child,
}

/// One look at an instance.
pub(super) struct Look {
    pub(super) view: View,
    /// Tasks that are out of rotation by PaaSTA's hand.
    pub(super) drained: BTreeSet<String>,
    /// All tasks.
    pub(super) tasks: BTreeSet<String>,
}

impl Cluster {
    /// Starts it and waits until it answers.
    pub(super) async fn start(program: &Path, stage: &Stage) -> anyhow::Result<Self> {
        let begun = Instant::now();
        let log_path = stage.root.join("cluster.log");
        let log = File::create(&log_path).context("could not make the cluster's log")?;
        let mut child = command(program, &stage.home())
            .args(["local", "up", "--ports-any", "--soa-dir"])
            .arg(stage.soa())
            .arg("--state-dir")
            .arg(stage.state())
            .stdin(Stdio::null())
            .stdout(log.try_clone().context("could not share the cluster's log")?)
            .stderr(log)
            .spawn()
            .context("could not start the cluster")?;
        let (api, hacheck_port) = loop {
            if let Some(status) = child.try_wait().context("could not look after the cluster")? {
                let log = std::fs::read_to_string(&log_path).unwrap_or_default();
                bail!("the cluster ended at once ({status}): {}", log.trim());
            }
            if let Some(answers) = answering(&stage.home()).await? {
                break answers;
            }
            ensure!(begun.elapsed() < UP_LIMIT, "the cluster did not come up in {} s", UP_LIMIT.as_secs());
            tokio::time::sleep(Duration::from_millis(20)).await;
        };
        let (program, home) = (program.to_owned(), stage.home());
        Ok(Self { program, home, api, hacheck_port, begun, _child: child })
    }

    /// When it was started.
    pub(super) fn begun(&self) -> Instant {
        self.begun
    }

    /// Runs `paasta` as somebody at a shell would, and gives back what it prints.
    pub(super) async fn paasta(&self, arguments: &[&str]) -> anyhow::Result<String> {
        paasta(&self.program, &self.home, arguments).await
    }

    /// How the instance `name` stands, as a load balancer would see it.
    pub(super) async fn look(&self, name: &str) -> anyhow::Result<Look> {
        let id: InstanceId = format!("{SERVICE}.{name}").parse()?;
        let status = self.api.status(&id, StatusQuery { verbose: 1 }).await?;
        let marathon = status.marathon.with_context(|| format!("{id} has no status"))?;
        let mut look = Look { view: view(&marathon), drained: BTreeSet::new(), tasks: BTreeSet::new() };
        for task in marathon.app_statuses.iter().flat_map(|app| &app.tasks) {
            look.tasks.insert(task.id.clone());
            let Some(port) = task.port.filter(|_| task.is_healthy == Some(true)) else { continue };
            let answer =
                http::get(on_this_machine(self.hacheck_port), &format!("/http/{id}/{port}/version")).await;
            match answer.map_err(anyhow::Error::msg)? {
                answer if answer.status == 200 => look.view.rotation.push(port),
                answer if answer.body.contains("Drained by Paasta") => {
                    look.drained.insert(task.id.clone());
                }
                _ => {}
            }
        }
        Ok(look)
    }

    /// Kills the process behind `port` as a crash would, and tells its process id.
    pub(super) async fn kill_task(&self, port: u16) -> anyhow::Result<u32> {
        let answer = http::get(on_this_machine(port), "/pid").await.map_err(anyhow::Error::msg)?;
        let pid: u32 = answer.body.trim().parse().context("the service did not tell its process id")?;
        let raw = i32::try_from(pid).context("a strange process id")?;
        let pid_to_kill = rustix::process::Pid::from_raw(raw).context("a strange process id")?;
        rustix::process::kill_process(pid_to_kill, rustix::process::Signal::KILL)
            .with_context(|| format!("could not kill process {pid}"))?;
        Ok(pid)
    }
}

/// Stops everything, whether or not the cluster still runs or ever came up, and removes its state.
pub(super) async fn down(program: &Path, stage: &Stage, drain: bool) -> anyhow::Result<()> {
    let state = stage.state().display().to_string();
    let mut arguments = vec!["local", "down", "--purge", "--state-dir", &state];
    arguments.extend((!drain).then_some("--no-drain"));
    paasta(program, &stage.home(), &arguments).await.context("could not take the cluster down").map(drop)
}

async fn paasta(program: &Path, home: &Path, arguments: &[&str]) -> anyhow::Result<String> {
    let output = command(program, home)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .await
        .with_context(|| format!("could not start `paasta {}`", arguments.join(" ")))?;
    if !output.status.success() {
        bail!("paasta {}: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn command(program: &Path, home: &Path) -> Command {
    let mut command = Command::new(program);
    // Ctrl-C is ours to hear: whoever hears it first would leave the others' work undone.
    command.process_group(0);
    // The demo's cluster is found by its own home, whatever this user has configured.
    command.env("HOME", home).env_remove("PAASTA_SYSTEM_CONFIG_DIR").env_remove("XDG_STATE_HOME");
    command
}

async fn answering(home: &Path) -> anyhow::Result<Option<(ApiClient, u16)>> {
    let Some(cluster) = local::find(home) else { return Ok(None) };
    let Ok(system) = SystemConfig::load(&cluster.system_config_dir) else { return Ok(None) };
    let name = system.cluster()?;
    let api = ApiClient::new(name.clone(), &system.api_endpoint(&name)?, Timeouts::default())?;
    let hacheck_port = system.hacheck_port()?;
    Ok(api.version().await.is_ok().then_some((api, hacheck_port)))
}

fn view(status: &MarathonStatus) -> View {
    let mut versions: BTreeMap<String, Tally> = BTreeMap::new();
    for app in &status.app_statuses {
        let tally = versions.entry(app.git_sha.clone().unwrap_or_default()).or_default();
        tally.tasks += app.tasks_total;
        tally.healthy += healthy(app);
    }
    let bounce = status.bounce.clone().unwrap_or_default();
    View {
        versions,
        rotation: Vec::new(),
        settled: !bounce.in_progress && status.app_count == 1,
        why: bounce.why.first().map(|why| why.message.clone()),
    }
}

fn healthy(app: &AppStatus) -> usize {
    app.tasks.iter().filter(|task: &&TaskStatus| task.is_healthy == Some(true)).count()
}
