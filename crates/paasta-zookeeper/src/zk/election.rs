//! Election by the lock recipe, as deployd of the original holds it.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_core::stream::BoxStream;
use futures_util::stream;
use paasta_core::{Election, Fence, Fenced, Standing};
use tokio::time::{Instant, sleep};

use super::claim::{Claim, Place, watch};
use super::handle::ZooKeeper;
use super::session::{Hold, Problem, Session, lock};

/// Milliseconds between two attempts to stand, where something is in the way.
const AGAIN_MILLIS: u64 = 200;
/// The longest that a candidate goes by what it last saw of the line, in seconds.
const LOOK_AGAIN_SECONDS: u64 = 10;

/// Whom the fence stands for: nobody, or the candidate that leads at the moment.
type Led = Arc<Mutex<Option<Arc<Session>>>>;

/// An election on one path of ZooKeeper: candidates form a line of nodes, each with its name as data, and the first
/// leads. Members of the original's election take part in the same line.
#[derive(Clone, Debug)]
pub struct ZkElection {
    zookeeper: ZooKeeper,
    path: String,
    name: String,
    led: Led,
}

impl ZkElection {
    /// Where deployd elects its leader.
    pub const DEPLOYD: &str = "/paasta-deployd-leader";

    /// The election on a path, in which this process is called `name`: a fully qualified host name, as a rule. One
    /// process stands once at a time.
    pub fn new(zookeeper: &ZooKeeper, path: impl Into<String>, name: impl Into<String>) -> Self {
        Self { zookeeper: zookeeper.clone(), path: path.into(), name: name.into(), led: Led::default() }
    }

    /// Open only while this process leads, and the session in which it was elected is confirmed. It stays shut while
    /// somebody still holds a lock that was taken in a session that is over.
    pub fn fence(&self) -> LeaderFence {
        LeaderFence { zookeeper: self.zookeeper.clone(), led: self.led.clone() }
    }
}

/// The fence of a leader; see [`ZkElection::fence`].
#[derive(Clone, Debug)]
pub struct LeaderFence {
    zookeeper: ZooKeeper,
    led: Led,
}

impl Fence for LeaderFence {
    fn check(&self) -> Result<(), Fenced> {
        let led = lock(&self.led).clone();
        match led {
            Some(session) => self.zookeeper.covers(&session),
            None => Err(Fenced("this process does not lead".to_owned())),
        }
    }
}

impl Election for ZkElection {
    fn stand(&self) -> BoxStream<'static, Standing> {
        let candidate = Candidate { election: self.clone(), stage: Stage::Outside, told: None };
        Box::pin(stream::unfold(candidate, |mut candidate| async move {
            let standing = candidate.next().await;
            Some((standing, candidate))
        }))
    }
}

/// One who stands. Dropped, it gives everything up.
struct Candidate {
    election: ZkElection,
    stage: Stage,
    told: Option<Standing>,
}

enum Stage {
    /// Not in the line.
    Outside,
    /// In the line.
    InLine(Claim),
    /// In front of it.
    Leading(Leadership),
}

/// A leadership, until it is dropped.
struct Leadership {
    claim: Claim,
    led: Led,
    _hold: Hold,
}

impl Leadership {
    fn begin(claim: Claim, led: &Led) -> Result<Self, Problem> {
        let hold = Hold::new(claim.session())?;
        *lock(led) = Some(claim.session().clone());
        Ok(Self { claim, led: led.clone(), _hold: hold })
    }
}

impl Drop for Leadership {
    fn drop(&mut self) {
        // First the fence, then the node.
        lock(&self.led).take();
    }
}

impl Candidate {
    /// The next standing that differs from the one that was told.
    async fn next(&mut self) -> Standing {
        loop {
            let standing = self.advance().await;
            if self.told.as_ref() != Some(&standing) {
                self.told = Some(standing.clone());
                return standing;
            }
        }
    }

    async fn advance(&mut self) -> Standing {
        if self.told.is_none() && matches!(self.stage, Stage::Outside) {
            return Standing::Waiting { leader: None };
        }
        match std::mem::replace(&mut self.stage, Stage::Outside) {
            Stage::Outside => self.join().await,
            Stage::InLine(claim) => self.wait(claim).await,
            Stage::Leading(leadership) => self.lead(leadership).await,
        }
    }

    async fn join(&mut self) -> Standing {
        loop {
            let session = self.election.zookeeper.session_at_last().await;
            match Claim::stake(&session, &self.election.path, self.election.name.as_bytes()).await {
                Ok(claim) => return self.wait(claim).await,
                Err(problem) => {
                    tracing::warn!(path = self.election.path, %problem, "could not stand for election yet");
                    sleep(Duration::from_millis(AGAIN_MILLIS)).await;
                }
            }
        }
    }

    /// In the line: until it is our turn, or somebody else leads than was told.
    async fn wait(&mut self, claim: Claim) -> Standing {
        loop {
            match self.look(&claim).await {
                Ok(Look::First) => {
                    return match Leadership::begin(claim, &self.election.led) {
                        Ok(leadership) => {
                            self.stage = Stage::Leading(leadership);
                            Standing::Leading
                        }
                        Err(_) => Standing::Waiting { leader: None },
                    };
                }
                Ok(Look::New(leader)) => {
                    self.stage = Stage::InLine(claim);
                    return Standing::Waiting { leader };
                }
                Ok(Look::Same) => {}
                Err(problem) if problem.may_pass() => sleep(Duration::from_millis(AGAIN_MILLIS)).await,
                // Out of the line, with the session or by somebody's hand.
                Err(problem) => {
                    tracing::warn!(path = self.election.path, %problem, "stands for election anew");
                    sleep(Duration::from_millis(AGAIN_MILLIS)).await;
                    return Standing::Waiting { leader: None };
                }
            }
        }
    }

    /// Looks who leads, and if that was told, waits until the line may have changed.
    async fn look(&self, claim: &Claim) -> Result<Look, Problem> {
        let (predecessor, first) = match claim.place().await? {
            Place::First => return Ok(Look::First),
            Place::Gone => return Err(Problem::Over("somebody deleted our node".to_owned())),
            Place::Behind { predecessor, first } => (predecessor, first),
        };
        let Some(name) = claim.session().data(&claim.path_of(&first)).await? else { return Ok(Look::Same) };
        let leader = Some(String::from_utf8_lossy(&name).into_owned()).filter(|name| !name.is_empty());
        let standing = Standing::Waiting { leader };
        if self.told.as_ref() != Some(&standing) {
            let Standing::Waiting { leader } = standing else { return Ok(Look::Same) };
            return Ok(Look::New(leader));
        }
        let deadline = Instant::now() + Duration::from_secs(LOOK_AGAIN_SECONDS);
        claim.watch(&predecessor, Some(deadline)).await?;
        Ok(Look::Same)
    }

    /// Leading: until the fence shuts or opens, or the leadership is lost.
    async fn lead(&mut self, leadership: Leadership) -> Standing {
        let session = leadership.claim.session().clone();
        let doubted = matches!(self.told, Some(Standing::Doubtful(_)));
        let node = leadership.claim.path();
        let gone = async {
            loop {
                match watch(&session, &node, None).await {
                    Ok(_) if matches!(session.exists(&node).await, Ok(false)) => return,
                    Ok(_) => {}
                    Err(_) => sleep(Duration::from_millis(AGAIN_MILLIS)).await,
                }
            }
        };
        tokio::select! {
            biased;
            () = session.until(doubted) => {}
            () = gone => return Standing::Lost("somebody deleted this leader's node".to_owned()),
        }
        if let Some(reason) = session.over() {
            return Standing::Lost(format!("the session with ZooKeeper is over: {reason}"));
        }
        self.stage = Stage::Leading(leadership);
        match session.check() {
            Ok(()) => Standing::Leading,
            Err(shut) => Standing::Doubtful(shut.to_string()),
        }
    }
}

/// What a look at the line showed.
enum Look {
    /// It is our turn.
    First,
    /// Somebody leads of whom nothing was told yet.
    New(Option<String>),
    /// Nothing to tell.
    Same,
}
