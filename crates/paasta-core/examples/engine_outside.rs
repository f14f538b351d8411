//! An engine as a stranger would write one: apps in memory, no tasks. Creates an app and looks at it.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::sync::Mutex;
use std::task::{Context, Poll, Waker};

use async_trait::async_trait;
use futures_core::stream::BoxStream;
use paasta_core::{
    Action, App, Applied, Change, Engine, EngineError, Fleet, HomeId, Homes, InstanceId, LogStream, LogTail,
    Reading, Sighting, TaskId, TaskLog,
};

#[derive(Default)]
struct Paper {
    apps: Mutex<Vec<App>>,
}

impl Paper {
    fn apps(&self) -> Vec<App> {
        self.apps.lock().map(|apps| apps.clone()).unwrap_or_default()
    }
}

fn home() -> HomeId {
    HomeId::new("paper")
}

#[async_trait]
impl Engine for Paper {
    async fn observe(&self, instance: &InstanceId, homes: &Homes) -> Sighting {
        self.observe_all().await.of(instance, homes.all())
    }

    async fn observe_all(&self) -> Fleet {
        let homes = BTreeMap::from([(home(), Reading::Known(self.apps()))]);
        Fleet { homes, leaving_hosts: Reading::Known(BTreeSet::new()) }
    }

    async fn apply(&self, action: &Action) -> Result<Applied, EngineError> {
        let Action::Create { app, .. } = action else {
            return Err(EngineError::Unsupported("paper only takes new apps".to_owned()));
        };
        if self.apps().iter().any(|known| known.id == *app) {
            return Ok(Applied::Conflict(format!("app {app} is there already")));
        }
        let new = App {
            id: app.clone(),
            home: home(),
            instances: 0,
            tasks: vec![],
            checks: None,
            deploying: false,
            launch: None,
            last_failure: None,
        };
        if let Ok(mut apps) = self.apps.lock() {
            apps.push(new);
        }
        Ok(Applied::Done)
    }

    fn changes(&self) -> BoxStream<'static, Change> {
        Box::pin(Nothing)
    }

    async fn task_log(&self, task: &TaskId, _: LogStream, _: LogTail) -> Result<TaskLog, EngineError> {
        Err(EngineError::NotFound { what: format!("task {task}") })
    }
}

/// A stream that never says anything.
struct Nothing;

impl futures_core::Stream for Nothing {
    type Item = Change;

    fn poll_next(self: std::pin::Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Change>> {
        Poll::Pending
    }
}

/// Nothing here waits, so one poll is enough and no runtime is needed.
fn now_or_never<T>(future: impl Future<Output = T>) -> Option<T> {
    match std::pin::pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => Some(value),
        Poll::Pending => None,
    }
}

fn main() {
    let paper = Paper::default();
    let app = paasta_core::AppId::new("svc.main.git01234567.config89abcdef");
    let create = Action::Create { home: home(), app, body: "{}".to_owned() };
    println!("first:  {:?}", now_or_never(paper.apply(&create)));
    println!("second: {:?}", now_or_never(paper.apply(&create)));
    let instance: InstanceId = match "svc.main".parse() {
        Ok(instance) => instance,
        Err(error) => return eprintln!("{error}"),
    };
    let homes = Homes { current: home(), previous: vec![] };
    if let Some(sighting) = now_or_never(paper.observe(&instance, &homes)) {
        println!("seen:   {:?}", sighting.apps().map(|app| &app.id).collect::<Vec<_>>());
    }
}
