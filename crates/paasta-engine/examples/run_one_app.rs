//! Runs one small app on an embedded engine until it answers, prints its log, then stops it:
//! `cargo run -p paasta-engine --example run_one_app`.

use std::sync::Arc;
use std::time::{Duration, Instant};

use paasta_engine::{Config, DirectoryArtifacts, EngineServer};
use serde_json::{Value, json};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let root = tempfile::tempdir()?;
    let artifacts = root.path().join("artifacts");
    let checkout = artifacts.join("paasta-0123abc");
    std::fs::create_dir_all(&checkout)?;
    std::fs::write(checkout.join("greeting"), "hello from the checkout\n")?;

    let config = Config::new(root.path().join("state"), Arc::new(DirectoryArtifacts::new(&artifacts)));
    let engine = EngineServer::start(config).await?;
    let base = format!("http://{}", engine.address());

    let client = plain_client()?;
    let app = json!({
        "id": "example.main.git0123abc.config1",
        "cmd": "cat greeting; echo listening on $MARATHON_PORT; exec sleep 600",
        "instances": 1,
        "container": {"type": "DOCKER", "docker": {"image": "registry/services-example:paasta-0123abc"}},
    });
    let created: Value = client.post(format!("{base}/v2/apps")).json(&app).send().await?.json().await?;
    println!("created {}", created["id"]);

    let deadline = Instant::now() + Duration::from_secs(10);
    let task = loop {
        let answer: Value = client.get(format!("{base}/v2/tasks")).send().await?.json().await?;
        if answer["tasks"][0]["state"] == "TASK_RUNNING" {
            break answer["tasks"][0]["id"].as_str().unwrap_or_default().to_owned();
        }
        if Instant::now() > deadline {
            return Err("the task did not start".into());
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    loop {
        let log = format!("{base}/paasta/tasks/{task}/log");
        let log: Value = client.get(log).send().await?.json().await?;
        let lines = log["lines"].as_array().map_or(0, Vec::len);
        if lines >= 2 || Instant::now() > deadline {
            println!("task {task} says {}", log["lines"]);
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    engine.kill_all(Duration::from_secs(10)).await?;
    println!("all tasks are gone");
    engine.shutdown().await;
    Ok(())
}

/// A client for loopback: no TLS provider of the process is needed.
fn plain_client() -> Result<reqwest::Client, Box<dyn std::error::Error>> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    Ok(reqwest::Client::builder().tls_backend_preconfigured(tls).no_proxy().build()?)
}
