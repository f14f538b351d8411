//! Servers that hang, crash and come back.

use std::time::Instant;

use futures_util::{FutureExt, StreamExt};
use paasta_core::{Counts, Election, Fence, Locks, Standing, Timestamp};
use paasta_zookeeper::{
    CountChange, CountChanges, Link, QueueError, QueueRecord, Take, ZkCounts, ZkElection, ZkLocks, ZkQueue,
    ZooKeeper,
};
use serde_json::json;

use crate::kazoo::Kazoo;
use crate::place::{SESSION, options};
use crate::server::{PATIENCE, Server, until};

const LOCK: &str = "/bounce/web.main";

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_hangs_shuts_the_fence_in_time_and_one_that_wakes_opens_it() {
    let Some(server) = Server::start() else { return };
    let zookeeper = ZooKeeper::connect(&server.root(), options()).unwrap();
    let mut kazoo = Kazoo::connect(&server.root()).await;
    let locks = ZkLocks::new(&zookeeper);
    let guard = locks.acquire(LOCK, PATIENCE).await.unwrap();
    let fence = zookeeper.fence();
    until("a fresh heartbeat", || async { fence.check().is_ok() }).await;

    let frozen = Instant::now();
    server.freeze();
    until("a shut fence", || async { fence.check().is_err() }).await;
    let open = frozen.elapsed();
    assert!(open < SESSION, "it was open for {open:?} after the last possible heartbeat");
    server.thaw();

    // Whether the session lived through it or not, work goes on once the old lock is dropped.
    drop(guard);
    until("an open fence", || async { fence.check().is_ok() }).await;
    drop(locks.acquire(LOCK, PATIENCE).await.unwrap());
    kazoo.until(json!(["children", LOCK]), json!([])).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_expired_is_lost_and_a_new_one_leads_again() {
    let Some(server) = Server::start() else { return };
    let zookeeper = ZooKeeper::connect(&server.root(), options()).unwrap();
    let mut kazoo = Kazoo::connect(&server.root()).await;
    let election = ZkElection::new(&zookeeper, ZkElection::DEPLOYD, "ours");
    let (fence, session_fence) = (election.fence(), zookeeper.fence());
    let locks = ZkLocks::new(&zookeeper);
    let mut changes = ZkCounts::new(&zookeeper).changes();
    assert!(matches!(changes.next().await, Some(CountChange::Missed(_))));
    let mut standing = election.stand();
    assert_eq!(standing.next().await, Some(Standing::Waiting { leader: None }));
    assert_eq!(standing.next().await, Some(Standing::Leading));
    let guard = locks.acquire(LOCK, PATIENCE).await.unwrap();
    let queue = ZkQueue::new(&zookeeper, ZkQueue::DEPLOYD);
    let now = Timestamp::from_seconds(1_500_000_000.0);
    queue.put(&QueueRecord::new("web.main".parse().unwrap(), "test", now.seconds())).await.unwrap();
    let Take::Entry(taken) = queue.take(now).await.unwrap() else { panic!("it is there") };

    server.freeze();
    assert!(matches!(standing.next().await, Some(Standing::Doubtful(_))));
    assert!(fence.check().is_err() && session_fence.check().is_err());
    let lost = standing.next().await;
    assert!(matches!(lost, Some(Standing::Lost(_))), "{lost:?}");
    server.thaw();
    // Its node may outlive it by one session timeout: somebody else leads until then.
    while standing.next().await != Some(Standing::Leading) {}
    let shut = fence.check().unwrap_err();
    assert!(shut.0.contains("a lock is still held"), "{shut}");
    assert!(session_fence.check().is_err(), "a new session opens nothing over locks of an old one");
    drop(guard);
    until("both fences open", || async { fence.check().is_ok() && session_fence.check().is_ok() }).await;
    let told = tokio::time::timeout(PATIENCE, changes.next()).await.unwrap();
    assert!(matches!(told, Some(CountChange::Missed(_))), "{told:?}");

    let lost = taken.consume().await.unwrap_err();
    assert!(matches!(lost, QueueError::Lost { .. }), "{lost}");
    let Take::Entry(again) = queue.take(now).await.unwrap() else { panic!("it is there again") };
    again.consume().await.unwrap();
    assert_eq!(queue.entries().await.unwrap(), vec![]);

    drop(standing);
    assert!(fence.check().is_err());
    kazoo.until(json!(["children", ZkElection::DEPLOYD]), json!([])).await;
    kazoo.until(json!(["children", LOCK]), json!([])).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_crashes_and_comes_back_is_found_again() {
    let Some(mut server) = Server::start() else { return };
    let zookeeper = ZooKeeper::connect(&server.root(), options()).unwrap();
    let locks = ZkLocks::new(&zookeeper);
    let counts = ZkCounts::new(&zookeeper);
    let web = "web.main".parse().unwrap();
    counts.write(&web, 3).await.unwrap();
    let mut links = zookeeper.links();
    links.wait_for(|link| *link == Link::Connected).await.unwrap();
    let mut changes = counts.changes();
    assert!(matches!(changes.next().await, Some(CountChange::Missed(_))));
    let guard = locks.acquire(LOCK, PATIENCE).await.unwrap();

    server.kill();
    links.wait_for(|link| *link != Link::Connected).await.unwrap();
    // Released while nobody listens: the node must go nevertheless.
    drop(guard);
    server.run();
    links.wait_for(|link| *link == Link::Connected).await.unwrap();
    assert_eq!(counts.count(&web).await, paasta_core::Reading::Known(Some(3)));
    let fence = zookeeper.fence();
    until("an open fence", || async { fence.check().is_ok() }).await;
    drop(locks.acquire(LOCK, PATIENCE).await.unwrap());
    let mut kazoo = Kazoo::connect(&server.root()).await;
    kazoo.until(json!(["children", LOCK]), json!([])).await;
    let told = tokio::time::timeout(PATIENCE, changes.next()).await.unwrap();
    assert!(matches!(told, Some(CountChange::Missed(_))), "{told:?}");
    assert!(changes.next().now_or_never().is_none());
}
