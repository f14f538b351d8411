//! `list_marathon_service_instances`.

use std::net::TcpListener;

use serde_json::{Value, json};

use crate::world::{INSTANCES, World};

const PROGRAM: &str = "list_marathon_service_instances";

#[tokio::test(flavor = "multi_thread")]
async fn all_instances_of_a_cluster_are_listed_without_asking_anybody() {
    let world = World::start().await;
    world.set(json!({ "marathon_servers": [{ "url": ["http://127.0.0.1:1"], "user": "", "password": "" }] }));
    let run = world.run(PROGRAM, &[]).await;
    assert_eq!(
        (run.code, run.out.lines().collect::<Vec<_>>()),
        (Some(0), INSTANCES.to_vec()),
        "{}",
        run.talk
    );
    world.file("soa/far/marathon-test.yaml", "_template: &t {cpus: 1}\nmain: {<<: *t}\n");
    let run = world.run(PROGRAM, &["-c", "test", "--json"]).await;
    assert_eq!((run.code, run.out.as_str()), (Some(0), "{\"service\":\"far\",\"instance\":\"main\"}\n"));
    world.file("soa/bro_ken/marathon-prod.yaml", "main: {\n");
    let run = world.run(PROGRAM, &[]).await;
    assert_eq!((run.code, run.out.lines().count()), (Some(1), INSTANCES.len()));
    assert!(
        run.talk.contains("`bro_ken`") && run.talk.contains("paasta validate -s bro_ken"),
        "{}",
        run.talk
    );
    let missing = world.run_bare(PROGRAM, &["-d", "/nowhere/at/all"]).await;
    assert_eq!((missing.code, missing.out.as_str()), (Some(1), ""));
    assert!(missing.talk.contains("-d DIR"), "{}", missing.talk);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_needs_a_bounce_is_listed_with_m() {
    let world = World::start().await;
    let run = world.run(PROGRAM, &["-m"]).await;
    assert_eq!((run.code, run.out.lines().count()), (Some(0), INSTANCES.len()), "{}", run.talk);
    let run = world.run("deploy_marathon_services", &[]).await;
    assert_eq!(run.code, Some(0), "{}", run.talk);
    // Foreign ids are no errors, and instances that are gone are not listed but told (defect B18).
    world.create(0, "cron.job").await;
    world.create(1, "web.gone.gita.configb").await;
    let run = world.run(PROGRAM, &["-m"]).await;
    assert_eq!((run.code, run.out.as_str()), (Some(0), ""), "{}", run.talk);
    assert!(run.talk.contains("1 app of instances that are configured no more"), "{}", run.talk);
    // Another size, another version, and one that is not deployed.
    world.service(
        "web",
        "main: {cmd: serve, instances: 3}\nspare: {cmd: other, instances: 1}\nnew: {cmd: serve}\n",
    );
    let run = world.run(PROGRAM, &["-m", "--json"]).await;
    let lines: Vec<Value> = run.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(run.code, Some(0), "{}", run.talk);
    let reasons = |index: usize| (lines[index]["instance"].clone(), lines[index]["reasons"].clone());
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert_eq!(reasons(0), (json!("main"), json!([{ "size": { "wanted": 3, "is": 2 } }])));
    assert_eq!(reasons(1), (json!("spare"), json!(["not_there", { "old_apps": 1 }])));
    world.end().await;
}

/// The original asks for no tasks, and so sees none on such hosts (defect B18).
#[tokio::test(flavor = "multi_thread")]
async fn mended_b18_instances_with_tasks_on_hosts_about_to_leave_are_listed() {
    let world = World::running().await;
    let master = crate::leader::mesos(
        "200 OK",
        "",
        r#"{"get_maintenance_status": {"status": {"draining_machines": [{"id": {"hostname": "127.0.0.1"}}]}}}"#,
    );
    let cli = world.file("mesos-cli.json", &json!({ "default": { "master": master } }).to_string());
    world.set(json!({ "host_maintenance": "mesos", "mesos_config": { "path": cli } }));
    let run = world.run(PROGRAM, &["-m", "--json"]).await;
    assert_eq!((run.code, run.out.lines().count()), (Some(0), INSTANCES.len()), "{}", run.talk);
    assert!(run.out.contains(r#""instance":"main","reasons":[{"on_leaving_hosts":2}]"#), "{}", run.out);
    // A master that does not say leaves it open.
    world.file("mesos-cli.json", &json!({ "default": { "master": "127.0.0.1:1" } }).to_string());
    let run = world.run(PROGRAM, &["-m"]).await;
    assert_eq!((run.code, run.out.as_str()), (Some(1), ""));
    assert!(run.talk.contains("`web.main`") && run.talk.contains("http://127.0.0.1:1"), "{}", run.talk);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_could_not_be_told_is_named() {
    let world = World::running().await;
    let run = world.run(PROGRAM, &["-m", "-c", "test"]).await;
    assert_eq!((run.code, run.out.as_str()), (Some(2), ""));
    assert!(run.talk.contains("cluster `prod`") && run.talk.contains("Leave out -c"), "{}", run.talk);
    assert_eq!(world.run(PROGRAM, &["-m", "-c", "prod"]).await.code, Some(0));
    // What is asked of one instance fails for that one alone.
    world.service("web", "main: {cmd: serve, instances: 3}\nspare: {cmd: serve, instances: many}\n");
    let run = world.run(PROGRAM, &["-m"]).await;
    assert_eq!((run.code, run.out.as_str()), (Some(1), "web.main\n"), "{}", run.talk);
    assert!(run.talk.contains("marathon-prod.yaml:2"), "{}", run.talk);
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let dead = format!("http://{free}");
    world.set(json!({ "marathon_servers": [{ "url": [dead], "user": "", "password": "" }] }));
    let run = world.run(PROGRAM, &["-m"]).await;
    assert_eq!((run.code, run.out.as_str()), (Some(1), ""));
    assert!(run.talk.contains("`other.main`") && run.talk.contains(&dead), "{}", run.talk);
    world.set(json!({ "marathon_servers": [] }));
    let run = world.run(PROGRAM, &["-m"]).await;
    assert_eq!(run.code, Some(1));
    assert!(run.talk.contains("names no Marathon server") && run.talk.contains("hint: "), "{}", run.talk);
    world.end().await;
}
