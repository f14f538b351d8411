//! `paasta plan` over two states of the configuration.

mod common;

use std::path::{Path, PathBuf};
use std::process::Command;

use common::World;
use serde_json::Value;

const SHA: &str = "0123456789abcdef0123456789abcdef01234567";

/// `web.main` with three tasks and `web.canary` with one, both deployed, and `api.main`.
fn world() -> World {
    let world = World::new();
    system(&world, "");
    files(&world, "");
    world
}

fn system(world: &World, more: &str) {
    world.system(&format!(
        r#"{{"cluster": "pnw", "clusters": ["pnw", "nor"], "soa_dir": "SOA", "docker_registry": "r.example.com",
        "volumes": [], "marathon_servers": [{{"url": ["http://127.0.0.1:1"], "user": "", "password": ""}}],
        "coordination": {{"driver": "file", "directory": "SOA/../locks"}}{more}}}"#
    ));
}

/// The same files below the soa directory, or `before/` of the world's root.
fn files(world: &World, folder: &str) {
    let file = |path: &str, text: &str| world.file(&format!("{folder}{path}"), text);
    file(
        "web/marathon-pnw.yaml",
        "_base: &base\n  mem: 100\n  env: {LIMIT: \"1\", GONE: x}\nmain:\n  <<: *base\n  instances: 3\n\
         canary:\n  deploy_group: pnw.main\n  cpus: 2\n",
    );
    file("web/service.yaml", "description: the web\n");
    file("web/smartstack.yaml", "main:\n  proxy_port: 20000\n");
    file("api/marathon-pnw.yaml", "main: {instances: 2}\n");
    for service in ["web", "api"] {
        file(&format!("{service}/deployments.json"), &deployments(service, "start"));
    }
}

fn deployments(service: &str, state: &str) -> String {
    let control = format!(r#"{{"desired_state": "{state}", "force_bounce": null}}"#);
    format!(
        r#"{{"v1": {{}}, "v2": {{"deployments": {{"pnw.main": {{"docker_image": "services-{service}:paasta-{SHA}",
        "git_sha": "{SHA}"}}}}, "controls": {{"{service}:pnw.main": {control}, "{service}:pnw.canary": {control}}}}}}}"#
    )
}

/// Keeps a copy of the soa directory as it is now.
fn keep(world: &World) -> String {
    let kept = world.root().join("before");
    let status = Command::new("cp").arg("-r").arg(world.soa_dir()).arg(&kept).status().expect("cp starts");
    assert!(status.success());
    kept.display().to_string()
}

#[track_caller]
fn json(world: &World, arguments: &[&str], code: i32) -> Value {
    let arguments = [&["plan", "--json"], arguments].concat();
    let (actual, stdout, stderr) = world.run(&arguments);
    assert_eq!(actual, code, "{stdout}{stderr}");
    // What could not be told comes with a way out, and nothing else is talked of.
    assert_eq!(stderr.is_empty(), code == 0, "{stderr}");
    assert!(stderr.lines().all(|line| line.starts_with("hint: ")), "{stderr}");
    serde_json::from_str(&stdout).expect("JSON")
}

fn row<'a>(report: &'a Value, instance: &str) -> &'a Value {
    let (service, instance) = instance.split_once('.').expect("SERVICE.INSTANCE");
    let rows = report["instances"].as_array().expect("a list");
    rows.iter().find(|row| row["service"] == service && row["instance"] == instance).expect("a row")
}

/// The places of the settings behind one field, without their directory.
fn places(report: &Value, instance: &str, field: &str) -> Vec<String> {
    let changes = row(report, instance)["changes"].as_array().expect("a list").clone();
    let change = changes.iter().find(|change| change["field"] == field);
    let change = change.unwrap_or_else(|| panic!("{field} is not among {changes:#?}"));
    let name = |path: &str| path.rsplit('/').next().unwrap_or_default().to_owned();
    let sources = change["sources"].as_array().expect("a list");
    sources.iter().map(|source| name(source["place"].as_str().expect("a text"))).collect()
}

#[test]
fn the_same_state_changes_nothing() {
    let world = world();
    let text = world.ok(&["plan", "--against", &world.soa_dir().display().to_string()]);
    assert!(text.ends_with("\n\nNone of 3 instances bounces.\n"), "{text}");
    let all = world.ok(&["plan", "--against", ".", "-d", ".", "-a"]);
    assert!(all.ends_with("None of 0 instances bounces.\n"), "{all}");
}

#[test]
fn a_changed_line_is_named_with_all_that_follows_from_it() {
    let world = world();
    let before = keep(&world);
    world.file(
        "web/marathon-pnw.yaml",
        "_base: &base\n  mem: 200\n  env: {LIMIT: \"2\"}\nmain:\n  <<: *base\n  instances: 3\n\
         canary:\n  deploy_group: pnw.main\n  cpus: 2\n",
    );
    let text = world.ok(&["plan", "--against", &before]);
    let expected = [
        "web.main  bounce  3 tasks are replaced\n",
        "  mem        100.0 → 200.0  web/marathon-pnw.yaml:2\n",
        "    and so container.docker.parameters[memory-swap], env.PAASTA_RESOURCE_MEM\n",
        "  env.GONE   - \"x\"          removed, was web/marathon-pnw.yaml:3\n",
        "  env.LIMIT  \"1\" → \"2\"      web/marathon-pnw.yaml:3\n",
        "1 of 3 instances bounces, 3 tasks are replaced.\n",
    ];
    for part in expected {
        assert!(text.contains(part), "{part:?}\n{text}");
    }
    let report = json(&world, &["--against", &before], 0);
    assert_eq!(report["summary"]["effects"]["unchanged"], 2, "{report:#}");
    let main = row(&report, "web.main");
    assert_eq!((&main["effect"], &main["tasks_replaced"]), (&"bounce".into(), &3.into()));
    assert_ne!(main["from"]["app_id"], main["to"]["app_id"]);
    assert_eq!(places(&report, "web.main", "mem"), ["marathon-pnw.yaml:2:8"]);
    assert_eq!(
        json(&world, &["--against", &before, "api"], 0)["instances"].as_array().map(Vec::len),
        Some(1)
    );
}

#[test]
fn every_layer_is_named_by_its_file() {
    let world = world();
    let before = keep(&world);
    world.file("web/service.yaml", "description: the web\nmem: 300\ncpus: 1\n");
    world.file("web/smartstack.yaml", "main:\n  proxy_port: 20000\n  healthcheck_uri: /health\n");
    world.file("web/monitoring.yaml", "team: core\n");
    let report = json(&world, &["--against", &before], 0);
    assert_eq!(places(&report, "web.canary", "mem"), ["service.yaml:2:6"]);
    assert_eq!(places(&report, "web.main", "health_checks[0].path"), ["smartstack.yaml:3:20"]);
    assert_eq!(places(&report, "web.main", "env.PAASTA_MONITORING_TEAM"), ["monitoring.yaml:1:7"]);
    assert_eq!(row(&report, "api.main")["effect"], "unchanged");
}

#[test]
fn numbers_stops_and_instances_that_come_and_go() {
    let world = world();
    let before = keep(&world);
    world.file(
        "web/marathon-pnw.yaml",
        "_base: &base\n  mem: 100\n  env: {LIMIT: \"1\", GONE: x}\nmain:\n  <<: *base\n  instances: 5\n\
         fresh:\n  deploy_group: pnw.main\nidle: {}\n",
    );
    world.file("api/deployments.json", &deployments("api", "stop"));
    let report = json(&world, &["--against", &before], 0);
    let effect = |instance: &str| row(&report, instance)["effect"].clone();
    assert_eq!(effect("web.main"), "scale");
    assert_eq!(places(&report, "web.main", "instances"), ["marathon-pnw.yaml:6:14"]);
    assert_eq!(effect("web.canary"), "orphan");
    assert_eq!(effect("web.fresh"), "create");
    assert_eq!(effect("web.idle"), "not_deployed");
    assert_eq!(effect("api.main"), "stop");
    assert_eq!(places(&report, "api.main", "instances"), ["deployments.json"]);
}

#[test]
fn a_file_that_cannot_be_parsed_refuses_its_service_alone() {
    let world = world();
    let before = keep(&world);
    world.file("web/marathon-pnw.yaml", "main: {\n");
    let report = json(&world, &["--against", &before], 1);
    for instance in ["web.main", "web.canary"] {
        let reason = row(&report, instance)["reason"].as_str().expect("a reason").to_owned();
        assert_eq!(row(&report, instance)["effect"], "refused");
        assert!(reason.contains("marathon-pnw.yaml:"), "{reason}");
    }
    assert_eq!(row(&report, "api.main")["effect"], "unchanged");
    let (code, text, _) = world.run(&["plan", "--against", &before]);
    assert!(code == 1 && text.contains("2 are refused"), "{text}");

    // The other way round it is what was that is not known.
    let backwards = json(&world, &["--against", &world.soa_dir().display().to_string(), "-d", &before], 1);
    assert_eq!(row(&backwards, "web.main")["effect"], "unknown");
}

#[test]
fn one_bad_setting_refuses_its_instance_alone() {
    let world = world();
    let before = keep(&world);
    world.file("web/marathon-pnw.yaml", "main:\n  mem: lots\ncanary:\n  deploy_group: pnw.main\n  cpus: 2\n");
    let report = json(&world, &["--against", &before], 1);
    assert!(row(&report, "web.main")["reason"].as_str().expect("a reason").contains("marathon-pnw.yaml:2:"));
    assert_eq!(row(&report, "web.canary")["effect"], "unchanged");
}

#[test]
fn a_change_of_the_system_configuration_names_its_file() {
    let world = world();
    let old = world.root().join("old-etc");
    let etc = world.root().join("etc");
    assert!(Command::new("cp").arg("-r").args([&etc, &old]).status().expect("cp starts").success());
    system(&world, ",\n\"dockercfg_location\": \"file:///x\"");
    let report = json(&world, &["--against-system-config", "old-etc"], 0);
    assert_eq!(report["summary"]["effects"]["bounce"], 3, "{report:#}");
    assert_eq!(report["summary"]["tasks_replaced"], 6);
    assert_eq!(places(&report, "web.main", "uris[+]"), ["system.json:4:23"]);
}

#[test]
fn a_mark_is_tried_in_thought() {
    let world = world();
    let soa = world.soa_dir().display().to_string();
    let other = "89".repeat(20);
    let mark = ["web", "--against", &soa, "--deploy-group", "pnw.main", "--commit", &other];
    let report = json(&world, &mark, 0);
    assert_eq!(report["summary"]["effects"]["bounce"], 2, "{report:#}");
    assert_eq!(places(&report, "web.main", "container.docker.image"), ["deployments.json"]);
    let app = row(&report, "web.main")["to"]["app_id"].as_str().expect("an id").to_owned();
    assert!(app.starts_with("web.main.git89898989.config"), "{app}");
    let same = json(&world, &["-s", "web", "--against", &soa, "-l", "pnw.main", "-k", SHA], 0);
    assert_eq!(same["summary"]["effects"]["unchanged"], 2, "{same:#}");
    let refused = |arguments: &[&str], expected: i32, part: &str| {
        let (code, _, stderr) = world.run(&[&["plan", "--against", &soa], arguments].concat());
        assert!(code == expected && stderr.contains(part), "{arguments:?}: {stderr}");
    };
    refused(&["web", "-l", "pnw.main", "-k", "abc"], 2, "40 hexadecimal digits");
    refused(&["-l", "pnw.main", "-k", SHA], 2, "which service's commit");
    refused(&["web", "api.main", "-l", "pnw.main", "-k", SHA], 2, "which service's commit");
    refused(&["web", "-l", "pnw.man", "-k", SHA], 1, "Its deploy groups are `pnw.main`.");
}

fn git(directory: &Path, arguments: &[&str]) {
    let mut command = Command::new("git");
    command.args(["-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "commit.gpgsign=false"]);
    let output = command.current_dir(directory).args(arguments).output().expect("git starts");
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_revision_without_deployments_borrows_those_of_today() {
    let world = world();
    let soa = world.soa_dir();
    git(&soa, &["init", "-q"]);
    git(&soa, &["add", "web/marathon-pnw.yaml", "web/smartstack.yaml", "api/marathon-pnw.yaml"]);
    git(&soa, &["commit", "-qm", "before"]);
    world.file("api/marathon-pnw.yaml", "main:\n  instances: 2\n  cpus: 3\n");
    let report = json(&world, &["--against", "HEAD"], 0);
    assert_eq!(places(&report, "api.main", "cpus"), ["marathon-pnw.yaml:3:9"]);
    assert_eq!(report["summary"]["effects"]["unchanged"], 2, "{report:#}");
    assert!(report["from"].as_str().expect("a text").starts_with("HEAD ("), "{}", report["from"]);

    let text = world.ok(&["plan", "--against", "HEAD"]);
    assert!(text.contains("api/marathon-pnw.yaml:3\n"), "{text}");
    let (code, _, stderr) = world.run(&["plan", "--against", "no-such-branch"]);
    assert!(code == 1 && stderr.contains("no-such-branch") && stderr.contains("hint:"), "{stderr}");
}

#[test]
fn names_that_are_nowhere_are_told() {
    let world = world();
    let soa = world.soa_dir().display().to_string();
    let (code, _, stderr) = world.run(&["plan", "--against", &soa, "web.mian"]);
    assert!(code == 1 && stderr.contains("no instance `web.mian`") && stderr.contains("`main`"), "{stderr}");
    let (code, _, stderr) = world.run(&["plan", "--against", &soa, "wbe"]);
    assert!(code == 1 && stderr.contains("Did you mean `web`?"), "{stderr}");
    for (named, meant) in [("web.mian", "main"), ("wbe.main", "web")] {
        let (code, _, stderr) = world.run(&["why", named]);
        assert!(code == 1 && stderr.contains(&format!("Did you mean `{meant}`?")), "{stderr}");
    }
    let (code, _, stderr) = world.run(&["plan", "-c", "nor"]);
    assert!(code == 2 && stderr.contains("this host's cluster alone"), "{stderr}");
    let (code, _, stderr) = world.run(&["plan", "--against", "./nowhere"]);
    assert!(code == 1 && stderr.contains("there is no directory"), "{stderr}");
}

#[test]
fn what_to_come_from_is_never_guessed() {
    let world = world();
    let soa = world.soa_dir();
    let refused = |arguments: &[&str], expected: i32, part: &str| {
        let (code, _, stderr) = world.run(&[&["plan"], arguments].concat());
        assert!(code == expected && stderr.contains(part), "{arguments:?}: {stderr}");
    };
    refused(&["--against", ""], 2, "--against is empty");
    git(&soa, &["init", "-q"]);
    git(&soa, &["add", "api"]);
    git(&soa, &["commit", "-qm", "before"]);
    git(&soa, &["branch", "before"]);
    keep(&world);
    refused(
        &["--against", "before"],
        2,
        "Write `./before` for the directory, `refs/heads/before` for the branch",
    );
    for named in ["./before", "refs/heads/before"] {
        world.ok(&["plan", "--against", named]);
    }
    std::fs::remove_dir_all(world.root().join("etc")).expect("removed");
    for command in ["plan", "why web.main", "switch-over --check"] {
        let (code, _, stderr) = world.run(&command.split(' ').collect::<Vec<_>>());
        let told = stderr.contains("there is no system configuration in")
            && stderr.contains("PAASTA_SYSTEM_CONFIG_DIR");
        assert!(code == 1 && told, "{command}: {stderr}");
    }
}

#[test]
fn a_secret_without_signature_is_warned_of_and_its_file_is_named() {
    let world = world();
    system(&world, r#", "vault_environment": "dev""#);
    let secret = |signature: &str| {
        world.file(
            "api/secrets/tok.json",
            &format!(r#"{{"environments": {{"dev": {{"signature": "{signature}"}}}}}}"#),
        );
    };
    world.file("api/marathon-pnw.yaml", "main: {instances: 2, env: {TOK: SECRET(tok)}}\n");
    secret("one");
    let before = keep(&world);
    secret("two");
    let report = json(&world, &["--against", &before], 0);
    assert_eq!(places(&report, "api.main", "paasta_secrets.SECRET(tok)"), ["tok.json"]);
    std::fs::remove_file(world.soa_dir().join("api/secrets/tok.json")).expect("removed");
    let (code, stdout, stderr) = world.run(&["plan", "--against", &before]);
    assert!(code == 0 && stdout.contains("api/secrets/tok.json"), "{stdout}");
    let warned = stderr.starts_with("warning: api.main: no signature for \"SECRET(tok)\": there is no file");
    assert!(warned && stderr.lines().count() == 1, "{stderr}");
}

#[test]
fn an_engine_that_does_not_answer_makes_everything_unknown() {
    let world = world();
    let report = json(&world, &[], 1);
    assert_eq!(report["summary"]["effects"]["unknown"], 3, "{report:#}");
    let reason = row(&report, "web.main")["reason"].as_str().expect("a reason").to_owned();
    assert!(reason.contains("http://127.0.0.1:1"), "{reason}");
}

/// The count of an autoscaled instance decides nothing but its size.
#[test]
fn a_count_that_cannot_be_read_leaves_the_version_known() {
    let world = world();
    let file = |max: &str, mem: &str| {
        let auto =
            format!("auto: {{deploy_group: pnw.main, min_instances: 2, max_instances: {max}, mem: {mem}}}\n");
        world.file("web/marathon-pnw.yaml", &auto);
    };
    file("5", "100");
    let before = keep(&world);
    let count = world.root().join("locks/autoscaling/web/auto");
    std::fs::create_dir_all(&count).expect("a directory");
    std::fs::write(count.join("instances"), "many").expect("a file");
    let plan = |code: i32| json(&world, &["web.auto", "--against", &before], code);
    assert_eq!(row(&plan(0), "web.auto")["effect"], "unchanged");
    file("5", "200");
    let bounce = plan(0);
    assert_eq!(bounce["summary"]["tasks_replaced_at_most"], true, "{bounce:#}");
    assert_eq!(row(&bounce, "web.auto")["tasks_replaced"], 5);
    assert_eq!(row(&bounce, "web.auto")["to"]["instances"], Value::Null);
    file("9", "100");
    let unknown = plan(1);
    let reason = row(&unknown, "web.auto")["reason"].as_str().expect("a reason").to_owned();
    assert!(reason.contains("holds no number"), "{unknown:#}");
    std::fs::write(count.join("instances"), "4").expect("a file");
    assert_eq!(row(&plan(0), "web.auto")["effect"], "unchanged");
}

/// Trees that were generated with all that configurations hold, against themselves.
#[test]
fn generated_trees_against_themselves_change_nothing() {
    let corpora = Path::new(env!("CARGO_MANIFEST_DIR")).join("../paasta-marathon/tests/fixtures/corpus");
    for corpus in ["clean", "nasty"] {
        let root: PathBuf = corpora.join(corpus);
        let path = |name: &str| root.join(name).display().to_string();
        let world = World::new();
        let (soa, counts) = (path("soa"), path("counts.json"));
        let mut command =
            world.paasta(&["plan", "--json", "--against", &soa, "-d", &soa, "--autoscaled-counts", &counts]);
        let output =
            command.env("PAASTA_SYSTEM_CONFIG_DIR", path("etc")).output().expect("the program starts");
        let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        let effects = report["summary"]["effects"].as_object().expect("a map");
        let quiet = ["unchanged", "not_deployed", "refused"];
        assert!(effects.keys().all(|effect| quiet.contains(&effect.as_str())), "{effects:?}");
        assert!(effects["unchanged"].as_u64() > Some(5), "{effects:?}");
        assert_eq!(effects.contains_key("refused"), corpus == "nasty", "{effects:?}");
    }
}
