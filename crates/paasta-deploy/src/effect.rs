//! What a change does to one instance: the version before and the version after, compared.

use std::fmt;

use paasta_core::{AppId, HomeId};

/// One instance before or after a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Side {
    /// Nothing is configured, or nothing is deployed.
    Absent,
    /// This would run, or runs.
    Version(Version),
    /// It is configured in a way that cannot run.
    Refused(String),
    /// What runs, or would run, cannot be known.
    Unknown(String),
}

/// A version of an instance at its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    /// Its id.
    pub app: AppId,
    /// Where it belongs.
    pub home: HomeId,
    /// How many tasks it has.
    pub tasks: Tasks,
}

/// How many tasks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tasks {
    /// So many.
    Known(usize),
    /// Within these limits; the very number cannot be read.
    Between {
        /// At least.
        least: usize,
        /// At most.
        most: usize,
        /// Why it cannot be read.
        why: String,
    },
}

/// What a change does to one instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Effect {
    /// It cannot run as it is configured: what runs stays as it is.
    Refused,
    /// It cannot be said.
    Unknown,
    /// All its tasks are replaced.
    Bounce,
    /// Its tasks end.
    Stop,
    /// It gets more or fewer tasks of the same version.
    Scale,
    /// It runs for the first time.
    Create,
    /// It is not configured any more: what runs stays, and nobody looks after it.
    Orphan,
    /// Nothing.
    Unchanged,
    /// Nothing: it is configured, and not deployed yet.
    NotDeployed,
}

/// [`Effect`], with what it costs and why it is so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// What happens.
    pub effect: Effect,
    /// Why, where the sides alone do not say it.
    pub reason: Option<String>,
    /// Tasks of a version that ends for another one.
    pub replaced: usize,
    /// Whether [`Verdict::replaced`] is the most it can be, the number of tasks being unknown.
    pub replaced_at_most: bool,
}

impl Effect {
    /// All of them, the one to look at first first.
    pub const ALL: [Effect; 9] = [
        Effect::Refused,
        Effect::Unknown,
        Effect::Bounce,
        Effect::Stop,
        Effect::Scale,
        Effect::Create,
        Effect::Orphan,
        Effect::Unchanged,
        Effect::NotDeployed,
    ];

    /// In one word, for machines and tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Effect::Refused => "refused",
            Effect::Unknown => "unknown",
            Effect::Bounce => "bounce",
            Effect::Stop => "stop",
            Effect::Scale => "scale",
            Effect::Create => "create",
            Effect::Orphan => "orphan",
            Effect::Unchanged => "unchanged",
            Effect::NotDeployed => "not_deployed",
        }
    }
}

impl fmt::Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Tasks {
    /// The number, or the greatest it can be.
    pub fn most(&self) -> usize {
        match self {
            Tasks::Known(count) => *count,
            Tasks::Between { most, .. } => *most,
        }
    }

    fn is_known(&self) -> bool {
        matches!(self, Tasks::Known(_))
    }
}

/// What becomes of an instance that was `before` and is to be `after`. Pure.
///
/// ```
/// use paasta_core::{AppId, HomeId};
/// use paasta_deploy::{Effect, Side, Tasks, Version, effect};
///
/// let version = |app: &str, tasks| {
///     Side::Version(Version { app: AppId::new(app), home: HomeId::new("h"), tasks: Tasks::Known(tasks) })
/// };
/// assert_eq!(effect(&version("s.i.g.a", 3), &version("s.i.g.a", 5)).effect, Effect::Scale);
/// let bounce = effect(&version("s.i.g.a", 3), &version("s.i.g.b", 3));
/// assert_eq!((bounce.effect, bounce.replaced), (Effect::Bounce, 3));
/// ```
pub fn effect(before: &Side, after: &Side) -> Verdict {
    let plain = |effect| Verdict { effect, reason: None, replaced: 0, replaced_at_most: false };
    let because = |effect, reason: &str| Verdict { reason: Some(reason.to_owned()), ..plain(effect) };
    match (before, after) {
        (_, Side::Refused(reason)) => because(Effect::Refused, reason),
        (_, Side::Unknown(reason)) => because(Effect::Unknown, reason),
        (Side::Unknown(reason), _) => because(Effect::Unknown, reason),
        (Side::Refused(reason), _) => because(Effect::Unknown, &format!("before the change: {reason}")),
        (Side::Absent, Side::Absent) => plain(Effect::NotDeployed),
        (Side::Absent, Side::Version(_)) => plain(Effect::Create),
        (Side::Version(_), Side::Absent) => plain(Effect::Orphan),
        (Side::Version(before), Side::Version(after)) => change(before, after),
    }
}

fn change(before: &Version, after: &Version) -> Verdict {
    let plain = |effect| Verdict { effect, reason: None, replaced: 0, replaced_at_most: false };
    let stays = before.app == after.app && before.home == after.home;
    match (&before.tasks, &after.tasks) {
        (old, Tasks::Known(0)) if *old != Tasks::Known(0) => plain(Effect::Stop),
        (old, new) if stays && same(old, new) => plain(Effect::Unchanged),
        (Tasks::Known(_), Tasks::Known(_)) if stays => plain(Effect::Scale),
        (_, Tasks::Between { why, .. }) | (Tasks::Between { why, .. }, _) if stays => {
            Verdict { reason: Some(why.clone()), ..plain(Effect::Unknown) }
        }
        (old, _) => Verdict {
            replaced: old.most(),
            replaced_at_most: !old.is_known(),
            reason: (before.app == after.app)
                .then(|| format!("it moves from {} to {}", before.home, after.home)),
            ..plain(Effect::Bounce)
        },
    }
}

/// A number that cannot be read is the same number on both sides, as long as the limits are.
fn same(old: &Tasks, new: &Tasks) -> bool {
    match (old, new) {
        (Tasks::Between { least: a, most: b, .. }, Tasks::Between { least: c, most: d, .. }) => {
            (a, b) == (c, d)
        }
        (old, new) => old == new,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn version(app: &str, home: &str, tasks: Tasks) -> Side {
        Side::Version(Version { app: AppId::new(app), home: HomeId::new(home), tasks })
    }

    fn side(text: &str) -> Side {
        let parts: Vec<&str> = text.split(' ').collect();
        match parts[..] {
            ["absent"] => Side::Absent,
            ["refused"] => Side::Refused("no".to_owned()),
            ["unknown"] => Side::Unknown("silent".to_owned()),
            [app, home, tasks] => {
                let why = "silent".to_owned();
                let tasks = match tasks.split_once('-') {
                    Some((a, b)) => {
                        Tasks::Between { least: a.parse().unwrap(), most: b.parse().unwrap(), why }
                    }
                    None => Tasks::Known(tasks.parse().unwrap()),
                };
                version(app, home, tasks)
            }
            _ => panic!("{text}"),
        }
    }

    #[track_caller]
    fn check(line: &str) {
        let parts: Vec<&str> = line.split('|').map(str::trim).collect();
        let verdict = effect(&side(parts[0]), &side(parts[1]));
        assert_eq!(format!("{} {}", verdict.effect, verdict.replaced), parts[2], "{line}");
    }

    #[test]
    fn effects() {
        check("absent  | absent  | not_deployed 0");
        check("absent  | a h 3   | create 0");
        check("a h 3   | absent  | orphan 0");
        check("a h 3   | a h 3   | unchanged 0");
        check("a h 3   | a h 5   | scale 0");
        check("a h 0   | a h 5   | scale 0");
        check("a h 3   | a h 0   | stop 0");
        check("a h 3   | b h 0   | stop 0");
        check("a h 1-3 | b h 0   | stop 0");
        check("a h 0   | a h 0   | unchanged 0");
        check("a h 0   | b h 0   | bounce 0");
        check("a h 0   | b h 2   | bounce 0");
        check("a h 3   | b h 5   | bounce 3");
        check("a h 3   | a i 3   | bounce 3");
        check("a h 1-9 | b h 1-9 | bounce 9");
        check("a h 1-9 | a h 1-9 | unchanged 0");
        check("a h 1-9 | a h 1-5 | unknown 0");
        check("a h 3   | a h 1-5 | unknown 0");
        check("a h 3   | b h 1-5 | bounce 3");
        check("a h 3   | refused | refused 0");
        check("unknown | refused | refused 0");
        check("unknown | a h 3   | unknown 0");
        check("a h 3   | unknown | unknown 0");
        check("refused | a h 3   | unknown 0");
    }

    fn any_side() -> impl Strategy<Value = Side> {
        let tasks = prop_oneof![
            (0usize..4).prop_map(Tasks::Known),
            (0usize..4, 0usize..4).prop_map(|(least, more)| Tasks::Between {
                least,
                most: least + more,
                why: "silent".to_owned()
            }),
        ];
        prop_oneof![
            Just(Side::Absent),
            Just(Side::Refused("no".to_owned())),
            Just(Side::Unknown("silent".to_owned())),
            ("[ab]", "[hi]", tasks).prop_map(|(app, home, tasks)| version(&app, &home, tasks)),
        ]
    }

    proptest! {
        #[test]
        fn nothing_changed_is_never_a_change(one in any_side()) {
            let effect = effect(&one, &one).effect;
            let still = [Effect::Unchanged, Effect::NotDeployed, Effect::Refused, Effect::Unknown];
            prop_assert!(still.contains(&effect), "{effect}");
        }

        /// Unknown is never absent, and never unchanged.
        #[test]
        fn what_is_unknown_is_said_so(other in any_side()) {
            let unknown = Side::Unknown("silent".to_owned());
            prop_assert_eq!(effect(&other, &unknown).effect, Effect::Unknown);
            let verdict = effect(&unknown, &other);
            prop_assert!(matches!(verdict.effect, Effect::Unknown | Effect::Refused));
            prop_assert!(verdict.reason.is_some());
        }

        /// Tasks are replaced by a bounce alone, and by no more than there are.
        #[test]
        fn only_a_bounce_replaces(before in any_side(), after in any_side()) {
            let verdict = effect(&before, &after);
            if verdict.effect == Effect::Bounce {
                let Side::Version(before) = &before else { panic!("nothing was there") };
                prop_assert_eq!(verdict.replaced, before.tasks.most());
            } else {
                prop_assert_eq!(verdict.replaced, 0);
            }
        }
    }
}
