//! Which settings a field of a rendering comes from, and where they are written.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use crate::{Map, Node, Position, Renderer, SecretReference, Wanted};

/// A setting that may decide a field of what a [`crate::Renderer`] makes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Feed {
    /// Whose setting it is.
    pub layer: Layer,
    /// The keys that lead to it, outermost first.
    pub path: Vec<String>,
}

/// Where settings come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Layer {
    /// The instance's merged settings.
    Instance,
    /// The SmartStack namespace of its first registration.
    Namespace,
    /// The system configuration.
    System,
    /// deployments.json: `docker_image`, `git_sha`, `desired_state` or `force_bounce`.
    Deployment,
    /// The signature of a secret, by its reference.
    Secret,
}

/// A setting that decides a field, and where it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The setting's key path, such as `env.LIMIT`.
    pub setting: String,
    /// Where it is written.
    pub place: Place,
    /// Whether it is not there any more: then the place is where it was.
    pub removed: bool,
}

/// Where a setting is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// In a file at a line.
    At(Position),
    /// In a file of which no lines are known.
    File(Arc<str>),
    /// Nowhere: it is a default.
    Default,
}

impl fmt::Display for Place {
    /// `file:line:column`, the file, or `default`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::At(position) => position.fmt(f),
            Place::File(file) => f.write_str(file),
            Place::Default => f.write_str("default"),
        }
    }
}

impl Feed {
    /// A setting of the instance, by its path separated by dots.
    ///
    /// ```
    /// assert_eq!(paasta_config::Feed::instance("monitoring.team").path, ["monitoring", "team"]);
    /// ```
    pub fn instance(path: &str) -> Self {
        Self { layer: Layer::Instance, path: path.split('.').map(str::to_owned).collect() }
    }

    /// One entry of a map of the instance: the whole of `key` is one key.
    pub fn instance_entry(map: &str, key: &str) -> Self {
        Self { layer: Layer::Instance, path: vec![map.to_owned(), key.to_owned()] }
    }

    /// A key of another layer.
    pub fn of(layer: Layer, key: &str) -> Self {
        Self { layer, path: vec![key.to_owned()] }
    }

    fn value(&self, wanted: &Wanted) -> Option<Node> {
        let key = || self.path.first().map(String::as_str).unwrap_or_default();
        match self.layer {
            Layer::Instance => find(&wanted.settings, &self.path).cloned(),
            Layer::Namespace => find(&wanted.namespace, &self.path).cloned(),
            Layer::System => find(&wanted.system, &self.path).cloned(),
            Layer::Deployment => deployment(wanted, key()),
            Layer::Secret => wanted.secret_signatures.get(key()).cloned().flatten().map(Node::text),
        }
    }

    fn place(&self, node: &Node, wanted: &Wanted) -> Place {
        match (&node.position, self.layer) {
            (Some(position), _) => Place::At(position.clone()),
            (None, Layer::Deployment) => Place::File("deployments.json".into()),
            (None, Layer::Secret) => {
                let reference = self.path.first().and_then(|text| SecretReference::parse(text));
                let file = reference.map(|reference| reference.file(wanted.id.service()));
                Place::File(file.unwrap_or_else(|| "secrets".to_owned()).into())
            }
            (None, _) => Place::Default,
        }
    }

    /// Its key path; `system.` and `smartstack.` before it tell whose it is, if not the instance's.
    pub fn name(&self) -> String {
        let path = self.path.join(".");
        match self.layer {
            Layer::Instance | Layer::Deployment | Layer::Secret => path,
            Layer::Namespace => format!("smartstack.{path}"),
            Layer::System => format!("system.{path}"),
        }
    }

    fn origin(&self, node: Option<&Node>, removed: bool, wanted: &Wanted) -> Origin {
        let place = node.map_or(Place::Default, |node| self.place(node, wanted));
        Origin { setting: self.name(), place, removed }
    }
}

/// Where each setting is written that decides anything of `hash_input`, which `renderer` made of `wanted`; by
/// [`Feed::name`]. Defaults are left out.
pub fn places(renderer: &dyn Renderer, wanted: &Wanted, hash_input: &str) -> BTreeMap<String, String> {
    let fields = renderer.compare("", hash_input);
    let feeds = fields.iter().flat_map(|change| renderer.feeds(&change.field));
    let place = |feed: Feed| {
        let place = feed.place(&feed.value(wanted)?, wanted);
        (place != Place::Default).then(|| (feed.name(), place.to_string()))
    };
    feeds.filter_map(place).collect()
}

/// The settings among `feeds` that an instance has, with their places. Where it has none of them, the first one is
/// named as a default.
pub fn origins(feeds: &[Feed], wanted: &Wanted) -> Vec<Origin> {
    let found = feeds.iter().filter_map(|feed| Some(feed.origin(Some(&feed.value(wanted)?), false, wanted)));
    let found: Vec<Origin> = found.collect();
    match (found.is_empty(), feeds.first()) {
        (true, Some(first)) => vec![first.origin(None, false, wanted)],
        _ => found,
    }
}

/// The settings among `feeds` that differ between two states of an instance, with their places after the change, or
/// before it where they are removed. Where none differs (the change is one of the renderer's own), there are none.
pub fn changed_origins(feeds: &[Feed], before: &Wanted, after: &Wanted) -> Vec<Origin> {
    let origin = |feed: &Feed| {
        let (old, new) = (feed.value(before), feed.value(after));
        match (old, new) {
            (old, Some(new)) => (old.as_ref() != Some(&new)).then(|| feed.origin(Some(&new), false, after)),
            (Some(old), None) => Some(feed.origin(Some(&old), true, before)),
            (None, None) => None,
        }
    };
    feeds.iter().filter_map(origin).collect()
}

fn find<'a>(map: &'a Map, path: &[String]) -> Option<&'a Node> {
    let (first, rest) = path.split_first()?;
    let node = map.get(first).or_else(|| unquoted(map, first))?;
    if rest.is_empty() { Some(node) } else { find(node.as_map()?, rest) }
}

/// The value of a key that is no text but reads like one, such as `8080`.
fn unquoted<'a>(map: &'a Map, key: &str) -> Option<&'a Node> {
    map.iter()
        .find(|(other, _)| other.as_str().is_none() && format!("{other:?}") == key)
        .map(|(_, value)| value)
}

fn deployment(wanted: &Wanted, key: &str) -> Option<Node> {
    let record = &wanted.deployment;
    Some(match key {
        "docker_image" => Node::text(record.docker_image.as_str()),
        "git_sha" => Node::text(record.git_sha.as_str()),
        "desired_state" => Node::text(format!("{:?}", record.desired_state).to_lowercase()),
        "force_bounce" => Node::text(record.force_bounce.clone()?),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{Memory, Soa, SystemConfig};

    fn wanted(instance: &str, service: &str) -> Wanted {
        let deployments = r#"{"v2": {"deployments": {"pnw.main": {"docker_image": "i", "git_sha": "s"}},
            "controls": {"svc:pnw.main": {"desired_state": "start", "force_bounce": null}}}}"#;
        let tree = Memory::new()
            .with("svc/marathon-pnw.yaml", instance)
            .with("svc/service.yaml", service)
            .with("svc/deployments.json", deployments);
        let system = SystemConfig::from_json(r#"{"cluster": "pnw", "docker_registry": "r"}"#).unwrap();
        let count = paasta_core::Reading::Known(None);
        Soa::new(Arc::new(tree)).wanted(&"svc.main".parse().unwrap(), &system, count).unwrap()
    }

    #[track_caller]
    fn check(before: &Wanted, after: &Wanted, feeds: &[Feed], expected: &[&str]) {
        let said = |o: &Origin| format!("{}{} {}", if o.removed { "-" } else { "" }, o.setting, o.place);
        let found: Vec<_> = changed_origins(feeds, before, after).iter().map(said).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn changed_settings_are_found_where_they_are_written() {
        let old = wanted("main: {mem: 10, env: {A: 1, 8: x}}\n", "cpus: 1\n");
        let new = wanted("_t: &t\n  mem: 20\nmain:\n  <<: *t\n  env: {8: y}\n", "\ncpus: 2\n");
        check(&old, &new, &[Feed::instance("mem")], &["mem svc/marathon-pnw.yaml:2:8"]);
        check(&old, &new, &[Feed::instance("cpus")], &["cpus svc/service.yaml:2:7"]);
        check(&old, &new, &[Feed::instance_entry("env", "8")], &["env.8 svc/marathon-pnw.yaml:5:12"]);
        check(&old, &new, &[Feed::instance_entry("env", "A")], &["-env.A svc/marathon-pnw.yaml:1:26"]);
        check(&old, &new, &[Feed::instance("disk"), Feed::of(Layer::System, "docker_registry")], &[]);
    }

    #[test]
    fn what_is_written_nowhere_is_a_default() {
        let one = wanted("main: {mem: 10}\n", "");
        assert_eq!(origins(&[Feed::instance("cpus")], &one)[0].place, Place::Default);
        let feeds = [Feed::instance("cpus"), Feed::of(Layer::System, "docker_registry")];
        assert_eq!(origins(&feeds, &one)[0].setting, "system.docker_registry");
        assert_eq!(
            origins(&[Feed::of(Layer::Deployment, "git_sha")], &one)[0].place.to_string(),
            "deployments.json"
        );
    }
}
