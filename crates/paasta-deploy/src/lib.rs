//! Decisions of the deploy commands, as pure functions: no files, no network, no clock.
//!
//! * [`select`] says which instances a command line means (cli.md §0.4);
//! * [`consent`] says whether a person must be asked first (cli.md §1.1, design decision 10);
//! * [`effect`] says what a change does to one instance;
//! * [`judge`] says of one instance whether a deploy has arrived, and what it waits for if not (cli.md §1.11);
//!   [`poll_delay`] says when to look again.
//!
//! ```
//! use paasta_deploy::{Candidate, Filter, select};
//!
//! let all = [Candidate::new("web", "pnw", "main"), Candidate::new("web", "pnw", "canary")];
//! let filter = Filter { instances: vec!["main".into(), "cannary".into()], ..Filter::default() };
//! let selected = select(&all, &filter);
//! assert_eq!(selected.matched.len(), 1);
//! assert_eq!(selected.unknown_instances[0].similar, ["canary"]);
//! ```

mod consent;
mod effect;
mod selector;
mod waiter;

pub use consent::{Breadth, Consent, Question, consent};
pub use effect::{Effect, Side, Tasks, Verdict, Version, effect};
pub use selector::{Candidate, Filter, Selected, TargetError, Unknown, select, split_target};
pub use waiter::{Answer, Progress, Sight, Waiting, judge, poll_delay};
