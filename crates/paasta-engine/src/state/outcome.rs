//! Gathers what one command leads to.

use paasta_core::{TaskId, Timestamp};
use serde_json::{Value, json};

use super::command::{Effect, Note};
use super::path_id::PathId;

/// Effects in order, and whether the state must be saved first.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) effects: Vec<Effect>,
    pub(crate) must_save: bool,
}

impl Outcome {
    /// Wants something done after the state is safe.
    pub(crate) fn push(&mut self, effect: Effect) {
        self.must_save = true;
        self.effects.push(effect);
    }

    /// Tells the event stream; `data` gets its type and time.
    pub(crate) fn publish(&mut self, now: Timestamp, kind: &'static str, mut data: Value) {
        if let Value::Object(members) = &mut data {
            members.insert("eventType".to_owned(), json!(kind));
            members.insert("timestamp".to_owned(), json!(now));
        }
        self.effects.push(Effect::Publish { kind, data });
    }

    /// Writes into the journal about an app.
    pub(crate) fn note_app(&mut self, now: Timestamp, kind: &str, app: &PathId, instances: Option<u64>) {
        let (app, kind) = (app.clone(), kind.to_owned());
        self.effects.push(Effect::Note(Note { at: now, kind, app, task: None, instances, message: None }));
    }

    /// Writes into the journal about a task.
    pub(crate) fn note_task(
        &mut self,
        now: Timestamp,
        kind: &str,
        app: &PathId,
        task: &TaskId,
        message: Option<String>,
    ) {
        let (app, task, kind) = (app.clone(), Some(task.clone()), kind.to_owned());
        self.effects.push(Effect::Note(Note { at: now, kind, app, task, instances: None, message }));
    }
}
