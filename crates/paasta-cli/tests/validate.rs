//! `paasta validate`.

mod common;

use common::World;

fn world() -> World {
    let world = World::with_services();
    world.file("good/marathon-pnw.yaml", "main:\n  deploy_group: prod\n");
    world.file("good/deploy.yaml", "pipeline:\n  - step: prod\n");
    world.file("odd/marathon-pnw.yaml", "main:\n  cpu: 1\n  bounce_method: croosover\n");
    world.file("odd/deploy.yaml", "pipeline:\n  - step: pnw.main\n");
    world.file("torn/marathon-pnw.yaml", "main: [\n");
    world
}

#[test]
fn a_sound_service_is_ticked_off() {
    let world = world();
    assert_eq!(world.ok(&["validate", "-s", "good", "-y", "soa"]), "✓ good\n");
    let mut inside = world.paasta(&["validate"]);
    let output = inside.current_dir(world.soa_dir().join("good")).output().expect("the program starts");
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(String::from_utf8_lossy(&output.stdout), "✓ good\n");
}

#[test]
fn findings_have_places_and_hints_and_exit_code_1() {
    let world = world();
    let (code, stdout, stderr) = world.run(&["validate", "-s", "odd,torn", "-d", "soa"]);
    assert_eq!((code, stderr.as_str()), (1, ""));
    for part in [
        "✗ odd",
        "odd/marathon-pnw.yaml:2:3: error: main.cpu: there is no such key\n    hint: Did you mean `cpus`?",
        "odd/marathon-pnw.yaml:3:",
        "croosover",
        "✗ torn: 1 finding\n",
        "torn/marathon-pnw.yaml:2:1: error",
    ] {
        assert!(stdout.contains(part), "{part:?} is not in\n{stdout}");
    }
}

#[test]
fn all_services_as_json() {
    let world = world();
    let (code, stdout, _) = world.run(&["validate", "--all", "-y", "soa", "--json"]);
    assert_eq!(code, 1);
    let parsed: serde_json::Value = serde_json::from_str(&stdout).expect("JSON");
    let services: Vec<_> = parsed.as_array().expect("a list").iter().map(|one| &one["service"]).collect();
    assert_eq!(services, ["bare", "good", "odd", "torn", "web"]);
    assert_eq!(parsed[2]["findings"][0]["rule"], "unknown-key");
    assert_eq!(parsed[3]["findings"][0]["severity"], "error");
}

#[test]
fn a_service_that_is_not_there_and_a_missing_choice_are_said() {
    let world = world();
    let (code, stdout, _) = world.run(&["validate", "-s", "nope", "-y", "soa"]);
    assert_eq!(code, 1);
    assert!(stdout.contains("✗ nope") && stdout.contains("no service here"), "{stdout}");
    let (code, _, stderr) = world.run(&["validate", "-y", "soa"]);
    assert_eq!(code, 2);
    assert!(stderr.contains("-s SERVICE"), "{stderr}");
}
