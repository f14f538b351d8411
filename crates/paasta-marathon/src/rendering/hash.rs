//! The hash input, the hash and the app id (marathon-and-bounce.md §1.12, §1.13).

use std::borrow::Cow;
use std::collections::BTreeMap;

use md5::{Digest, Md5};
use paasta_config::{RenderError, Wanted};
use paasta_core::{AppId, InstanceId};

use super::complete::Complete;
use super::container::{Container, ContainerKind, Parameter};
use super::failure;
use super::pyjson::{Floats, Json};

/// `config` and the first eight hexadecimal digits of the MD5 of `hash_input`.
///
/// ```
/// assert_eq!(paasta_marathon::config_hash("{}"), "config99914b93");
/// ```
pub fn config_hash(hash_input: &str) -> String {
    let digest = Md5::digest(hash_input.as_bytes());
    let mut hash = "config".to_owned();
    for byte in digest.iter().take(4) {
        hash.push_str(&format!("{byte:02x}"));
    }
    hash
}

/// The id of one version of an instance; every `_` becomes `--` (marathon-and-bounce.md §1.13).
///
/// ```
/// let instance = "my_svc.main".parse().expect("two parts");
/// let id = paasta_marathon::app_id(&instance, "reg/services-my_svc:paasta-0123456789", "config99914b93");
/// assert_eq!(id.as_str(), "my--svc.main.git01234567.config99914b93");
/// ```
pub fn app_id(instance: &InstanceId, image_url: &str, config_hash: &str) -> AppId {
    let code = short_git_sha(image_url).replace('_', "--");
    AppId::new(format!("{}.git{code}.{}", instance.short_id(), config_hash.replace('_', "--")))
}

/// The first eight characters after the last `-` of what stands after the last `/`.
pub(crate) fn short_git_sha(image_url: &str) -> &str {
    let name = image_url.rsplit('/').next().unwrap_or(image_url);
    let sha = name.rsplit('-').next().unwrap_or(name);
    sha.char_indices().nth(8).map_or(sha, |(end, _)| &sha[..end])
}

/// The exact text that is hashed.
pub(crate) fn hash_input(wanted: &Wanted, complete: &Complete<'_>) -> Result<String, RenderError> {
    let mut members = vec![
        ("container", container(&complete.container)),
        ("uris", Json::List(vec![Json::Ref(&complete.dockercfg)])),
        ("backoff_factor", Json::Ref(&complete.backoff_factor)),
        ("max_launch_delay_seconds", Json::Ref(&complete.max_launch_delay_seconds)),
        ("health_checks", health_checks(complete)),
        ("env", env(complete)),
        ("mem", Json::Float(complete.mem)),
        ("cpus", Json::Float(complete.cpus)),
        ("disk", Json::Float(complete.disk)),
        ("constraints", constraints(complete)),
        ("cmd", complete.cmd.as_ref().map_or(Json::Null, Json::Ref)),
        ("args", Json::Ref(&complete.args)),
    ];
    if let Some(gpus) = complete.gpus {
        members.push(("gpus", Json::Node(gpus)));
    }
    if let Some(ports) = &complete.ports {
        members.push(("port_definitions", Json::List(vec![port_definition(&ports.host_port)])));
        members.push(("require_ports", Json::Bool(ports.required)));
    }
    if let Some(roles) = complete.accepted_resource_roles {
        members.push(("accepted_resource_roles", Json::Node(roles)));
    }
    let secrets = secrets(&complete.env, &wanted.secret_signatures);
    if !secrets.is_empty() {
        members.push(("paasta_secrets", Json::Object(secrets)));
    }
    let mut text = Json::Object(members).write(Floats::Any).map_err(|error| RenderError {
        class: "TypeError",
        message: error.reason.to_owned(),
        position: error.position,
    })?;
    text.push_str(wanted.deployment.force_bounce.as_deref().unwrap_or_default());
    Ok(text)
}

fn container<'a>(container: &'a Container<'_>) -> Json<'a> {
    let parameters = &container.parameters;
    let unlabelled = parameters.before_labels.iter().chain(&parameters.after_labels);
    let mut docker = vec![
        ("image", Json::text(container.image_url.as_str())),
        ("parameters", Json::List(unlabelled.map(Parameter::json).collect())),
    ];
    let kind = match container.kind {
        ContainerKind::Mesos => "MESOS",
        ContainerKind::Docker => {
            docker.push(("network", Json::Ref(&container.network)));
            "DOCKER"
        }
    };
    if container.maps_ports() {
        docker.push(("portMappings", Json::List(vec![port_mapping(container)])));
    }
    Json::Object(vec![
        ("docker", Json::Object(docker)),
        ("type", Json::text(kind)),
        ("volumes", Json::List(container.volumes.iter().map(|node| Json::Node(node)).collect())),
    ])
}

/// The one port as a mapping from the container to its host.
pub(crate) fn port_mapping<'a>(container: &'a Container<'_>) -> Json<'a> {
    Json::Object(vec![
        ("containerPort", Json::Ref(&container.container_port)),
        ("hostPort", Json::Ref(&container.host_port)),
        ("protocol", Json::text("tcp")),
    ])
}

/// The one port on the host.
pub(crate) fn port_definition<'a>(host_port: &'a Json<'_>) -> Json<'a> {
    Json::Object(vec![("port", Json::Ref(host_port)), ("protocol", Json::text("tcp"))])
}

fn health_checks<'a>(complete: &'a Complete<'_>) -> Json<'a> {
    let checks = complete.health_check.iter().map(|check| Json::Object(check.members(Json::Node)));
    Json::List(checks.collect())
}

/// The environment as an object.
pub(crate) fn env<'a>(complete: &'a Complete<'_>) -> Json<'a> {
    Json::Object(complete.env.iter().map(|(key, value)| (key.as_ref(), Json::text(value.as_ref()))).collect())
}

fn constraints<'a>(complete: &'a Complete<'_>) -> Json<'a> {
    let list = |constraint: &'a Vec<Json<'_>>| Json::List(constraint.iter().map(Json::Ref).collect());
    Json::List(complete.constraints.iter().map(list).collect())
}

/// Each secret that the environment refers to, with its signature, so that a new value is a new version.
fn secrets<'a>(
    env: &'a BTreeMap<Cow<'_, str>, Cow<'_, str>>,
    signatures: &'a BTreeMap<String, Option<String>>,
) -> Vec<(&'a str, Json<'a>)> {
    let mut secrets: Vec<(&str, Json<'_>)> = Vec::new();
    for value in env.values().filter(|value| is_secret_reference(value)) {
        if secrets.iter().any(|(reference, _)| reference == value) {
            continue;
        }
        let signature = signatures.get(value.as_ref()).and_then(Option::as_deref);
        secrets.push((value, signature.map_or(Json::Null, Json::text)));
    }
    secrets
}

fn is_secret_reference(value: &str) -> bool {
    let value = value.strip_suffix('\n').unwrap_or(value);
    let name = value.strip_prefix("SHARED_").unwrap_or(value);
    let name = name.strip_prefix("SECRET(").and_then(|name| name.strip_suffix(')'));
    name.is_some_and(|name| name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-'))
}

/// Refuses an id that the original's client refuses: it looks at the start of each path segment only (§1.14). What
/// Marathon itself refuses beyond that, it says when the app is sent.
pub(crate) fn check_id(id: &AppId) -> Result<(), RenderError> {
    let starts = |segment: &str| segment.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit());
    if id.as_str().split('/').all(|segment| matches!(segment, "" | "." | "..") || starts(segment)) {
        return Ok(());
    }
    let message = format!("app id `{id}` has to start with a lower-case letter or a digit");
    Err(failure("ValueError", None, message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_match_the_originals() {
        assert_eq!(config_hash(r#"{"foo": "bar"}"#), "config94232c5b");
        assert_eq!(config_hash(r#"{"foo": "bar"}1"#), "confige69514c4");
        assert_eq!(config_hash(r#""0.foo.main.""#), "config39b0750a");
    }

    #[test]
    fn code_shas_come_from_the_image() {
        for (url, sha) in [
            ("registry.example.com/services-svc:paasta-0123456789abcdef", "01234567"),
            ("reg/busybox", "busybox"),
            ("test-image-foobar1", "foobar1"),
            ("r/x:tag", "x:tag"),
            ("reg:443/services-foo:paasta-abcdef0123456789", "abcdef01"),
            ("", ""),
        ] {
            assert_eq!(short_git_sha(url), sha);
        }
    }

    #[test]
    fn references_to_secrets() {
        for text in ["SECRET(a)", "SHARED_SECRET(a-B_1)", "SECRET()", "SECRET(x)\n"] {
            assert!(is_secret_reference(text), "{text}");
        }
        for text in
            ["SECRET(a", "SECRET(a b)", " SECRET(a)", "SECRET(a)\n\n", "secret(a)", "SECRET(a)x", "SHARED_"]
        {
            assert!(!is_secret_reference(text), "{text}");
        }
    }
}
