//! `graceful_app_drain`.

use std::fs;

use serde_json::{Value, json};

use crate::world::World;

const PROGRAM: &str = "graceful_app_drain";

/// Services whose tasks drain through the hacheck of the world, which takes a second.
async fn drained_by_hacheck() -> World {
    let world = World::start().await;
    let drain = "drain_method: hacheck, drain_method_params: {delay: 1}";
    world.service("my_svc", &format!("can_ary: {{cmd: serve, instances: 2, {drain}}}\n"));
    let run = world.run("setup_marathon_job", &["my_svc.can_ary"]).await;
    assert_eq!(run.code, Some(0), "{}", run.talk);
    world.comes_to(&["my--svc.can--ary"]).await;
    world
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_loses_its_traffic_and_then_goes() {
    let world = drained_by_hacheck().await;
    let app = world.app_of("my--svc.can--ary").await;
    world.create(0, "my--svc.can--ary.gitother.configother").await;
    let before = world.hacheck.counts().spool_changes;
    // Whoever names it as Marathon does, with a slash, means the same.
    let run = world.run(PROGRAM, &[&format!("/{}", app.id)]).await;
    assert_eq!(run.code, Some(0), "{}", run.talk);
    assert!(run.talk.contains(&format!("draining 2 tasks of {} in {}", app.id, app.home)), "{}", run.talk);
    assert!(run.talk.contains("`paasta stop my_svc.can_ary`"), "it is the wanted version: {}", run.talk);
    assert!(run.out.ends_with(&format!("{}: gone\n", app.id)), "{}", run.out);
    assert_eq!(world.hacheck.counts().spool_changes - before, 2, "each task was told once");
    let left: Vec<String> = world.apps().await.iter().map(|app| app.id.to_string()).collect();
    assert_eq!(left, ["my--svc.can--ary.gitother.configother"]);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_says_what_the_first_step_would_do() {
    let world = drained_by_hacheck().await;
    let app = world.app_of("my--svc.can--ary").await;
    let run = world.run(PROGRAM, &["--dry-run", app.id.as_str()]).await;
    assert_eq!(
        (run.code, run.out.matches("drain my--svc.can--ary").count()),
        (Some(0), 2),
        "{}{}",
        run.out,
        run.talk
    );
    let run = world.run(PROGRAM, &["--dry-run", "--json", app.id.as_str()]).await;
    let plan: Value = serde_json::from_str(&run.out).unwrap();
    assert_eq!((&plan["app"], &plan["why"]["method"]), (&json!(app.id.as_str()), &json!("down")), "{plan}");
    assert_eq!((world.hacheck.counts().spool_changes, world.apps().await.len()), (0, 1));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_drained_is_told_by_name() {
    let world = drained_by_hacheck().await;
    let app = world.app_of("my--svc.can--ary").await.id;
    let changes = || world.hacheck.counts().spool_changes;
    for bad in ["my_svc.can_ary", "cron.job", "", "a.b.gitc.configd.e", "a.b.c.d"] {
        let run = world.run(PROGRAM, &[bad]).await;
        assert_eq!(run.code, Some(2), "{bad}: {}", run.talk);
    }
    assert_eq!(world.run(PROGRAM, &[]).await.code, Some(2));
    let run = world.run(PROGRAM, &["my--svc.can--ary.gitx.configx"]).await;
    assert_eq!((run.code, run.out.as_str()), (Some(1), ""));
    assert!(run.talk.contains("no Marathon of this cluster has an app"), "{}", run.talk);
    let lock = world.lock("my--svc.can--ary").await;
    let run = world.run(PROGRAM, &[app.as_str()]).await;
    assert_eq!(run.code, Some(1));
    assert!(run.talk.contains("its bounce lock") && run.talk.contains("hint: Try again"), "{}", run.talk);
    drop(lock);
    fs::remove_dir_all(world.path("soa/my_svc")).unwrap();
    let run = world.run(PROGRAM, &[app.as_str()]).await;
    assert_eq!(run.code, Some(1));
    assert!(
        run.talk.contains("not known how it drains") && run.talk.contains("cleanup_marathon_jobs"),
        "{}",
        run.talk
    );
    world.service("my_svc", "can_ary: {cmd: serve, drain_method: uwsgi}\n");
    let run = world.run(PROGRAM, &[app.as_str()]).await;
    assert_eq!(run.code, Some(1));
    assert!(run.talk.contains("uwsgi") && run.talk.contains("paasta validate -s my_svc"), "{}", run.talk);
    world.set(json!({ "marathon_servers": [{ "url": ["http://127.0.0.1:1"], "user": "", "password": "" }] }));
    let run = world.run(PROGRAM, &[app.as_str()]).await;
    assert_eq!(run.code, Some(1));
    assert!(
        run.talk.contains("could not look for") && run.talk.contains("http://127.0.0.1:1"),
        "{}",
        run.talk
    );
    assert_eq!((changes(), world.apps().await.len()), (0, 1));
    world.end().await;
}
