//! Every subcommand: one module each, holding `Args` and `run`.

use std::process::ExitCode;

use crate::Context;

mod completion;
mod list;
mod list_clusters;
mod status;

/// Makes the enum of commands and its dispatch from one line per command.
macro_rules! commands {
    ($($variant:ident => $module:ident,)*) => {
        /// What to do. Each command's help is that of its arguments.
        #[derive(clap::Subcommand, Debug)]
        pub(crate) enum Command {
            $($variant($module::Args),)*
        }

        impl Command {
            pub(crate) fn run(&self, cx: &mut Context) -> anyhow::Result<ExitCode> {
                match self {
                    $(Command::$variant(args) => $module::run(args, cx),)*
                }
            }
        }
    };
}

commands! {
    // Sorted by name: `variant => module`.
    Completion => completion,
    List => list,
    ListClusters => list_clusters,
    Status => status,
}
