//! A small HTTP service to deploy: what `paasta demo` and the tests run.
//!
//! It listens on `PORT0`, `MARATHON_PORT` or `PORT`, whichever is set first, or on `--port`, and answers `/status` (health),
//! `/version`, `/pid` and `/requests`. On SIGTERM it takes no more connections and finishes the requests it has.

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
const REQUEST_SECONDS_MAX: u64 = 5;
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
}

async fn serve(args: Args) -> anyhow::Result<()> {
    let port = port(&args)?;
    let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, port))
        .await
        .with_context(|| format!("could not listen on port {port}"))?;
    println!("{} listens on port {port}", args.version_name);
    let mut terminate = signal(SignalKind::terminate()).context("could not wait for SIGTERM")?;
    let service = Arc::new(Service { args, requests: AtomicU64::new(0) });
    let mut open = JoinSet::new();
    loop {
        tokio::select! {
            _ = terminate.recv() => break,
            _ = open.join_next(), if !open.is_empty() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    let service = Arc::clone(&service);
                    open.spawn(async move {
                        let patience = Duration::from_secs(REQUEST_SECONDS_MAX);
                        // Whoever goes away in the middle has nobody to tell.
                        let _ = tokio::time::timeout(patience, service.answer(stream)).await;
                    });
                }
                Err(error) => {
                    eprintln!("could not accept a connection: {error}");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            },
        }
    }
    drop(listener);
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
    async fn answer(&self, stream: TcpStream) -> io::Result<()> {
        let mut stream = BufReader::new(stream);
        let path = read_path(&mut stream).await?;
        self.requests.fetch_add(1, Ordering::Relaxed);
        let (status, body) = self.respond(&path).await;
        let length = body.len();
        let text = format!(
            "HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
        );
        stream.write_all(text.as_bytes()).await?;
        stream.shutdown().await
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
            _ => ("404 Not Found", "try /status, /version, /pid or /requests\n".to_owned()),
        }
    }

    fn is_unhealthy(&self) -> bool {
        self.args.unhealthy || self.args.unhealthy_while.as_ref().is_some_and(|file| file.exists())
    }
}

/// The path of the request line; reads the head to its end, so that closing does not reset the connection.
async fn read_path(stream: &mut BufReader<TcpStream>) -> io::Result<String> {
    let mut head = stream.take(HEAD_BYTES_MAX);
    let mut line = String::new();
    head.read_line(&mut line).await?;
    let path = line.split(' ').nth(1).unwrap_or_default();
    let path = path.split('?').next().unwrap_or_default().to_owned();
    while line.trim_end() != "" {
        line.clear();
        head.read_line(&mut line).await?;
    }
    Ok(path)
}
