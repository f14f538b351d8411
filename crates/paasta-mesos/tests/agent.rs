//! What agents are asked of tasks: what they use, and what they wrote. Against agents that play back answers, and against some
//! that are silent.

#![expect(clippy::unwrap_used, reason = "a test stops where something is missing")]

mod stub;

use std::time::{Duration, Instant};

use paasta_mesos::{Agent, MesosAgent, MesosError, TailError, Tails, Usage, statistics_of};
use stub::{IMPATIENCE, Manner, PATIENCE, Stub, answer};

const STATE: &str = r#"{"frameworks": [{"name": "marathon", "executors": [
    {"id": "web.main.a.b.one", "directory": "/d/one", "tasks": [{"id": "web.main.a.b.one", "state": "TASK_RUNNING"}]},
    {"id": "web.main.a.b.two", "directory": "/d/two", "tasks": [{"id": "web.main.a.b.two", "state": "TASK_RUNNING"}]}]}]}"#;
const STATISTICS: &str =
    r#"[{"executor_id": "web.main.a.b.one", "statistics": {"mem_limit_bytes": 100, "mem_rss_bytes": 50}}]"#;

fn says(body: &str) -> Manner {
    Manner::Says(answer("200 OK", "", body))
}

fn agent(id: &str, address: &str) -> Agent {
    let text =
        format!(r#"{{"id": "{id}", "hostname": "{id}", "pid": "slave(1)@{address}", "resources": {{}}}}"#);
    serde_json::from_str(&text).unwrap()
}

/// An agent with these files.
async fn with_files(files: &[(&str, &str)]) -> (Stub, MesosAgent) {
    let files = files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect();
    let stub =
        Stub::with_paths(&[("/slave(1)/state", says(STATE)), ("/files/read", Manner::Files(files))]).await;
    let agent = MesosAgent::of(&agent("S1", &stub.address), "http", PATIENCE).await.unwrap();
    (stub, agent)
}

#[tokio::test]
async fn what_a_task_uses_is_what_its_agent_says() {
    let stub =
        Stub::with_paths(&[("/monitor/statistics", says(STATISTICS)), ("/slave(1)/state", says(STATE))])
            .await;
    let asked = MesosAgent::of(&agent("S1", &stub.address), "http", PATIENCE).await.unwrap();
    let statistics = asked.statistics().await.unwrap();
    let state = asked.state().await.unwrap();
    let task = |id: &str| state.executor_of(id).unwrap().tasks[0].clone();
    assert_eq!(Usage::of(&task("web.main.a.b.one"), &statistics).mem_percent(), Some(50.0));
    assert_eq!(Usage::of(&task("web.main.a.b.two"), &statistics), Usage::default());
}

/// Half of the agents say nothing: the others count, and the silent ones are known as silent, in bounded time.
#[tokio::test]
async fn silent_agents_hold_up_nobody_and_are_not_taken_for_idle() {
    let (silent, speaking) = (Stub::start(Manner::Silent).await, Stub::start(says(STATISTICS)).await);
    let agents: Vec<Agent> = (0..40)
        .map(|n| agent(&format!("S{n}"), if n % 2 == 0 { &silent.address } else { &speaking.address }))
        .collect();
    let begun = Instant::now();
    let told = statistics_of(&agents, "http", IMPATIENCE).await;
    assert_eq!((told.len(), told.values().filter(|one| one.is_ok()).count()), (40, 20));
    for error in told.values().filter_map(|one| one.as_ref().err()) {
        let text = error.to_string();
        assert!(
            text.starts_with("could not reach the Mesos agent at http://")
                && text.contains("no answer in time"),
            "{text}"
        );
    }
    assert!(begun.elapsed() < Duration::from_secs(30), "all at one time");
}

#[tokio::test]
async fn the_last_lines_are_read_backwards() {
    let long: String = (0..20_000).map(|n| format!("line {n}\n")).collect();
    let (stub, agent) = with_files(&[("/d/one/stdout", &long), ("/d/one/stderr", "é\nno line break")]).await;
    let tails = agent.task_tails("web.main.a.b.one", 3).await.unwrap();
    let lines = |text: &[&str]| Some(text.iter().map(|line| (*line).to_owned()).collect::<Vec<_>>());
    assert_eq!(
        tails,
        Tails {
            stdout: lines(&["line 19997", "line 19998", "line 19999"]),
            stderr: lines(&["é", "no line break"])
        }
    );
    assert!(stub.asked().len() < 8, "{} requests for three lines", stub.asked().len());
    let all = agent.tail("/d/one/stdout", 100_000).await.unwrap().unwrap();
    assert_eq!((all.len(), all[0].as_str()), (20_000, "line 0"));
    assert_eq!(agent.tail("/d/one/stdout", 0).await.unwrap(), lines(&[]));
    assert_eq!(agent.tail("/d/none", 3).await.unwrap(), None);
    let (_stub, agent) = with_files(&[("/d/one/stderr", "x\n")]).await;
    let tails = agent.task_tails("web.main.a.b.one", 3).await.unwrap();
    assert_eq!(tails, Tails { stdout: None, stderr: lines(&["x"]) });
}

#[tokio::test]
async fn why_there_are_no_lines_is_told_by_the_end_of_the_tasks_id() {
    let (_stub, asked) = with_files(&[]).await;
    assert_eq!(
        asked.task_tails("web.main.a.b.one", 3).await,
        Err(TailError::NoFiles { task: "one".to_owned() })
    );
    assert_eq!(
        asked.task_tails("web.main.a.b.nobody", 3).await,
        Err(TailError::NoTask { task: "nobody".to_owned() })
    );
    let silent = Stub::start(Manner::Silent).await;
    let asked = MesosAgent::of(&agent("S1", &silent.address), "http", IMPATIENCE).await.unwrap();
    let error = asked.task_tails("web.main.a.b.one", 3).await.unwrap_err();
    assert!(
        matches!(&error, TailError::Agent { task, source: MesosError::Unreachable { .. } } if task == "one"),
        "{error:?}"
    );
    let asked = MesosAgent::of(&agent("S1", &silent.address), "http", PATIENCE).await.unwrap();
    let error = asked.task_tails("web.main.a.b.one", 3).await.unwrap_err();
    assert_eq!(error, TailError::OutOfTime { task: "one".to_owned(), seconds: 10 });
}

#[tokio::test]
async fn folders_are_listed() {
    let listing =
        r#"[{"path": "/d/one/stdout", "size": 12, "mode": "-rw-r--r--", "nlink": 1, "mtime": 1.5}]"#;
    let stub = Stub::with_paths(&[("/files/browse", says(listing))]).await;
    let asked = MesosAgent::of(&agent("S1", &stub.address), "http", PATIENCE).await.unwrap();
    let files = asked.browse("/d/one two").await.unwrap().unwrap();
    assert_eq!((files[0].path.as_str(), files[0].size), ("/d/one/stdout", 12));
    assert!(stub.asked()[0].starts_with("GET /files/browse.json?path=%2Fd%2Fone+two "), "{:?}", stub.asked());
}
