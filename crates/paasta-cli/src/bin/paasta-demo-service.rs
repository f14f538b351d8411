//! A small HTTP service to deploy: what `paasta demo` and the tests run.
//!
//! It listens on `PORT0`, `MARATHON_PORT` or `PORT`, whichever is set first, or on `--port`, and answers `/status` (health),
//! `/version`, `/pid`, `/requests`, and `/sleep/MILLISECONDS` after that time. Connections are kept if the client wants
//! that. On SIGTERM it takes no more of them, hangs up on those that wait, and finishes the requests it has.

use std::io;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use clap::Parser;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// A small HTTP service to deploy
#[derive(Parser, Debug)]
#[command(name = "paasta-demo-service", version)]
struct Args {
    /// What /version answers
    #[arg(long, value_name = "NAME", default_value = "unnamed")]
    version_name: String,
    /// Let /status answer 500 for ever
    #[arg(long)]
    unhealthy: bool,
    /// Let /status answer 500 while this file exists
    #[arg(long, value_name = "FILE")]
    unhealthy_while: Option<PathBuf>,
    /// Port to listen on, before what the environment says
    #[arg(long)]
    port: Option<u16>,
    /// Milliseconds that /version takes to answer
    #[arg(long, value_name = "MILLISECONDS", default_value_t = 0)]
    slow: u64,
}

/// A request's head may be this long.
const HEAD_BYTES_MAX: u64 = 16 * 1024;
/// A client that says nothing for this long is hung up on.
const IDLE_SECONDS_MAX: u64 = 60;
/// `/sleep` sleeps no longer.
const SLEEP_MILLISECONDS_MAX: u64 = 10_000;
/// Requests under way at SIGTERM get this long.
const FINISH_SECONDS_MAX: u64 = 3;

fn main() -> ExitCode {
    let args = Args::parse();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let served = runtime
        .context("could not start the async runtime")
        .and_then(|runtime| runtime.block_on(serve(args)));
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

struct Service {
    args: Args,
    requests: AtomicU64,
    stopped: watch::Receiver<bool>,
}

async fn serve(args: Args) -> anyhow::Result<()> {
    let port = port(&args)?;
    let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, port))
        .await
        .with_context(|| format!("could not listen on port {port}"))?;
    println!("{} listens on port {port}", args.version_name);
    let mut terminate = signal(SignalKind::terminate()).context("could not wait for SIGTERM")?;
    let (stop, stopped) = watch::channel(false);
    let service = Arc::new(Service { args, requests: AtomicU64::new(0), stopped });
    let mut open = JoinSet::new();
    loop {
        tokio::select! {
            _ = terminate.recv() => break,
            _ = open.join_next(), if !open.is_empty() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    let service = Arc::clone(&service);
                    // Whoever goes away in the middle has nobody to tell.
                    open.spawn(async move { drop(service.attend(stream).await) });
                }
                Err(error) => {
                    eprintln!("could not accept a connection: {error}");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            },
        }
    }
    drop(listener);
    stop.send_replace(true);
    println!(
        "{} ends after {} requests",
        service.args.version_name,
        service.requests.load(Ordering::Relaxed)
    );
    let finish = async { while open.join_next().await.is_some() {} };
    let _ = tokio::time::timeout(Duration::from_secs(FINISH_SECONDS_MAX), finish).await;
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "this is the program that reads it")]
fn port(args: &Args) -> anyhow::Result<u16> {
    if let Some(port) = args.port {
        return Ok(port);
    }
    let name = ["PORT0", "MARATHON_PORT", "PORT"].into_iter().find(|name| std::env::var_os(name).is_some());
    let name = name.context("none of PORT0, MARATHON_PORT and PORT is set")?;
    let value = std::env::var(name).with_context(|| format!("could not read {name}"))?;
    value.parse().with_context(|| format!("{name} is {value:?}, expected a port"))
}

impl Service {
    /// Answers one request after the other until either side has enough.
    async fn attend(&self, stream: TcpStream) -> io::Result<()> {
        let mut stream = BufReader::new(stream);
        loop {
            let mut stopped = self.stopped.clone();
            let asked = tokio::select! {
                asked = tokio::time::timeout(Duration::from_secs(IDLE_SECONDS_MAX), read_head(&mut stream)) => asked,
                _ = stopped.wait_for(|stopped| *stopped) => return Ok(()),
            };
            let Ok(Some(asked)) = asked? else { return Ok(()) };
            self.requests.fetch_add(1, Ordering::Relaxed);
            let (status, body) = self.respond(&asked.path).await;
            let keeps = asked.keeps && !*self.stopped.borrow();
            let text = format!(
                "HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nContent-Length: {}\r\nConnection: {}\r\n\r\n{body}",
                body.len(),
                if keeps { "keep-alive" } else { "close" },
            );
            stream.write_all(text.as_bytes()).await?;
            if !keeps {
                return stream.shutdown().await;
            }
        }
    }

    async fn respond(&self, path: &str) -> (&'static str, String) {
        match path {
            "/status" if self.is_unhealthy() => ("500 Internal Server Error", "not well\n".to_owned()),
            "/status" => ("200 OK", "fine\n".to_owned()),
            "/version" => {
                tokio::time::sleep(Duration::from_millis(self.args.slow)).await;
                ("200 OK", format!("{}\n", self.args.version_name))
            }
            "/pid" => ("200 OK", format!("{}\n", std::process::id())),
            "/requests" => ("200 OK", format!("{}\n", self.requests.load(Ordering::Relaxed))),
            _ => match path.strip_prefix("/sleep/").and_then(|text| text.parse().ok()) {
                Some(milliseconds) => {
                    let milliseconds = SLEEP_MILLISECONDS_MAX.min(milliseconds);
                    tokio::time::sleep(Duration::from_millis(milliseconds)).await;
                    ("200 OK", format!("{} {}\n", self.args.version_name, std::process::id()))
                }
                None => {
                    ("404 Not Found", "try /status, /version, /pid, /requests or /sleep/100\n".to_owned())
                }
            },
        }
    }

    fn is_unhealthy(&self) -> bool {
        self.args.unhealthy || self.args.unhealthy_while.as_ref().is_some_and(|file| file.exists())
    }
}

/// What is asked for.
struct Asked {
    path: String,
    /// Whether the client would ask again on this connection.
    keeps: bool,
}

/// Reads a head to its end, so that closing does not reset the connection. `None` where the client hung up.
async fn read_head(stream: &mut BufReader<TcpStream>) -> io::Result<Option<Asked>> {
    let mut head = stream.take(HEAD_BYTES_MAX);
    let mut line = String::new();
    if head.read_line(&mut line).await? == 0 {
        return Ok(None);
    }
    let mut words = line.split_whitespace().skip(1);
    let path = words.next().unwrap_or_default();
    let path = path.split('?').next().unwrap_or_default().to_owned();
    let mut keeps = words.next() == Some("HTTP/1.1");
    while line.trim_end() != "" {
        line.clear();
        if head.read_line(&mut line).await? == 0 {
            return Ok(None);
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("connection:") {
            keeps = value.trim() != "close" && (keeps || value.trim() == "keep-alive");
        }
    }
    Ok(Some(Asked { path, keeps }))
}
