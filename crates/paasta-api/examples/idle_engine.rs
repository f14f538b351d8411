//! Serves the API over an engine that runs nothing yet, and asks it how the one instance does.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use async_trait::async_trait;
use futures_core::stream::BoxStream;
use paasta_api::{ApiState, router, serve};
use paasta_api_client::{ApiClient, StatusQuery, Timeouts};
use paasta_config::{Memory, RenderError, Renderer, Soa, SystemConfig, Wanted};
use paasta_core::{
    Action, AppId, Applied, Change, Counts, Engine, EngineError, Fleet, HomeId, Homes, InstanceId, LogStream,
    LogTail, Reading, Rendered, Sighting, SystemClock, TaskId, TaskLog,
};

/// An engine, a renderer and a counter in one: nothing runs, one task is wanted, nothing is scaled.
struct Idle;

#[async_trait]
impl Engine for Idle {
    async fn observe(&self, _: &InstanceId, homes: &Homes) -> Sighting {
        let nothing = |home: &HomeId| (home.clone(), Reading::Known(Vec::new()));
        Sighting { homes: homes.all().map(nothing).collect(), leaving_hosts: Reading::Known(BTreeSet::new()) }
    }

    async fn observe_all(&self) -> Fleet {
        Fleet { homes: BTreeMap::new(), leaving_hosts: Reading::Known(BTreeSet::new()) }
    }

    async fn apply(&self, _: &Action) -> Result<Applied, EngineError> {
        Err(EngineError::Unsupported("this engine does nothing".to_owned()))
    }

    fn changes(&self) -> BoxStream<'static, Change> {
        Box::pin(futures_util::stream::pending())
    }

    async fn task_log(&self, task: &TaskId, _: LogStream, _: LogTail) -> Result<TaskLog, EngineError> {
        Err(EngineError::NotFound { what: format!("task `{task}`") })
    }
}

impl Renderer for Idle {
    fn render(&self, wanted: &Wanted) -> Result<Rendered, RenderError> {
        let sha: String = wanted.deployment.git_sha.chars().take(8).collect();
        Ok(Rendered {
            app: AppId::new(format!("{}.git{sha}.config00000000", wanted.id.short_id())),
            config_hash: "config00000000".to_owned(),
            hash_input: String::new(),
            body: "{}".to_owned(),
            instances: 1,
            homes: Homes { current: HomeId::new("nowhere"), previous: Vec::new() },
        })
    }
}

#[async_trait]
impl Counts for Idle {
    async fn count(&self, _: &InstanceId) -> Reading<Option<i64>> {
        Reading::Known(None)
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let deployments = r#"{"v2": {"deployments": {"pnw.main": {"docker_image": "web:1", "git_sha": "0123456789"}},
        "controls": {"web:pnw.main": {"desired_state": "start", "force_bounce": null}}}}"#;
    let tree =
        Memory::new().with("web/marathon-pnw.yaml", "main: {}\n").with("web/deployments.json", deployments);
    let state = ApiState {
        cluster: "pnw".parse()?,
        soa: Soa::new(Arc::new(tree)),
        system: SystemConfig::from_json(r#"{"cluster": "pnw", "clusters": ["pnw"]}"#)?,
        renderer: Arc::new(Idle),
        engine: Arc::new(Idle),
        drains: Arc::new(paasta_drain::DrainTools::new("example", "1")?),
        discovery: None,
        limits: paasta_setup::Limits::default(),
        counts: Arc::new(Idle),
        clock: Arc::new(SystemClock),
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    tokio::spawn(serve(listener, router(state), std::future::pending()));
    let api = ApiClient::new("pnw".parse()?, &url, Timeouts::default())?;
    let status = api.status(&"web.main".parse()?, StatusQuery::default()).await?;
    println!("{}", serde_json::to_string_pretty(&status)?);
    Ok(())
}
