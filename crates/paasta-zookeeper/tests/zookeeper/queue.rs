//! The queue: entries of kazoo are worked on here, and the other way round.

use std::time::Duration;

use futures_util::FutureExt;
use paasta_core::Timestamp;
use paasta_zookeeper::{Idle, QueueError, QueueRecord, Take, TakenEntry, ZkQueue, ZooKeeper};
use serde_json::json;

use crate::kazoo::Kazoo;
use crate::place::options;
use crate::server::{PATIENCE, shared, until};

const ENTRIES: &str = "/paasta-deployd-queue/entries";
const LOCKS: &str = "/paasta-deployd-queue/locks";
const NOW: f64 = 1_500_000_010.0;

fn now() -> Timestamp {
    Timestamp::from_seconds(NOW)
}

fn record(instance: &str, bounce_by: f64) -> QueueRecord {
    let instance = instance.parse().expect("is an id");
    QueueRecord { bounce_by, ..QueueRecord::new(instance, "SoaFileWatcher", 1_500_000_001.0) }
}

async fn take(queue: &ZkQueue) -> TakenEntry {
    match queue.take(now()).await.expect("answers") {
        Take::Entry(taken) => *taken,
        Take::Nothing(idle) => panic!("{idle:?}"),
    }
}

async fn idle(queue: &ZkQueue) -> Idle {
    match queue.take(now()).await.expect("answers") {
        Take::Entry(taken) => panic!("{taken:?}"),
        Take::Nothing(idle) => idle,
    }
}

async fn place() -> Option<(String, Kazoo, ZkQueue)> {
    let hosts = shared()?.place().await;
    let queue = ZkQueue::new(&ZooKeeper::connect(&hosts, options()).expect("connects"), ZkQueue::DEPLOYD);
    Some((hosts.clone(), Kazoo::connect(&hosts).await, queue))
}

#[tokio::test(flavor = "multi_thread")]
async fn entries_are_byte_for_byte_those_of_the_original() {
    let Some((_, mut kazoo, queue)) = place().await else { return };
    queue.put(&QueueRecord { wait_until: 5.0, ..record("svc.main", 1_500_000_000.5) }).await.unwrap();
    let name = "entry-1500000000.500-0000000005.000-0000000000";
    assert_eq!(kazoo.ask(json!(["children", ENTRIES])).await, json!([name]));
    let text = r#"{"service": "svc", "instance": "main", "watcher": "SoaFileWatcher", "bounce_by": 1500000000.5, "wait_until": 5.0, "enqueue_time": 1500000001.0, "bounce_start_time": 1500000001.0, "failures": 0, "processed_count": 0}"#;
    assert_eq!(kazoo.ask(json!(["get", format!("{ENTRIES}/{name}")])).await, json!(text));

    let taken = take(&queue).await;
    let lock = kazoo.ask(json!(["get", format!("{LOCKS}/{name}")])).await;
    let id = lock.as_str().unwrap();
    assert!(id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit()), "{id}");
    taken.consume().await.unwrap();
    assert_eq!(kazoo.ask(json!(["children", ENTRIES])).await, json!([]));
    assert_eq!(kazoo.ask(json!(["children", LOCKS])).await, json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_hurries_most_comes_first_and_what_is_locked_or_waits_not_at_all() {
    let Some((_, mut kazoo, queue)) = place().await else { return };
    let theirs = json!({"service": "theirs", "instance": "main", "bounce_by": NOW - 7.0, "wait_until": NOW, "extra": 1});
    let name = kazoo.ask(json!(["queue_put", ENTRIES, theirs])).await;
    queue.put(&record("ours.main", NOW - 5.0)).await.unwrap();
    queue.put(&record("locked.main", NOW - 9.0)).await.unwrap();
    queue.put(&QueueRecord { wait_until: NOW + 60.5, ..record("later.main", NOW - 8.0) }).await.unwrap();
    let entries = queue.entries().await.unwrap();
    let locked = format!("{LOCKS}/{}", entries[0]);
    kazoo.ask(json!(["create", locked, "0123456789abcdef0123456789abcdef", false, true])).await;

    let first = take(&queue).await;
    assert_eq!(format!("{ENTRIES}/{}", first.name()), name.as_str().unwrap());
    assert_eq!(
        (first.record().instance.to_string().as_str(), first.record().watcher.as_str()),
        ("theirs.main", "unknown")
    );
    let second = take(&queue).await;
    assert_eq!(second.record().instance.to_string(), "ours.main");
    let nothing = idle(&queue).await;
    assert_eq!(nothing.until(), Some(Timestamp::from_seconds(NOW + 60.5)));

    // Given back, it is there again; whoever waits for the queue hears of it.
    first.release();
    nothing.changed(PATIENCE).await;
    until("the entry again", || async { matches!(queue.take(now()).await, Ok(Take::Entry(_))) }).await;
    second.consume().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_waits_hears_of_a_new_entry() {
    let Some((_, mut kazoo, queue)) = place().await else { return };
    let nothing = idle(&queue).await;
    assert_eq!(nothing.until(), None);
    let mut changed = Box::pin(nothing.changed(PATIENCE));
    assert!((&mut changed).now_or_never().is_none());
    let theirs = json!({"service": "theirs", "instance": "main", "bounce_by": NOW, "wait_until": NOW});
    kazoo.ask(json!(["queue_put", ENTRIES, theirs])).await;
    let begin = std::time::Instant::now();
    changed.await;
    assert!(begin.elapsed() < PATIENCE);
    take(&queue).await.consume().await.unwrap();
    idle(&queue).await.changed(Duration::ZERO).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_never_take_one_entry() {
    let Some((hosts, mut kazoo, queue)) = place().await else { return };
    let other = ZkQueue::new(&ZooKeeper::connect(&hosts, options()).unwrap(), ZkQueue::DEPLOYD);
    for number in 0..20 {
        queue.put(&record(&format!("svc.n{number}"), NOW)).await.unwrap();
    }
    let work = |queue: ZkQueue| async move {
        let mut done = vec![];
        while let Take::Entry(taken) = queue.take(now()).await.unwrap() {
            done.push(taken.record().instance.to_string());
            taken.consume().await.unwrap();
        }
        done
    };
    let (mut done, others) = tokio::join!(tokio::spawn(work(queue)), tokio::spawn(work(other)));
    let done = done.as_mut().unwrap();
    done.extend(others.unwrap());
    done.sort();
    let mut wanted: Vec<_> = (0..20).map(|number| format!("svc.n{number}")).collect();
    wanted.sort();
    assert_eq!(*done, wanted);
    kazoo.until(json!(["children", LOCKS]), json!([])).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entry_whose_lock_is_lost_stays() {
    let Some((_, mut kazoo, queue)) = place().await else { return };
    queue.put(&record("svc.main", NOW)).await.unwrap();
    let taken = take(&queue).await;
    let (name, lock) = (taken.name().clone(), format!("{LOCKS}/{}", taken.name()));
    kazoo.ask(json!(["delete", lock])).await;
    kazoo.ask(json!(["create", lock, "somebody else", false, true])).await;
    assert_eq!(taken.consume().await, Err(QueueError::Lost { entry: name.clone() }));
    assert_eq!(kazoo.ask(json!(["children", ENTRIES])).await, json!([name.as_str()]));
    assert_eq!(kazoo.ask(json!(["get", lock])).await, json!("somebody else"));
}

#[tokio::test(flavor = "multi_thread")]
async fn entries_that_cannot_be_read_are_set_aside_and_stop_nobody() {
    let Some((_, mut kazoo, queue)) = place().await else { return };
    let bad = ["entry-0000000001.000-0000000001.000-0000000007", "no-entry"];
    for name in bad {
        kazoo.ask(json!(["create", format!("{ENTRIES}/{name}"), "what is this?", false, false])).await;
    }
    queue.put(&record("svc.main", NOW)).await.unwrap();
    take(&queue).await.consume().await.unwrap();
    assert_eq!(kazoo.ask(json!(["children", "/paasta-deployd-queue/quarantine"])).await, json!(bad));
    for name in bad {
        let path = format!("/paasta-deployd-queue/quarantine/{name}");
        assert_eq!(kazoo.ask(json!(["get", path])).await, json!("what is this?"));
    }
    assert_eq!(kazoo.ask(json!(["children", ENTRIES])).await, json!([]));
    kazoo.until(json!(["children", LOCKS]), json!([])).await;
    let never = QueueRecord { bounce_by: 1e10, ..record("svc.main", NOW) };
    assert!(matches!(queue.put(&never).await, Err(QueueError::Time { key: "bounce_by", .. })));
}
