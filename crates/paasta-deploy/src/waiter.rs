//! Has a deploy arrived? (cli.md §1.11.) One instance at a time, from what its cluster's API says.

use std::fmt;
use std::time::Duration;

use paasta_core::GitSha;

/// What the API said of one instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It is nothing that runs for long, so there is nothing to wait for.
    NotLongRunning,
    /// How it does.
    Seen(Sight),
    /// The API was not reached, or did not answer with a status: why.
    Unknown(String),
}

/// How a long-running instance does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sight {
    /// The first digits of the commit that is wanted, as the cluster knows it; empty where it knows none.
    pub git_sha: String,
    /// Whether its last state tag stops it.
    pub stopped: bool,
    /// How many tasks are wanted, if the cluster says so.
    pub expected: Option<usize>,
    /// How many versions exist.
    pub versions: usize,
    /// What the engine does with the wanted version, in the API's words: `Running`, `Deploying`, ….
    pub deploy_status: Option<String>,
    /// Running tasks.
    pub running: usize,
    /// Tasks of the wanted version that serve, if the cluster says so.
    pub happy: Option<usize>,
    /// The first digits of the commit of each version that exists; empty if the cluster does not say.
    pub active_shas: Vec<String>,
    /// What the cluster itself says the bounce waits for, the most telling first.
    pub why: Option<String>,
}

/// How far one instance is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// It runs the commit as it should, or has nothing to run.
    Done,
    /// Not yet.
    Waiting(Waiting),
    /// Nobody knows: why. Ask again.
    Unknown(String),
}

impl Progress {
    /// Whether there is nothing to wait for any more.
    pub fn is_done(&self) -> bool {
        *self == Progress::Done
    }
}

/// What an instance waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Waiting {
    /// The cluster still wants another commit: it has not seen the mark.
    OtherCommit {
        /// Its first digits; empty if none is wanted.
        wanted_there: String,
    },
    /// Old and new versions exist side by side, or none does.
    Bouncing {
        /// How many versions there are.
        versions: usize,
        /// What the cluster says it waits for.
        why: Option<String>,
    },
    /// The engine has not got to it.
    NotRunning {
        /// Its words.
        deploy_status: Option<String>,
    },
    /// Too few tasks run.
    TooFewRunning {
        /// Running.
        running: usize,
        /// Enough.
        needed: usize,
    },
    /// Too few tasks of the new version serve.
    TooFewHappy {
        /// Serving.
        happy: usize,
        /// Enough.
        needed: usize,
        /// What the cluster says it waits for.
        why: Option<String>,
    },
    /// Tasks of another commit still exist, or none of this one does.
    OtherVersionsActive {
        /// The commits that exist.
        active: Vec<String>,
    },
}

impl fmt::Display for Waiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let because = |why: &Option<String>| why.as_ref().map(|w| format!(": {w}")).unwrap_or_default();
        match self {
            Waiting::OtherCommit { wanted_there } if wanted_there.is_empty() => {
                write!(f, "the cluster has not seen the mark yet; nothing is wanted there")
            }
            Waiting::OtherCommit { wanted_there } => {
                write!(f, "the cluster has not seen the mark yet; it wants {wanted_there}")
            }
            Waiting::Bouncing { versions: 0, why } => write!(f, "no version exists yet{}", because(why)),
            Waiting::Bouncing { versions, why } => {
                write!(f, "bouncing: {versions} versions exist{}", because(why))
            }
            Waiting::NotRunning { deploy_status: Some(status) } => write!(f, "the engine says {status}"),
            Waiting::NotRunning { deploy_status: None } => write!(f, "the engine says nothing of it yet"),
            Waiting::TooFewRunning { running, needed } => {
                write!(f, "{running} of at least {needed} tasks run")
            }
            Waiting::TooFewHappy { happy, needed, why } => {
                write!(f, "{happy} of at least {needed} tasks serve{}", because(why))
            }
            Waiting::OtherVersionsActive { active } => {
                write!(f, "other commits are active: {}", active.join(", "))
            }
        }
    }
}

/// Whether `wanted` has arrived at an instance of which `margin` (its bounce margin factor, 0 to 1) must run.
///
/// In the order of the original's `instances_deployed`, except that the commit comes first: a stop belongs to a
/// commit, so an instance that is stopped at the old one is not done with the new one. Where the cluster counts tasks
/// that serve, enough of them must, not merely run.
///
/// ```
/// use paasta_deploy::{Answer, Sight, judge};
///
/// let sha = paasta_core::GitSha::new("5e687a3f765082dee00cd4f66b0654274e3959f1").expect("40 digits");
/// let mut sight = Sight {
///     git_sha: "5e687a3f".into(),
///     expected: Some(3),
///     versions: 1,
///     deploy_status: Some("Running".into()),
///     running: 3,
///     ..Sight::default()
/// };
/// assert!(judge(&sha, 1.0, &Answer::Seen(sight.clone())).is_done());
/// sight.versions = 2;
/// assert!(!judge(&sha, 1.0, &Answer::Seen(sight)).is_done());
/// ```
pub fn judge(wanted: &GitSha, margin: f64, answer: &Answer) -> Progress {
    match answer {
        Answer::NotLongRunning => Progress::Done,
        Answer::Unknown(reason) => Progress::Unknown(reason.clone()),
        Answer::Seen(sight) => match waits_for(wanted, margin, sight) {
            Some(waiting) => Progress::Waiting(waiting),
            None => Progress::Done,
        },
    }
}

fn waits_for(wanted: &GitSha, margin: f64, sight: &Sight) -> Option<Waiting> {
    if !is_commit(&sight.git_sha, wanted) {
        return Some(Waiting::OtherCommit { wanted_there: sight.git_sha.clone() });
    }
    if sight.stopped || sight.expected == Some(0) {
        return None;
    }
    if sight.versions != 1 {
        return Some(Waiting::Bouncing { versions: sight.versions, why: sight.why.clone() });
    }
    if !matches!(sight.deploy_status.as_deref(), Some("Running" | "Deploying" | "Waiting")) {
        return Some(Waiting::NotRunning { deploy_status: sight.deploy_status.clone() });
    }
    let needed = enough(margin, sight.expected.unwrap_or(1));
    if sight.running < needed {
        return Some(Waiting::TooFewRunning { running: sight.running, needed });
    }
    if let Some(happy) = sight.happy.filter(|happy| *happy < needed) {
        return Some(Waiting::TooFewHappy { happy, needed, why: sight.why.clone() });
    }
    let foreign = sight.active_shas.iter().any(|active| !is_commit(active, wanted));
    foreign.then(|| Waiting::OtherVersionsActive { active: sight.active_shas.clone() })
}

fn is_commit(prefix: &str, wanted: &GitSha) -> bool {
    !prefix.is_empty() && wanted.as_str().starts_with(prefix)
}

/// How many tasks a margin asks for: `ceil(margin × expected)`, a margin outside 0 to 1 being cut to it.
fn enough(margin: f64, expected: usize) -> usize {
    let margin = if margin.is_nan() { 1.0 } else { margin.clamp(0.0, 1.0) };
    // Both factors are small and not negative, so the product is a whole number that fits.
    (margin * expected as f64).ceil() as usize
}

/// How long to wait before asking again, `waited` after the start: two seconds at first, more slowly with time, at
/// most 30 seconds.
pub fn poll_delay(waited: Duration) -> Duration {
    (waited / 20).clamp(Duration::from_secs(2), Duration::from_secs(30))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn wanted() -> GitSha {
        GitSha::new("a".repeat(40)).unwrap()
    }

    fn fine() -> Sight {
        Sight {
            git_sha: "aaaaaaaa".into(),
            expected: Some(4),
            versions: 1,
            deploy_status: Some("Running".into()),
            running: 4,
            happy: Some(4),
            active_shas: vec!["aaaaaaaa".into()],
            ..Sight::default()
        }
    }

    #[track_caller]
    fn check(change: impl FnOnce(&mut Sight), expected: Option<&str>) {
        let mut sight = fine();
        change(&mut sight);
        let got = match judge(&wanted(), 0.5, &Answer::Seen(sight)) {
            Progress::Done => None,
            Progress::Waiting(waiting) => Some(waiting.to_string()),
            Progress::Unknown(reason) => panic!("{reason}"),
        };
        assert_eq!(got.as_deref(), expected);
    }

    #[test]
    fn decisions_of_instances_deployed() {
        check(|_| {}, None);
        check(|s| s.expected = Some(0), None);
        check(|s| (s.stopped, s.versions) = (true, 0), None);
        check(|s| s.versions = 2, Some("bouncing: 2 versions exist"));
        check(|s| s.versions = 0, Some("no version exists yet"));
        check(
            |s| (s.versions, s.why) = (2, Some("3 tasks drain".into())),
            Some("bouncing: 2 versions exist: 3 tasks drain"),
        );
        check(
            |s| s.git_sha = "bbbbbbbb".into(),
            Some("the cluster has not seen the mark yet; it wants bbbbbbbb"),
        );
        check(|s| s.deploy_status = Some("Delayed".into()), Some("the engine says Delayed"));
        check(|s| s.deploy_status = None, Some("the engine says nothing of it yet"));
        check(|s| s.deploy_status = Some("Waiting".into()), None);
        check(|s| s.running = 2, None);
        check(|s| s.running = 1, Some("1 of at least 2 tasks run"));
        check(|s| s.happy = None, None);
        check(|s| s.happy = Some(1), Some("1 of at least 2 tasks serve"));
        check(
            |s| s.active_shas.push("bbbbbbbb".into()),
            Some("other commits are active: aaaaaaaa, bbbbbbbb"),
        );
        check(|s| s.active_shas.clear(), None);
    }

    #[test]
    fn a_stop_at_the_old_commit_is_not_the_end_of_the_new_one() {
        check(
            |s| (s.stopped, s.git_sha) = (true, "bbbbbbbb".into()),
            Some("the cluster has not seen the mark yet; it wants bbbbbbbb"),
        );
        check(|s| s.git_sha.clear(), Some("the cluster has not seen the mark yet; nothing is wanted there"));
    }

    #[test]
    fn what_is_not_known_is_not_done() {
        let unknown = Answer::Unknown("no route".into());
        assert_eq!(judge(&wanted(), 1.0, &unknown), Progress::Unknown("no route".into()));
        assert!(judge(&wanted(), 1.0, &Answer::NotLongRunning).is_done());
    }

    #[test]
    fn polls_slow_down() {
        let delay = |s| poll_delay(Duration::from_secs(s)).as_secs();
        assert_eq!((delay(0), delay(60), delay(3600)), (2, 3, 30));
    }

    proptest! {
        #[test]
        fn more_tasks_never_undo_a_deploy(margin in -1.0f64..2.0, expected in 0usize..50, running in 0usize..60) {
            let sight = |running| Answer::Seen(Sight { expected: Some(expected), running, happy: Some(running), ..fine() });
            if judge(&wanted(), margin, &sight(running)).is_done() {
                prop_assert!(judge(&wanted(), margin, &sight(running + 1)).is_done());
            }
            prop_assert!(judge(&wanted(), margin, &sight(expected)).is_done());
        }
    }
}
