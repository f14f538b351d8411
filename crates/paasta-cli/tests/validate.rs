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
    assert_eq!(
        stdout,
        "✗ odd   1 error, 1 warning
  soa/odd/marathon-pnw.yaml:2:3: error: main.cpu: there is no such key
    hint: Did you mean `cpus`?
  soa/odd/marathon-pnw.yaml:3:18: warning: main.bounce_method: there is no bounce method `croosover`
    hint: Did you mean `crossover`?

✗ torn  1 error
  soa/torn/marathon-pnw.yaml:2:1: error: did not find expected node content
    hint: Close the `[` or `{` that is open here, or put the value in quotes.

2 services checked, 2 with errors: 2 errors, 1 warning
"
    );
}

#[test]
fn warnings_fail_only_where_that_is_asked_for() {
    let world = world();
    world.file("odd/marathon-pnw.yaml", "main:\n  instances: 017\n  bounce_method: croosover\n");
    let (code, stdout, _) = world.run(&["validate", "-s", "odd", "-y", "soa"]);
    assert_eq!(code, 0, "{stdout}");
    assert!(stdout.starts_with("✓ odd  1 warning\n"), "{stdout}");
    let (code, stdout, _) = world.run(&["validate", "-s", "odd", "-y", "soa", "--strict"]);
    assert_eq!(code, 1, "{stdout}");
    let octal = "marathon-pnw.yaml:2:14: error: `017` is the integer 15 here, but the integer 17 to readers of YAML 1.2";
    assert!(stdout.contains(octal) && stdout.starts_with("✗ odd  2 errors\n"), "{stdout}");
}

#[test]
fn all_services_as_json() {
    let world = world();
    let (code, stdout, _) = world.run(&["validate", "--all", "-y", "soa", "--json"]);
    assert_eq!(code, 1);
    let parsed: serde_json::Value = serde_json::from_str(&stdout).expect("JSON");
    let findings = parsed.as_array().expect("a list");
    let members = ["file", "line", "column", "rule", "severity", "message", "hint"];
    for finding in findings {
        let finding = finding.as_object().expect("an object");
        assert_eq!(finding.keys().map(String::as_str).collect::<Vec<_>>(), members);
    }
    let rules: Vec<_> = findings.iter().map(|one| (&one["rule"], &one["severity"], &one["line"])).collect();
    assert_eq!(rules.len(), 3, "{stdout}");
    assert_eq!(rules[0], (&"unknown-key".into(), &"error".into(), &2.into()));
    assert_eq!(rules[1], (&"unknown-method".into(), &"warning".into(), &3.into()));
    assert_eq!(rules[2], (&"syntax".into(), &"error".into(), &2.into()));
}

#[test]
fn teams_are_known_where_the_file_is() {
    let world = world();
    let job = "report:\n  schedule: daily\n  monitoring: {team: opps}\n  actions: {run: {command: x, deploy_group: prod}}\n";
    world.file("good/tron-pnw.yaml", job);
    assert_eq!(world.ok(&["validate", "-s", "good", "-y", "soa"]), "✓ good\n");
    let teams = world.root().join("teams.json");
    std::fs::write(&teams, r#"{"team_data": {"ops": {}, "infra": {}}}"#).expect("a file");
    let teams = teams.display().to_string();
    let (code, stdout, _) = world.run(&["validate", "-s", "good", "-y", "soa", "--team-data", &teams]);
    assert_eq!(code, 1);
    let told = "tron-pnw.yaml:3:22: error: report.monitoring.team: there is no team `opps` to alert\n    hint: Did you mean `ops`?";
    assert!(stdout.contains(told), "{stdout}");
}

#[test]
fn schemas_are_for_editors() {
    let world = world();
    for kind in ["marathon", "adhoc", "kubernetes", "tron", "autotuned"] {
        let schema: serde_json::Value =
            serde_json::from_str(&world.ok(&["validate", "--print-schema", kind])).expect("JSON");
        assert_eq!(schema["$schema"], "http://json-schema.org/draft-04/schema#");
        assert_eq!(schema["type"], "object");
    }
    let (code, _, stderr) = world.run(&["validate", "--print-schema", "cron"]);
    assert_eq!(code, 2);
    assert!(stderr.contains("marathon, adhoc, kubernetes, tron, autotuned"), "{stderr}");
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

#[test]
fn what_cannot_be_rendered_is_an_error() {
    let world = world();
    let check = |settings: &str, expected: &str| {
        let text = format!("main:\n  deploy_group: prod\n  {settings}\n");
        world.file("good/marathon-pnw.yaml", &text);
        let (_, stdout, _) = world.run(&["validate", "-s", "good", "-y", "soa"]);
        let findings = stdout.lines().filter_map(|line| line.strip_prefix("  soa/good/marathon-pnw.yaml:"));
        assert_eq!(findings.collect::<Vec<_>>().join("\n"), expected, "{settings}");
    };
    let servers = r#"{"cluster": "CLUSTER", "clusters": ["pnw"], "marathon_servers": [{"url": "http://localhost:1", "user": "u", "password": "p"}]}"#;
    // What the host lacks is not the files' fault.
    for system in
        [r#"{"clusters": ["pnw"]}"#, &servers.replace("CLUSTER", "pnw"), &servers.replace("CLUSTER", "x")]
    {
        world.system(system);
        check("cpus: 1", "");
        check("extra_volumes: [{hostPath: /a, containerPath: /a, mode: RO}]", "");
        let pairs = "expected a list of two, such as [region, …], found";
        check("deploy_blacklist: [a]", &format!("3:22: error: main.deploy_blacklist: {pairs} a string"));
        check("deploy_blacklist: [[a]]", &format!("3:22: error: main.deploy_blacklist: {pairs} a list"));
        check("deploy_whitelist: [a]", &format!("3:21: error: main.deploy_whitelist: {pairs} a list"));
        check("deploy_whitelist: []", &format!("3:21: error: main.deploy_whitelist: {pairs} a list"));
        let volume = "3:19: error: main.extra_volumes: `containerPath` is missing";
        check("extra_volumes: [{a: 1}]", volume);
        check("extra_volumes: [{hostPath: /a}]", volume);
        check(
            "constraints: [[a, b, c, d]]",
            "3:16: error: main.constraints: expected two or three items, found 4",
        );
        check("constraints: [[]]", "3:16: error: main.constraints: expected two or three items, found 0");
        check("cpus: .inf", "3:9: error: main.cpus: the number is out of all bounds");
        let nan = "4:37: error: main.healthcheck_grace_period_seconds: not-a-number and infinities cannot be sent as JSON";
        check("healthcheck_mode: tcp\n  healthcheck_grace_period_seconds: .nan", nan);
        check(
            "net: weird",
            "3:8: error: main.net: Marathon knows no network \"weird\", only bridge, host and none",
        );
        // What has been told is not told again, but it is an error now.
        check("cmd: 5", "3:8: error: main.cmd: an integer (`5`) is not a string");
        check(
            "cmd: a\n  args: [b]",
            "4:9: error: main: `cmd` and `args` exclude each other, so it cannot start",
        );
        let shard = "3:19: error: main.marathon_shard: there is no shard 99, marathon_servers has 1";
        check("marathon_shard: 99", if system.contains(r#""cluster": "pnw""#) { shard } else { "" });
    }
}

#[test]
fn a_host_without_system_configuration_is_noted() {
    let world = world();
    let (code, stdout, stderr) = world.run(&["validate", "-s", "good", "-y", "soa"]);
    assert_eq!((code, stdout.as_str(), stderr.as_str()), (0, "✓ good\n", ""));
    std::fs::remove_dir_all(world.root().join("etc")).expect("a directory");
    let (code, stdout, stderr) = world.run(&["validate", "-s", "good", "-y", "soa"]);
    assert_eq!((code, stdout.as_str()), (0, "✓ good\n"));
    assert!(stderr.starts_with("note: `") && stderr.contains("holds no system configuration"), "{stderr}");
    assert_eq!(stderr.lines().count(), 1);
}
