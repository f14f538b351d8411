//! `paasta list` and `paasta list-clusters`.

mod common;

use common::World;

#[test]
fn services_instances_and_clusters_are_listed() {
    let world = World::with_services();
    assert_eq!(world.ok(&["list"]), "web\n");
    assert_eq!(world.ok(&["list", "-a"]), "bare\nweb\n");
    assert_eq!(world.ok(&["list", "-i"]), "web.canary\nweb.main\n");
    assert_eq!(world.ok(&["list-clusters"]), "nor\npnw\n");
    assert_eq!(world.ok(&["list", "--json"]), "[\n  {\n    \"service\": \"web\"\n  }\n]\n");
    assert_eq!(world.ok(&["list-clusters", "--format", "json"]), "[\n  \"nor\",\n  \"pnw\"\n]\n");
}

#[test]
fn every_spelling_of_the_soa_dir_is_taken() {
    let world = World::with_services();
    world.system(r#"{"clusters": ["pnw", "nor"], "soa_dir": "/nonexistent"}"#);
    let dir = world.soa_dir().display().to_string();
    for option in ["-d", "-y", "--soa-dir", "--yelpsoa-config-root"] {
        assert_eq!(world.ok(&["list", option, &dir]), "web\n", "{option}");
    }
    assert_eq!(world.ok(&["list", "-d", "soa"]), "web\n");
    let (code, _, stderr) = world.run(&["list"]);
    assert_eq!(code, 1);
    assert!(stderr.contains("/nonexistent") && stderr.contains("hint:"), "{stderr}");
}

#[test]
fn a_broken_service_does_not_hide_the_others() {
    let world = World::with_services();
    world.file("broken/marathon-pnw.yaml", "main: [\n");
    let (code, stdout, stderr) = world.run(&["list", "-i"]);
    assert_eq!((code, stdout.as_str()), (1, "web.canary\nweb.main\n"));
    assert!(stderr.contains("`broken`") && stderr.contains("marathon-pnw.yaml:2:1"), "{stderr}");
}

#[test]
fn why_a_service_cannot_be_read_is_told_to_the_end() {
    let world = World::with_services();
    std::fs::create_dir_all(world.soa_dir().join("odd/marathon-pnw.yaml")).expect("a folder");
    let (code, stdout, stderr) = world.run(&["list", "-i"]);
    assert_eq!((code, stdout.as_str()), (1, "web.canary\nweb.main\n"));
    assert!(
        stderr.contains("odd/marathon-pnw.yaml`\n  caused by: it is a directory, not a regular file"),
        "{stderr}"
    );
    assert!(stderr.contains("\n\nhint: Run `paasta validate -s odd`"), "{stderr}");
}

#[test]
fn without_known_clusters_the_missing_key_is_named() {
    let world = World::with_services();
    world.system(r#"{"soa_dir": "SOA"}"#);
    for command in ["list", "list-clusters"] {
        let (code, stdout, stderr) = world.run(&[command]);
        assert_eq!((code, stdout.as_str()), (1, ""));
        assert!(
            stderr.contains("does not set `clusters`") && stderr.contains("PAASTA_SYSTEM_CONFIG_DIR"),
            "{stderr}"
        );
    }
}
