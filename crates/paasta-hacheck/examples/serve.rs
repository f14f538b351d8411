//! Serves a fresh spool on a loopback port and prints how to use it:
//! `cargo run -p paasta-hacheck --example serve`

use paasta_hacheck::Hacheck;
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let spool = tempfile::tempdir()?;
    let hacheck = Hacheck::builder(spool.path()).allow_remote_spool_changes(true).build()?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}/spool/web.main/31337/status", listener.local_addr()?);
    println!("ask:   curl -i {url}");
    println!("drain: curl -d status=down -d reason=trying {url}");
    println!("end:   curl -d status=up {url}");
    hacheck.serve(listener).await?;
    Ok(())
}
