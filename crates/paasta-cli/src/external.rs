//! External commands: `paasta-<name>` on the search path is `paasta <name>` (cli.md §0.1). Built-in names win.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use crate::context::Context;

/// An executable that stands in for a subcommand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExternalCommand {
    program: PathBuf,
}

/// The external command that this command line names, if it names one. Looks at the first argument only, and only
/// if it is no built-in command.
pub fn external_command(arguments: &[OsString], path: &OsStr) -> Option<ExternalCommand> {
    let name = arguments.get(1)?.to_str()?;
    let plain = !name.is_empty() && !name.starts_with('-') && !name.contains('/');
    if !plain || is_built_in(name) {
        return None;
    }
    let file = format!("paasta-{name}");
    let program = std::env::split_paths(path).map(|dir| dir.join(&file)).find(|file| is_executable(file))?;
    Some(ExternalCommand { program })
}

impl ExternalCommand {
    /// Becomes that program, with the arguments after its name untouched. Returns only if that failed.
    pub fn exec(self, arguments: &[OsString], cx: &mut Context) -> ExitCode {
        let error = Command::new(&self.program).args(arguments.iter().skip(2)).exec();
        let error = anyhow::Error::new(error).context(format!("could not run `{}`", self.program.display()));
        let _ = crate::report::write_error(&error, cx.colours_stderr(), &mut cx.stderr);
        let _ = cx.stderr.flush();
        ExitCode::from(crate::exit::EXIT_FAILED)
    }
}

/// The external commands for the end of the help page; empty if there are none.
pub(crate) fn listing(path: &OsStr) -> String {
    let names: BTreeSet<String> = std::env::split_paths(path).flat_map(|dir| names_in(&dir)).collect();
    if names.is_empty() {
        return String::new();
    }
    names.iter().fold("External commands:".to_owned(), |text, name| format!("{text}\n  {name}"))
}

fn is_built_in(name: &str) -> bool {
    name == "help" || crate::command_line().find_subcommand(name).is_some()
}

fn names_in(dir: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    let named = entries.filter_map(|entry| Some((entry.file_name().to_str()?.to_owned(), entry.path())));
    let ours = named.filter_map(|(file, path)| Some((file.strip_prefix("paasta-")?.to_owned(), path)));
    ours.filter(|(name, path)| !is_built_in(name) && is_executable(path)).map(|(name, _)| name).collect()
}

fn is_executable(file: &Path) -> bool {
    file.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}
