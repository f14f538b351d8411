//! Every subcommand: one module each, holding `Args` and `run`.

use std::process::ExitCode;

use crate::Context;

mod completion;
mod demo;
mod list;
mod list_clusters;
mod list_deploy_queue;
mod local;
mod logs;
mod mark_for_deployment;
mod plan;
mod restart;
mod start;
mod start_stop_restart;
mod status;
mod stop;
mod switch_over;
mod validate;
mod wait_for_deployment;
mod why;

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
    Demo => demo,
    List => list,
    ListClusters => list_clusters,
    ListDeployQueue => list_deploy_queue,
    Local => local,
    Logs => logs,
    MarkForDeployment => mark_for_deployment,
    Plan => plan,
    Restart => restart,
    Start => start,
    Status => status,
    Stop => stop,
    SwitchOver => switch_over,
    Validate => validate,
    WaitForDeployment => wait_for_deployment,
    Why => why,
}
