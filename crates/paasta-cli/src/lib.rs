//! The `paasta` command: one module per subcommand under [`commands`], and what they share.
//!
//! [`run`] is the whole program: external commands first, then parsing, then one subcommand, then its error, if
//! any. Nothing below it reads the process's environment, arguments or terminal: `main` reads them once into a
//! [`Context`].
//!
//! # Adding a command
//!
//! 1. Write `src/commands/<name>.rs` with a documented `Args` (`clap::Args`; its first sentence is the command's
//!    help) and `pub(crate) fn run(args: &Args, cx: &mut Context) -> anyhow::Result<ExitCode>`. The work is a call
//!    into a library crate; rendering is a function from data to text.
//! 2. In `src/commands/mod.rs` add its `mod` line and one line to the `commands!` table. The name on the command
//!    line is the variant's in kebab case.
//! 3. Use what is here: [`options`] for the shared spellings of options, [`World`] for the configuration files, [`Context::block_on`] for async work that Ctrl-C may
//!    interrupt, [`HintExt::hint`] for advice with an error, [`table`] and [`paint`] for output.
//! 4. Add a run of the real program to `tests/`.
//!
//! What this crate leaves out: it never changes anything at an engine, and talks neither to ZooKeeper nor to hosts; what
//! is going on in a cluster it learns from that cluster's API. Only `plan` and `switch-over` look at the engine itself.
//!
//! ```
//! use paasta_cli::{Context, Environment};
//!
//! let mut cx = Context::captured(Environment::default());
//! paasta_cli::run(["paasta", "--version"].map(Into::into).to_vec(), &mut cx);
//! assert!(cx.captured_stdout().starts_with("paasta "));
//! ```

pub mod age;
pub mod api;
mod changes;
pub mod commands;
mod context;
mod exit;
mod external;
mod http;
mod live;
pub mod local;
mod marks;
mod nudge;
pub mod options;
pub mod paint;
mod record;
mod renderings;
mod report;
pub mod selection;
pub mod table;
mod waiting;
mod world;

use std::ffi::OsString;
use std::io::Write as _;
use std::process::ExitCode;

use clap::{CommandFactory as _, FromArgMatches as _, Parser};

pub use context::{Context, Environment};
pub use exit::{EXIT_FAILED, EXIT_INTERRUPTED, EXIT_USAGE, Interrupted};
pub use external::{ExternalCommand, external_command};
pub use report::{HintExt, UsageError, write_error};
pub use world::{WHERE_CONFIGURATION_COMES_FROM, World, tell_broken};

use commands::Command;
use paint::ColorChoice;

/// What `paasta --help` opens with.
const ABOUT: &str = "Deploy services by git tags, and see what they run and what they wait for";

/// Build, deploy, connect and watch services.
#[derive(Parser, Debug)]
#[command(name = "paasta", version, about = ABOUT, propagate_version = false, subcommand_required = true)]
#[command(arg_required_else_help = true, max_term_width = 110)]
struct Program {
    /// When to colour output
    #[arg(long, value_enum, global = true, default_value_t = ColorChoice::Auto, value_name = "WHEN")]
    color: ColorChoice,

    #[command(subcommand)]
    command: Command,
}

/// Runs one command line (the program's name first) and gives its exit code (cli.md §0.1, with usage errors 2
/// and Ctrl-C 130). Errors are printed, never returned.
pub fn run(arguments: Vec<OsString>, cx: &mut Context) -> ExitCode {
    match parse(arguments, cx) {
        Ok(program) => {
            cx.choose_colours(program.color);
            let outcome = program.command.run(cx);
            finish(outcome, cx)
        }
        Err(error) => usage(&error, cx),
    }
}

/// The whole command line as clap knows it, for completions and help.
pub fn command_line() -> clap::Command {
    Program::command()
}

fn parse(arguments: Vec<OsString>, cx: &Context) -> Result<Program, clap::Error> {
    let mut parser = Program::command();
    if asks_for_help(&arguments) {
        parser = parser.after_help(external::listing(&cx.environment.path));
    }
    Program::from_arg_matches(&parser.try_get_matches_from(arguments)?)
}

fn asks_for_help(arguments: &[OsString]) -> bool {
    arguments.get(1).is_none_or(|first| first == "help" || first == "-h" || first == "--help")
}

fn usage(error: &clap::Error, cx: &mut Context) -> ExitCode {
    let text = error.render();
    let written = if error.use_stderr() {
        match cx.colours_stderr() {
            true => write!(cx.stderr, "{}", text.ansi()),
            false => write!(cx.stderr, "{text}"),
        }
    } else {
        match cx.colours_stdout() {
            true => write!(cx.stdout, "{}", text.ansi()),
            false => write!(cx.stdout, "{text}"),
        }
    };
    match (written, error.exit_code()) {
        (Ok(()), 0) => ExitCode::SUCCESS,
        _ if !error.use_stderr() => ExitCode::SUCCESS,
        _ => ExitCode::from(EXIT_USAGE),
    }
}

fn finish(outcome: anyhow::Result<ExitCode>, cx: &mut Context) -> ExitCode {
    let outcome = outcome.and_then(|code| {
        cx.stdout.flush()?;
        Ok(code)
    });
    match outcome {
        Ok(code) => code,
        Err(error) => {
            let code = exit::code_of(&error);
            if !exit::is_quiet(&error) {
                // Nobody is left to tell if stderr is gone as well.
                let _ = write_error(&error, cx.colours_stderr(), &mut cx.stderr);
            }
            code
        }
    }
}
