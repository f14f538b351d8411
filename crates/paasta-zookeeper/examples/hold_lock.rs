//! Takes a lock, says so, and holds it until its standard input ends:
//! `cargo run -p paasta-zookeeper --example hold_lock -- DIRECTORY /bounce/web.main`

use std::io::Read;
use std::time::Duration;

use paasta_core::Locks;
use paasta_zookeeper::FileLocks;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(directory), Some(name)) = (arguments.next(), arguments.next()) else {
        eprintln!("usage: hold_lock DIRECTORY NAME");
        std::process::exit(2);
    };
    let guard = FileLocks::new(directory).acquire(&name, Duration::from_secs(5)).await?;
    println!("held");
    std::io::stdin().read_to_end(&mut Vec::new())?;
    drop(guard);
    Ok(())
}
