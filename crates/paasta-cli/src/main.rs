//! The `paasta` program.

use std::process::ExitCode;

use paasta_cli::{Context, ExternalCommand, external_command};

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args_os().collect();
    let mut cx = Context::of_this_process();
    if let Some(command) = external_command(&arguments, &cx.environment.path) {
        return ExternalCommand::exec(command, &arguments, &mut cx);
    }
    paasta_cli::run(arguments, &mut cx)
}
