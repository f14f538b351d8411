//! The lock recipe of kazoo (marathon-and-bounce.md §3.4): who is first in a line of ephemeral nodes holds.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout_at};
use zookeeper_client::{Acls, CreateMode, CreateOptions, Error};

use super::janitor::Leftover;
use super::session::{Problem, RETRY_MILLIS, Session};

/// Stands between a contender's own prefix and its number.
const MARK: &str = "__lock__";
/// Digits of a number.
const DIGITS: usize = 10;

const CONTENDER: CreateOptions<'static> = CreateMode::EphemeralSequential.with_acls(Acls::anyone_all());

/// One's own node in a line. Dropping it takes the node away, wherever the attempt has got to.
#[derive(Debug)]
pub(crate) struct Claim {
    session: Arc<Session>,
    directory: String,
    prefix: String,
    /// As the servers named it; `None` until the answer is there.
    name: Option<String>,
}

/// Where one stands in a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// In front of everybody.
    First,
    /// Behind somebody.
    Behind {
        /// Who is immediately before.
        predecessor: String,
        /// Who holds.
        first: String,
    },
    /// One's node is gone.
    Gone,
}

/// A contender's number, as text, from the name of its node. Others in the directory have none.
fn number(name: &str) -> Option<&str> {
    let begin = name.len().checked_sub(DIGITS)?;
    let (before, digits) = (name.get(..begin)?, name.get(begin..)?);
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    if before.ends_with(MARK) {
        return Some(digits);
    }
    // Numbers go on below zero once they are too large for 32 bits.
    before.strip_suffix('-')?.ends_with(MARK).then(|| &name[begin - 1..])
}

/// Where the node `own` stands among `children`: by number, compared as text, as kazoo does.
pub(crate) fn place(children: &[String], own: &str) -> Place {
    let Some(mine) = number(own).filter(|_| children.iter().any(|child| child == own)) else {
        return Place::Gone;
    };
    let before =
        || children.iter().filter_map(|child| Some((number(child)?, child))).filter(|(n, _)| *n < mine);
    match (before().max(), before().min()) {
        (Some((_, predecessor)), Some((_, first))) => {
            Place::Behind { predecessor: predecessor.clone(), first: first.clone() }
        }
        _ => Place::First,
    }
}

impl Claim {
    /// Joins the line in a directory, which is made where it is missing.
    pub(crate) async fn stake(session: &Arc<Session>, directory: &str, data: &[u8]) -> Result<Self, Problem> {
        let prefix = format!("{}{MARK}", uuid::Uuid::new_v4().simple());
        // There before the node is: whoever gives up half-way leaves none behind.
        let mut claim =
            Self { session: session.clone(), directory: directory.to_owned(), prefix, name: None };
        let path = format!("{directory}/{}", claim.prefix);
        let mut attempts = 0;
        loop {
            attempts += 1;
            let path = path.as_str();
            let made = session.ask(|client| async move { client.create(path, data, &CONTENDER).await }).await;
            match made {
                Ok((_, number)) => {
                    claim.name = Some(format!("{}{number}", claim.prefix));
                    return Ok(claim);
                }
                Err(problem) if problem.is_no_node() && attempts < 3 => {
                    session.make_directory(directory).await?;
                }
                Err(problem) if problem.is_lost_reply() && attempts < 3 => {
                    let children = session.settled_children(directory).await?;
                    let ours = children.into_iter().find(|child| child.starts_with(&claim.prefix));
                    if let Some(name) = ours {
                        claim.name = Some(name);
                        return Ok(claim);
                    }
                }
                Err(problem) => return Err(problem),
            }
        }
    }

    /// The session it is part of.
    pub(crate) fn session(&self) -> &Arc<Session> {
        &self.session
    }

    /// The path of a node of the line.
    pub(crate) fn path_of(&self, name: &str) -> String {
        format!("{}/{name}", self.directory)
    }

    /// The path of its own node.
    pub(crate) fn path(&self) -> String {
        self.path_of(self.name.as_deref().unwrap_or_default())
    }

    /// Where it stands now.
    pub(crate) async fn place(&self) -> Result<Place, Problem> {
        let children = self.session.children(&self.directory).await?;
        Ok(place(&children, self.name.as_deref().unwrap_or_default()))
    }

    /// Waits until something happens to a node of the line; `false` if nothing has by the deadline.
    pub(crate) async fn watch(&self, name: &str, deadline: Option<Instant>) -> Result<bool, Problem> {
        watch(&self.session, &self.path_of(name), deadline).await
    }
}

/// Waits until something happens to a node, or to the session; `false` if nothing has by the deadline. Returns at once
/// if there is no such node.
pub(crate) async fn watch(session: &Session, path: &str, deadline: Option<Instant>) -> Result<bool, Problem> {
    let watcher = loop {
        let asked = session.ask(|client| async move { client.check_and_watch_stat(path).await }).await;
        match asked {
            Ok((None, _)) => return Ok(true),
            Ok((Some(_), watcher)) => break watcher,
            Err(Problem::Told(Error::ConnectionLoss))
                if deadline.is_none_or(|deadline| Instant::now() < deadline) =>
            {
                sleep(Duration::from_millis(RETRY_MILLIS)).await;
            }
            Err(problem) => return Err(problem),
        }
    };
    let changed = async {
        tokio::select! {
            biased;
            _ = watcher.changed() => {}
            _ = session.until_over() => {}
        }
    };
    match deadline {
        Some(deadline) => Ok(timeout_at(deadline, changed).await.is_ok()),
        None => {
            changed.await;
            Ok(true)
        }
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.session.leave_behind(Leftover::Contender {
            session: self.session.clone(),
            directory: std::mem::take(&mut self.directory),
            prefix: std::mem::take(&mut self.prefix),
            name: self.name.take(),
        });
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn numbers_are_what_kazoo_reads() {
        let cases = [
            ("8a__lock__0000000012", Some("0000000012")),
            ("__lock__0000000012", Some("0000000012")),
            ("8a__lock__-2147483648", Some("-2147483648")),
            ("8a__lock__-000000001", None),
            ("8a__rlock__0000000012", None),
            ("8a__lock__000000001x", None),
            ("8a__lock__00000000012", None),
            ("lease0000000012", None),
            ("0000000012", None),
            ("", None),
            ("é__lock__000000é12", None),
        ];
        for (name, wanted) in cases {
            assert_eq!(number(name), wanted, "{name}");
        }
    }

    #[test]
    fn one_stands_behind_whoever_has_the_next_smaller_number() {
        let line: Vec<String> = ["c__lock__0000000003", "rest", "a__lock__0000000009", "b__lock__0000000005"]
            .map(str::to_owned)
            .to_vec();
        let behind =
            |predecessor: &str| Place::Behind { predecessor: predecessor.to_owned(), first: line[0].clone() };
        assert_eq!(place(&line, "c__lock__0000000003"), Place::First);
        assert_eq!(place(&line, "b__lock__0000000005"), behind("c__lock__0000000003"));
        assert_eq!(place(&line, "a__lock__0000000009"), behind("b__lock__0000000005"));
        assert_eq!(place(&line, "d__lock__0000000001"), Place::Gone);
        assert_eq!(place(&line, "rest"), Place::Gone);
    }

    proptest! {
        /// Exactly one of any line holds, and everybody else waits for exactly one other.
        #[test]
        fn one_holds_and_each_predecessor_is_waited_for_once(
            numbers in proptest::collection::btree_set(0..u32::MAX, 1..20),
        ) {
            let line: Vec<String> = numbers.iter().map(|n| format!("{n:x}__lock__{n:010}")).collect();
            let places: Vec<_> = line.iter().map(|own| place(&line, own)).collect();
            prop_assert_eq!(places.iter().filter(|place| **place == Place::First).count(), 1);
            let mut waited: Vec<_> = places.iter().filter_map(|place| match place {
                Place::Behind { predecessor, first } => Some((predecessor.clone(), first.clone())),
                _ => None,
            }).collect();
            prop_assert!(waited.iter().all(|(_, first)| *first == line[0]));
            waited.dedup();
            prop_assert_eq!(waited.len(), line.len() - 1);
        }
    }
}
