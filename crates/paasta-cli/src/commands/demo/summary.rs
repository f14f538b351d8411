//! What the demo comes to, for people.

use std::io::Write;
use std::path::Path;
use std::time::Duration;

/// One thing that was to hold, and whether it did.
pub(super) struct Promise {
    pub(super) kept: bool,
    pub(super) text: String,
}

/// The end of the demo.
pub(super) struct Summary {
    /// What `paasta status` printed.
    pub(super) status: String,
    /// How many tasks there have been.
    pub(super) tasks: usize,
    /// How many of them were taken out of rotation before they ended.
    pub(super) drained: usize,
    pub(super) promises: Vec<Promise>,
    pub(super) took: Duration,
}

impl Summary {
    pub(super) fn kept_every_promise(&self) -> bool {
        self.promises.iter().all(|promise| promise.kept)
    }

    pub(super) fn print(self, out: &mut dyn Write) -> anyhow::Result<Self> {
        writeln!(out, "\n$ paasta status -s hello\n{}\n", self.status.trim_end())?;
        writeln!(
            out,
            "In {:.0} s: {} tasks started, {} drained.",
            self.took.as_secs_f64(),
            self.tasks,
            self.drained
        )?;
        for promise in &self.promises {
            writeln!(out, "  {}  {}", if promise.kept { "kept  " } else { "BROKEN" }, promise.text)?;
        }
        Ok(self)
    }
}

/// Says how to go on with a cluster that was kept.
pub(super) fn what_next(out: &mut dyn Write, program: &Path, root: &Path) -> anyhow::Result<()> {
    let (program, root) = (program.display(), root.display());
    writeln!(out, "\nThe cluster stays up. Everything is in {root}. Try next:\n")?;
    writeln!(out, "  export HOME={root}/home")?;
    writeln!(out, "  {program} status -s hello")?;
    writeln!(out, "  {program} logs -s hello -i main")?;
    writeln!(out, "  $EDITOR {root}/soa/hello/marathon-local.yaml    # instances: 5, and look again")?;
    writeln!(out, "  {program} local down --purge && rm -rf {root}")?;
    Ok(())
}
