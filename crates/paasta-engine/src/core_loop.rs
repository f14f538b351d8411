//! The loop around the state machine: takes commands, saves, then answers and acts.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use paasta_core::{Clock, Timestamp, chain};
use tokio::sync::{broadcast, mpsc, oneshot};

use crate::actor::Actor;
use crate::journal::Journal;
use crate::state::{Command, Effect, Engine, Note, Refusal, Reply, Supply};
use crate::store::{Store, StoreError};

/// The most commands that are saved together.
const BATCH_MAX: usize = 256;
/// Commands that may wait.
pub(crate) const QUEUE_MAX: usize = 4096;
/// How long after a failed save it is tried again.
const SAVE_RETRY: Duration = Duration::from_millis(500);
/// The longest sleep: the clock may have been set meanwhile.
const SLEEP_MAX: Duration = Duration::from_secs(5);

/// One event for `/v2/events`.
#[derive(Debug)]
pub(crate) struct Published {
    pub(crate) kind: &'static str,
    pub(crate) data: String,
}

type Query = Box<dyn FnOnce(&Engine, Timestamp) + Send>;
type Answer = oneshot::Sender<Result<Reply, CallError>>;

/// What the loop is sent.
pub(crate) enum Input {
    Command(Box<Command>, Option<Answer>),
    Query(Query),
}

/// Why a call got no answer of the state machine.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CallError {
    #[error(transparent)]
    Refused(#[from] Refusal),
    #[error("the change was taken but could not be saved yet: {0}")]
    Unsaved(String),
    #[error("the engine is shutting down or cannot save its state")]
    Closed,
}

/// How everything else talks to the loop.
#[derive(Clone)]
pub(crate) struct Caller {
    inputs: mpsc::Sender<Input>,
}

impl Caller {
    pub(crate) fn new(inputs: mpsc::Sender<Input>) -> Self {
        Self { inputs }
    }

    /// Has a command carried out; answers when its effect is safe.
    pub(crate) async fn call(&self, command: Command) -> Result<Reply, CallError> {
        let (answer, answered) = oneshot::channel();
        let input = Input::Command(Box::new(command), Some(answer));
        self.inputs.send(input).await.map_err(|_| CallError::Closed)?;
        answered.await.map_err(|_| CallError::Closed)?
    }

    /// Completes when the loop is gone.
    pub(crate) async fn closed(&self) {
        self.inputs.closed().await;
    }

    /// Tells the loop something nobody waits for.
    pub(crate) async fn tell(&self, command: Command) {
        // A closed loop means the engine is going: whoever comes next finds out by itself.
        let _ = self.inputs.send(Input::Command(Box::new(command), None)).await;
    }

    /// Reads the state.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Engine, Timestamp) -> T + Send + 'static,
    ) -> Result<T, CallError> {
        let (answer, answered) = oneshot::channel();
        let query: Query = Box::new(move |engine, now| drop(answer.send(read(engine, now))));
        self.inputs.send(Input::Query(query)).await.map_err(|_| CallError::Closed)?;
        answered.await.map_err(|_| CallError::Closed)
    }
}

/// The loop's own things.
pub(crate) struct CoreLoop {
    pub(crate) engine: Engine,
    pub(crate) store: Arc<Store>,
    pub(crate) journal: Arc<Mutex<Journal>>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) events: broadcast::Sender<Arc<Published>>,
    pub(crate) actor: Actor,
    pub(crate) inputs: mpsc::Receiver<Input>,
    /// Effects that wait for the state to be safe.
    pub(crate) pending: Vec<Effect>,
    pub(crate) unsaved: bool,
}

impl CoreLoop {
    /// Runs until nobody can send any more.
    pub(crate) async fn run(mut self) {
        loop {
            let mut batch = Vec::new();
            let patience = self.patience();
            tokio::select! {
                received = self.inputs.recv_many(&mut batch, BATCH_MAX) => if received == 0 { return },
                () = tokio::time::sleep(patience) => {
                    batch.push(Input::Command(Box::new(Command::Tick), None));
                }
                () = self.actor.reap() => {}
            }
            self.take(batch).await;
        }
    }

    /// Carries out one command before the loop runs, as for [`Command::Recover`].
    pub(crate) async fn first(&mut self, command: Command) {
        self.take(vec![Input::Command(Box::new(command), None)]).await;
    }

    fn patience(&self) -> Duration {
        if self.unsaved {
            return SAVE_RETRY;
        }
        let now = self.clock.now();
        let wakeup = self.engine.next_wakeup();
        wakeup.map_or(SLEEP_MAX, |at| at.since(now).min(SLEEP_MAX) + Duration::from_millis(1))
    }

    async fn take(&mut self, mut batch: Vec<Input>) {
        let now = self.clock.now();
        if self.engine.next_wakeup().is_some_and(|at| at <= now) {
            // However many callers there are, what is due is done.
            batch.push(Input::Command(Box::new(Command::Tick), None));
        }
        let (mut answers, mut queries) = (Vec::new(), Vec::new());
        for input in batch {
            match input {
                Input::Query(query) => queries.push(query),
                Input::Command(command, answer) => {
                    let step = self.engine.handle(now, &mut World, *command);
                    self.unsaved |= step.must_save;
                    self.pending.extend(step.effects);
                    answers.extend(answer.map(|answer| (answer, step.reply)));
                }
            }
        }
        self.write_journal();
        if self.unsaved
            && let Err(error) = self.save().await
        {
            tracing::error!(error = %chain(&error), "could not save the state; nothing is acted on until it is");
            for (answer, _) in answers {
                let _ = answer.send(Err(CallError::Unsaved(chain(&error))));
            }
            return;
        }
        self.unsaved = false;
        for effect in std::mem::take(&mut self.pending) {
            self.act(effect);
        }
        for (answer, reply) in answers {
            let _ = answer.send(reply.map_err(CallError::from));
        }
        for query in queries {
            query(&self.engine, now);
        }
    }

    async fn save(&self) -> Result<(), StoreError> {
        let bytes = self.store.bytes(self.engine.memory())?;
        let store = self.store.clone();
        let saved = tokio::task::spawn_blocking(move || store.save(&bytes)).await;
        saved.unwrap_or_else(|panic| {
            let source = std::io::Error::other(panic);
            Err(StoreError::Io { action: "write", path: self.store.dir().to_owned(), source })
        })
    }

    /// Notes go to the journal before the state is saved, so that none is lost.
    fn write_journal(&mut self) {
        let mut notes: Vec<Note> = Vec::new();
        self.pending.retain(|effect| match effect {
            Effect::Note(note) => {
                notes.push(note.clone());
                false
            }
            _ => true,
        });
        let mut journal = self.journal.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Err(error) = journal.append(notes) {
            tracing::warn!(%error, "could not write the journal");
        }
    }

    fn act(&mut self, effect: Effect) {
        match effect {
            Effect::Publish { kind, data } => {
                // Nobody may be listening.
                let _ = self.events.send(Arc::new(Published { kind, data: data.to_string() }));
            }
            other => self.actor.act(other),
        }
    }
}

/// Ids at random, ports as this machine has them.
struct World;

impl Supply for World {
    fn unique(&mut self) -> String {
        uuid::Uuid::new_v4().to_string()
    }

    fn port_is_free(&mut self, port: u16) -> bool {
        std::net::TcpListener::bind((std::net::Ipv4Addr::UNSPECIFIED, port)).is_ok()
    }
}
