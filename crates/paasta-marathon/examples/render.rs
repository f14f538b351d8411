//! Renders every Marathon instance of a soa-configs tree, one JSON line each; without arguments, those of a small
//! built-in tree.
//!
//! `cargo run -p paasta-marathon --example render -- [SOA_DIR SYSTEM_CONFIG_DIR [AUTOSCALED_COUNTS]]`
//!
//! `AUTOSCALED_COUNTS` is a JSON file: path in the coordination service → count.

use std::error::Error;
use std::sync::Arc;

use paasta_config::{InstanceType, Memory, Soa, SystemConfig};
use paasta_core::{InstanceId, Reading, ServiceName};
use paasta_marathon::{MarathonRenderer, render_app};
use serde_json::{Value, json};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (soa, system) = match &arguments[..] {
        [soa, system, ..] => (Soa::open(soa).cached(), SystemConfig::load(system)?),
        _ => sample()?,
    };
    let counts: Value = match arguments.get(2) {
        Some(file) => serde_json::from_slice(&std::fs::read(file)?)?,
        None => json!({}),
    };
    let renderer = MarathonRenderer::from_system(system.map())?;
    let started = std::time::Instant::now();
    let mut rendered = 0;
    for service in soa.services()? {
        match soa.instances(&service, &system.cluster()?, InstanceType::Marathon) {
            Err(error) => println!("{}", failed(&service, None, error.class(), &error)),
            Ok(names) => {
                for name in names {
                    let id = InstanceId::new(service.clone(), name);
                    println!("{}", line(&soa, &system, &renderer, &counts, &id));
                    rendered += 1;
                }
            }
        }
    }
    eprintln!("{rendered} instances in {:?}", started.elapsed());
    Ok(())
}

fn sample() -> Result<(Soa, SystemConfig), Box<dyn Error>> {
    let tree = Memory::new()
        .with("hello/marathon-local.yaml", "main: {cpus: 0.1, instances: 2, env: {GREETING: hi}}\n")
        .with("hello/smartstack.yaml", "main: {proxy_port: 20001}\n")
        .with(
            "hello/deployments.json",
            r#"{"v1": {}, "v2": {
                "deployments": {"local.main": {"docker_image": "services-hello:paasta-0123456789abcdef",
                                               "git_sha": "0123456789abcdef"}},
                "controls": {"hello:local.main": {"desired_state": "start", "force_bounce": null}}}}"#,
        );
    let system = SystemConfig::from_json(
        r#"{"cluster": "local", "clusters": ["local"], "docker_registry": "registry.local", "volumes": [],
            "marathon_servers": [{"url": ["http://127.0.0.1:8080"], "user": "", "password": ""}]}"#,
    )?;
    Ok((Soa::new(Arc::new(tree)), system))
}

fn line(
    soa: &Soa,
    system: &SystemConfig,
    renderer: &MarathonRenderer,
    counts: &Value,
    id: &InstanceId,
) -> Value {
    let path = format!("/autoscaling/{}/{}/instances", id.service(), id.instance());
    let name = Some(id.instance().as_str());
    let wanted = match soa.wanted(id, system, Reading::Known(counts[&path].as_i64())) {
        Ok(wanted) => wanted,
        Err(error) => return failed(id.service(), name, error.class(), &error),
    };
    match render_app(&wanted) {
        Err(error) => failed(id.service(), name, error.class, &error),
        Ok(app) => json!({
            "service": id.service(),
            "instance": name,
            "app_id": app.app,
            "config_hash": app.config_hash,
            "hash_input": app.hash_input,
            "app": serde_json::from_str::<Value>(&app.body).unwrap_or_default(),
            "shard": renderer.shard(&wanted).ok(),
            "prev_shards": renderer.previous_shards(&wanted).ok(),
        }),
    }
}

fn failed(service: &ServiceName, instance: Option<&str>, class: &str, error: &dyn Error) -> Value {
    let mut message = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        message = format!("{message}: {error}");
        cause = error.source();
    }
    json!({"service": service, "instance": instance, "error": {"class": class, "message": message}})
}
