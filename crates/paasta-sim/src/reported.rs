//! Every change is acted on, or what keeps it from that is told: judged by what the leading daemon shows.

use paasta_deployd::{PassReport, Snapshot};

use crate::config::Broken;
use crate::world::{Event, World};

const RULE: &str = "every change acted on or reported";
/// Until it is looked again whether a daemon has led for long enough.
const AGAIN_MILLIS: i64 = 30_000;

/// What a snapshot tells of the passes of one instance: failures in a row, and the last report.
fn told(snapshot: &Snapshot, id: &paasta_core::InstanceId) -> Option<(u32, Option<PassReport>)> {
    let queued = snapshot.queue.iter().find(|entry| entry.instance == *id);
    let running = snapshot.running.iter().find(|entry| entry.instance == *id);
    queued
        .map(|entry| (entry.failures, entry.last.clone()))
        .or_else(|| running.map(|entry| (entry.failures, entry.last.clone())))
}

impl World {
    /// What the daemon shows that has led for that long without being held up.
    fn leader_shows(&self, for_millis: i64) -> Option<Snapshot> {
        let leader = self.zk.leader()?;
        let quiet = self.now - self.zk.members[leader].unhindered_since >= for_millis;
        if !quiet || !self.may_begin(leader) {
            return None;
        }
        self.shown.get(leader)?.as_ref().map(paasta_deployd::Handle::snapshot)
    }

    /// Settings that stay broken show, with the reason.
    pub(crate) fn judge_reported(&mut self, instance: usize, since: i64) {
        let it = &self.instances[instance];
        let (Some(broken), true) = (it.conf.broken, it.broken_since == since) else { return };
        let within = self.bounds.reported;
        let lately = self.now - it.retargeted_at.max(since) < within;
        let shown = if lately || !it.conf.present { None } else { self.leader_shows(within) };
        let Some(snapshot) = shown else {
            return self.after(AGAIN_MILLIS, Event::JudgeReported { instance, since });
        };
        let id = &it.conf.id;
        let seen = match broken {
            Broken::Unreadable => snapshot.unreadable.iter().any(|(service, _)| service == id.service()),
            // Its last failure may have another reason, or it met a lock in between.
            Broken::Poison => matches!(told(&snapshot, id), Some((1.., Some(_)))),
        };
        if !seen {
            let shows = told(&snapshot, id);
            let after = (self.now - since) / 1000;
            let what = format!("its settings are broken ({broken:?}) for {after} s, and shown is {shows:?}");
            self.violate(instance, RULE, what);
        }
    }

    /// A while after the last fault every tag is in its deployments.json.
    pub(crate) fn judge_tags(&mut self) {
        for instance in 0..self.instances.len() {
            let conf = &self.instances[instance].conf;
            if (conf.tagged, conf.stop_tagged) != (conf.deployed, conf.stopped) {
                let after = (self.now - self.calm_since) / 1000;
                let what = format!("a tag is not in deployments.json {after} s after the last fault");
                return self.violate(instance, RULE, what);
            }
        }
    }

    /// Long after the last fault every instance is looked after, and none is told to fail.
    pub(crate) fn judge_shown(&mut self) {
        let Some(snapshot) = self.leader_shows(self.now - self.calm_since - self.bounds.regenerated) else {
            return;
        };
        for instance in 0..self.instances.len() {
            let conf = &self.instances[instance].conf;
            let told = told(&snapshot, &conf.id);
            let what = match (conf.present, told) {
                (true, None) => "it is neither queued nor under way".to_owned(),
                (true, Some((1.., last))) => format!("all is well, and told is {last:?}"),
                _ => continue,
            };
            return self.violate(instance, RULE, what);
        }
    }
}
