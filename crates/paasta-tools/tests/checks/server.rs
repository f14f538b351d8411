//! An HTTP server that plays back answers, by the beginning of what is asked for.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use serde_json::Value;

/// What a question is answered with.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    Says(String),
    Status(u16),
    /// The connection is taken, and nothing comes.
    Silent,
}

impl Answer {
    pub(crate) fn json(value: &Value) -> Self {
        Self::Says(value.to_string())
    }
}

#[derive(Clone, Default)]
pub(crate) struct Server {
    pub(crate) port: u16,
    answers: Arc<Mutex<BTreeMap<String, Answer>>>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Server {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = Self { port: listener.local_addr().unwrap().port(), ..Self::default() };
        let serving = server.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let serving = serving.clone();
                std::thread::spawn(move || serving.serve(&stream));
            }
        });
        server
    }

    /// Whatever begins so is answered like this; the longest beginning counts.
    pub(crate) fn answer(&self, path: &str, answer: Answer) {
        self.answers.lock().unwrap().insert(path.to_owned(), answer);
    }

    /// Everything that was asked for until now.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }

    fn serve(&self, stream: &TcpStream) {
        let (mut reader, mut head) = (BufReader::new(stream), String::new());
        while reader.read_line(&mut head).is_ok_and(|count| count > 2) {}
        let Some(path) = head.split(' ').nth(1) else { return };
        self.asked.lock().unwrap().push(path.to_owned());
        let answers = self.answers.lock().unwrap().clone();
        let best = answers.iter().filter(|(begin, _)| path.starts_with(begin.as_str()));
        let answer = best.max_by_key(|(begin, _)| begin.len()).map(|(_, answer)| answer.clone());
        let (status, body) = match answer.unwrap_or(Answer::Status(404)) {
            Answer::Says(body) => (200, body),
            Answer::Status(status) => (status, String::new()),
            // Until the other side has had enough.
            Answer::Silent => return drop((&mut &*stream).read(&mut [0])),
        };
        let kind = if body.starts_with(['{', '[']) { "application/json" } else { "text/plain" };
        let head = format!("content-type: {kind}\r\nconnection: close\r\ncontent-length: {}", body.len());
        let _ = (&mut &*stream).write_all(format!("HTTP/1.1 {status} .\r\n{head}\r\n\r\n{body}").as_bytes());
    }
}
