//! The environment of a task (marathon-and-bounce.md §1.7).

use std::borrow::Cow;
use std::collections::BTreeMap;

use paasta_config::{Node, RenderError, Value, Wanted};

use super::container::Container;
use super::hash::short_git_sha;
use super::{failure, text_of};

type Env<'a> = BTreeMap<Cow<'a, str>, Cow<'a, str>>;

/// What PaaSTA says of itself, then what the author says, and last the port, which nobody can override.
pub(crate) fn env<'a>(wanted: &'a Wanted, container: &Container<'_>) -> Result<Env<'a>, RenderError> {
    let mut env = Env::new();
    add_own(&mut env, wanted, container)?;
    add_author(&mut env, wanted)?;
    let port = text_or("container_port", wanted.settings.get("container_port"), "8888")?;
    env.insert("PAASTA_PORT".into(), port);
    Ok(env)
}

fn add_own<'a>(env: &mut Env<'a>, wanted: &'a Wanted, container: &Container<'_>) -> Result<(), RenderError> {
    let settings = &wanted.settings;
    let mut add = |key: &'static str, value: Cow<'a, str>| {
        env.insert(key.into(), value);
    };
    add("PAASTA_SERVICE", wanted.id.service().as_str().into());
    add("PAASTA_INSTANCE", wanted.id.instance().as_str().into());
    add("PAASTA_CLUSTER", wanted.cluster.as_str().into());
    add("PAASTA_DEPLOY_GROUP", deploy_group(wanted)?);
    add("PAASTA_DOCKER_IMAGE", wanted.deployment.docker_image.as_str().into());
    add("PAASTA_RESOURCE_CPUS", text_or("cpus", settings.get("cpus"), "1")?);
    add("PAASTA_RESOURCE_MEM", text_or("mem", settings.get("mem"), "4096")?);
    add("PAASTA_RESOURCE_DISK", text_or("disk", settings.get("disk"), "1024")?);
    if let Some(gpus) = settings.get_set("gpus") {
        add("PAASTA_RESOURCE_GPUS", text_of("gpus", gpus)?);
    }
    add("PAASTA_GIT_SHA", short_git_sha(&container.image_url).to_owned().into());
    if let Some(team) = team(wanted)? {
        add("PAASTA_MONITORING_TEAM", text_of("monitoring.team", team)?);
    }
    add("PAASTA_INSTANCE_TYPE", "marathon".into());
    Ok(())
}

fn deploy_group(wanted: &Wanted) -> Result<Cow<'_, str>, RenderError> {
    match wanted.settings.get("deploy_group") {
        Some(group) => text_of("deploy_group", group),
        None => Ok(format!("{}.{}", wanted.cluster, wanted.id.instance()).into()),
    }
}

fn team(wanted: &Wanted) -> Result<Option<&Node>, RenderError> {
    let Some(monitoring) = wanted.settings.get_set("monitoring") else { return Ok(None) };
    let map = monitoring.as_map().ok_or_else(|| {
        let message = format!("monitoring: expected a map, found {}", monitoring.kind());
        failure("AttributeError", Some(monitoring), message)
    })?;
    Ok(map.get("team").filter(|team| team.is_truthy()))
}

fn add_author<'a>(env: &mut Env<'a>, wanted: &'a Wanted) -> Result<(), RenderError> {
    let Some(node) = wanted.settings.get_set("env") else { return Ok(()) };
    match &node.value {
        Value::Map(map) => {
            for (key, value) in map.iter() {
                env.insert(text_of("env", key)?, text_of("env", value)?);
            }
            Ok(())
        }
        Value::List(list) if list.is_empty() => Ok(()),
        Value::Set(set) if set.is_empty() => Ok(()),
        Value::String(text) if text.is_empty() => Ok(()),
        _ => Err(failure("TypeError", Some(node), format!("env: expected a map, found {}", node.kind()))),
    }
}

fn text_or<'a>(
    key: &str,
    node: Option<&'a Node>,
    default: &'static str,
) -> Result<Cow<'a, str>, RenderError> {
    node.map_or(Ok(default.into()), |node| text_of(key, node))
}
