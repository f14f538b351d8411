//! Copies as a real HAProxy tells them, and where there is no Mesos.

use std::net::TcpListener;
use std::time::Instant;

use serde_json::json;

use crate::haproxy::{PATIENCE, Server, free_port};
use crate::world::World;

/// `web.main` with three servers of which nobody listens at the last.
fn haproxy(listener: &TcpListener) -> Option<Server> {
    let up = listener.local_addr().unwrap().port();
    let server = |index: usize, port: u16| {
        format!("  server h{index}_127.0.0.1:{port} 127.0.0.1:{port} check inter 50ms fall 1 rise 1\n")
    };
    let servers = server(1, up) + &server(2, up) + &server(3, free_port());
    let server = Server::start(&format!("listen web.main\n  bind 127.0.0.1:{}\n{servers}", free_port()))?;
    let begin = Instant::now();
    while server.table().matches(",DOWN,").count() < 1 || server.table().matches(",UP,").count() < 2 {
        assert!(begin.elapsed() < PATIENCE, "{}", server.table());
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    Some(server)
}

#[test]
fn one_machine_asks_its_own_load_balancer_and_says_so() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let Some(haproxy) = haproxy(&listener) else { return };
    let world = World::new();
    std::fs::remove_file(world.path("mesos-cli.json")).unwrap();
    world.set(json!({
        "host_maintenance": "none", "synapse_port": haproxy.port, "synapse_host": "127.0.0.1",
        "synapse_haproxy_url_format": "http://{host:s}:{port:d}/;csv;norefresh;scope={scope:s}",
    }));
    let yaml = "{instances: 3, replication_threshold: 90}";
    world.instance("web.main", yaml, Some(""));
    let run = world.check(&["--json", "--min-count-critical", "1"]);
    assert_eq!(run.code, Some(2), "{run:?}");
    let found = run.of("web.main");
    assert_eq!((&found["path"], &found["word"]), (&json!("load_balancers"), &json!("CRITICAL")));
    assert_eq!(
        found["seen"],
        json!({ "providers": { "Smartstack": { "known": { "127.0.0.1": { "known": 2 } } } } })
    );
    assert_eq!(run.summary()["places"], json!({ "source": "this_host", "host": "127.0.0.1" }));
    assert!(run.talk.contains("the load balancer of `127.0.0.1` alone was asked"), "{}", run.talk);
    world.instance("web.main", "{instances: 3}", Some(""));
    let run = world.check(&[]);
    assert_eq!(run.code, Some(0), "{run:?}");
    assert!(run.out.starts_with("OK: 0 of 1 instances"), "{}", run.out);
    drop(haproxy);
    let run = world.check(&[]);
    assert_eq!(run.code, Some(3), "{run:?}");
    assert!(run.out.contains("could not reach http://127.0.0.1") && !run.out.contains("0/3"), "{}", run.out);
}
