//! What Marathons are asked by checks.

use paasta_config::SystemConfig;
use paasta_core::{NoMaintenance, Reading, chain};
use paasta_marathon::{MarathonEngine, MarathonServers};
use paasta_monitoring::{Check as _, HasApps, Verdict};

use super::{Deadline, sum};

/// Whatever can be asked of the Marathons of this cluster, previous ones included, or why nobody can be.
pub fn engine(system: &SystemConfig, deadline: &Deadline) -> Reading<MarathonEngine> {
    let servers = match MarathonServers::from_system(system.map()) {
        Ok(servers) if servers.homes().is_empty() => {
            let reason = "the system configuration names no Marathon server (`marathon_servers`)";
            return Reading::Unknown(reason.to_owned());
        }
        Ok(servers) => servers,
        Err(error) => return Reading::Unknown(chain(&error)),
    };
    match MarathonEngine::with_answer_timeout(&servers, Box::new(NoMaintenance), deadline.left()) {
        Ok(engine) => Reading::Known(engine),
        Err(error) => Reading::Unknown(chain(&error)),
    }
}

/// Whether the Marathons have any app that lies in no folder (monitoring.md §3). One that answers with some is enough;
/// where those that answer have none, one that does not leaves it open.
pub async fn has_apps(system: &SystemConfig, deadline: &Deadline) -> Verdict {
    let engine = match engine(system, deadline) {
        Reading::Known(engine) => engine,
        Reading::Unknown(reason) => return HasApps::judge(&1, &Reading::Unknown(reason)),
    };
    let asked = async { Reading::Known(engine.app_ids().await) };
    let homes = match deadline.reading("Marathon", asked).await {
        Reading::Known(homes) => homes,
        Reading::Unknown(reason) => return HasApps::judge(&1, &Reading::Unknown(reason)),
    };
    let count = |ids: Vec<String>| ids.iter().filter(|id| HasApps::counts(id)).count() as u64;
    let counts = homes.into_iter().map(|(home, ids)| (home, ids.map(count)));
    let (told, silent): (Vec<_>, Vec<_>) = counts.partition(|(_, count)| count.known().is_some());
    let known = told.iter().filter_map(|(_, count)| count.known()).sum();
    match sum(silent) {
        Reading::Known(_) => HasApps::decide(&1, &known),
        Reading::Unknown(reason) if known > 0 => {
            let verdict = HasApps::decide(&1, &known);
            Verdict::new(verdict.status, format!("{} (not all could be asked: {reason})", verdict.output))
        }
        Reading::Unknown(reason) => HasApps::judge(&1, &Reading::Unknown(reason)),
    }
}
