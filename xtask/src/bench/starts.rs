//! Many apps at once: how fast they start through real passes, the gate and the engine's own program, and how many
//! deployments somebody else sees running meanwhile.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context, ensure};

use super::Bench;
use super::engine::Engine;
use super::measure::{self, Cost};
use super::tree;

/// Services with two instances each.
const SERVICES: usize = 250;
/// `marathon_deployments_max`, where the system configuration does not set it.
const DEPLOYMENTS_MAX: usize = 100;

/// One run of `deploy_marathon_services` that creates every app.
pub(super) fn apps(bench: &Bench, scratch: &Path) -> anyhow::Result<Cost> {
    let engine = Engine::start(bench, &scratch.join("engine"))?;
    let tree = tree::build(scratch, SERVICES, &format!("http://{}", engine.address))?;
    let over = Arc::new(AtomicBool::new(false));
    let poller = {
        let (over, address) = (over.clone(), engine.address);
        thread::spawn(move || most_deployments(address, &over))
    };
    let cost = measure::single(bench.command("deploy_marathon_services", &["-d", "."], &tree));
    over.store(true, Ordering::Relaxed);
    let most = poller.join().map_err(|_| anyhow::anyhow!("the poller broke off"))??;
    let cost = cost?;
    let apps = list(engine.address, "/v2/apps")?;
    let running = apps["apps"].as_array().map_or(0, |apps| {
        apps.iter()
            .filter(|app| app["tasksRunning"] == 1 && app["deployments"] == serde_json::json!([]))
            .count()
    });
    ensure!(running == 2 * SERVICES, "only {running} of {} apps run", 2 * SERVICES);
    ensure!(most <= DEPLOYMENTS_MAX, "{most} deployments ran at a time, at most {DEPLOYMENTS_MAX} may");
    let rate = (2 * SERVICES) as f64 / cost.wall.as_secs_f64();
    println!("{:<60} {rate:>7.1} /s, at most {most} deployments at a time", "  apps started");
    Ok(cost)
}

/// The most that were seen until it is over.
fn most_deployments(address: SocketAddr, over: &AtomicBool) -> anyhow::Result<usize> {
    let mut most = 0;
    while !over.load(Ordering::Relaxed) {
        most = most.max(list(address, "/v2/deployments")?.as_array().map_or(0, Vec::len));
        // A poll that never rests would be measured too.
        thread::sleep(Duration::from_millis(20));
    }
    Ok(most)
}

fn list(address: SocketAddr, path: &str) -> anyhow::Result<serde_json::Value> {
    let mut stream = TcpStream::connect(address).context("could not reach the engine")?;
    write!(stream, "GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n")?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n").context("no end of the headers")?;
    serde_json::from_slice(&answer[end + 4..]).with_context(|| format!("the answer to {path} is no JSON"))
}
