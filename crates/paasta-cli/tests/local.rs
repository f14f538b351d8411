//! `paasta local` as its users run it: the real program, real processes, a real git remote.

mod local_cluster;

use std::net::TcpListener;
use std::process::Stdio;

use local_cluster::{Playground, text};

#[test]
fn a_service_is_deployed_bounced_and_stopped_beside_broken_ones() {
    let ground = Playground::new();
    ground.file("broken/marathon-local.yaml", "main:\n  instances: [\n");
    ground.file("odd/marathon-local.yaml", "main:\n  cmd: ./serve\n  bounce_method: croosover\n");
    ground.file("odd/service.yaml", &format!("git_url: {}\n", ground.remote().display()));
    ground.file("far/marathon-local.yaml", "main:\n  cmd: ./serve\n");
    ground.file("far/service.yaml", "git_url: /nowhere/at/all.git\n");
    let mut cluster = ground.up(&["--ports-any"]);
    ground.deploy("local.main", "v1");

    let first = ground.commit("v1");
    ground.deploy("web", "v1");
    ground.wait_for("v1 to run", || ground.runs_only(&first, 2));
    let second = ground.commit("v2");
    ground.deploy("web", "v2");
    ground.wait_for("v2 to replace it", || ground.runs_only(&second, 2) && ground.processes("v1").is_empty());

    cluster.wait_for_stderr("broken/marathon-local.yaml:3:");
    cluster.wait_for_stderr("unknown bounce method `croosover`");
    cluster.wait_for_stderr("could not list the tags of service `far`");

    let before = ground.processes("v2");
    cluster.terminate();
    assert_eq!(ground.processes("v2"), before, "Ctrl-C leaves services running");
    assert!(cluster.stdout().contains("its services go on running"), "{}", cluster.stdout());
    let told = text(&ground.paasta(&["local", "down", "--no-drain", "--dry-run"]));
    assert!(
        told.starts_with("the cluster is not running; its services may be\nwould stop without"),
        "{told}"
    );
    assert!(told.contains(" 2 tasks: hello.main.git") && !told.contains("remove"), "{told}");

    let cluster = ground.up(&["--ports-any"]);
    ground.wait_for("tasks to be taken up", || ground.runs_only(&second, 2));
    assert_eq!(ground.processes("v2"), before, "the same processes");

    let dry = ground.paasta(&["local", "down", "--purge", "--dry-run"]);
    let told = text(&dry);
    assert!(dry.status.success() && told.starts_with("would end the running cluster (process "), "{told}");
    assert!(told.contains("\nhello.main: would drain and stop 2 tasks: hello.main.git"), "{told}");
    assert!(
        told.contains(&format!("would remove `{}`\n", ground.state_dir().join("logs").display())),
        "{told}"
    );
    assert!(ground.runs_only(&second, 2), "a dry run changes nothing");
    assert_eq!(ground.processes("v2"), before, "a dry run ends nothing");

    let down = ground.paasta(&["local", "down", "--purge"]);
    assert!(down.status.success(), "{}", text(&down));
    assert!(text(&down).contains("hello.main: 2 tasks to drain"), "{}", text(&down));
    let radius = "local down: stops 2 tasks, 2 of them drained first, of 1 instance; removes all state\n";
    assert!(text(&down).contains(radius), "{}", text(&down));
    assert_eq!(ground.processes(""), Vec::<u32>::new(), "no process is left");
    assert!(!ground.state_dir().exists());
    drop(cluster);
}

#[test]
fn a_file_that_changes_is_acted_on() {
    let ground = Playground::new();
    let _cluster = ground.up(&["--ports-any"]);
    let sha = ground.commit("v1");
    ground.deploy("web", "v1");
    ground.wait_for("v1 to run", || ground.runs_only(&sha, 2));
    ground.instance_file(3);
    ground.wait_for("a third task", || ground.runs_only(&sha, 3));
}

#[test]
fn a_busy_port_is_named_with_its_option() {
    let ground = Playground::new();
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = taken.local_addr().expect("an address").port().to_string();
    let parts = [("the API", "--api-port"), ("the engine", "--engine-port"), ("hacheck", "--hacheck-port")];
    for (what, option) in parts.into_iter().chain([("deployd", "--nudge-port")]) {
        let mut arguments = vec!["local", "up", "--soa-dir", ground.soa_dir_text()];
        for other in ["--api-port", "--engine-port", "--hacheck-port", "--nudge-port"] {
            arguments.extend([other, if other == option { &port } else { "0" }]);
        }
        let output = ground.paasta(&arguments);
        assert_eq!(output.status.code(), Some(1), "{}", text(&output));
        let told = text(&output);
        assert!(told.contains(&format!("error: {what} could not listen on 127.0.0.1:{port}")), "{told}");
        assert!(told.contains(&format!("hint: Choose another port with {option}")), "{told}");
        assert!(!ground.state_dir().exists(), "nothing is left behind");
    }
}

#[test]
fn a_state_dir_that_cannot_be_made_is_named() {
    let ground = Playground::new();
    ground.file("file", "in the way");
    let state_dir = ground.soa_dir().join("file/state");
    let state_dir = state_dir.to_str().expect("Unicode");
    let output = ground.paasta(&[
        "local",
        "up",
        "--ports-any",
        "--soa-dir",
        ground.soa_dir_text(),
        "--state-dir",
        state_dir,
    ]);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output));
    assert!(text(&output).contains("error: could not use the state directory: `"), "{}", text(&output));
    assert!(text(&output).contains("--state-dir"), "{}", text(&output));
}

#[test]
fn missing_soa_configs_and_a_second_cluster_are_refused() {
    let ground = Playground::new();
    let output = ground.paasta(&["local", "up", "--ports-any", "--soa-dir", "/nowhere/at/all"]);
    assert!(text(&output).contains("could not read soa-configs in `/nowhere/at/all`"), "{}", text(&output));
    assert!(text(&output).contains("--soa-dir"), "{}", text(&output));
    let _cluster = ground.up(&["--ports-any"]);
    let output = ground.paasta(&["local", "up", "--ports-any"]);
    assert!(text(&output).contains("a local cluster is running already"), "{}", text(&output));
    let output = ground.paasta(&["local", "status"]);
    assert!(output.status.success() && text(&output).contains("nothing runs on it"), "{}", text(&output));
}

#[test]
fn down_and_status_without_a_cluster_say_so() {
    let ground = Playground::new();
    for arguments in [&["local", "down"][..], &["local", "down", "--dry-run"]] {
        let output = ground.paasta(arguments);
        let told = text(&output);
        assert!(output.status.success() && told.contains("there is no local cluster"), "{told}");
    }
    let output = ground.paasta(&["local", "status", "--json"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output).contains(r#""running":false"#), "{}", text(&output));
}

#[test]
fn an_engine_state_that_cannot_be_read_does_not_keep_services() {
    let ground = Playground::new();
    let mut cluster = ground.up(&["--ports-any"]);
    let sha = ground.commit("v1");
    ground.deploy("web", "v1");
    ground.wait_for("v1 to run", || ground.runs_only(&sha, 2));
    cluster.terminate();
    let state = ground.state_dir().join("engine/state.json");
    std::fs::write(&state, r#"{"version": 99}"#).expect("written");
    let output = ground.paasta(&["local", "up", "--ports-any"]);
    let told = text(&output);
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.contains("has version 99, expected 1") && told.contains("hint: Start it with"), "{told}");
    let dry = text(&ground.paasta(&["local", "down", "--dry-run"]));
    assert!(dry.contains("has version 99, expected 1: would stop every process"), "{dry}");
    assert_eq!(ground.processes("v1").len(), 2);
    let down = ground.paasta(&["local", "down"]);
    let told = text(&down);
    assert!(down.status.success(), "{told}");
    assert!(told.contains("cannot be drained and are stopped all the same"), "{told}");
    assert!(told.contains(" processes found by their marks"), "{told}");
    assert_eq!(ground.processes(""), Vec::<u32>::new(), "no process is left");
    let _cluster = ground.up(&["--ports-any"]);
    ground.wait_for("v1 to run again", || ground.runs_only(&sha, 2));
}

#[test]
fn logs_say_why_a_task_never_started() {
    let ground = Playground::new();
    ground.file("mute/service.yaml", &format!("git_url: {}\n", ground.remote().display()));
    ground.file("mute/marathon-local.yaml", "main:\n  deploy_group: web\n");
    ground.file("mute/deploy.yaml", "pipeline:\n  - step: web\n");
    let _cluster = ground.up(&["--ports-any"]);
    ground.deploy_service("mute", "web", "v1");
    ground.wait_for("its failure to be told", || {
        let output = ground.paasta(&["logs", "-s", "mute"]);
        text(&output).contains("note: task ")
            && text(&output).contains("printed nothing: the app has no `cmd`")
    });
}

#[test]
fn logs_are_followed_through_a_bounce() {
    let ground = Playground::new();
    for version in ["one", "two"] {
        ground.version(version, &format!("echo $PAASTA_SERVICE says {version}; echo hm >&2"), "");
    }
    let _cluster = ground.up(&["--ports-any"]);
    let (first, second) = (ground.commit("one"), ground.commit("two"));
    ground.deploy("web", "one");
    ground.wait_for("the first version to run", || ground.runs_only(&first, 2));
    let last = ground.paasta(&["logs", "hello.main", "-C", "stdout", "-S", "-n", "1"]);
    assert_eq!(text(&last).matches("one listens on port ").count(), 2, "{}", text(&last));

    let told = ground.soa_dir().with_file_name("followed");
    let mut follow = ground.command(&["logs", "hello.main", "-C", "all", "-S", "-f"]);
    let file = std::fs::File::create(&told).expect("a file");
    let mut following = follow.stdout(file).stderr(Stdio::null()).spawn().expect("it starts");
    let said = |what: &str| {
        let told = std::fs::read_to_string(&told).expect("readable");
        told.lines().filter(|line| line.ends_with(what)).count()
    };
    ground.wait_for("what is there to be shown", || said("hello says one") == 2 && said("hm") == 2);
    ground.deploy("web", "two");
    ground.wait_for("the second version to run", || ground.runs_only(&second, 2));
    ground.wait_for("what its tasks print", || said("hello says two") == 2 && said("hm") == 4);
    let is_told =
        || std::fs::read_to_string(&told).expect("readable").contains("bounce of hello.main is finishing");
    ground.wait_for("what is told of the bounce", is_told);
    following.kill().expect("it runs");
    following.wait().expect("it ends");
    assert_eq!((said("hello says one"), said("hello says two"), said("hm")), (2, 2, 4), "nothing twice");
}

#[test]
fn an_instance_without_configuration_is_told_to_run_on() {
    let ground = Playground::new();
    let mut cluster = ground.up(&["--ports-any"]);
    let sha = ground.commit("v1");
    ground.deploy("web", "v1");
    ground.wait_for("v1 to run", || ground.runs_only(&sha, 2));
    ground.file("hello/marathon-local.yaml", "other:\n  cmd: ./serve\n  deploy_group: web\n  instances: 0\n");
    cluster.wait_for_stderr("goes on although its configuration is gone");
}
