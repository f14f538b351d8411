//! What operators' programs change is written down (monitoring.md §7.7).

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use serde_json::{Value, json};

use crate::world::World;

/// The programs that change something, and what their audit lines may be called.
const CHANGING: [(&str, &[&str]); 8] = [
    ("cleanup_marathon_jobs", &["delete-app"]),
    ("deploy_marathon_services", &["create-app"]),
    ("generate_all_deployments", &["write-deployments"]),
    ("generate_deployments_for_service", &["write-deployments"]),
    ("generate_services_file", &["write-services-file"]),
    ("generate_services_yaml", &["write-services-file"]),
    ("graceful_app_drain", &["delete-app", "kill-tasks"]),
    ("setup_marathon_job", &["create-app"]),
];

/// Those that need more than engines to change something: their own tests look for the line.
const ELSEWHERE: [&str; 3] =
    ["kill_orphaned_docker_containers", "paasta_cleanup_maintenance", "paasta_maintenance"];

/// Those that change nothing: neither an engine, nor a load balancer, nor a file.
const READING: [&str; 12] = [
    "am_i_mesos_leader",
    "check_capacity",
    "check_marathon_has_apps",
    "check_marathon_services_replication",
    "check_mesos_active_frameworks",
    "check_mesos_duplicate_frameworks",
    "check_mesos_outdated_tasks",
    "check_mesos_quorum",
    "check_oom_events",
    "list_marathon_service_instances",
    "paasta_metastatus",
    "synapse_srv_namespaces_fact",
];

#[test]
fn every_program_is_known_to_change_something_or_not() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/bin");
    let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let there: BTreeSet<String> =
        names.map(|path| path.file_stem().unwrap().to_string_lossy().into_owned()).collect();
    let known = CHANGING.iter().map(|(name, _)| *name).chain(ELSEWHERE).chain(READING);
    assert_eq!(
        there,
        known.map(str::to_owned).collect(),
        "say of a new program here whether it changes something"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn every_program_that_changes_something_leaves_an_audit_line() {
    let world = World::start().await;
    let format = world.path("log/{service}").display().to_string();
    world.set(json!({"log_writer": {"driver": "file", "options": {"path_format": format}}}));
    let mut written: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    let file = |name: &str| world.path(name).display().to_string();
    for (program, arguments) in [
        ("setup_marathon_job", vec!["web.main".to_owned()]),
        ("deploy_marathon_services", vec![]),
        ("generate_services_file", vec!["-o".to_owned(), file("services")]),
        ("generate_services_yaml", vec![file("services.yaml")]),
    ] {
        run(&world, &mut written, program, &arguments).await;
    }
    world.comes_to(&["my--svc.can--ary", "other.main", "web.main", "web.spare"]).await;
    let app = world.app_of("web.spare").await.id.to_string();
    run(&world, &mut written, "graceful_app_drain", &[app]).await;
    fs::remove_dir_all(world.path("soa/other")).unwrap();
    run(&world, &mut written, "cleanup_marathon_jobs", &[]).await;
    for service in ["web", "my_svc"] {
        let repository = repository(&world, service);
        world.file(&format!("soa/{service}/service.yaml"), &format!("git_url: {repository}\n"));
    }
    run(&world, &mut written, "generate_deployments_for_service", &["-s".to_owned(), "web".to_owned()]).await;
    run(&world, &mut written, "generate_all_deployments", &[]).await;
    for (program, actions) in CHANGING {
        let told = written.get(program).cloned().unwrap_or_default();
        assert!(
            actions.iter().any(|action| told.iter().any(|one| one == action)),
            "{program} wrote down {told:?}"
        );
    }
    world.end().await;
}

/// Runs a program, and keeps what it wrote down.
async fn run<'a>(
    world: &World,
    written: &mut BTreeMap<&'a str, Vec<String>>,
    program: &'a str,
    arguments: &[String],
) {
    let path = world.path("log/stream_paasta-audit-log");
    let before = fs::read_to_string(&path).unwrap_or_default().len();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let run = world.run(program, &arguments).await;
    assert_eq!(run.code, Some(0), "{program}: {}{}", run.out, run.talk);
    let all = fs::read_to_string(&path).unwrap_or_default();
    for line in all[before..].lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        assert!(
            ["user", "host"].iter().all(|key| line[key].as_str().is_some_and(|name| !name.is_empty())),
            "{line}"
        );
        written.entry(program).or_default().push(line["action"].as_str().unwrap().to_owned());
    }
}

/// A repository in which a commit is marked for all that the service has.
fn repository(world: &World, service: &str) -> String {
    let path = world.path(&format!("{service}.git"));
    let git = |arguments: &[&str]| {
        let mut command = std::process::Command::new("git");
        command.args(["-c", "user.name=a", "-c", "user.email=a@b", "--git-dir"]).arg(&path).args(arguments);
        let output = command.stdin(std::process::Stdio::null()).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    git(&["init", "-q", "--bare"]);
    let tree = git(&["mktree"]);
    let commit = git(&["commit-tree", &tree, "-m", "x"]);
    git(&["update-ref", "refs/tags/paasta-prod.main-20210101T000000-deploy", &commit]);
    path.display().to_string()
}
