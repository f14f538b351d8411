//! `cleanup_marathon_jobs`.

use std::fs;
use std::net::TcpListener;

use serde_json::{Value, json};

use crate::world::World;

const PROGRAM: &str = "cleanup_marathon_jobs";
const ALL: [&str; 4] = ["my--svc.can--ary", "other.main", "web.main", "web.spare"];

#[tokio::test(flavor = "multi_thread")]
async fn what_is_configured_no_more_goes_and_everything_else_stays() {
    let world = World::running().await;
    let run = world.run(PROGRAM, &[]).await;
    assert_eq!((run.code, run.out.as_str()), (Some(0), ""), "{}", run.talk);
    world.service("web", "main: {cmd: serve, instances: 2}\n");
    fs::remove_dir_all(world.path("soa/my_svc")).unwrap();
    // An old version of a configured instance is its bounce's; ids of two parts may be anybody's.
    world.create(0, "other.main.gitold.configold").await;
    world.create(1, "other.gone").await;
    let with = |more: &'static str| [&ALL[..], &[more]].concat();
    world.comes_to(&with("other.gone")).await;
    fs::remove_dir_all(world.path("locks/bounce")).unwrap();
    let run = world.run(PROGRAM, &["--dry-run"]).await;
    assert_eq!((run.code, run.out.lines().count()), (Some(0), 2), "{}", run.talk);
    let (first, second) = run.out.split_once('\n').unwrap();
    assert!(first.contains("--ary.git") || first.contains("web.spare.git"), "{first}");
    assert!(second.contains("would delete it with 1 task\n"), "{second}");
    world.comes_to(&with("other.gone")).await;
    assert!(!world.path("locks/bounce").exists(), "a dry run takes no lock");

    let run = world.run(PROGRAM, &["--json"]).await;
    assert_eq!(run.code, Some(0), "{}", run.talk);
    assert!(run.talk.starts_with("note: apps that PaaSTA did not make are left alone: 1\n"), "{}", run.talk);
    assert!(run.talk.contains("deleting 2 of 5 apps in prod, with 2 tasks\n"), "{}", run.talk);
    for line in run.out.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        assert_eq!((&line["end"], &line["tasks"]), (&json!("deleted"), &json!(1)), "{line}");
    }
    world.comes_to(&["other.gone", "other.main", "web.main"]).await;
    assert_eq!(world.apps().await.len(), 4, "both versions of `other.main` stay");
    world.end().await;
}

/// In the original the lock has another name than that of the pass where names have a `_`, and a held one ends the run
/// (defect B8).
#[tokio::test(flavor = "multi_thread")]
async fn mended_b8_an_instance_somebody_works_on_is_left_for_the_next_time() {
    let world = World::running().await;
    fs::remove_dir_all(world.path("soa/my_svc")).unwrap();
    world.service("web", "main: {cmd: serve, instances: 2}\n");
    let lock = world.lock("my--svc.can--ary").await;
    let run = world.run(PROGRAM, &[]).await;
    assert_eq!(run.code, Some(0), "{}", run.talk);
    assert!(run.out.contains("left for now, somebody works on this instance"), "{}", run.out);
    world.comes_to(&["my--svc.can--ary", "other.main", "web.main"]).await;
    drop(lock);
    assert_eq!(world.run(PROGRAM, &[]).await.code, Some(0));
    world.comes_to(&["other.main", "web.main"]).await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn too_many_at_once_are_refused() {
    let world = World::running().await;
    world.service("web", "other: {cmd: serve}\n");
    fs::remove_dir_all(world.path("soa/my_svc")).unwrap();
    for arguments in [&[][..], &["-t", "0.7"], &["--dry-run"]] {
        let run = world.run(PROGRAM, arguments).await;
        assert_eq!(run.code, Some(1), "{}", run.talk);
        assert!(run.talk.contains("3 of 4 apps are of instances that are not configured"), "{}", run.talk);
        assert!(run.talk.contains("hint: ") && run.talk.contains("--force"), "{}", run.talk);
    }
    world.comes_to(&ALL).await;
    assert_eq!(world.run(PROGRAM, &["-t", "0.75"]).await.code, Some(0), "as many as the threshold may go");
    world.comes_to(&["other.main"]).await;
    for arguments in [["-t", "2"], ["-t", "half"], ["-t", "nan"]] {
        assert_eq!(world.run(PROGRAM, &arguments).await.code, Some(2), "{arguments:?}");
    }
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_read_is_never_taken_for_gone() {
    let world = World::running().await;
    world.service("web", "main: {\n");
    world.file("soa/my_svc/marathon-prod.yaml", "");
    let run = world.run(PROGRAM, &["-f"]).await;
    assert_eq!((run.code, run.out.as_str()), (Some(1), ""), "{}", run.talk);
    for words in
        ["`web`; all of its apps stay", "`my_svc`; all", "marathon-prod.yaml:2:1", "paasta validate -s web"]
    {
        assert!(run.talk.contains(words), "{words}: {}", run.talk);
    }
    // One bad service does not keep others from being cleaned up.
    fs::remove_dir_all(world.path("soa/other")).unwrap();
    world.service("more", "main: {cmd: serve}\n");
    assert_eq!(world.run(PROGRAM, &[]).await.code, Some(1));
    world.comes_to(&["my--svc.can--ary", "web.main", "web.spare"]).await;
    // A tree that is missing, empty, or another cluster's.
    let empty = world.path("empty");
    fs::create_dir(&empty).unwrap();
    world.file("elsewhere/web/marathon-test.yaml", "main: {cmd: serve}\n");
    let tree = |name: &str| world.path(name).display().to_string();
    for (root, arguments, words) in [
        (tree("nowhere"), &["-f"][..], "could not read soa-configs"),
        (tree("empty"), &["-f"], "soa-configs holds no service"),
        (tree("empty"), &["-t", "1"], "soa-configs holds no service"),
        (tree("elsewhere"), &["-t", "1"], "names no Marathon instance of this cluster"),
    ] {
        let run = world.run_bare(PROGRAM, &[&["-d", root.as_str()], arguments].concat()).await;
        assert_eq!((run.code, run.out.as_str()), (Some(1), ""), "{}", run.talk);
        assert!(run.talk.contains(words) && run.talk.contains("hint: "), "{}", run.talk);
    }
    world.comes_to(&["my--svc.can--ary", "web.main", "web.spare"]).await;
    world.end().await;
}

/// What part would go is not known as long as a Marathon is silent.
#[tokio::test(flavor = "multi_thread")]
async fn a_marathon_that_does_not_answer_keeps_everything_unless_forced() {
    let world = World::running().await;
    world.service("web", "main: {cmd: serve, instances: 2}\n");
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let urls = [world.urls(), vec![format!("http://{free}")]].concat();
    let entry = |url: &String| json!({ "url": [url], "user": "", "password": "" });
    world.set(json!({ "marathon_servers": urls.iter().map(entry).collect::<Vec<_>>() }));
    let run = world.run(PROGRAM, &[]).await;
    assert_eq!(run.code, Some(1), "{}", run.talk);
    assert!(
        run.talk.contains(&free.to_string()) && run.talk.contains("Try again when it answers"),
        "{}",
        run.talk
    );
    world.comes_to(&ALL).await;
    let run = world.run(PROGRAM, &["--force"]).await;
    assert_eq!(run.code, Some(1), "not all is clean: {}", run.talk);
    world.comes_to(&["my--svc.can--ary", "other.main", "web.main"]).await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn alerts_about_what_is_gone_are_resolved() {
    let world = World::running().await;
    let sensu = TcpListener::bind("127.0.0.1:0").unwrap();
    world.set(json!({ "sensu_host": "127.0.0.1", "sensu_port": sensu.local_addr().unwrap().port() }));
    world.service("web", "main: {cmd: serve, instances: 2}\n");
    world.file("soa/web/monitoring.yaml", "team: web_team");
    let run = world.run(PROGRAM, &[]).await;
    assert_eq!(run.code, Some(0), "{}", run.talk);
    let mut names = vec![];
    for _ in 0..3 {
        let event: Value = serde_json::from_reader(sensu.accept().unwrap().0).unwrap();
        assert_eq!((&event["status"], &event["team"]), (&json!(0), &json!("web_team")));
        names.push(event["name"].as_str().unwrap().to_owned());
    }
    let checks =
        ["check_paasta_services_replication", "check_marathon_services_replication", "setup_marathon_job"];
    assert_eq!(names, checks.map(|check| format!("{check}.web.spare")));
    world.end().await;
}
