//! Election: one line for kazoo and us.

use futures_util::StreamExt;
use paasta_core::{Election, Fence, Standing};
use paasta_zookeeper::{ZkElection, ZooKeeper};
use serde_json::json;

use crate::kazoo::Kazoo;
use crate::place::options;
use crate::server::shared;

const PATH: &str = ZkElection::DEPLOYD;

fn waiting(leader: Option<&str>) -> Option<Standing> {
    Some(Standing::Waiting { leader: leader.map(str::to_owned) })
}

#[tokio::test(flavor = "multi_thread")]
async fn kazoo_and_we_lead_one_after_the_other() {
    let Some(server) = shared() else { return };
    let hosts = server.place().await;
    let mut kazoo = Kazoo::connect(&hosts).await;
    let zookeeper = ZooKeeper::connect(&hosts, options()).unwrap();
    let election = ZkElection::new(&zookeeper, PATH, "ours.example.com");
    let fence = election.fence();

    kazoo.ask(json!(["acquire", "k", PATH, 10, "theirs.example.com"])).await;
    let mut standing = election.stand();
    assert_eq!(standing.next().await, waiting(None));
    assert_eq!(standing.next().await, waiting(Some("theirs.example.com")));
    assert!(fence.check().unwrap_err().0.contains("does not lead"));
    assert_eq!(
        kazoo.ask(json!(["contenders", PATH])).await,
        json!(["theirs.example.com", "ours.example.com"])
    );

    kazoo.ask(json!(["release", "k"])).await;
    assert_eq!(standing.next().await, Some(Standing::Leading));
    fence.check().unwrap();
    assert_eq!(kazoo.ask(json!(["start_acquire", "k", PATH, 30, "theirs.example.com"])).await, json!(true));
    kazoo.until(json!(["contenders", PATH]), json!(["ours.example.com", "theirs.example.com"])).await;

    drop(standing);
    assert!(fence.check().is_err(), "shut before the node is gone");
    assert_eq!(kazoo.ask(json!(["finish_acquire", "k"])).await, json!(true));
    kazoo.ask(json!(["release", "k"])).await;
    kazoo.until(json!(["children", PATH]), json!([])).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whose_node_somebody_deletes_has_lost_and_stands_again() {
    let Some(server) = shared() else { return };
    let hosts = server.place().await;
    let mut kazoo = Kazoo::connect(&hosts).await;
    let zookeeper = ZooKeeper::connect(&hosts, options()).unwrap();
    let mut standing = ZkElection::new(&zookeeper, PATH, "ours").stand();
    assert_eq!(standing.next().await, waiting(None));
    assert_eq!(standing.next().await, Some(Standing::Leading));

    let children = kazoo.ask(json!(["children", PATH])).await;
    let node = children[0].as_str().unwrap();
    // The watch on it is set once somebody waits for what comes next.
    let next = tokio::spawn(async move { (standing.next().await, standing) });
    kazoo.ask(json!(["delete", format!("{PATH}/{node}")])).await;
    let (lost, mut standing) = next.await.unwrap();
    assert!(matches!(lost, Some(Standing::Lost(_))), "{lost:?}");
    assert_eq!(standing.next().await, Some(Standing::Leading));
}
