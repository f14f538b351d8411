//! What a task finds in its environment.
//!
//! Later wins: the engine's base environment, the app's own, then Marathon's variables. Processes have no
//! network of their own, so PaaSTA's rule for host networking holds for every one of them: the port to listen
//! on is the one handed out, and `PORT`, `PORT0`, `MARATHON_PORT`, `MARATHON_PORT0` and `PAASTA_PORT` all name
//! it, whatever container port the app declared.

use std::collections::BTreeMap;
use std::path::Path;

use super::Launch;

/// Marks every process of a task: `<engine id>/<task id>`.
pub(super) const TASK_MARK: &str = "PAASTA_ENGINE_TASK";
/// Marks a health check's command instead.
pub(super) const CHECK_MARK: &str = "PAASTA_ENGINE_CHECK";

/// The environment of a task.
pub(super) fn task_env(
    base: &[(String, String)],
    launch: &Launch,
    sandbox: &Path,
    engine: &str,
) -> BTreeMap<String, String> {
    let order = &launch.order;
    let mut env: BTreeMap<String, String> = base.iter().cloned().collect();
    env.extend(launch.env.0.clone());
    let mut set = |name: &str, value: String| drop(env.insert(name.to_owned(), value));
    set("HOST", order.host.clone());
    set("MARATHON_HOST", order.host.clone());
    set("PAASTA_HOST", order.host.clone());
    set("MESOS_TASK_ID", order.task.to_string());
    set("MESOS_SANDBOX", sandbox.display().to_string());
    set("MARATHON_APP_ID", order.app.to_string());
    set("MARATHON_APP_VERSION", order.version.to_string());
    set("MARATHON_APP_DOCKER_IMAGE", order.definition.image.clone().unwrap_or_default());
    let resources = &order.definition.resources;
    for (name, value) in
        [("CPUS", resources.cpus), ("MEM", resources.mem), ("DISK", resources.disk), ("GPUS", resources.gpus)]
    {
        set(&format!("MARATHON_APP_RESOURCE_{name}"), decimal(value));
    }
    let labels: Vec<String> = order.definition.labels.keys().map(|label| variable(label)).collect();
    set("MARATHON_APP_LABELS", labels.join(" "));
    for (label, value) in &order.definition.labels {
        set(&format!("MARATHON_APP_LABEL_{}", variable(label)), value.clone());
    }
    let ports: Vec<String> = order.ports.iter().map(u16::to_string).collect();
    for prefix in ["", "MARATHON_"] {
        set(&format!("{prefix}PORTS"), ports.join(","));
        for (index, port) in ports.iter().enumerate() {
            set(&format!("{prefix}PORT{index}"), port.clone());
        }
        for (wish, port) in order.definition.ports.iter().zip(&ports) {
            if wish.declared != 0 {
                set(&format!("{prefix}PORT_{}", wish.declared), port.clone());
            }
        }
    }
    if let Some(port) = ports.first() {
        for name in ["PORT", "MARATHON_PORT", "PAASTA_PORT"] {
            set(name, port.clone());
        }
    }
    set(TASK_MARK, format!("{engine}/{}", order.task));
    env
}

/// As Marathon writes them: always with a fraction.
fn decimal(value: f64) -> String {
    format!("{value:?}")
}

fn variable(label: &str) -> String {
    let upper = label.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' });
    upper.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::executor::ResolvedEnv;
    use crate::state::{Definition, LaunchOrder, PathId, PortWish};
    use paasta_core::{TaskId, Timestamp};

    #[test]
    fn ports_follow_the_rule_for_host_networking() {
        let env = [("PAASTA_PORT", "8888"), ("PAASTA_SERVICE", "svc"), ("PORT", "1")];
        let launch = Launch {
            order: LaunchOrder {
                task: TaskId::new("svc.main.u1"),
                app: PathId::parse("svc.main").expect("an id"),
                version: Timestamp::from_millis(0),
                ports: vec![31005],
                definition: Definition {
                    ports: vec![PortWish { declared: 8888, fixed: None }],
                    image: Some("r/services-svc:paasta-abc".to_owned()),
                    labels: [("my-label".to_owned(), "v".to_owned())].into(),
                    ..Definition::default()
                },
                host: "box".to_owned(),
            },
            artifact: None,
            env: ResolvedEnv(env.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()),
        };
        let base = vec![("PATH".to_owned(), "/bin".to_owned())];
        let env = task_env(&base, &launch, Path::new("/sandbox"), "e1");
        for (name, want) in [
            ("PORT", "31005"),
            ("PORT0", "31005"),
            ("PORTS", "31005"),
            ("PORT_8888", "31005"),
            ("MARATHON_PORT", "31005"),
            ("MARATHON_PORT0", "31005"),
            ("MARATHON_PORTS", "31005"),
            ("MARATHON_PORT_8888", "31005"),
            ("PAASTA_PORT", "31005"),
            ("PAASTA_SERVICE", "svc"),
            ("HOST", "box"),
            ("MARATHON_HOST", "box"),
            ("MARATHON_APP_ID", "/svc.main"),
            ("MARATHON_APP_VERSION", "1970-01-01T00:00:00.000Z"),
            ("MARATHON_APP_DOCKER_IMAGE", "r/services-svc:paasta-abc"),
            ("MARATHON_APP_RESOURCE_CPUS", "0.0"),
            ("MARATHON_APP_LABELS", "MY_LABEL"),
            ("MARATHON_APP_LABEL_MY_LABEL", "v"),
            ("MESOS_TASK_ID", "svc.main.u1"),
            ("MESOS_SANDBOX", "/sandbox"),
            ("PATH", "/bin"),
            ("PAASTA_ENGINE_TASK", "e1/svc.main.u1"),
        ] {
            assert_eq!(env.get(name).map(String::as_str), Some(want), "{name}");
        }
    }
}
