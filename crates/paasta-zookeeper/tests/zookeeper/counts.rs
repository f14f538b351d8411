//! Counts that kazoo writes are read here, and the other way round.

use futures_util::StreamExt;
use paasta_core::{Counts, InstanceId, Reading};
use paasta_zookeeper::{CountChange, CountChanges, ZkCounts, ZooKeeper};
use serde_json::json;

use crate::kazoo::Kazoo;
use crate::place::options;
use crate::server::shared;

const PATH: &str = "/autoscaling/my_svc/main/instances";

fn instance() -> InstanceId {
    "my_svc.main".parse().expect("is an id")
}

#[tokio::test(flavor = "multi_thread")]
async fn counts_are_text_that_kazoo_reads_and_writes() {
    let Some(server) = shared() else { return };
    let hosts = server.place().await;
    let mut kazoo = Kazoo::connect(&hosts).await;
    let counts = ZkCounts::new(&ZooKeeper::connect(&hosts, options()).unwrap());
    assert_eq!(counts.count(&instance()).await, Reading::Known(None));
    kazoo.ask(json!(["put", PATH, "7"])).await;
    assert_eq!(counts.count(&instance()).await, Reading::Known(Some(7)));
    kazoo.ask(json!(["put", PATH, "a dozen"])).await;
    assert!(counts.count(&instance()).await.unknown().unwrap().contains("a dozen"));

    counts.write(&instance(), 12).await.unwrap();
    assert_eq!(kazoo.ask(json!(["get", PATH])).await, json!("12"));
    let new: InstanceId = "new.main".parse().unwrap();
    counts.write(&new, 0).await.unwrap();
    assert_eq!(kazoo.ask(json!(["get", "/autoscaling/new/main/instances"])).await, json!("0"));

    assert_eq!(counts.paused_until().await, Reading::Known(None));
    kazoo.ask(json!(["put", "/autoscaling/paused", "1500000000.5"])).await;
    assert_eq!(counts.paused_until().await, Reading::Known(Some(1500000000.5)));
    counts.pause_until(1600000000).await.unwrap();
    assert_eq!(kazoo.ask(json!(["get", "/autoscaling/paused"])).await, json!("1600000000"));
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_are_told_from_the_first_node_on() {
    let Some(server) = shared() else { return };
    let hosts = server.place().await;
    let mut kazoo = Kazoo::connect(&hosts).await;
    let counts = ZkCounts::new(&ZooKeeper::connect(&hosts, options()).unwrap());
    let mut changes = counts.changes();
    assert!(matches!(changes.next().await, Some(CountChange::Missed(_))), "all are to be read at the start");
    let of = Some(CountChange::Of(instance()));

    kazoo
        .ask(json!(["create", "/autoscaling/my_svc/main/autoscaling.lock/instances", "", false, false]))
        .await;
    kazoo.ask(json!(["create", PATH, "3", false, false])).await;
    assert_eq!(changes.next().await, of, "created");
    kazoo.ask(json!(["put", PATH, "4"])).await;
    assert_eq!(changes.next().await, of, "changed");
    kazoo.ask(json!(["put", "/autoscaling/my_svc/main/cpu_data", "4"])).await;
    kazoo.ask(json!(["delete", PATH])).await;
    assert_eq!(changes.next().await, of, "deleted");
}
