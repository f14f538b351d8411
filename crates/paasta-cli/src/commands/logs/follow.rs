//! Going on showing what comes, until Ctrl-C.

use std::collections::BTreeSet;
use std::io::Write;
use std::time::Duration;

use paasta_logs::Follower;

use super::line::{Line, Look};
use super::outputs::Outputs;

/// How often to look.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Never ends by itself but by an error.
pub(super) async fn follow(
    mut follower: Option<Follower>,
    mut outputs: Option<Outputs>,
    look: &Look,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> anyhow::Result<bool> {
    let mut told = BTreeSet::new();
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        if let Some(follower) = &mut follower {
            let read = follower.poll();
            // What stays wrong is told once.
            let problems: BTreeSet<_> =
                read.problems.iter().map(|problem| format!("{problem}: {}", problem.source)).collect();
            for problem in problems.difference(&told) {
                writeln!(err, "warning: {problem}")?;
            }
            told = problems;
            for broken in &read.broken {
                writeln!(err, "warning: {broken}")?;
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
