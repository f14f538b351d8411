//! What commands change is written down (cli.md §0.7, monitoring.md §7.7).

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up fails")]

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use common::World;
use serde_json::{Value, json};

/// The commands that change something for others than who runs them, how each is run here, and what it writes down.
const CHANGING: [(&str, &str, &str); 4] = [
    ("mark-for-deployment", "mark-for-deployment -s web -l prod -k COMMIT", "mark-for-deployment"),
    ("restart", "restart web.main -c pnw", "start"),
    ("start", "start web.main -c pnw", "start"),
    ("stop", "stop web.main -c pnw", "stop"),
];

/// Those that change nothing.
const READING: [&str; 11] = [
    "completion",
    "list",
    "list-clusters",
    "list-deploy-queue",
    "logs",
    "plan",
    "status",
    "switch-over",
    "validate",
    "wait-for-deployment",
    "why",
];

/// Those that begin and end a cluster of whoever runs them, on this machine; what its deployd does is written down there.
const OWN_CLUSTER: [&str; 2] = ["demo", "local"];

#[test]
fn every_command_is_known_to_change_something_or_not() {
    let program = paasta_cli::command_line();
    let there: BTreeSet<&str> = program.get_subcommands().map(clap::Command::get_name).collect();
    let known = CHANGING.iter().map(|(name, ..)| *name).chain(READING).chain(OWN_CLUSTER);
    assert_eq!(there, known.collect(), "say of a new command here whether it changes something");
}

#[test]
fn every_command_that_changes_something_leaves_an_audit_line() {
    let world = World::with_services();
    let commit = repository(world.root());
    let (log, url) = (world.root().join("log/{service}"), world.root().join("web.git"));
    world.file("web/service.yaml", &format!("git_url: {}\n", url.display()));
    let system = json!({
        "clusters": ["pnw", "nor"], "soa_dir": "SOA",
        "log_writer": {"driver": "file", "options": {"path_format": log.display().to_string()}},
    });
    world.system(&system.to_string());
    let path = world.root().join("log/stream_paasta-audit-log");
    let read = || fs::read_to_string(&path).unwrap_or_default();
    for (command, line, action) in CHANGING {
        let before = read().len();
        let line = line.replace("COMMIT", &commit);
        let mut program = world.paasta(&line.split(' ').collect::<Vec<_>>());
        let output = program.env("SUDO_USER", "bob").output().unwrap();
        assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
        let all = read();
        let [told] = all[before..].lines().collect::<Vec<_>>()[..] else {
            panic!("{command} wrote down {:?}", &all[before..])
        };
        let told: Value = serde_json::from_str(told).unwrap();
        let keys: Vec<_> = told.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(
            keys,
            ["action", "action_details", "cluster", "host", "instance", "service", "timestamp", "user"]
        );
        assert_eq!(
            (&told["action"], &told["user"], &told["service"]),
            (&json!(action), &json!("bob"), &json!("web"))
        );
        let (cluster, instance, details) = match command {
            "mark-for-deployment" => ("N/A", "N/A", json!({"commit": commit, "deploy_group": "prod"})),
            _ => ("pnw", "main", json!({})),
        };
        assert_eq!((&told["cluster"], &told["instance"]), (&json!(cluster), &json!(instance)));
        assert_eq!(told["action_details"], details);
    }
}

#[test]
fn a_mark_is_written_to_standard_output_where_that_is_the_log() {
    let world = World::with_services();
    let commit = repository(world.root());
    let url = world.root().join("web.git");
    world.file("web/service.yaml", &format!("git_url: {}\n", url.display()));
    world.system(r#"{"clusters": ["pnw", "nor"], "soa_dir": "SOA", "log_writer": {"driver": "stdout"}}"#);
    let (code, stdout, stderr) =
        world.run(&["mark-for-deployment", "-s", "web", "-l", "prod", "-k", &commit]);
    assert_eq!(code, 0, "{stderr}");
    let lines: Vec<Value> = stdout.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let [event, audit] = &lines[..] else { panic!("{stdout}") };
    assert_eq!((&event["component"], &event["level"]), (&json!("deploy"), &json!("event")));
    assert_eq!(audit["action"], json!("mark-for-deployment"));
}

/// A bare repository with one commit; gives its sha.
fn repository(root: &Path) -> String {
    let git = |arguments: &[&str]| {
        let mut command = Command::new("git");
        command.args(["-c", "user.name=a", "-c", "user.email=a@b", "--git-dir", "web.git"]).args(arguments);
        let output = command.current_dir(root).stdin(std::process::Stdio::null()).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    git(&["init", "-q", "--bare"]);
    let tree = git(&["mktree"]);
    let commit = git(&["commit-tree", &tree, "-m", "x"]);
    git(&["update-ref", "refs/heads/main", &commit]);
    commit
}
