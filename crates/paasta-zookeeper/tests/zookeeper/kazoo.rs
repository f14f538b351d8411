//! kazoo, driven from here.

use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use crate::server::PATIENCE;

/// A Python process with a session of its own.
pub(crate) struct Kazoo {
    _child: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
}

impl Kazoo {
    pub(crate) async fn connect(hosts: &str) -> Self {
        let mut child = Command::new("python3")
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/zookeeper/kazoo_peer.py"))
            .args([hosts, "10"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("python3 runs");
        let output = BufReader::new(child.stdout.take().expect("is piped")).lines();
        let mut kazoo = Self { input: child.stdin.take().expect("is piped"), _child: child, output };
        assert_eq!(kazoo.answer().await, json!("ready"));
        kazoo
    }

    pub(crate) async fn ask(&mut self, question: Value) -> Value {
        self.input.write_all(format!("{question}\n").as_bytes()).await.expect("kazoo lives");
        self.answer().await
    }

    /// Asks until the answer is this.
    pub(crate) async fn until(&mut self, question: Value, wanted: Value) {
        let begin = std::time::Instant::now();
        loop {
            let got = self.ask(question.clone()).await;
            if got == wanted {
                return;
            }
            assert!(begin.elapsed() < PATIENCE, "{question} is {got}, not {wanted}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    async fn answer(&mut self) -> Value {
        let line = tokio::time::timeout(PATIENCE, self.output.next_line()).await.expect("kazoo answers");
        let line = line.expect("is text").expect("kazoo lives: see its traceback");
        serde_json::from_str(&line).expect("is JSON")
    }
}
