//! Locks: kazoo and we exclude each other.

use std::time::Duration;

use paasta_core::{Fence, LockError, Locks};
use paasta_zookeeper::{Options, ZkLocks, ZooKeeper};
use serde_json::json;

use crate::kazoo::Kazoo;
use crate::place::options;
use crate::server::{PATIENCE, shared};

const PATH: &str = "/bounce/web.main";

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_excludes_kazoo_in_both_directions() {
    let Some(server) = shared() else { return };
    let hosts = server.place().await;
    let mut kazoo = Kazoo::connect(&hosts).await;
    let zookeeper = ZooKeeper::connect(&format!("zk://{hosts}"), options()).unwrap();
    let locks = ZkLocks::new(&zookeeper);

    assert_eq!(kazoo.ask(json!(["acquire", "k", PATH, 10, ""])).await, json!(true));
    let held = locks.acquire(PATH, Duration::from_millis(100)).await.unwrap_err();
    assert_eq!(held, LockError::Held { name: PATH.to_owned() });

    // It is handed over as soon as it is released.
    let waiter = {
        let locks = locks.clone();
        tokio::spawn(async move { locks.acquire(PATH, PATIENCE).await })
    };
    kazoo.until(json!(["contenders", PATH]), json!(["", ""])).await;
    kazoo.ask(json!(["release", "k"])).await;
    let guard = waiter.await.unwrap().unwrap();
    zookeeper.fence().check().unwrap();

    assert_eq!(kazoo.ask(json!(["acquire", "k", PATH, 0.2, ""])).await, json!(false));
    assert_eq!(kazoo.ask(json!(["start_acquire", "k", PATH, 30, ""])).await, json!(true));
    drop(guard);
    assert_eq!(kazoo.ask(json!(["finish_acquire", "k"])).await, json!(true));
    kazoo.ask(json!(["release", "k"])).await;

    kazoo.until(json!(["children", PATH]), json!([])).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn contenders_of_both_kinds_are_served_in_order() {
    let Some(server) = shared() else { return };
    let hosts = server.place().await;
    let mut kazoo = Kazoo::connect(&hosts).await;
    let ours = [0, 1].map(|_| ZooKeeper::connect(&hosts, options()).unwrap());
    let first = ZkLocks::new(&ours[0]).acquire(PATH, PATIENCE).await.unwrap();

    assert_eq!(kazoo.ask(json!(["start_acquire", "k", PATH, 60, "kazoo"])).await, json!(true));
    kazoo.until(json!(["contenders", PATH]), json!(["", "kazoo"])).await;
    let locks = ZkLocks::new(&ours[1]);
    let mut third = tokio::spawn(async move { locks.acquire(PATH, PATIENCE).await });
    kazoo.until(json!(["contenders", PATH]), json!(["", "kazoo", ""])).await;
    drop(first);
    assert_eq!(kazoo.ask(json!(["finish_acquire", "k"])).await, json!(true));
    kazoo.until(json!(["contenders", PATH]), json!(["kazoo", ""])).await;
    assert!(futures_util::FutureExt::now_or_never(&mut third).is_none(), "kazoo holds");
    kazoo.ask(json!(["release", "k"])).await;
    drop(third.await.unwrap().unwrap());
    kazoo.until(json!(["children", PATH]), json!([])).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attempt_that_is_given_up_leaves_nothing_behind() {
    let Some(server) = shared() else { return };
    let hosts = server.place().await;
    let mut kazoo = Kazoo::connect(&hosts).await;
    let zookeeper = ZooKeeper::connect(&hosts, options()).unwrap();
    let locks = ZkLocks::new(&zookeeper);
    let guard = locks.acquire(PATH, PATIENCE).await.unwrap();
    // Wherever each has got to.
    for steps in 0..20 {
        let mut attempt = locks.acquire(PATH, PATIENCE);
        for _ in 0..steps {
            assert!(futures_util::FutureExt::now_or_never(&mut attempt).is_none());
            tokio::task::yield_now().await;
        }
    }
    kazoo.until(json!(["contenders", PATH]), json!([""])).await;
    drop(guard);
    kazoo.until(json!(["children", PATH]), json!([])).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn closing_frees_what_is_held_at_once() {
    let Some(server) = shared() else { return };
    let hosts = server.place().await;
    let mut kazoo = Kazoo::connect(&hosts).await;
    let zookeeper = ZooKeeper::connect(&hosts, Options::with_session_timeout(PATIENCE)).unwrap();
    let locks = ZkLocks::new(&zookeeper);
    let guard = locks.acquire(PATH, PATIENCE).await.unwrap();
    zookeeper.close().await;
    assert_eq!(kazoo.ask(json!(["children", PATH])).await, json!([]));
    assert!(zookeeper.fence().check().is_err());
    let again = locks.acquire(PATH, Duration::ZERO).await.unwrap_err();
    assert!(again.to_string().contains("closed"), "{again}");
    drop(guard);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_servers_a_lock_is_unavailable_not_held() {
    let quick = Options { request_timeout: Duration::from_millis(300), ..options() };
    let zookeeper = ZooKeeper::connect("127.0.0.1:1/paasta", quick).unwrap();
    let error = ZkLocks::new(&zookeeper).acquire(PATH, PATIENCE).await.unwrap_err();
    assert!(matches!(error, LockError::Unavailable { .. }), "{error}");
    assert!(error.to_string().contains("127.0.0.1:1/paasta"), "{error}");
    assert!(zookeeper.fence().check().unwrap_err().0.contains("no server answers"));
}
