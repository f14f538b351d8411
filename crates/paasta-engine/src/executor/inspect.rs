//! Finding processes and telling them apart, over `/proc` (Linux).

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use paasta_core::TaskId;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use super::TaskUsage;
use super::environment::{CHECK_MARK, TASK_MARK};
use crate::state::RunRef;

/// One process and nothing that may later get its number: pid, start in clock ticks since boot, boot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) pid: i32,
    started: u64,
    boot: String,
}

impl Identity {
    /// Of a process that is there, even as a zombie.
    pub(super) fn of(pid: i32) -> Option<Self> {
        Some(Self { pid, started: stat(pid)?.started, boot: boot()? })
    }

    pub(super) fn parse(run: &RunRef) -> Option<Self> {
        let mut parts = run.0.splitn(3, ':');
        let pid = parts.next()?.parse().ok()?;
        let started = parts.next()?.parse().ok()?;
        Some(Self { pid, started, boot: parts.next()?.to_owned() })
    }

    pub(super) fn run_ref(&self) -> RunRef {
        RunRef(format!("{}:{}:{}", self.pid, self.started, self.boot))
    }

    /// Whether this very process still runs.
    pub(super) fn is_alive(&self) -> bool {
        let same = |stat: Stat| stat.started == self.started && !matches!(stat.state, 'Z' | 'X');
        boot().is_some_and(|boot| boot == self.boot) && stat(self.pid).is_some_and(same)
    }

    /// The group it is in, if it is still there.
    pub(super) fn group(&self) -> Option<i32> {
        stat(self.pid).filter(|stat| stat.started == self.started).map(|stat| stat.group)
    }

    /// Something to wait on that means this very process.
    pub(super) fn open(&self) -> Option<std::os::fd::OwnedFd> {
        let fd = pidfd_open(Pid::from_raw(self.pid)?, PidfdFlags::NONBLOCK).ok()?;
        // Only now is it certain that the handle is not that of a later process.
        self.is_alive().then_some(fd)
    }
}

struct Stat {
    state: char,
    group: i32,
    started: u64,
}

fn stat(pid: i32) -> Option<Stat> {
    let text = fs::read(format!("/proc/{pid}/stat")).ok()?;
    let text = String::from_utf8_lossy(&text);
    // The name in parentheses may hold anything, so the fields begin after the last one.
    let fields: Vec<&str> = text.get(text.rfind(')')? + 1..)?.split_whitespace().collect();
    Some(Stat {
        state: fields.first()?.chars().next()?,
        group: fields.get(2)?.parse().ok()?,
        started: fields.get(19)?.parse().ok()?,
    })
}

fn boot() -> Option<String> {
    fs::read_to_string("/proc/sys/kernel/random/boot_id").ok().map(|id| id.trim().to_owned())
}

/// A process that carries the engine's mark.
#[derive(Clone, Debug)]
pub(super) struct Marked {
    pub(super) identity: Identity,
    pub(super) task: TaskId,
    pub(super) group: i32,
    pub(super) is_check: bool,
}

/// Every living process marked by `engine`, the oldest first.
pub(super) fn marked(engine: &str) -> Vec<Marked> {
    let mut found: Vec<Marked> = pids().into_iter().filter_map(|pid| look(pid, engine)).collect();
    found.sort_by_key(|process| (process.identity.started, process.identity.pid));
    found
}

/// Every living process that carries a mark of any engine and has its directory below `sandboxes`, and whoever is in
/// a group that such a process leads.
pub(super) fn living_in(sandboxes: &Path) -> Vec<Identity> {
    let pids = pids();
    let of_ours = |pid: &i32| {
        let environment = environment_of(*pid).unwrap_or_default();
        let has_mark = environment.iter().any(|(name, _)| name == TASK_MARK || name == CHECK_MARK);
        let sandbox = environment.iter().find(|(name, _)| name == "MESOS_SANDBOX");
        has_mark && sandbox.is_some_and(|(_, path)| Path::new(path).starts_with(sandboxes))
    };
    let ours: BTreeSet<i32> = pids.iter().copied().filter(of_ours).collect();
    let in_group_of_ours = |pid: i32| stat(pid).is_some_and(|stat| ours.contains(&stat.group));
    let found = pids.into_iter().filter(|pid| ours.contains(pid) || in_group_of_ours(*pid));
    found.filter_map(|pid| Identity::of(pid).filter(Identity::is_alive)).collect()
}

/// A process group that was a task's own until a certain tick: whoever is in it and began no later is the task's,
/// whatever became of its environment. (Later, the number may be another's.)
#[derive(Clone, Copy, Debug)]
pub(super) struct OwnGroup {
    /// The group's number.
    pub(super) id: i32,
    /// In clock ticks since boot.
    pub(super) until: u64,
}

impl OwnGroup {
    /// The group that `leader` led, if it is of this boot; asked just before or after its end.
    pub(super) fn of(leader: &Identity) -> Option<Self> {
        let this_boot = boot().is_some_and(|boot| boot == leader.boot);
        Some(Self { id: leader.pid, until: ticks_now()? }).filter(|_| this_boot)
    }
}

/// Living processes of one task: those that carry its mark, and those in its own group.
pub(super) fn members_of(engine: &str, task: &TaskId, own: Option<OwnGroup>) -> Vec<Identity> {
    let marked = marked(engine).into_iter().filter(|process| &process.task == task && !process.is_check);
    let mut members: Vec<Identity> = marked.map(|process| process.identity).collect();
    if let Some(own) = own {
        let grouped = pids()
            .into_iter()
            .filter(|pid| stat(*pid).is_some_and(|stat| stat.group == own.id && stat.started <= own.until));
        members.extend(grouped.filter_map(|pid| Identity::of(pid).filter(Identity::is_alive)));
    }
    members.sort_by_key(|identity| (identity.pid, identity.started));
    members.dedup();
    members
}

/// What the living processes of each task use together.
pub(super) fn usage(engine: &str) -> BTreeMap<TaskId, TaskUsage> {
    let mut all: BTreeMap<TaskId, TaskUsage> = BTreeMap::new();
    for process in marked(engine).into_iter().filter(|process| !process.is_check) {
        if let Some(used) = usage_of(process.identity.pid) {
            let sum = all.entry(process.task).or_default();
            sum.user_seconds += used.user_seconds;
            sum.system_seconds += used.system_seconds;
            sum.rss_bytes += used.rss_bytes;
        }
    }
    all
}

fn usage_of(pid: i32) -> Option<TaskUsage> {
    let text = fs::read(format!("/proc/{pid}/stat")).ok()?;
    let text = String::from_utf8_lossy(&text);
    let fields: Vec<&str> = text.get(text.rfind(')')? + 1..)?.split_whitespace().collect();
    // Its own ticks, and those of children it has waited for.
    let seconds = |own: usize, children: usize| {
        let ticks = |at: usize| fields.get(at)?.parse::<f64>().ok();
        Some((ticks(own)? + ticks(children)?) / TICKS_PER_SECOND)
    };
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let rss = status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.split_whitespace().next());
    let rss_kib: f64 = rss.and_then(|text| text.parse().ok()).unwrap_or_default();
    Some(TaskUsage {
        user_seconds: seconds(11, 13)?,
        system_seconds: seconds(12, 14)?,
        rss_bytes: rss_kib * 1024.0,
    })
}

/// As Linux counts for programs, whatever it does inside.
const TICKS_PER_SECOND: f64 = 100.0;

/// Now, in clock ticks since boot. Linux tells them to programs in hundredths of a second.
fn ticks_now() -> Option<u64> {
    let uptime = fs::read_to_string("/proc/uptime").ok()?;
    let seconds: f64 = uptime.split_whitespace().next()?.parse().ok()?;
    Some((seconds * TICKS_PER_SECOND) as u64)
}

fn pids() -> Vec<i32> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

fn look(pid: i32, engine: &str) -> Option<Marked> {
    let environment = fs::read(format!("/proc/{pid}/environ")).ok()?;
    let find = |name: &str| {
        let prefix = format!("{name}={engine}/");
        let mut entries = environment.split(|byte| *byte == 0);
        entries.find_map(|entry| entry.strip_prefix(prefix.as_bytes()).map(<[u8]>::to_vec))
    };
    let (task, is_check) = match find(TASK_MARK) {
        Some(task) => (task, false),
        None => (find(CHECK_MARK)?, true),
    };
    let group = stat(pid)?.group;
    let identity = Identity::of(pid).filter(Identity::is_alive)?;
    let task = TaskId::new(String::from_utf8(task).ok()?);
    Some(Marked { identity, task, group, is_check })
}

/// Sends a signal to this very process, if it still lives.
pub(super) fn signal(identity: &Identity, signal: Signal) {
    if let Some(fd) = identity.open() {
        // It may be gone since.
        let _ = pidfd_send_signal(fd, signal);
    }
}

/// The environment of a living process.
pub(super) fn environment_of(pid: i32) -> Option<Vec<(String, String)>> {
    let bytes = fs::read(format!("/proc/{pid}/environ")).ok()?;
    let entries = bytes.split(|byte| *byte == 0).filter(|entry| !entry.is_empty());
    let pairs = entries.filter_map(|entry| {
        let text = String::from_utf8_lossy(entry);
        text.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()))
    });
    Some(pairs.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_alive_and_its_like_is_not() {
        let me = i32::try_from(std::process::id()).expect("fits");
        let identity = Identity::of(me).expect("we run");
        assert!(identity.is_alive());
        assert_eq!(Identity::parse(&identity.run_ref()), Some(identity.clone()));
        let earlier = Identity { started: identity.started.wrapping_sub(1), ..identity.clone() };
        assert!(!earlier.is_alive());
        assert!(!Identity { boot: "another".to_owned(), ..identity }.is_alive());
        assert!(Identity::parse(&RunRef("x".to_owned())).is_none());
    }
}
