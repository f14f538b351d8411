//! Who sends events, and what each says by itself (monitoring.md §1.5).

use paasta_core::{CheckStatus, InstanceId};

use crate::compose::{Said, Sender};
use crate::{Finding, Interval};

/// The check of a pass over one instance.
pub const SETUP: &str = "setup_marathon_job";
/// The check of how many copies of an instance serve.
pub const REPLICATION: &str = "check_paasta_services_replication";
/// The name under which the original resolves the check of how many serve. Nobody alerts under it.
pub const REPLICATION_RESOLVED: &str = "check_marathon_services_replication";
/// The check of tasks that were killed for their memory.
pub const OOM: &str = "oom-killer";

/// What a pass says. It is the same whoever runs the pass, as it is one check.
pub fn setup() -> Sender {
    Sender {
        check_every: Said::Always(Interval::of_seconds(10)),
        alert_after: Said::Always(Interval::of_seconds(600)),
        ..Sender::new(SETUP)
    }
}

/// What the check of how many serve says. `description` is the text that goes with the verdict.
pub fn replication(instance: &InstanceId, cluster: &str, description: String) -> Sender {
    let (service, name) = (instance.service(), instance.instance());
    let tip = format!("look at it with: paasta status -s {service} -i {name} -c {cluster} -vv");
    Sender {
        check_every: Said::Always(Interval::of_seconds(60)),
        alert_after: Said::Otherwise(Interval::of_seconds(120)),
        runbook: Said::Otherwise("y/unhealthy-paasta-instances".to_owned()),
        tip: Said::Otherwise(tip),
        description: Some(description),
        ..Sender::new(REPLICATION)
    }
}

/// What the check of killed tasks says. `memory_mb` is what a copy may use; `realert_every` as for every event.
pub fn oom(memory_mb: f64, realert_every: i64) -> Sender {
    let tip = format!(
        "tasks use more than the {} MB that they may: look for what grew, or raise `mem`",
        memory_mb.trunc() as i64
    );
    Sender {
        alert_after: Said::Always(Interval::of_seconds(0)),
        realert_every: Said::Always(realert_every),
        runbook: Said::Always("y/check-oom-events".to_owned()),
        tip: Said::Always(tip),
        page: Some(false),
        ..Sender::new(OOM)
    }
}

/// What says that an instance is gone, once for every check that may have alerted about it. The name under which the
/// original resolves is among them, so that alerts close that somebody opened under it.
pub fn removed() -> [Sender; 3] {
    [REPLICATION, REPLICATION_RESOLVED, SETUP].map(Sender::new)
}

/// The text of events that say that an instance is gone.
pub const REMOVED: &str = "this instance was removed: it is configured no more";

/// The text of a pass that went well, as the original has it.
pub const DEPLOYED: &str = "Service deployed.";

impl Finding {
    /// Of one check about one instance.
    pub fn about(
        instance: &InstanceId,
        sender: &Sender,
        cluster: Option<&str>,
        status: CheckStatus,
        output: impl Into<String>,
    ) -> Self {
        Self {
            name: format!("{}.{instance}", sender.check),
            status,
            output: output.into(),
            cluster: cluster.map(str::to_owned),
        }
    }
}
