//! Marathon's event stream as wake-ups (`GET /v2/events`, server-sent events).

use std::collections::VecDeque;
use std::time::Duration;

use futures_core::stream::BoxStream;
use futures_util::{StreamExt, stream};
use paasta_core::{AppId, Change};
use serde_json::Value;

use crate::client::Client;

/// Waits between two attempts to connect: the first, doubling up to the last.
const RECONNECT_SECONDS_FIRST: f64 = 0.25;
const RECONNECT_SECONDS_MAX: f64 = 15.0;
/// A longer event is not looked into: everything may have changed then.
const EVENT_BYTES_MAX: usize = 16 << 20;

/// Changes in one home, for ever.
pub(crate) fn changes(client: Client) -> BoxStream<'static, Change> {
    stream::unfold(Listener::new(client), |mut listener| async move {
        let change = listener.next().await;
        Some((change, listener))
    })
    .boxed()
}

struct Listener {
    client: Client,
    response: Option<reqwest::Response>,
    parser: Parser,
    ready: VecDeque<Change>,
    wait_seconds: f64,
    /// Whether the connection was ever lost or refused since the last change was told.
    missed: bool,
}

impl Listener {
    fn new(client: Client) -> Self {
        Self {
            client,
            response: None,
            parser: Parser::default(),
            ready: VecDeque::new(),
            wait_seconds: RECONNECT_SECONDS_FIRST,
            missed: false,
        }
    }

    async fn next(&mut self) -> Change {
        loop {
            if let Some(change) = self.ready.pop_front() {
                return change;
            }
            match self.response.as_mut() {
                None => self.connect().await,
                Some(response) => match response.chunk().await {
                    Ok(Some(bytes)) => {
                        self.wait_seconds = RECONNECT_SECONDS_FIRST;
                        self.ready.extend(self.parser.push(&bytes));
                    }
                    Ok(None) => self.lose("it ended").await,
                    Err(error) => self.lose(&crate::client::describe(&error)).await,
                },
            }
        }
    }

    async fn connect(&mut self) {
        match self.client.stream("/v2/events").await {
            Ok(response) => {
                self.response = Some(response);
                self.parser = Parser::default();
                if std::mem::take(&mut self.missed) {
                    self.ready.push_back(Change::Lost);
                }
            }
            Err(error) => {
                tracing::debug!(%error, "event stream not connected");
                self.missed = true;
                self.wait().await;
            }
        }
    }

    async fn lose(&mut self, reason: &str) {
        tracing::info!(endpoint = self.client.endpoint(), reason, "event stream lost");
        self.response = None;
        self.missed = true;
        self.wait().await;
    }

    async fn wait(&mut self) {
        tokio::time::sleep(Duration::from_secs_f64(self.wait_seconds)).await;
        self.wait_seconds = (self.wait_seconds * 2.0).min(RECONNECT_SECONDS_MAX);
    }
}

/// Server-sent events out of pieces of bytes.
#[derive(Default)]
struct Parser {
    line: Vec<u8>,
    data: Vec<u8>,
    overlong: bool,
}

impl Parser {
    fn push(&mut self, bytes: &[u8]) -> Vec<Change> {
        let mut changes = Vec::new();
        for &byte in bytes {
            match byte {
                b'\r' => {}
                b'\n' => {
                    self.end_line(&mut changes);
                    self.line.clear();
                }
                _ if self.line.len() + self.data.len() >= EVENT_BYTES_MAX => self.overlong = true,
                _ => self.line.push(byte),
            }
        }
        changes
    }

    fn end_line(&mut self, changes: &mut Vec<Change>) {
        if self.line.is_empty() {
            if std::mem::take(&mut self.overlong) {
                changes.push(Change::Lost);
            } else {
                changes.extend(changed_apps(&self.data).into_iter().map(Change::App));
            }
            self.data.clear();
        } else if let Some(data) = self.line.strip_prefix(b"data:") {
            if !self.data.is_empty() {
                self.data.push(b'\n');
            }
            self.data.extend_from_slice(data);
        }
    }
}

/// The apps an event is about, each once. Events about other things change nothing of ours.
fn changed_apps(data: &[u8]) -> Vec<AppId> {
    let Ok(event) = serde_json::from_slice::<Value>(data) else { return Vec::new() };
    let mut apps = Vec::new();
    for id in [&event["appId"], &event["runSpecId"], &event["appDefinition"]["id"]] {
        add(&mut apps, id);
    }
    let steps = event["plan"]["steps"].as_array().into_iter().flatten().chain([&event["currentStep"]]);
    for action in steps.flat_map(|step| step["actions"].as_array().into_iter().flatten()) {
        add(&mut apps, &action["app"]);
    }
    apps
}

fn add(apps: &mut Vec<AppId>, id: &Value) {
    let Some(id) = id.as_str() else { return };
    let id = AppId::new(id);
    if !id.as_str().contains('/') && !apps.contains(&id) {
        apps.push(id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn app(id: &str) -> Change {
        Change::App(AppId::new(id))
    }

    #[test]
    fn events_name_their_apps_however_they_are_cut() {
        let text = concat!(
            ": a comment\n\n",
            "event: status_update_event\r\ndata: {\"appId\":\"/a.b.c.d\",\"taskStatus\":\"TASK_RUNNING\"}\r\n\r\n",
            "event: subscribe_event\ndata: {\"callbackUrl\":\"x\"}\n\n",
            "event: deployment_success\ndata: {\"plan\":{\"steps\":[{\"actions\":[{\"app\":\"/e\"},",
            "{\"app\":\"/e\"},{\"app\":\"/folder/f\"}]}]}}\n\n",
            "data: {\"runSpecId\":\ndata: \"/g\"}\n\n",
            "data: not json\n\n",
        );
        for size in [1, 7, 1000] {
            let mut parser = Parser::default();
            let changes: Vec<Change> =
                text.as_bytes().chunks(size).flat_map(|piece| parser.push(piece)).collect();
            assert_eq!(changes, [app("a.b.c.d"), app("e"), app("g")], "{size}");
        }
    }

    #[test]
    fn an_overlong_event_says_look_at_everything() {
        let mut parser = Parser::default();
        let mut changes = parser.push(b"data: ");
        for _ in 0..17 {
            changes.extend(parser.push(&vec![b'x'; 1 << 20]));
        }
        changes.extend(parser.push(b"\n\ndata: {\"appId\":\"/a\"}\n\n"));
        assert_eq!(changes, [Change::Lost, app("a")]);
    }
}
