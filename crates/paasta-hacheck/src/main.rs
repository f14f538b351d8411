//! `paasta-hacheck`: says over HTTP whether local services may get traffic.

use std::io::{self, IsTerminal};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use axum::http::HeaderName;
use clap::Parser;
use paasta_hacheck::Hacheck;
use tokio::net::TcpListener;

/// Says over HTTP whether local services may get traffic: from its spool, then by a real check.
#[derive(Parser, Debug)]
#[command(version)]
struct Args {
    /// Address to listen on
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:6666")]
    listen: SocketAddr,
    /// Directory of the entries that keep services from traffic
    #[arg(long, value_name = "DIR", default_value = "/var/spool/hacheck")]
    spool_root: PathBuf,
    /// Take services out of traffic and back by POST; whoever reaches the address can then do so
    #[arg(long)]
    allow_remote_spool_changes: bool,
    /// Seconds for which a check's result is kept
    #[arg(long, value_name = "SECONDS", default_value = "1.0", value_parser = seconds)]
    cache_time: Duration,
    /// Header of a request that its check sends along (repeatable)
    #[arg(long = "http-header-to-copy", value_name = "NAME")]
    http_headers_to_copy: Vec<HeaderName>,
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "expected a number of seconds".to_owned())?;
    Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())
}

#[tokio::main]
async fn main() -> ExitCode {
    let args = Args::parse();
    tracing_subscriber::fmt().with_writer(io::stderr).with_ansi(io::stderr().is_terminal()).init();
    match run(args).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            error.chain().skip(1).for_each(|cause| eprintln!("  caused by: {cause}"));
            ExitCode::FAILURE
        }
    }
}

async fn run(args: Args) -> anyhow::Result<()> {
    let hacheck = Hacheck::builder(&args.spool_root)
        .allow_remote_spool_changes(args.allow_remote_spool_changes)
        .cache_time(args.cache_time)
        .http_headers_to_copy(args.http_headers_to_copy)
        .build()
        .context("could not start hacheck")?;
    let listener = TcpListener::bind(args.listen)
        .await
        .with_context(|| format!("could not listen on {}", args.listen))?;
    tracing::info!(address = %listener.local_addr()?, "listening");
    hacheck.serve_until(listener, stopped()).await.context("could not go on serving")
}

/// Ready on Ctrl-C or SIGTERM.
async fn stopped() {
    let interrupt = tokio::signal::ctrl_c();
    match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
        Ok(mut terminate) => {
            tokio::select! {
                _ = interrupt => {}
                _ = terminate.recv() => {}
            }
        }
        Err(_) => drop(interrupt.await),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_listens_on_this_machine_alone_unless_told() {
        let args = Args::parse_from(["paasta-hacheck"]);
        assert_eq!(args.listen.to_string(), "127.0.0.1:6666");
        assert_eq!(args.cache_time, Duration::from_secs(1));
        assert!(!args.allow_remote_spool_changes);
    }
}
