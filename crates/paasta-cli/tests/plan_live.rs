//! `paasta plan`, `why` and `switch-over --check` over a whole cluster on the embedded engine.

mod local_cluster;

use std::fs;
use std::path::Path;
use std::process::Output;

use local_cluster::{Playground, text};
use serde_json::Value;

#[track_caller]
fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {}", text(output)))
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a directory");
    for entry in fs::read_dir(from).expect("listed") {
        let entry = entry.expect("an entry");
        let to = to.join(entry.file_name());
        match entry.path().is_dir() {
            true => copy(&entry.path(), &to),
            false => drop(fs::copy(entry.path(), to).expect("copied")),
        }
    }
}

#[test]
fn what_runs_is_compared_before_and_explained_after() {
    let ground = Playground::new();
    let _cluster = ground.up(&["--ports-any", "--task-ports", "26300-26399"]);
    let said = |arguments: &[&str], code: i32| {
        let output = ground.paasta(arguments);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {}", text(&output));
        text(&output)
    };
    let before = said(&["why", "hello.main"], 1);
    assert!(before.contains("nothing is written down of `hello.main`"), "{before}");

    ground.deploy("web", "v1");
    let v1 = ground.commit("v1");
    ground.wait_for("v1 to run", || ground.runs_only(&v1, 2));

    // What runs is what is configured.
    assert!(said(&["plan"], 0).ends_with("None of 1 instance bounces.\n"));
    let same = said(&["switch-over", "--check"], 0);
    assert_eq!(same, "1 instance: 1 same.\nSwitching over changes nothing.\n");
    let first = said(&["why", "hello.main"], 0);
    assert!(first.contains("from     nothing") && first.contains("for the first time"), "{first}");

    // A change in another directory is foreseen, with its line.
    let other = ground.soa_dir().parent().expect("a parent").join("other");
    copy(ground.soa_dir(), &other);
    let file = other.join("hello/marathon-local.yaml");
    let changed = fs::read_to_string(&file).expect("read").replace("mem: 64", "mem: 65\n  env: {NEW: x}");
    fs::write(&file, changed).expect("written");
    let other = other.to_str().expect("Unicode");
    let plan = json(&ground.paasta(&["plan", "-d", other, "--json"]));
    let row = &plan["instances"][0];
    assert_eq!((&row["effect"], &row["tasks_replaced"]), (&"bounce".into(), &2.into()), "{plan:#}");
    let changes = row["changes"].as_array().expect("a list");
    let mem = changes.iter().find(|change| change["field"] == "mem").expect("mem");
    assert_eq!((mem["old"].to_string(), mem["new"].to_string()), ("64.0".to_owned(), "65.0".to_owned()));
    let place = mem["sources"][0]["place"].as_str().expect("a place");
    assert!(place.ends_with("hello/marathon-local.yaml:13:8"), "{place}");
    let differs = said(&["switch-over", "--check", "-d", other], 1);
    assert!(differs.contains("hello.main  differs  the id differs"), "{differs}");
    assert!(
        differs.contains("hello/marathon-local.yaml:1") && differs.contains("more, see --json"),
        "{differs}"
    );

    // A new commit is foreseen in thought, and explained once it is deployed.
    let v2 = ground.commit("v2");
    let mark = said(&["plan", "hello", "--deploy-group", "web", "--commit", &v2], 0);
    assert!(mark.contains("1 of 1 instance bounces, 2 tasks are replaced."), "{mark}");
    ground.deploy("web", "v2");
    ground.wait_for("v2 to run alone", || ground.runs_only(&v2, 2));
    let why = said(&["why", "hello.main", "-n", "5"], 0);
    let cause = format!("commit {} was deployed (before: {})", &v2[..8], &v1[..8]);
    assert!(why.contains(&cause) && why.contains("for the first time"), "{why}");
    let told = json(&ground.paasta(&["why", "hello.main", "--json"]));
    assert_eq!(told["bounces"][0]["from_app_id"], told["bounces"][0]["replaces"][0], "{told:#}");
    assert!(!told["bounces"][0]["changes"].as_array().expect("a list").is_empty(), "{told:#}");

    // A change of a file, explained with its line.
    let file = ground.soa_dir().join("hello/marathon-local.yaml");
    let changed = fs::read_to_string(&file).expect("read").replace("mem: 64", "mem: 65");
    fs::write(&file, changed).expect("written");
    let explained = || text(&ground.paasta(&["why", "hello.main"]));
    ground.wait_for("the new size to be created", || explained().contains("64.0 → 65.0"));
    let why = explained();
    assert!(
        why.contains("the configuration changed") && why.contains("hello/marathon-local.yaml:13"),
        "{why}"
    );

    // What is not configured any more is told.
    ground.wait_for("the bounce to end", || ground.runs_only(&v2, 2));
    fs::remove_file(&file).expect("removed");
    assert!(said(&["plan"], 0).contains("hello.main  orphan  2 tasks run on unattended"));
    let extra = said(&["switch-over", "--check"], 1);
    assert!(extra.contains("hello.main  extra  it is not in the configuration"), "{extra}");
}
