//! What PaaSTA told about a service, from the files of the configured log reader.

use std::collections::BTreeSet;
use std::io::Write;

use paasta_core::LogLevel;
use paasta_logs::{FileReader, Follower, Query, Read};

use super::line::{Line, Look};
use super::window::Window;
use super::{Args, Level};
use crate::report::HintExt as _;
use crate::world::World;

/// The log files of one service, and what is wanted of them.
pub(super) struct Told {
    reader: FileReader,
    query: Query,
}

/// What came of showing them.
pub(super) struct Shown {
    /// Whether all of them could be read.
    pub(super) fine: bool,
    /// Goes on where they end, if that is wanted.
    pub(super) follower: Option<Follower>,
}

impl Told {
    pub(super) fn open(
        service: &str,
        args: &Args,
        components: BTreeSet<String>,
        window: &Window,
        world: &World,
    ) -> anyhow::Result<Self> {
        let reader = paasta_logs::reader(world.system.map()).hint(
            "Set `log_reader` in the system configuration, or ask for -C stdout,stderr only, without a range of time.",
        )?;
        let mut instances: BTreeSet<String> = args.instances.iter().cloned().collect();
        if let Some(Ok((_, named))) = args.target.as_deref().map(paasta_deploy::split_target) {
            instances.extend(named);
        }
        let (from, to) = window.times();
        let query = Query {
            components,
            levels: args.levels.iter().copied().map(LogLevel::from).collect(),
            clusters: args.clusters.iter().cloned().collect(),
            instances,
            pods: args.pods.iter().cloned().collect(),
            from,
            to,
            ..Query::of_service(service)
        };
        Ok(Self { reader, query })
    }

    /// Shows what is in the window. Why nothing is, what is left out and what could not be read is told.
    pub(super) fn show(
        &self,
        window: &Window,
        follow: bool,
        verbose: bool,
        look: &Look,
        out: &mut dyn Write,
        err: &mut dyn Write,
    ) -> anyhow::Result<Shown> {
        let (mut read, follower) = match (window, follow) {
            (Window::Last(count), true) => {
                let (read, follower) = self.reader.last_and_follow(&self.query, *count);
                (read, Some(follower))
            }
            (Window::Last(count), false) => (self.reader.last(&self.query, *count), None),
            _ => (self.reader.all(&self.query), None),
        };
        if verbose {
            writeln!(err, "note: {} log files fit `{}`", read.files, self.reader.path_format())?;
        }
        let has_none = read.lines.is_empty();
        if has_none && !follow {
            writeln!(err, "note: there are no such lines: {}", self.why_nothing(&read))?;
        }
        if let Window::Numbered { first, lines } = *window {
            anyhow::ensure!(
                !read.has_earlier,
                "there are too many lines to count them from the first; give a range with --from instead"
            );
            let all = read.lines.len();
            read.lines.truncate(first.saturating_add(lines).saturating_sub(1));
            read.lines.drain(..(first - 1).min(read.lines.len()));
            if read.lines.is_empty() && !has_none {
                writeln!(err, "note: there are only {all} such lines")?;
            }
        } else if read.has_earlier && matches!(window, Window::Range { .. }) {
            writeln!(err, "warning: these are too many lines; only the last are shown")?;
        }
        let fine = tell_problems(&read, err)?;
        for line in read.lines {
            out.write_all(look.render(&Line::told(line)).as_bytes())?;
        }
        Ok(Shown { fine, follower })
    }

    fn why_nothing(&self, read: &Read) -> String {
        let (format, service) = (self.reader.path_format(), &self.query.service);
        let passed: Vec<_> = read.passed_over.iter().map(|(why, count)| format!("{count} {why}")).collect();
        match (read.files, passed.is_empty()) {
            (0, _) => format!("no log file of service `{service}` fits `{format}`"),
            (_, true) => format!("the log files of service `{service}` at `{format}` hold none"),
            (_, false) => format!("lines that are left out: {}", passed.join(", ")),
        }
    }
}

/// Says what could not be read; whether all could be.
pub(super) fn tell_problems(read: &Read, err: &mut dyn Write) -> std::io::Result<bool> {
    for problem in &read.problems {
        writeln!(err, "warning: {problem}: {}", problem.source)?;
    }
    for broken in &read.broken {
        writeln!(err, "warning: {broken}")?;
    }
    Ok(read.problems.is_empty())
}

impl From<Level> for LogLevel {
    fn from(level: Level) -> Self {
        match level {
            Level::Event => LogLevel::Event,
            Level::Debug => LogLevel::Debug,
        }
    }
}
