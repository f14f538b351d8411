//! From the engine's journal and hacheck's spool to how many tasks served at each moment.

#![allow(dead_code, reason = "each test program uses its part")]

use std::collections::BTreeMap;

use paasta_engine::JournalEntry;

/// How one instance stood after something happened to it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Moment {
    /// Seconds since 1970.
    pub(crate) at: f64,
    /// What happened.
    pub(crate) what: String,
    /// Per app that has tasks, what they are.
    pub(crate) apps: BTreeMap<String, Tasks>,
}

/// The tasks of one app.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tasks {
    /// Asked for and not gone, those on their way out included.
    pub(crate) there: usize,
    /// Healthy, in traffic, and not told to go.
    pub(crate) serving: usize,
}

impl Moment {
    /// Serving tasks of all apps.
    pub(crate) fn serving(&self) -> usize {
        self.apps.values().map(|tasks| tasks.serving).sum()
    }

    /// The tasks of one app.
    pub(crate) fn of(&self, app: &str) -> Tasks {
        self.apps.get(app).copied().unwrap_or_default()
    }
}

/// Every moment of the instance whose app ids begin with `prefix`. A drain takes a port out of traffic for good: no
/// test gives traffic back. Of a journal and a drain at one time, the journal comes first: whoever drains has looked.
pub(crate) fn moments(journal: &[JournalEntry], drains: &BTreeMap<u16, f64>, prefix: &str) -> Vec<Moment> {
    let own = journal.iter().filter(|entry| entry.note.app.as_str().starts_with(prefix));
    let mut events: Vec<(f64, Event<'_>)> =
        own.map(|entry| (entry.note.at.seconds(), Event::Note(entry))).collect();
    events.extend(drains.iter().map(|(port, at)| (*at, Event::Drain(*port))));
    events.sort_by(|one, other| one.0.total_cmp(&other.0));
    let mut tasks: BTreeMap<String, Task> = BTreeMap::new();
    let mut moments = vec![];
    for (at, event) in events {
        if let Some(what) = happen(&mut tasks, &event) {
            moments.push(Moment { at, what, apps: count(&tasks) });
        }
    }
    moments
}

/// In the order in which they are told where they are of one time.
enum Event<'a> {
    Note(&'a JournalEntry),
    Drain(u16),
}

#[derive(Default)]
struct Task {
    app: String,
    port: Option<u16>,
    healthy: bool,
    drained: bool,
    going: bool,
}

/// Carries one event over to the tasks and says what it was, if it is of this instance.
fn happen(tasks: &mut BTreeMap<String, Task>, event: &Event<'_>) -> Option<String> {
    let note = match event {
        Event::Note(entry) => &entry.note,
        Event::Drain(port) => {
            let (id, task) = tasks.iter_mut().find(|(_, task)| task.port == Some(*port))?;
            task.drained = true;
            return Some(format!("drained {id}"));
        }
    };
    let Some(id) = note.task.as_ref().map(ToString::to_string) else {
        return Some(format!("{} {}", note.kind, note.app.as_str()));
    };
    let what = format!("{} {id}", note.kind);
    if note.kind == "task_staged" {
        let port = note.message.as_deref().and_then(first_number);
        tasks.insert(id, Task { app: note.app.as_str().to_owned(), port, ..Task::default() });
        return Some(what);
    }
    match note.kind.as_str() {
        "task_started" | "task_adopted" => {}
        "task_healthy" => tasks.get_mut(&id)?.healthy = true,
        "task_unhealthy" => tasks.get_mut(&id)?.healthy = false,
        "task_killing" => tasks.get_mut(&id)?.going = true,
        "task_killed" | "task_exited" | "task_failed_to_start" => drop(tasks.remove(&id)),
        unknown => panic!("the journal tells of `{unknown}`, which this fold does not know"),
    }
    Some(what)
}

fn count(tasks: &BTreeMap<String, Task>) -> BTreeMap<String, Tasks> {
    let mut apps: BTreeMap<String, Tasks> = BTreeMap::new();
    for task in tasks.values() {
        let counted = apps.entry(task.app.clone()).or_default();
        counted.there += 1;
        counted.serving += usize::from(task.healthy && !task.drained && !task.going);
    }
    apps
}

/// The first number in a text such as `ports [31000, 31001]`.
fn first_number(text: &str) -> Option<u16> {
    text.split(|c: char| !c.is_ascii_digit()).find(|digits| !digits.is_empty())?.parse().ok()
}

#[test]
fn tasks_serve_from_health_to_drain_or_kill() {
    let told = |seq: u64, second: u64, kind: &str, task: &str, message: &str| {
        let at = format!("1970-01-01T00:00:{second:02}.000Z");
        let event = serde_json::json!({
            "at": at, "kind": kind, "app": "/s.i.git1.config1", "task": task, "message": message,
        });
        serde_json::from_value::<JournalEntry>(serde_json::json!({"seq": seq, "event": event}))
            .expect("an entry")
    };
    let journal = [
        told(1, 1, "task_staged", "a", "ports [31000, 31001]"),
        told(2, 1, "task_staged", "b", "ports [31002]"),
        told(3, 2, "task_healthy", "a", ""),
        told(4, 3, "task_healthy", "b", ""),
        told(5, 6, "task_killing", "a", "asked"),
        told(6, 7, "task_unhealthy", "b", ""),
        told(7, 8, "task_killed", "a", ""),
    ];
    let drains = [(31000, 5.0), (31999, 5.5)].into();
    let told: Vec<_> = moments(&journal, &drains, "/s.i.")
        .iter()
        .map(|moment| {
            let tasks = moment.of("/s.i.git1.config1");
            assert_eq!(tasks.serving, moment.serving());
            (moment.at, tasks.there, tasks.serving)
        })
        .collect();
    let wanted =
        [(1., 1, 0), (1., 2, 0), (2., 2, 1), (3., 2, 2), (5., 2, 1), (6., 2, 1), (7., 2, 0), (8., 1, 0)];
    assert_eq!(told, wanted);
    assert_eq!(moments(&journal, &BTreeMap::new(), "/s.other."), []);
}
