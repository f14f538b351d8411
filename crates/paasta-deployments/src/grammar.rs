//! The names of tags: what they say, and how new ones are named (config.md §4.4, §4.5, §5.2).

use std::fmt;

use paasta_core::{GitSha, Timestamp};

use crate::RemoteRef;

const TAG_PREFIX: &str = "refs/tags/";
const PAASTA_PREFIX: &str = "paasta-";
const DEPLOY_SUFFIX: &str = "-deploy";
/// `YYYYMMDDTHHMMSS`.
const TIME_LENGTH: usize = 15;

/// What a state tag asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum State {
    /// Run as many tasks as configured.
    Start,
    /// Run none.
    Stop,
}

impl State {
    /// `start` or `stop`.
    pub fn as_str(self) -> &'static str {
        match self {
            State::Start => "start",
            State::Stop => "stop",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        match text {
            "start" => Some(State::Start),
            "stop" => Some(State::Stop),
            _ => None,
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The full ref name that says "this commit is wanted in `deploy_group`" (config.md §5.2).
///
/// ```
/// let at = "2021-03-01T01:02:03Z".parse().expect("a time");
/// assert_eq!(
///     paasta_deployments::deploy_tag("prod.main", at),
///     "refs/tags/paasta-prod.main-20210301T010203-deploy"
/// );
/// ```
pub fn deploy_tag(deploy_group: &str, at: Timestamp) -> String {
    format!("{TAG_PREFIX}{PAASTA_PREFIX}{deploy_group}-{}{DEPLOY_SUFFIX}", at.tag_text())
}

/// The full ref name that starts, restarts or stops the instance of a control branch (`<cluster>.<instance>`) at the
/// commit it points at (config.md §5.2).
pub fn state_tag(branch: &str, at: Timestamp, state: State) -> String {
    format!("{TAG_PREFIX}{PAASTA_PREFIX}{branch}-{}-{state}", at.tag_text())
}

/// The deploy group and the time text of a deploy tag; `None` for any other ref. Exactly one `paasta-` goes before
/// the group, and the group matches literally (config.md §4.4, design decision 3).
///
/// ```
/// use paasta_deployments::deploy_tag_parts;
/// assert_eq!(deploy_tag_parts("refs/tags/paasta-a.b-20210101T000000-deploy"), Some(("a.b", "20210101T000000")));
/// assert_eq!(deploy_tag_parts("refs/tags/paasta-a.b-20210101T000000-deploy^{}"), None);
/// ```
pub fn deploy_tag_parts(name: &str) -> Option<(&str, &str)> {
    let middle = name.strip_prefix(TAG_PREFIX)?.strip_prefix(PAASTA_PREFIX)?.strip_suffix(DEPLOY_SUFFIX)?;
    let split = middle.len().checked_sub(TIME_LENGTH)?;
    let (group, time) = (middle.get(..split)?.strip_suffix('-')?, middle.get(split..)?);
    is_time(time).then_some((group, time))
}

fn is_time(text: &str) -> bool {
    text.len() == TIME_LENGTH
        && text.bytes().enumerate().all(|(i, b)| if i == 8 { b == b'T' } else { b.is_ascii_digit() })
}

/// A state tag taken apart (config.md §4.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StateTag<'a> {
    /// `<cluster>.<instance>`.
    pub branch: &'a str,
    /// Any text without a dash; becomes the force-bounce text. Ours are times.
    pub token: &'a str,
    /// What it asks for.
    pub state: State,
}

impl<'a> StateTag<'a> {
    /// Takes a full ref name apart; `None` if it is no state tag. Up to two `paasta-` before the branch are eaten, as
    /// many as leave something to match.
    pub fn parse(name: &'a str) -> Option<Self> {
        let whole = name.strip_prefix(TAG_PREFIX)?;
        let once = whole.strip_prefix(PAASTA_PREFIX);
        let twice = once.and_then(|rest| rest.strip_prefix(PAASTA_PREFIX));
        [twice, once, Some(whole)].into_iter().flatten().find_map(Self::parse_rest)
    }

    fn parse_rest(rest: &'a str) -> Option<Self> {
        let (front, state) = rest.rsplit_once('-')?;
        let (branch, token) = front.rsplit_once('-')?;
        let state = State::parse(state)?;
        let in_class = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
        (!token.is_empty() && !branch.is_empty() && branch.bytes().all(in_class)).then_some(Self {
            branch,
            token,
            state,
        })
    }
}

/// A tag stands in the way that no new one can come after.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("tag `{name}` sorts after any tag of today, so a new one would have no effect")]
pub struct Outranked {
    /// The full name of the tag that wins.
    pub name: String,
}

/// The time to give a new state tag of `branch` at `sha`: `now`, or one second after the last one there if that is not
/// before `now`. So two changes within a second, or made by a clock that runs ahead, do not tie (config.md §5.2).
pub fn state_time_for(
    refs: &[RemoteRef],
    branch: &str,
    sha: &GitSha,
    now: Timestamp,
) -> Result<Timestamp, Outranked> {
    let rivals = refs.iter().filter(|r| r.commit() == sha).filter_map(|r| {
        let tag = StateTag::parse(&r.name).filter(|tag| tag.branch == branch)?;
        Some((r.name.as_str(), tag.token))
    });
    time_after(rivals, now)
}

/// The time to give a new deploy tag of `deploy_group` at `sha`: `now`, or one second after the newest tag there is if
/// that is not before `now` and marks another commit.
pub fn deploy_time_for(
    refs: &[RemoteRef],
    deploy_group: &str,
    sha: &GitSha,
    now: Timestamp,
) -> Result<Timestamp, Outranked> {
    let rivals = refs.iter().filter_map(|r| {
        let (_, time) = deploy_tag_parts(&r.name).filter(|(group, _)| *group == deploy_group)?;
        let ours_already = r.commit() == sha && time <= now.tag_text().as_str();
        (!ours_already).then_some((r.name.as_str(), time))
    });
    time_after(rivals, now)
}

/// `now` or the first full second after every rival, whichever is later.
fn time_after<'a>(
    rivals: impl Iterator<Item = (&'a str, &'a str)>,
    now: Timestamp,
) -> Result<Timestamp, Outranked> {
    let Some((name, last)) = rivals.max_by_key(|(_, token)| *token) else { return Ok(now) };
    if last < now.tag_text().as_str() {
        return Ok(now);
    }
    let next = tag_time(last).map(|time| time.plus_seconds(1.0));
    next.filter(|time| time.tag_text().as_str() > last).ok_or_else(|| Outranked { name: name.to_owned() })
}

/// The point in time that a tag's text names.
fn tag_time(text: &str) -> Option<Timestamp> {
    if !is_time(text) {
        return None;
    }
    let part = |range: std::ops::Range<usize>| text.get(range).unwrap_or_default();
    let rfc = format!(
        "{}-{}-{}T{}:{}:{}Z",
        part(0..4),
        part(4..6),
        part(6..8),
        part(9..11),
        part(11..13),
        part(13..15)
    );
    rfc.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sha(digit: char) -> GitSha {
        GitSha::new(digit.to_string().repeat(40)).unwrap()
    }

    #[track_caller]
    fn state(name: &str, expected: Option<(&str, &str, State)>) {
        let name = format!("refs/tags/{name}");
        let got = StateTag::parse(&name).map(|t| (t.branch, t.token, t.state));
        assert_eq!(got, expected, "{name}");
    }

    #[test]
    fn state_tags_by_the_grammar_of_get_desired_state() {
        state("paasta-paasta-a.b-1-start", Some(("a.b", "1", State::Start)));
        state("a.b-2-stop", Some(("a.b", "2", State::Stop)));
        state("paasta-paasta-paasta-a.b-3-stop", Some(("paasta-a.b", "3", State::Stop)));
        state("paasta-a-b.c-d-20210101T000000-stop", Some(("a-b.c-d", "20210101T000000", State::Stop)));
        state("paasta-a.b--stop", None);
        state("paasta-x/y-9-stop", None);
        state("paasta-a.b-9-stop2", None);
        state("paasta-1-stop", Some(("paasta", "1", State::Stop)));
        state("paasta-paasta-1-stop", Some(("paasta", "1", State::Stop)));
        state("1-stop", None);
    }

    #[test]
    fn deploy_groups_match_literally() {
        let parts = |name: &str| deploy_tag_parts(name).map(|(g, t)| (g.to_owned(), t.to_owned()));
        let time = "20210101T000000".to_owned();
        for group in ["a.b", "a+b", "g(1)", "paasta-a", "a-20200101T000000", "ü"] {
            let name = format!("refs/tags/paasta-{group}-{time}-deploy");
            assert_eq!(parts(&name), Some((group.to_owned(), time.clone())));
        }
        for name in [
            "refs/tags/a-20210101T000000-deploy",
            "refs/tags/paasta-a-20210101T00000-deploy",
            "refs/tags/paasta-a-2021-101T000000-deploy",
            "refs/tags/paasta-20210101T000000-deploy",
            "refs/tags/paasta-ü0210101T000000-deploy",
            "refs/heads/paasta-a-20210101T000000-deploy",
        ] {
            assert_eq!(parts(name), None, "{name}");
        }
    }

    #[test]
    fn new_tags_never_tie() {
        let now: Timestamp = "2021-03-01T01:02:03.900Z".parse().unwrap();
        let tag = |name: &str, at| RemoteRef::new(format!("refs/tags/paasta-{name}"), at);
        let refs = [tag("p.main-20210301T010203-stop", sha('a')), tag("p.x-20990301T010203-stop", sha('a'))];
        let at = state_time_for(&refs, "p.main", &sha('a'), now).unwrap();
        assert_eq!(at.tag_text(), "20210301T010204");
        assert_eq!(state_time_for(&refs, "p.main", &sha('b'), now).unwrap(), now);
        assert_eq!(state_time_for(&refs, "p.x", &sha('a'), now).unwrap().tag_text(), "20990301T010204");
        let odd = [tag("p.main-zzz-stop", sha('a'))];
        assert!(state_time_for(&odd, "p.main", &sha('a'), now).is_err());
    }

    #[test]
    fn a_mark_comes_after_a_tag_from_the_future() {
        let now: Timestamp = "2021-03-01T01:02:03Z".parse().unwrap();
        let tag = |time: &str, at| RemoteRef::new(format!("refs/tags/paasta-g-{time}-deploy"), at);
        let time = |refs: &[RemoteRef]| deploy_time_for(refs, "g", &sha('a'), now).unwrap().tag_text();
        assert_eq!(time(&[tag("20210301T010202", sha('b'))]), "20210301T010203");
        assert_eq!(time(&[tag("20210301T010203", sha('b'))]), "20210301T010204");
        assert_eq!(time(&[tag("20210301T010203", sha('a'))]), "20210301T010203");
        assert_eq!(time(&[tag("20210301T020203", sha('a'))]), "20210301T020204");
    }
}
