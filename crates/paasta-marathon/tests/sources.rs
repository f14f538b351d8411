//! Every field that changes with a setting leads back to that setting.

#![expect(clippy::unwrap_used, reason = "a test stops where something is missing")]

use std::path::Path;
use std::sync::Arc;

use paasta_config::{InstanceType, Renderer, Soa, SystemConfig, Wanted, changed_origins, places};
use paasta_core::{InstanceId, Reading};
use paasta_marathon::{MarathonRenderer, render_app};

/// The instances of a generated tree that can be rendered.
fn instances(corpus: &str) -> Vec<Wanted> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/corpus").join(corpus);
    let soa = Soa::open(root.join("soa")).cached();
    let system = SystemConfig::load(root.join("etc")).unwrap();
    let cluster = system.cluster().unwrap();
    let mut found = Vec::new();
    for service in soa.services().unwrap() {
        for name in soa.instances(&service, &cluster, InstanceType::Marathon).unwrap_or_default() {
            let id = InstanceId::new(service.clone(), name);
            let wanted = soa.wanted(&id, &system, Reading::Known(None));
            found.extend(wanted.ok().filter(|wanted| render_app(wanted).is_ok()));
        }
    }
    assert!(found.len() >= 8, "{}", found.len());
    found
}

/// Whether anything changed; every field that did must lead to `setting`.
#[track_caller]
fn check(before: &Wanted, after: &Wanted, setting: &str) -> bool {
    let (Ok(old), Ok(new)) = (render_app(before), render_app(after)) else { return false };
    let renderer = MarathonRenderer::default();
    for change in renderer.compare(&old.hash_input, &new.hash_input) {
        let origins = changed_origins(&renderer.feeds(&change.field), before, after);
        let named = origins
            .iter()
            .any(|origin| origin.setting == setting || origin.setting.starts_with(&format!("{setting}.")));
        assert!(named, "{}: {setting} changes {}, which names {origins:?}", before.id, change.field);
    }
    old.hash_input != new.hash_input
}

#[test]
fn a_setting_that_is_taken_away_is_named_by_all_that_changes() {
    let mut changed = 0;
    for before in ["clean", "nasty"].into_iter().flat_map(instances) {
        for key in keys(&before.settings) {
            let mut after = before.clone();
            after.settings.remove(&key);
            changed += usize::from(check(&before, &after, &key));
        }
        for key in keys(&before.namespace) {
            let mut after = before.clone();
            after.namespace.remove(&key);
            changed += usize::from(check(&before, &after, &format!("smartstack.{key}")));
        }
        for key in keys(&before.system) {
            let mut system = (*before.system).clone();
            system.remove(&key);
            let after = Wanted { system: Arc::new(system), ..before.clone() };
            changed += usize::from(check(&before, &after, &format!("system.{key}")));
        }
    }
    assert!(changed > 50, "{changed}");
}

#[test]
fn a_deployment_is_named_by_all_that_changes_with_it() {
    for before in instances("clean") {
        let mut after = before.clone();
        after.deployment.docker_image = "services-x:paasta-89abcdef".to_owned();
        assert!(check(&before, &after, "docker_image"));
        let mut after = before.clone();
        after.deployment.force_bounce = Some("20990101T000000".to_owned());
        assert!(check(&before, &after, "force_bounce"));
    }
}

#[test]
fn what_is_written_down_of_an_instance_names_files() {
    for wanted in instances("clean") {
        let places = places(&MarathonRenderer::default(), &wanted, &render_app(&wanted).unwrap().hash_input);
        assert!(places.values().all(|place| !place.is_empty() && place != "default"), "{places:?}");
        assert_eq!(places["docker_image"], "deployments.json");
        assert!(places["system.volumes"].contains(".json:"), "{places:?}");
    }
}

fn keys(map: &paasta_config::Map) -> Vec<String> {
    map.iter().filter_map(|(key, _)| Some(key.as_str()?.to_owned())).collect()
}
