//! The check of copies over a thousand services: what it costs, and that each load balancer is asked once in a run.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, ensure};
use serde_json::{Value, json};

use super::measure::{self, Cost};
use super::tree::{self, Tree};
use super::{Bench, RUNS};

const SERVICES: usize = 1_000;
const REGIONS: [&str; 3] = ["east", "north", "west"];
const AGENTS_PER_REGION: usize = 100;
/// Servers of one service in one region's table.
const SERVERS: usize = 3;

/// One run over two instances of each service: `main` is counted in three regions, `canary` by its tasks.
pub(super) fn measure(bench: &Bench, scratch: &Path) -> anyhow::Result<Cost> {
    let asked = Arc::<Asked>::default();
    let port = serve(answers(), asked.clone())?;
    let tree = build(scratch, port)?;
    let program = "check_marathon_services_replication";
    let cost = measure::median(RUNS, || bench.command(program, &["-d", ".", "--json"], &tree))?;
    let runs = RUNS + 1;
    let asked = asked.0.lock().unwrap_or_else(PoisonError::into_inner);
    for (path, count) in asked.iter() {
        ensure!(*count == runs, "`{path}` was asked {count} times in {runs} runs");
    }
    let balancers = asked.keys().filter(|path| path.starts_with("/at/")).count();
    ensure!(balancers == REGIONS.len(), "{balancers} load balancers were asked, not one in each region");
    Ok(cost)
}

/// How often what was asked.
#[derive(Default)]
struct Asked(Mutex<BTreeMap<String, usize>>);

fn build(scratch: &Path, port: u16) -> anyhow::Result<Tree> {
    let tree = tree::build(scratch, SERVICES, &format!("http://127.0.0.1:{port}"))?;
    let write = |path: &Path, text: String| {
        fs::write(path, text).with_context(|| format!("could not write `{}`", path.display()))
    };
    for index in 0..SERVICES {
        let folder = tree.soa.join(tree::name(index));
        write(&folder.join("smartstack.yaml"), format!("main: {{proxy_port: {}}}\n", 20_000 + index))?;
        write(&folder.join("monitoring.yaml"), "team: bench\npage: false\n".to_owned())?;
    }
    let cli = scratch.join("mesos-cli.json");
    write(&cli, json!({"default": {"master": format!("127.0.0.1:{port}")}}).to_string())?;
    let file = tree.etc.join("paasta.json");
    let mut system: Value = serde_json::from_slice(&fs::read(&file).context("there is no system config")?)?;
    for (key, value) in [
        ("host_maintenance", json!("mesos")),
        ("mesos_config", json!({"path": cli})),
        ("synapse_port", json!(port)),
        (
            "synapse_haproxy_url_format",
            json!("http://127.0.0.1:{port}/at/{host}/;csv;norefresh;scope={scope}"),
        ),
        ("sensu_host", Value::Null),
    ] {
        system[key] = value;
    }
    write(&file, system.to_string())?;
    Ok(tree)
}

/// What is answered, by the beginning of what is asked for.
fn answers() -> Vec<(&'static str, String)> {
    let agent = |index: usize| {
        let region = REGIONS[index % REGIONS.len()];
        json!({
            "id": format!("S{index}"), "hostname": format!("agent{index:03}"), "pid": format!("slave(1)@10.0.0.1:{index}"),
            "active": true, "attributes": {"region": region, "pool": "default"}, "reserved_resources": {},
            "resources": {"cpus": 10.0, "mem": 10240.0, "disk": 102_400.0, "gpus": 0.0},
            "used_resources": {"cpus": 0.0, "mem": 0.0, "disk": 0.0, "gpus": 0.0},
        })
    };
    let agents: Vec<Value> = (0..REGIONS.len() * AGENTS_PER_REGION).map(agent).collect();
    let task = |index: usize| {
        json!({
            "id": format!("t{index}"), "appId": format!("/{}.canary.git0.config0", tree::name(index)), "host": "h",
            "ports": [31_000], "startedAt": "2026-01-01T00:00:00.000Z", "healthCheckResults": [{"alive": true}],
        })
    };
    let tasks: Vec<Value> = (0..SERVICES).map(task).collect();
    vec![
        ("/master/slaves", json!({"slaves": agents}).to_string()),
        ("/v2/tasks", json!({"tasks": tasks}).to_string()),
        ("/at/", table()),
    ]
}

/// As HAProxy 2 writes it: some eighty columns, most of them of no interest.
fn table() -> String {
    let many = ",0".repeat(60);
    let mut text =
        "# pxname,svname,qcur,qmax,scur,smax,status,weight,lastchg,check_status,check_code,check_duration"
            .to_owned();
    for column in 0..60 {
        let _ = write!(text, ",column{column}");
    }
    text.push_str(",\n");
    for index in 0..SERVICES {
        let name = tree::name(index);
        let _ = writeln!(text, "{name}.main,FRONTEND,0,0,0,1,OPEN,1,100,,,{many},");
        for server in 0..SERVERS {
            let address = format!("h{server}_10.0.{}.{}:31000", index / 250, index % 250);
            let _ = writeln!(text, "{name}.main,{address},0,0,0,1,UP,1,100,L7OK,200,5{many},");
        }
        let _ = writeln!(text, "{name}.main,BACKEND,0,0,0,1,UP,1,100,,,{many},");
    }
    text
}

fn serve(answers: Vec<(&'static str, String)>, asked: Arc<Asked>) -> anyhow::Result<u16> {
    let listener = TcpListener::bind("127.0.0.1:0").context("could not listen")?;
    let port = listener.local_addr()?.port();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            // Whoever hangs up is counted all the same, and then the counts are wrong.
            let _ = answer(&stream, &answers, &asked);
        }
    });
    Ok(port)
}

fn answer(stream: &TcpStream, answers: &[(&'static str, String)], asked: &Asked) -> std::io::Result<()> {
    let (mut reader, mut head) = (BufReader::new(stream), String::new());
    while reader.read_line(&mut head)? > 2 {}
    let path = head.split(' ').nth(1).unwrap_or_default();
    *asked.0.lock().unwrap_or_else(PoisonError::into_inner).entry(path.to_owned()).or_default() += 1;
    let body = answers.iter().find(|(begin, _)| path.starts_with(begin)).map(|(_, body)| body.as_str());
    let (status, body) = body.map_or((404, ""), |body| (200, body));
    let head = format!(
        "HTTP/1.1 {status} .\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    let mut stream = stream;
    stream.write_all(head.as_bytes())?;
    stream.write_all(body.as_bytes())
}
