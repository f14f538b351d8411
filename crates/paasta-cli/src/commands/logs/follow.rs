//! Going on showing what comes, until Ctrl-C.

use std::io::Write;
use std::time::Duration;

use paasta_logs::Follower;

use super::line::{Line, Look};
use super::outputs::Outputs;

/// How often to look.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Never ends by itself but by an error.
pub(super) async fn follow(
    mut followers: Vec<Follower>,
    mut outputs: Option<Outputs>,
    look: &Look,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> anyhow::Result<bool> {
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        for follower in &mut followers {
            let read = follower.poll();
            for problem in &read.problems {
                writeln!(err, "warning: {problem}: {}", problem.source)?;
            }
            for line in read.lines {
                out.write_all(look.render(&Line::told(line)).as_bytes())?;
            }
        }
        if let Some(outputs) = &mut outputs {
            outputs.new_lines(look, out, err).await?;
        }
        out.flush()?;
    }
}
