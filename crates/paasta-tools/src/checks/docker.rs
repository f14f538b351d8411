//! The Docker containers of this host, through the `docker` command: it knows where the daemon is, as its user does.

use std::process::Stdio;

use paasta_core::Reading;
use paasta_monitoring::Container;
use serde::Deserialize;
use tokio::process::Command;

/// Containers looked at with one command.
const AT_ONCE: usize = 100;
/// Where a container says which task it runs.
const VARIABLES: [&str; 2] = ["MESOS_TASK_ID=", "mesos_task_id="];

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Inspected {
    id: String,
    name: String,
    config: Settings,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Settings {
    env: Option<Vec<String>>,
}

/// The containers that run and that Mesos started, by their names.
pub async fn containers() -> Reading<Vec<Container>> {
    match list().await {
        Ok(containers) => Reading::Known(containers),
        Err(reason) => Reading::Unknown(reason),
    }
}

async fn list() -> Result<Vec<Container>, String> {
    let listed = docker(&["ps", "--quiet", "--no-trunc", "--filter", "name=mesos-"]).await?.whole()?;
    let ids: Vec<&str> = listed.lines().collect();
    let mut containers = Vec::new();
    for ids in ids.chunks(AT_ONCE) {
        let arguments: Vec<&str> =
            ["inspect", "--type", "container"].into_iter().chain(ids.iter().copied()).collect();
        let answer = docker(&arguments).await?;
        // One that has ended meanwhile is missing, which the exit code tells.
        let inspected = containers_of(&answer.out).map_err(|reason| format!("{reason}; {}", answer.talk))?;
        containers.extend(inspected);
    }
    Ok(containers)
}

/// What `docker inspect` writes.
fn containers_of(json: &str) -> Result<Vec<Container>, String> {
    let inspected: Vec<Inspected> = serde_json::from_str(json)
        .map_err(|error| format!("could not read what `docker inspect` writes: {error}"))?;
    let task = |env: Vec<String>| {
        VARIABLES.iter().find_map(|name| env.iter().find_map(|one| one.strip_prefix(name).map(str::to_owned)))
    };
    let container = |one: Inspected| Container {
        task: task(one.config.env.unwrap_or_default()),
        id: one.id,
        name: one.name,
    };
    Ok(inspected.into_iter().map(container).collect())
}

/// Kills a container.
///
/// # Errors
/// Why it was not killed, in docker's words.
pub async fn kill(id: &str) -> Result<(), String> {
    docker(&["kill", id]).await?.whole().map(drop)
}

struct Answer {
    good: bool,
    out: String,
    talk: String,
}

impl Answer {
    fn whole(self) -> Result<String, String> {
        match self.good {
            true => Ok(self.out),
            false => Err(format!("`docker` failed: {}", self.talk)),
        }
    }
}

async fn docker(arguments: &[&str]) -> Result<Answer, String> {
    let mut command = Command::new("docker");
    command.args(arguments).stdin(Stdio::null()).kill_on_drop(true);
    let output = command.output().await.map_err(|error| format!("could not run `docker`: {error}"))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    Ok(Answer { good: output.status.success(), out: text(&output.stdout), talk: text(&output.stderr) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_task_of_a_container_is_in_its_environment() {
        let json = r#"[
            {"Id": "1", "Name": "/mesos-a", "Config": {"Env": ["PATH=/bin", "MESOS_TASK_ID=web.main.1"]}},
            {"Id": "2", "Name": "/mesos-b", "Config": {"Env": ["mesos_task_id=web.main.2"]}},
            {"Id": "3", "Name": "/mesos-c", "Config": {"Env": null}}]"#;
        let found = containers_of(json).unwrap();
        let tasks: Vec<_> = found.iter().map(|one| one.task.as_deref()).collect();
        assert_eq!(tasks, [Some("web.main.1"), Some("web.main.2"), None]);
        assert!(containers_of("").is_err() && containers_of("[{}]").is_err());
    }
}
