//! Where a monitoring value is looked for (monitoring.md §1.3).

use paasta_config::{Map, Node};

/// The maps that a monitoring key may stand in, each as it was read. The first that has the key wins; that it is there
/// decides, not what it holds: null is a value, too.
///
/// 1. the instance's `monitoring`,
/// 2. monitoring.yaml,
/// 3. `monitoring` of service.yaml.
///
/// What else stands in service.yaml is about the service and no part of an alert; only a `team` there names the owner,
/// since the alert would find nobody else.
#[derive(Clone, Debug, Default)]
pub struct Layers {
    /// The instance's `monitoring`, with what it inherits; empty where the instance is gone or cannot be read.
    pub instance: Map,
    /// monitoring.yaml.
    pub monitoring: Map,
    /// service.yaml.
    pub service: Map,
}

impl Layers {
    /// The value of a key, null included; `None` where nobody says anything.
    pub fn get(&self, key: &str) -> Option<&Node> {
        let of_service = self.service.get("monitoring").and_then(Node::as_map);
        let found = self
            .instance
            .get(key)
            .or_else(|| self.monitoring.get(key))
            .or_else(|| of_service.and_then(|map| map.get(key)));
        match key {
            "team" => found.or_else(|| self.service.get(key)),
            _ => found,
        }
    }
}

#[cfg(test)]
mod tests {
    use paasta_config::parse_yaml;
    use proptest::prelude::*;

    use super::*;

    fn map(text: &str) -> Map {
        parse_yaml(text.as_bytes(), "f").unwrap().root.as_map().cloned().unwrap_or_default()
    }

    fn layers(instance: &str, monitoring: &str, service: &str) -> Layers {
        Layers { instance: map(instance), monitoring: map(monitoring), service: map(service) }
    }

    fn text(layers: &Layers, key: &str) -> Option<String> {
        layers.get(key).map(|node| node.as_str().unwrap_or("null").to_owned())
    }

    #[test]
    fn the_first_layer_that_has_a_key_wins() {
        let service = "{monitoring: {tip: c, page: c, team: c}, team: d, tip: d}";
        let layers = layers("{tip: a}", "{tip: b, page: b}", service);
        assert_eq!(text(&layers, "tip").as_deref(), Some("a"));
        assert_eq!(text(&layers, "page").as_deref(), Some("b"));
        assert_eq!(text(&layers, "team").as_deref(), Some("c"));
        assert_eq!(text(&layers, "project"), None);
    }

    #[test]
    fn an_explicit_null_counts_as_set() {
        assert_eq!(text(&layers("{tip: null}", "{tip: b}", ""), "tip").as_deref(), Some("null"));
    }

    /// A row of docs/differences.md.
    #[test]
    fn what_else_stands_in_service_yaml_is_no_part_of_an_alert() {
        let service = "{description: sells tea, tip: t, page: p, runbook: r, team: owners}";
        let layers = layers("{}", "{}", service);
        for key in ["description", "tip", "page", "runbook"] {
            assert_eq!(text(&layers, key), None, "{key}");
        }
        assert_eq!(text(&layers, "team").as_deref(), Some("owners"));
    }

    proptest! {
        #[test]
        fn lower_layers_never_change_what_a_higher_one_says(
            own in proptest::option::of("[a-z]{1,4}"), below in "[a-z]{1,4}", lowest in "[a-z]{1,4}",
        ) {
            let instance = own.as_ref().map_or("{}".to_owned(), |own| format!("{{tip: x{own}}}"));
            let service = format!("monitoring: {{tip: x{lowest}}}");
            let layers = layers(&instance, &format!("tip: x{below}"), &service);
            let expected = format!("x{}", own.unwrap_or(below));
            prop_assert_eq!(text(&layers, "tip"), Some(expected));
        }
    }
}
