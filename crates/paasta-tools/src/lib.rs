//! Operator programs, named as in PaaSTA: each parses its arguments, makes one library call, and tells by its exit
//! code how that went (0 fine, 1 failed, 2 wrong usage).

pub mod alerts;
pub mod app_drain;
pub mod checks;
pub mod cleanup;
pub mod configured;
pub mod dry_run;
pub mod hints;
pub mod listing;
pub mod maintenance;
pub mod passes;
pub mod plans;
pub mod preview;
pub mod program;
pub mod service_log;
pub mod services_file;
