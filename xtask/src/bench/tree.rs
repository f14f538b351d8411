//! A soa-configs tree of any size, with its system config, deployments and git remotes.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, ensure};

/// Where a tree lies.
pub(super) struct Tree {
    pub(super) soa: PathBuf,
    pub(super) etc: PathBuf,
}

const CLUSTER: &str = "bench";

/// Two instances per service, as they commonly look: a template merged in, environment, health check, SmartStack.
pub(super) fn build(root: &Path, services: usize, marathon: &str) -> anyhow::Result<Tree> {
    let tree = Tree { soa: root.join("soa"), etc: root.join("etc") };
    fs::create_dir_all(&tree.etc)?;
    write(&tree.etc.join("paasta.json"), &system_config(root, marathon))?;
    for index in 0..services {
        let service = name(index);
        let folder = tree.soa.join(&service);
        fs::create_dir_all(&folder)?;
        write(&folder.join("service.yaml"), &service_yaml(&root.join("git").join(&service)))?;
        write(&folder.join(format!("marathon-{CLUSTER}.yaml")), &instances(index))?;
        write(&folder.join("deploy.yaml"), "pipeline:\n- step: everything\n")?;
        write(&folder.join("deployments.json"), &deployments(&service))?;
    }
    Ok(tree)
}

/// A bare remote per service with one commit and one deploy tag of it, all alike.
pub(super) fn remotes(root: &Path, services: usize) -> anyhow::Result<()> {
    let first = root.join("git").join(name(0));
    fs::create_dir_all(&first)?;
    git(&first, &["init", "--quiet", "--bare", "--template="], "")?;
    let stream = "commit refs/heads/main\ncommitter bench <bench@example.com> 1600000000 +0000\ndata 4\nwork\n\
                  reset refs/tags/paasta-everything-20260101T000000-deploy\nfrom refs/heads/main\n\n";
    git(&first, &["fast-import", "--quiet"], stream)?;
    for index in 1..services {
        copy(&first, &root.join("git").join(name(index)))?;
    }
    Ok(())
}

/// Another commit in that service's remote, with a deploy tag that is the newest; tells its sha.
pub(super) fn push(root: &Path, service: &str, number: usize) -> anyhow::Result<String> {
    let remote = root.join("git").join(service);
    let stream = format!(
        "commit refs/heads/main\ncommitter bench <bench@example.com> 1600000001 +0000\ndata 4\nmore\n\
         from refs/heads/main^0\nreset refs/tags/paasta-everything-20260102T{number:06}-deploy\n\
         from refs/heads/main\n\n"
    );
    git(&remote, &["fast-import", "--quiet"], &stream)?;
    let output = Command::new("git").args(["rev-parse", "refs/heads/main"]).current_dir(&remote).output()?;
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let to = to.join(entry.file_name());
        match entry.file_type()?.is_dir() {
            true => copy(&entry.path(), &to)?,
            false => drop(fs::copy(entry.path(), &to)?),
        }
    }
    Ok(())
}

pub(super) fn name(index: usize) -> String {
    format!("service-{index:04}")
}

fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    fs::write(path, text).with_context(|| format!("could not write `{}`", path.display()))
}

fn git(dir: &Path, arguments: &[&str], input: &str) -> anyhow::Result<()> {
    use std::io::Write as _;
    let mut child = Command::new("git")
        .args(arguments)
        .current_dir(dir)
        .stdin(Stdio::piped())
        .spawn()
        .context("could not start git")?;
    child.stdin.take().context("git has no input")?.write_all(input.as_bytes())?;
    ensure!(child.wait()?.success(), "git {arguments:?} failed");
    Ok(())
}

fn system_config(root: &Path, marathon: &str) -> String {
    let locks = root.join("locks");
    serde_json::json!({
        "cluster": CLUSTER,
        "clusters": [CLUSTER],
        "docker_registry": "registry.example.com",
        "zookeeper": "zk://127.0.0.1:2181",
        "volumes": [{"hostPath": "/etc/services", "containerPath": "/etc/services", "mode": "RO"}],
        "marathon_servers": [{"url": [marathon], "user": "", "password": ""}],
        "log_writer": {"driver": "null", "options": {}},
        "coordination": {"driver": "file", "directory": locks},
        "host_maintenance": "none",
    })
    .to_string()
}

fn service_yaml(remote: &Path) -> String {
    format!("description: one of many\ngit_url: {}\n", remote.display())
}

fn instances(index: usize) -> String {
    let mut text = String::from("_base: &base\n  deploy_group: everything\n  cpus: 0.25\n  mem: 512\n");
    for instance in ["main", "canary"] {
        let _ = write!(
            text,
            "{instance}:\n  <<: *base\n  instances: 1\n  cmd: sleep 1000\n  env: {{NUMBER: '{index}', KIND: {instance}}}\n  \
             bounce_method: crossover\n  drain_method: noop\n"
        );
    }
    text
}

fn deployments(service: &str) -> String {
    let sha = "0123456789abcdef0123456789abcdef01234567";
    let image = format!("services-{service}:paasta-{sha}");
    let control = serde_json::json!({"desired_state": "start", "force_bounce": null});
    let controls: serde_json::Map<_, _> = ["main", "canary"]
        .map(|instance| (format!("{service}:{CLUSTER}.{instance}"), control.clone()))
        .into_iter()
        .collect();
    serde_json::json!({
        "v1": {},
        "v2": {"deployments": {"everything": {"docker_image": image, "git_sha": sha}}, "controls": controls},
    })
    .to_string()
}
