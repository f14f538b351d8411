//! What HAProxy says of each server, all the time.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, ensure};
use paasta_engine::JournalEntry;
use tokio::task::JoinHandle;

/// Between two looks.
const LOOK: Duration = Duration::from_millis(25);

/// When each port was in rotation: the times of the looks at which its status changed.
#[derive(Default)]
pub(super) struct Seen(BTreeMap<u16, Vec<(f64, bool)>>);

/// Looks until it is stopped.
pub(super) struct Watch {
    stop: tokio::sync::watch::Sender<bool>,
    looking: JoinHandle<Seen>,
}

impl Watch {
    pub(super) fn start(stats: SocketAddr) -> Self {
        let (stop, stopped) = tokio::sync::watch::channel(false);
        let looking = tokio::spawn(async move {
            let mut seen = Seen::default();
            while !*stopped.borrow() {
                if let Ok(csv) = crate::wire::get(stats, "/;csv;norefresh").await {
                    seen.look(now(), &String::from_utf8_lossy(&csv));
                }
                tokio::time::sleep(LOOK).await;
            }
            seen
        });
        Self { stop, looking }
    }

    pub(super) async fn stop(self) -> anyhow::Result<Seen> {
        self.stop.send_replace(true);
        self.looking.await.context("the watcher of HAProxy broke")
    }
}

impl Seen {
    fn look(&mut self, at: f64, csv: &str) {
        let mut up: BTreeMap<u16, bool> = self.0.keys().map(|port| (*port, false)).collect();
        for line in csv.lines() {
            let cells: Vec<&str> = line.split(',').collect();
            if let [name, server, ..] = cells[..]
                && name == "hello.main"
                && let Some(port) = server.rsplit(':').next().and_then(|port| port.parse().ok())
            {
                up.insert(port, cells.get(17).is_some_and(|status| status.starts_with("UP")));
            }
        }
        for (port, up) in up {
            let history = self.0.entry(port).or_default();
            if history.last().is_none_or(|(_, before)| *before != up) {
                history.push((at, up));
            }
        }
    }

    /// Every task of the service that the engine ended was out of rotation before: how many those were.
    pub(super) fn judge(&self, journal: &[JournalEntry]) -> anyhow::Result<usize> {
        let mut ports = BTreeMap::new();
        let mut ended = 0;
        for entry in journal.iter().filter(|entry| entry.note.app.as_str().starts_with("/hello.main.")) {
            let Some(task) = entry.note.task.as_ref().map(ToString::to_string) else { continue };
            match entry.note.kind.as_str() {
                "task_staged" => drop(ports.insert(task, port(entry))),
                "task_killing" => {
                    let Some(Some(port)) = ports.get(&task) else { continue };
                    let at = entry.note.at.seconds();
                    let history = self.0.get(port).map(Vec::as_slice).unwrap_or_default();
                    let before = history.iter().rev().find(|(seen, _)| *seen <= at);
                    let is_up = before.is_some_and(|(_, up)| *up);
                    ensure!(!is_up, "task {task} at port {port} was UP in HAProxy when the engine ended it");
                    ended += 1;
                }
                _ => {}
            }
        }
        Ok(ended)
    }
}

/// The first port that a task was given.
pub(super) fn port(entry: &JournalEntry) -> Option<u16> {
    let message = entry.note.message.as_deref()?;
    message.split(['[', ',', ']']).nth(1)?.trim().parse().ok()
}

fn now() -> f64 {
    std::time::UNIX_EPOCH.elapsed().unwrap_or_default().as_secs_f64()
}
