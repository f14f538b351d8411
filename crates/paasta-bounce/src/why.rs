//! Why a pass does what it does, as data: log lines, API answers and `paasta status` are renderings of it.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What an instance waits for, and the counts behind it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Why {
    /// The name of the bounce method.
    pub method: String,
    /// What was counted.
    pub counts: Counts,
    /// What is waited for; empty when steady.
    pub waiting: Vec<WaitingOn>,
}

/// Tasks by class (marathon-and-bounce.md §4.6).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Whether the new app stood in its home.
    pub new_app_exists: bool,
    /// Tasks wanted.
    pub wanted: usize,
    /// New tasks that serve.
    pub happy_new: usize,
    /// Old tasks that serve, excess ones of the new version included.
    pub old_happy: usize,
    /// Old tasks that do not serve.
    pub old_unhappy: usize,
    /// Old tasks on their way out.
    pub old_draining: usize,
    /// Old tasks that serve on hosts that are about to leave.
    pub old_at_risk: usize,
    /// Old apps.
    pub old_apps: usize,
}

impl Counts {
    /// Old tasks of any class.
    pub fn old_tasks(&self) -> usize {
        self.old_happy + self.old_unhappy + self.old_draining + self.old_at_risk
    }
}

/// One thing that is waited for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WaitingOn {
    /// New tasks to become happy.
    NewHappy {
        /// Happy so far.
        have: usize,
        /// Wanted.
        need: usize,
    },
    /// Tasks to finish what they serve.
    Draining(usize),
    /// Old tasks or apps to be gone.
    OldGone(usize),
    /// Tasks on hosts that are about to leave to be replaced.
    AtRisk(usize),
    /// The new app, just asked for, to appear.
    Created,
    /// Tasks of the wanted version to take traffic again.
    Undrain(usize),
    /// The engine takes no change now.
    EngineBusy(String),
    /// The engine was asked, and whether it did is not known, or it said no.
    Engine(String),
    /// Something that could not be read.
    Unknown(String),
    /// Tasks failed too often.
    LaunchBackOff {
        /// Seconds until the next start.
        seconds_left: f64,
        /// What the last of them said.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        last_failure: Option<String>,
    },
    /// No machine has room.
    LaunchResources {
        /// What lacks.
        reason: String,
    },
}

impl fmt::Display for WaitingOn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            WaitingOn::NewHappy { have, need } => {
                write!(f, "new tasks to be happy ({have} of {need})")
            }
            WaitingOn::Draining(n) => write!(f, "{} to drain", tasks(*n)),
            WaitingOn::OldGone(n) => write!(f, "{} of old versions to go", tasks(*n)),
            WaitingOn::AtRisk(n) => write!(f, "{} on leaving hosts to be replaced", tasks(*n)),
            WaitingOn::Created => f.write_str("the new version to appear"),
            WaitingOn::Undrain(n) => write!(f, "{} to take traffic again", tasks(*n)),
            WaitingOn::EngineBusy(reason) => write!(f, "the engine, which is busy: {reason}"),
            WaitingOn::Engine(reason) => write!(f, "the engine: {reason}"),
            WaitingOn::Unknown(reason) => write!(f, "what could not be read: {reason}"),
            WaitingOn::LaunchBackOff { seconds_left, last_failure } => {
                write!(f, "the next start in {seconds_left:.0} s, as tasks failed too often")?;
                last_failure.iter().try_for_each(|said| write!(f, "; the last failure: {said}"))
            }
            WaitingOn::LaunchResources { reason } => write!(f, "a machine with room: {reason}"),
        }
    }
}

fn tasks(n: usize) -> String {
    if n == 1 { "1 task".to_owned() } else { format!("{n} tasks") }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.waiting.is_empty() {
            return f.write_str("steady");
        }
        write!(f, "{}: waiting for ", self.method)?;
        for (index, waiting) in self.waiting.iter().enumerate() {
            write!(f, "{}{waiting}", if index == 0 { "" } else { "; " })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_read_as_sentences() {
        let mut why = Why { method: "crossover".to_owned(), ..Why::default() };
        assert_eq!(why.to_string(), "steady");
        why.waiting = vec![WaitingOn::NewHappy { have: 1, need: 3 }, WaitingOn::Draining(1)];
        assert_eq!(why.to_string(), "crossover: waiting for new tasks to be happy (1 of 3); 1 task to drain");
        let last_failure = Some("Command exited with status 126".to_owned());
        why.waiting = vec![WaitingOn::LaunchBackOff { seconds_left: 9.6, last_failure }];
        let text = "crossover: waiting for the next start in 10 s, as tasks failed too often; the last failure: Command \
                    exited with status 126";
        assert_eq!(why.to_string(), text);
    }
}
