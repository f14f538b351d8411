//! Which home an instance belongs to, and what a rendering needs besides.

#![expect(clippy::unwrap_used, reason = "a test stops where something is missing")]

mod support;

use paasta_config::{Renderer, Wanted};
use paasta_core::Reading;
use paasta_marathon::{MarathonRenderer, render_app};
use proptest::prelude::*;
use serde_json::{Value, json};

const SERVERS: &str = r#"{
    "marathon_servers": [{"url": ["http://a", "http://a2/"], "user": "u", "password": "p"},
                         {"url": "http://b", "user": "", "password": ""}],
    "previous_marathon_servers": [{"url": ["http://a2"]}, {"url": ["http://c"]}]}"#;

#[test]
fn homes_are_the_current_and_the_previous_place_once() {
    let homes = |settings: &str| {
        let (renderer, wanted) = case(settings, SERVERS);
        let homes = renderer.render(&wanted).map(|rendered| rendered.homes);
        match homes {
            Ok(homes) => homes.all().map(ToString::to_string).collect::<Vec<_>>().join(" "),
            Err(error) => error.class.to_owned(),
        }
    };
    assert_eq!(homes(r#"{"marathon_shard": 0, "previous_marathon_shards": [0, 1]}"#), "http://a http://c");
    assert_eq!(homes(r#"{"marathon_shard": 1, "previous_marathon_shards": [0]}"#), "http://b http://a");
    assert_eq!(homes(r#"{"marathon_shard": -1, "previous_marathon_shards": []}"#), "http://b");
    assert_eq!(homes(r#"{"marathon_shard": null, "previous_marathon_shards": null}"#), "http://a");
    assert_eq!(homes(r#"{"marathon_shard": 2}"#), "IndexError");
    assert_eq!(homes(r#"{"marathon_shard": -3}"#), "IndexError");
    assert_eq!(homes(r#"{"marathon_shard": "0"}"#), "TypeError");
    assert_eq!(homes(r#"{"previous_marathon_shards": [2]}"#), "IndexError");
}

#[test]
fn without_servers_there_is_an_app_but_no_home() {
    let (renderer, wanted) = case("{}", "{}");
    assert!(render_app(&wanted).is_ok());
    assert_eq!(renderer.render(&wanted).unwrap_err().class, "MarathonNotConfigured");
}

#[test]
fn servers_that_are_written_wrongly_do_not_show_their_passwords() {
    let system = support::map(&json!({"marathon_servers": [{"url": ["http://a"], "password": ["hunter2"]}]}));
    let error = MarathonRenderer::from_system(&system).unwrap_err().to_string();
    assert_eq!(error, "marathon_servers[0].password: expected a string, found a list");
    let system = support::map(&json!({"marathon_servers": [{"url": []}]}));
    assert!(MarathonRenderer::from_system(&system).is_err());
}

#[test]
fn a_count_that_is_not_known_is_never_guessed() {
    let (_, mut wanted) = case(r#"{"max_instances": 5}"#, "{}");
    wanted.autoscaled_count = Reading::Unknown("no coordination service".to_owned());
    assert_eq!(render_app(&wanted).unwrap_err().class, "AutoscaledCountUnknown");
    wanted.deployment.desired_state = paasta_config::DesiredState::Stop;
    assert_eq!(render_app(&wanted).unwrap().instances, 0);
    let (_, mut wanted) = case(r#"{"max_instances": 5, "min_instances": 2}"#, "{}");
    for (count, instances) in [(None, 5), (Some(0), 2), (Some(3), 3), (Some(9), 5)] {
        wanted.autoscaled_count = Reading::Known(count);
        assert_eq!(render_app(&wanted).unwrap().instances, instances);
    }
}

proptest! {
    /// What leaves the identity alone leaves all of the hash input alone, and whatever is rendered is JSON.
    #[test]
    fn counts_never_reach_the_identity(
        instances in 0_u32..50,
        mem in 1_u32..9000,
        cpus in 0.01_f64..64.0,
        text in "\\PC{0,20}",
    ) {
        let settings = json!({"mem": mem, "cpus": cpus, "env": {"TEXT": text}, "instances": instances});
        let (_, wanted) = case(&settings.to_string(), "{}");
        let first = render_app(&wanted).unwrap();
        let (_, mut other) = case(&settings.to_string(), "{}");
        other.settings.insert(paasta_config::Node::text("instances"), support::node(&json!(7)));
        let second = render_app(&other).unwrap();
        prop_assert_eq!(&first.hash_input, &second.hash_input);
        prop_assert_eq!(&first.app, &second.app);
        prop_assert_eq!(first.instances, instances as usize);
        prop_assert!(first.body.is_ascii());
        let body: Value = serde_json::from_str(&first.body).unwrap();
        prop_assert_eq!(body["env"]["TEXT"].as_str(), Some(text.as_str()));
        prop_assert_eq!(body["cpus"].as_f64(), Some(cpus));
    }
}

fn case(settings: &str, system: &str) -> (MarathonRenderer, Wanted) {
    let parse = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    let mut all = json!({"docker_registry": "r", "volumes": []});
    all.as_object_mut().unwrap().extend(parse(system).as_object().unwrap().clone());
    let wanted = support::wanted(&json!({
        "service": "svc", "instance": "main", "cluster": "prod",
        "settings": parse(settings), "system": all, "namespace": {}, "autoscaled_count": null,
        "deployment": {"docker_image": "services-svc:paasta-0123456789", "desired_state": "start"},
        "secret_signatures": {},
    }));
    (MarathonRenderer::from_system(&wanted.system).unwrap(), wanted)
}
