//! Which Marathon an instance belongs to (marathon-and-bounce.md §2.2).

use paasta_config::{Feed, FieldChange, Map, Node, RenderError, Renderer, Value, Wanted};
use paasta_core::{HomeId, Homes, Rendered};

use crate::difference::{compare_hash_inputs, feeds};
use crate::rendering::{config_hash, failure, items, json_text, render_app};
use crate::servers::{MarathonServers, ServersError};

/// The renderer of the Marathon engine: identity and body from `render_app`, the home from the servers.
///
/// ```
/// use paasta_config::Map;
/// use paasta_marathon::MarathonRenderer;
///
/// // Without servers, app ids and bodies can still be had (`render_app`), a home cannot.
/// let renderer = MarathonRenderer::from_system(&Map::new()).expect("no servers is fine");
/// # let _ = renderer;
/// ```
#[derive(Clone, Debug, Default)]
pub struct MarathonRenderer {
    servers: MarathonServers,
}

impl MarathonRenderer {
    /// Renders for these servers.
    pub fn new(servers: MarathonServers) -> Self {
        Self { servers }
    }

    /// Renders for the servers of the merged system configuration.
    pub fn from_system(system: &Map) -> Result<Self, ServersError> {
        MarathonServers::from_system(system).map(Self::new)
    }

    /// The number of the shard the instance belongs to: as set by `marathon_shard`, else by rendezvous hash.
    pub fn shard(&self, wanted: &Wanted) -> Result<usize, RenderError> {
        let count = self.servers.current().len();
        if count == 0 {
            let message = "marathon_servers: none in the system configuration";
            return Err(failure("MarathonNotConfigured", None, message));
        }
        match wanted.settings.get_set("marathon_shard") {
            Some(node) => index("marathon_shard", "marathon_servers", node, count),
            None => Ok(rendezvous(&wanted.id.to_string(), count).unwrap_or(0)),
        }
    }

    /// The numbers of the shards the instance may have left apps on: as set by `previous_marathon_shards`, else by
    /// rendezvous hash over the previous servers, if there are any.
    pub fn previous_shards(&self, wanted: &Wanted) -> Result<Vec<usize>, RenderError> {
        let key = "previous_marathon_shards";
        let count = self.servers.previous().len();
        match wanted.settings.get_set(key) {
            Some(node) => items(key, node)?
                .iter()
                .map(|item| index(key, "previous_marathon_servers", item, count))
                .collect(),
            None => Ok(rendezvous(&wanted.id.to_string(), count).into_iter().collect()),
        }
    }

    /// Where the instance belongs and where it may have been, each place once.
    pub fn homes(&self, wanted: &Wanted) -> Result<Homes, RenderError> {
        let (current, previous) = (self.shard(wanted)?, self.previous_shards(wanted)?);
        let current = home(self.servers.current(), current)?;
        let mut homes = Homes { current, previous: Vec::new() };
        for shard in previous {
            let previous = home(self.servers.previous(), shard)?;
            if homes.all().all(|home| *home != previous) {
                homes.previous.push(previous);
            }
        }
        Ok(homes)
    }
}

impl Renderer for MarathonRenderer {
    fn render(&self, wanted: &Wanted) -> Result<Rendered, RenderError> {
        let app = render_app(wanted)?;
        Ok(Rendered {
            homes: self.homes(wanted)?,
            app: app.app,
            config_hash: app.config_hash,
            hash_input: app.hash_input,
            body: app.body,
            instances: app.instances,
        })
    }

    fn compare(&self, old: &str, new: &str) -> Vec<FieldChange> {
        compare_hash_inputs(old, new)
    }

    fn feeds(&self, field: &str) -> Vec<Feed> {
        feeds(field)
    }
}

/// The choice out of `choices` whose hash with `key` is the greatest, the first of equals; none out of none.
///
/// ```
/// assert_eq!(paasta_marathon::rendezvous("svc.main", 3), Some(2));
/// assert_eq!(paasta_marathon::rendezvous("svc.main", 0), None);
/// ```
pub fn rendezvous(key: &str, choices: usize) -> Option<usize> {
    let hash = |choice: usize| config_hash(&json_text(&format!("{choice}.{key}.")));
    let mut best: Option<(usize, String)> = None;
    for choice in 0..choices {
        let hash = hash(choice);
        if best.as_ref().is_none_or(|(_, greatest)| hash > *greatest) {
            best = Some((choice, hash));
        }
    }
    best.map(|(choice, _)| choice)
}

fn home(homes: &[HomeId], shard: usize) -> Result<HomeId, RenderError> {
    homes.get(shard).cloned().ok_or_else(|| failure("IndexError", None, format!("there is no shard {shard}")))
}

/// A place in a list as Python takes it: negative numbers count from the end, booleans are 0 and 1.
fn index(key: &str, list: &str, node: &Node, count: usize) -> Result<usize, RenderError> {
    let number = match &node.value {
        Value::Int(number) => *number,
        Value::Bool(b) => i64::from(*b),
        _ => {
            let message = format!("{key}: expected a shard number, found {}", node.kind());
            return Err(failure("TypeError", Some(node), message));
        }
    };
    let place = if number < 0 { number.checked_add_unsigned(count as u64) } else { Some(number) };
    match place.and_then(|place| usize::try_from(place).ok()) {
        Some(place) if place < count => Ok(place),
        _ => {
            let message = format!("{key}: there is no shard {number}, {list} has {count}");
            Err(failure("IndexError", Some(node), message))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rendezvous_matches_the_originals_choices() {
        for (key, of_two, of_three) in
            [("svc.main", 0, 2), ("my_svc.can_ary", 0, 0), ("service.main", 1, 1), ("foo.bar", 1, 1)]
        {
            assert_eq!(rendezvous(key, 2), Some(of_two), "{key}");
            assert_eq!(rendezvous(key, 3), Some(of_three), "{key}");
        }
        assert_eq!(rendezvous("bar.main", 3), Some(2));
        assert_eq!(rendezvous("s.i", 3), Some(0));
    }
}
