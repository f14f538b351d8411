//! The words every other crate shares: names and ids, [`Timestamp`], task and app values, and the ports
//! ([`Engine`], [`LeavingHosts`], [`Discovery`], [`Locks`], [`Counts`], [`Clock`], [`LogSink`],
//! [`AlertSink`], [`History`], [`Election`], [`Fence`], [`Gate`], [`ZkNodes`]) that two or more crates meet at.
//!
//! Nothing here does IO. Values are what an engine can tell about an instance ([`Sighting`]) and what it can
//! be told to do ([`Action`]); what to do is decided in `paasta-bounce`, how an app looks on one engine is
//! below the seam (`paasta-marathon`).
//!
//! ```
//! use paasta_core::{AppId, InstanceId};
//!
//! let instance: InstanceId = "my_svc.can_ary".parse().expect("two parts");
//! assert_eq!(instance.short_id(), "my--svc.can--ary");
//! let app = AppId::new("/my--svc.can--ary.gitabc.configdef");
//! assert!(app.belongs_to(&instance));
//! ```

mod action;
mod alert;
mod discovery;
mod engine;
mod history;
mod ids;
mod leave;
mod maintenance;
mod names;
mod nodes;
mod ports;
mod reading;
mod sighting;
mod text;
mod time;

pub use action::{Action, Applied, Kill};
pub use alert::{Alert, AlertEvent, AlertSink, CheckStatus, Mail, NoAlerts, OneOrMany};
pub use discovery::{Discovery, DiscoveryQuestion};
pub use engine::{Change, Engine, EngineError, Homes, LogStream, LogTail, Rendered, TaskLog};
pub use history::{Created, History};
pub use ids::{AppId, HomeId, InstanceId, TaskId};
pub use leave::{Election, Fence, Fenced, Gate, Haste, NoFence, NoRoom, OpenGate, Standing};
pub use maintenance::{LeavingHosts, NoMaintenance, UnknownMaintenance};
pub use names::{ClusterName, GitSha, InstanceName, NameError, Registration, ServiceName};
pub use nodes::ZkNodes;
pub use ports::{
    Clock, Counts, Deed, LockError, LockGuard, Locks, LogLevel, LogRecord, LogSink, NoLog, PortError,
    SteadyClock, SystemClock,
};
pub use reading::Reading;
pub use sighting::{App, CheckTiming, Fleet, Health, LaunchWait, Sighting, Task, TaskFailure, TaskPhase};
pub use text::{chain, without_credentials};
pub use time::Timestamp;
