//! Bounces in which a real HAProxy has a say.

use std::net::TcpListener;
use std::time::Duration;

use paasta_core::{App, Task};
use serde_json::json;

use crate::haproxy::{PATIENCE, Server, free_port};
use crate::world::World;

/// A HAProxy whose `web.main` has these tasks, all of whose servers pass their checks.
fn haproxy(tasks: &[Task], listener: &TcpListener) -> Option<Server> {
    let port = listener.local_addr().unwrap().port();
    let server = |task: &Task| {
        let name = format!("the_host_{}:{}", task.host, task.ports[0]);
        format!("  server {name} 127.0.0.1:{port} check inter 50ms rise 1\n")
    };
    let servers: String = tasks.iter().map(server).collect();
    Server::start(&format!("listen web.main\n  bind 127.0.0.1:{}\n{servers}", free_port()))
}

fn tasks(apps: &[App]) -> Vec<Task> {
    let main = apps.iter().filter(|app| app.id.as_str().starts_with("web.main."));
    main.flat_map(|app| app.tasks.clone()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn old_tasks_go_when_haproxy_has_the_new_ones_up_and_wait_while_it_cannot_be_asked() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let world = World::running().await;
    let old = tasks(&world.apps().await);
    assert_eq!(old.len(), 2);
    let Some(balancer) = haproxy(&old, &listener) else { return world.end().await };
    let judged =
        "{cmd: serve2, instances: 2, drain_method: noop, bounce_health_params: {check_haproxy: true}}";
    world.service("web", &format!("main: {judged}\nspare: {{cmd: serve, instances: 1}}\n"));
    world.set(json!({ "synapse_port": balancer.port }));

    let bounce = || async { world.run("setup_marathon_job", &["--json", "web.main"]).await };
    let until = |done: fn(&[Task], &[Task]) -> bool| {
        let (world, old) = (&world, &old);
        async move {
            loop {
                let run = world.run("setup_marathon_job", &["--json", "web.main"]).await;
                let now = tasks(&world.apps().await);
                if done(&now, old) {
                    return (run, now);
                }
            }
        }
    };
    let all_run =
        |now: &[Task], _: &[Task]| now.len() == 4 && now.iter().all(|task| task.started_at.is_some());
    let (_, both) = tokio::time::timeout(PATIENCE, until(all_run)).await.expect("the new version comes up");
    for _ in 0..3 {
        let run = bounce().await;
        assert_eq!(run.code, Some(0), "{}", run.talk);
    }
    assert_eq!(tasks(&world.apps().await).len(), 4, "HAProxy does not have the new ones up");

    drop(balancer);
    let run = bounce().await;
    assert!(
        run.out.contains("load balancers gave no answer: could not reach http://127.0.0.1"),
        "{}",
        run.out
    );
    assert_eq!(tasks(&world.apps().await).len(), 4, "nobody can say that they are up");

    let Some(balancer) = haproxy(&both, &listener) else { return world.end().await };
    world.set(json!({ "synapse_port": balancer.port }));
    let gone = |now: &[Task], old: &[Task]| {
        now.len() == 2 && now.iter().all(|task| old.iter().all(|one| one.id != task.id))
    };
    let done = tokio::time::timeout(Duration::from_secs(60), until(gone)).await;
    assert!(done.is_ok(), "{:?}", tasks(&world.apps().await));
    world.end().await;
}
