//! Writes three lines of a service to a temporary directory and reads them back as they come:
//! `cargo run -p paasta-logs --example follow`

use paasta_core::{Clock, LogLevel, LogRecord, SystemClock};
use paasta_logs::{FileReader, FileWriter, LineWriter as _, Query};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let directory = tempfile::tempdir()?;
    let path_format = format!("{}/{{service}}/{{component}}.log", directory.path().display());
    let writer = FileWriter::new(&path_format)?;
    let mut follower = FileReader::new(&path_format)?.follow(&Query::of_service("web"));
    for message in ["creating app", "draining 2 tasks", "now running"] {
        writer.write(&LogRecord {
            at: SystemClock.now(),
            service: "web".to_owned(),
            instance: Some("main".to_owned()),
            cluster: Some("local".to_owned()),
            component: "deploy".to_owned(),
            level: LogLevel::Event,
            message: message.to_owned(),
        });
        for line in follower.poll().lines {
            println!("{}", line.raw);
        }
    }
    Ok(())
}
