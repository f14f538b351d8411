//! Nodes that others made are read: those of Mesos masters, as kazoo puts them there.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use paasta_config::SystemConfig;
use paasta_core::ZkNodes;
use paasta_mesos::leaving_hosts;
use paasta_zookeeper::{Options, ZkReader};
use serde_json::json;

use crate::kazoo::Kazoo;
use crate::place::options;
use crate::server::shared;

/// A master that drains one host.
fn master() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let port = listener.local_addr().expect("it is bound").port();
    let body =
        r#"{"get_maintenance_status": {"status": {"draining_machines": [{"id": {"hostname": "h1"}}]}}}"#;
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.expect("a connection");
            let _ = stream.read(&mut [0; 8192]);
            let head = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length:";
            let _ = write!(stream, "{head} {}\r\n\r\n{body}", body.len());
        }
    });
    port
}

#[tokio::test(flavor = "multi_thread")]
async fn the_leading_mesos_master_is_found_and_asked() {
    let Some(server) = shared() else { return };
    let place = server.place().await;
    let mut kazoo = Kazoo::connect(&place).await;
    let (hosts, root) = place.split_once('/').unwrap();
    let reader = Arc::new(ZkReader::new(options()));
    let path = format!("/{root}/mesos");
    assert_eq!(reader.children(hosts, &path).await.unwrap(), Vec::<String>::new());
    assert_eq!(reader.data(hosts, &path).await.unwrap(), None);

    let directory = tempfile::tempdir().unwrap();
    let cli = directory.path().join("cli.json");
    let named = json!({ "default": { "master": format!("zk://user:secret@{hosts}{path}") } });
    std::fs::write(&cli, named.to_string()).unwrap();
    let system = SystemConfig::from_json(&json!({ "mesos_config": { "path": cli } }).to_string()).unwrap();
    let leaving = leaving_hosts(&system, reader.clone()).leaving_hosts().await;
    assert!(leaving.unknown().unwrap().contains("no master is registered"), "{leaving:?}");

    let info =
        |port: u16| json!({ "address": { "hostname": "m", "ip": "127.0.0.1", "port": port } }).to_string();
    for (name, data) in [("json.info_0000000002", info(1)), ("json.info_0000000001", info(master()))] {
        kazoo.ask(json!(["put", format!("/mesos/{name}"), data])).await;
    }
    kazoo.ask(json!(["put", "/mesos/log_replicas", ""])).await;
    assert_eq!(reader.children(hosts, &path).await.unwrap().len(), 3);
    let leaving = leaving_hosts(&system, reader).leaving_hosts().await;
    assert_eq!(leaving.known().unwrap().iter().collect::<Vec<_>>(), ["h1"], "{leaving:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_zookeeper_that_does_not_answer_is_named_in_time() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let impatient = Options { request_timeout: Duration::from_millis(300), ..options() };
    let error = ZkReader::new(impatient).children(&free, "/mesos").await.unwrap_err();
    assert!(error.to_string().contains(&free), "{error}");
}
