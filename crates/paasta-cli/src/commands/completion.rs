//! `paasta completion`: a script that completes `paasta` in a shell.

use std::process::ExitCode;

use clap_complete::Shell;

use crate::Context;

/// Print a script that completes this command in a shell
///
/// For bash: `source <(paasta completion bash)`. For zsh, write it to a file `_paasta` on the function path; for
/// fish, to `~/.config/fish/completions/paasta.fish`.
#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

pub(crate) fn run(args: &Args, cx: &mut Context) -> anyhow::Result<ExitCode> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut crate::command_line(), "paasta", &mut script);
    cx.stdout.write_all(&script)?;
    Ok(ExitCode::SUCCESS)
}
