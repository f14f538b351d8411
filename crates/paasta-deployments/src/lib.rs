//! Git refs to `deployments.json`, and back: the tags that say what is to run.
//!
//! * [`generate`] turns refs into a [`Deployments`] document (config.md §4); [`Deployments::to_text`] is
//!   byte-compatible with the original's file. Both are pure, as are the tag names ([`deploy_tag`], [`state_tag`])
//!   and what reads them ([`latest_deploy`], [`StateTag`]).
//! * [`Refs`] lists and writes refs of one remote; [`refs_for_url`] chooses how from the form of its URL
//!   ([`unattended_refs_for_url`] for daemons and tools that ask many).
//! * [`write_if_changed`] puts the document in its place, and leaves the file alone where it says the same already
//!   ([`replace_file`] does so for any file).
//! * [`generate_for_service`] does all of it for one service; [`preview_for_service`] says what it would write.
//! * [`GitTree`] reads soa-configs, or anything else, as it stood at a revision of a git repository.
//!
//! `examples/embedded.rs` goes the whole way in one process.
//!
//! Nothing here reads the clock: the time of a tag comes in as an argument.
//!
//! ```
//! use paasta_core::GitSha;
//! use paasta_deployments::{ControlBranch, RemoteRef, generate};
//!
//! let sha = GitSha::new("5e687a3f765082dee00cd4f66b0654274e3959f1").expect("40 digits");
//! let refs = [RemoteRef::new("refs/tags/paasta-prod.main-20210101T000000-deploy", sha)];
//! let branches = [ControlBranch::new("prod.main", Some("prod.main"))];
//! let text = generate("mysvc", &branches, &refs).to_text();
//! assert!(text.starts_with(r#"{"v1": {"mysvc:paasta-prod.main": {"docker_image": "services-mysvc:paasta-5e68"#));
//! ```

mod child;
mod command;
mod conversation;
mod daemon;
mod difference;
mod document;
mod fleet;
mod generate;
mod git_tree;
mod grammar;
mod local;
mod over_ssh;
mod python_json;
mod refs;
mod remote;
mod service;
mod wire;
mod write;

pub use command::GitCommandRefs;
pub use daemon::GitDaemonRefs;
pub use difference::{Difference, DocumentPart};
pub use document::{Deployments, Entry};
pub use fleet::generate_for_services;
pub use generate::{ControlBranch, LatestDeploy, generate, latest_deploy};
pub use git_tree::{GitTree, GitTreeError};
pub use grammar::{
    Outranked, State, StateTag, deploy_tag, deploy_tag_parts, deploy_time_for, state_tag, state_time_for,
};
pub use local::Git2Refs;
pub use refs::{CommitError, Limits, Refs, RefsError, RemoteRef, WriteMode, Written, expand_commit};
pub use remote::{RemoteForm, refs_for_url, unattended_refs_for_url, without_password};
pub use service::{
    Branches, Connect, GenerateError, Generated, Preview, control_branches, generate_for_service,
    generate_for_service_if, git_url, preview_for_service,
};
pub use write::{
    FileChange, MayWrite, WriteError, differences_to_file, replace_file, write_if_changed, wrote_deployments,
};
