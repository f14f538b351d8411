//! A network that loses connections, answers and everything.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::FutureExt;
use paasta_core::{Fence, Locks};
use paasta_zookeeper::{Options, ZkLocks, ZooKeeper};
use serde_json::json;

use crate::kazoo::Kazoo;
use crate::place::options;
use crate::proxy::{Network, Proxy};
use crate::server::{PATIENCE, shared, until};

const LOCK: &str = "/bounce/web.main";
/// How often connections are cut.
const CUTS: usize = 25;

fn place_behind(proxy: &Proxy, hosts: &str) -> String {
    let (_, path) = hosts.split_once('/').expect("a path");
    format!("{}/{path}", proxy.root())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_fence_is_shut_before_anybody_else_can_have_the_lock() {
    let Some(server) = shared() else { return };
    let hosts = server.place().await;
    let proxy = Proxy::start(server.root()).await;
    let zookeeper = ZooKeeper::connect(&place_behind(&proxy, &hosts), options()).unwrap();
    let mut kazoo = Kazoo::connect(&hosts).await;
    let locks = ZkLocks::new(&zookeeper);
    let guard = locks.acquire(LOCK, PATIENCE).await.unwrap();
    let fence = zookeeper.fence();
    fence.check().unwrap();
    assert_eq!(kazoo.ask(json!(["start_acquire", "k", LOCK, 60, ""])).await, json!(true));
    kazoo.until(json!(["contenders", LOCK]), json!(["", ""])).await;

    proxy.set(Network::Frozen);
    let mut theirs = Box::pin(kazoo.ask(json!(["finish_acquire", "k"])));
    until("a shut fence", || async { fence.check().is_err() }).await;
    assert!((&mut theirs).now_or_never().is_none(), "nobody else has it yet");
    assert_eq!(theirs.await, json!(true), "the session expired");
    assert!(fence.check().is_err());

    proxy.set(Network::Well);
    // A new session is there, but the lock that we believe to hold is somebody else's.
    let other = "/bounce/other.main";
    drop(locks.acquire(other, PATIENCE).await);
    until("a new session", || async { locks.acquire(other, PATIENCE).await.is_ok() }).await;
    assert!(fence.check().unwrap_err().0.contains("is over"));
    drop(guard);
    until("an open fence", || async { fence.check().is_ok() }).await;
    kazoo.ask(json!(["release", "k"])).await;
    kazoo.until(json!(["children", LOCK]), json!([])).await;
    kazoo.until(json!(["children", other]), json!([])).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lost_connections_and_answers_let_nobody_in_twice_and_leave_no_node_behind() {
    let Some(server) = shared() else { return };
    let hosts = server.place().await;
    let proxy = Proxy::start(server.root()).await;
    // A session that outlives all of it: only then a node that is left behind stays.
    let patient =
        Options { request_timeout: PATIENCE, ..Options::with_session_timeout(Duration::from_secs(10)) };
    let inside = Arc::new(AtomicUsize::new(0));
    let taken = Arc::new(AtomicUsize::new(0));
    let mut workers = vec![];
    let mut handles = vec![];
    for _ in 0..3 {
        let zookeeper = ZooKeeper::connect(&place_behind(&proxy, &hosts), patient).unwrap();
        let (inside, taken, locks) = (inside.clone(), taken.clone(), ZkLocks::new(&zookeeper));
        handles.push(zookeeper);
        workers.push(tokio::spawn(async move {
            let mut turn = 0;
            loop {
                turn += 1;
                // Now and then one that does not wait to the end.
                let wait = if turn % 3 == 0 { Duration::from_millis(5) } else { PATIENCE };
                let Ok(guard) = locks.acquire(LOCK, wait).await else { continue };
                assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0, "somebody else is inside");
                tokio::task::yield_now().await;
                inside.fetch_sub(1, Ordering::SeqCst);
                drop(guard);
                taken.fetch_add(1, Ordering::SeqCst);
            }
        }));
    }
    for cut in 0..CUTS {
        let before = taken.load(Ordering::SeqCst);
        until("work between two cuts", || async { taken.load(Ordering::SeqCst) > before }).await;
        if cut % 2 == 0 {
            proxy.set(Network::Mute);
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        proxy.cut();
        proxy.set(Network::Well);
        assert!(workers.iter().all(|worker| !worker.is_finished()), "all still work");
    }
    // Given up wherever they are.
    workers.iter().for_each(tokio::task::JoinHandle::abort);
    let mut kazoo = Kazoo::connect(&hosts).await;
    kazoo.until(json!(["children", LOCK]), json!([])).await;
    drop(handles);
}
