//! The check of tasks that were killed for their memory (monitoring.md §3.6). Where the log of kills comes from is left to a
//! [`KillSource`]; a file of JSON lines is one.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::PathBuf;

use paasta_alerts::layers;
use paasta_config::{InstanceType, LoadError, Soa, SystemConfig, check_regular};
use paasta_core::{Alert, ClusterName, InstanceId, Reading, Timestamp, chain};
use paasta_monitoring::oom::{Kill, decide, killed_since};
use paasta_monitoring::{Finding, Layers, NotSent, Verdict, compose, senders};
use serde::Deserialize;

use super::replication::Failed;

/// So much of the end of a file is read.
const BYTES_MAX: u64 = 16 << 20;

/// Where kills are told.
pub trait KillSource: Send + Sync {
    /// The latest kills, in any order, or why they cannot be had.
    fn kills(&self) -> Reading<Kills>;
}

/// Kills as a source tells them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Kills {
    /// Those that could be read.
    pub kills: Vec<Kill>,
    /// How many lines are no kill.
    pub unreadable: usize,
}

/// A file with a line of JSON per kill: `timestamp` in seconds, `cluster`, `service`, `instance`, `container_id`. Of a long
/// one the last 16 MiB are read; a path of `-` is standard input.
#[derive(Clone, Debug)]
pub struct KillFile(pub PathBuf);

impl KillSource for KillFile {
    fn kills(&self) -> Reading<Kills> {
        match self.end() {
            Ok(bytes) => self.read(&String::from_utf8_lossy(&bytes)),
            Err(error) => Reading::Unknown(format!("could not read `{}`: {error}", self.0.display())),
        }
    }
}

impl KillFile {
    fn end(&self) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        if self.0.as_os_str() == "-" {
            io::stdin().take(BYTES_MAX).read_to_end(&mut bytes)?;
            return Ok(bytes);
        }
        check_regular(&std::fs::metadata(&self.0)?)?;
        let mut file = File::open(&self.0)?;
        let begin = file.metadata()?.len().saturating_sub(BYTES_MAX);
        file.seek(SeekFrom::Start(begin))?;
        file.take(BYTES_MAX).read_to_end(&mut bytes)?;
        if begin > 0 {
            // The line that it begins in is not whole.
            let line_end = bytes.iter().position(|byte| *byte == b'\n').map_or(bytes.len(), |at| at + 1);
            bytes.drain(..line_end);
        }
        Ok(bytes)
    }

    fn read(&self, text: &str) -> Reading<Kills> {
        let mut found = Kills::default();
        for line in text.lines().filter(|line| !line.trim().is_empty()) {
            match kill(line) {
                Some(kill) => found.kills.push(kill),
                None => found.unreadable += 1,
            }
        }
        if found.kills.is_empty() && found.unreadable > 0 {
            let (path, lines) = (self.0.display(), found.unreadable);
            return Reading::Unknown(format!(
                "`{path}` is no log of kills: none of its {lines} lines is JSON with `timestamp`, `cluster`, `service`, \
                 `instance` and `container_id`"
            ));
        }
        Reading::Known(found)
    }
}

fn kill(line: &str) -> Option<Kill> {
    #[derive(Deserialize)]
    struct Line {
        timestamp: f64,
        cluster: String,
        service: String,
        instance: String,
        container_id: String,
    }
    let line: Line = serde_json::from_str(line).ok()?;
    let instance = format!("{}.{}", line.service, line.instance).parse().ok()?;
    let at = Timestamp::from_seconds(line.timestamp);
    Some(Kill { at, cluster: line.cluster, instance, container: line.container_id })
}

/// What a run is about.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// What is configured.
    pub soa: &'a Soa,
    /// This host's own configuration.
    pub system: &'a SystemConfig,
    /// Kills after this count.
    pub since: Timestamp,
    /// From how many killed containers on an instance alerts.
    pub threshold: usize,
    /// Every how manyth event tells again.
    pub realert_every: i64,
    /// Now.
    pub now: Timestamp,
}

/// One instance and what was found.
#[derive(Clone, Debug)]
pub struct Judged {
    /// Which.
    pub instance: InstanceId,
    /// How many of its containers were killed.
    pub killed: usize,
    /// What that comes to; nothing where it says nothing, which keeps open what is open.
    pub verdict: Option<Verdict>,
    /// What there is to send.
    pub event: Option<Result<Alert, NotSent>>,
}

/// Judges every instance of the cluster, of any type, by these kills.
///
/// # Errors
/// The cluster is not known, or its services could not be listed.
pub fn judge(question: &Question<'_>, kills: &[Kill]) -> anyhow::Result<(Vec<Judged>, Vec<Failed>)> {
    let cluster = question.system.cluster()?;
    let killed = killed_since(kills, cluster.as_str(), question.since);
    let (mut judged, mut failed) = (Vec::new(), Vec::new());
    for service in question.soa.services()? {
        let instances = match question.soa.all_instances(&service, &cluster) {
            Ok(instances) => instances,
            Err(error) => {
                failed.push(Failed { service: service.to_string(), instance: None, error: chain(&error) });
                continue;
            }
        };
        for (name, kind) in instances {
            let id = InstanceId::new(service.clone(), name);
            let count = killed.get(&id).map_or(0, |containers| containers.len());
            match one(question, &cluster, &id, kind, count) {
                Ok(one) => judged.push(one),
                Err(error) => failed.push(Failed {
                    service: service.to_string(),
                    instance: Some(id.instance().to_string()),
                    error: chain(&error),
                }),
            }
        }
    }
    Ok((judged, failed))
}

fn one(
    question: &Question<'_>,
    cluster: &ClusterName,
    id: &InstanceId,
    kind: InstanceType,
    killed: usize,
) -> Result<Judged, LoadError> {
    let loaded = question.soa.instance(id, kind, cluster, question.system)?;
    let config = loaded.config();
    let (layers, problems) = layers(question.soa, id.service(), config.monitoring()?);
    for problem in problems {
        tracing::warn!(instance = %id, problem = %chain(&problem), "a file of alerts cannot be read");
    }
    let verdict = decide(id, killed, question.threshold, is_enabled(&layers));
    let sender = senders::oom(config.mem()?, question.realert_every);
    let event = verdict.as_ref().map(|verdict| {
        let finding =
            Finding::about(id, &sender, Some(cluster.as_str()), verdict.status, verdict.output.as_str());
        compose(&sender, &layers, finding).map(|composed| Alert {
            at: question.now,
            cluster: Some(cluster.to_string()),
            instance: id.clone(),
            check: sender.check.to_owned(),
            event: composed.event,
        })
    });
    Ok(Judged { instance: id.clone(), killed, verdict, event })
}

/// Unless `check_oom_events` is set to something that means no.
fn is_enabled(layers: &Layers) -> bool {
    layers.get("check_oom_events").is_none_or(|node| node.is_null() || node.is_truthy())
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = r#"{"timestamp": 1617278400, "hostname": "h", "container_id": "0123456789ab", "cluster": "prod",
        "service": "web", "instance": "main", "process_name": "a", "mesos_container_id": "mesos-null", "mem_limit": "1"}"#;

    fn file(content: &str) -> Reading<Kills> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("kills");
        std::fs::write(&path, content).unwrap();
        KillFile(path).kills()
    }

    #[test]
    fn lines_that_are_no_kill_are_counted_and_a_file_of_none_is_unknown() {
        let line = LINE.replace('\n', "");
        let found = file(&format!("{line}\nnonsense\n\n{{}}\n"));
        let kills = found.known().unwrap();
        assert_eq!((kills.kills.len(), kills.unreadable), (1, 2));
        assert_eq!(kills.kills[0].at, Timestamp::from_millis(1_617_278_400_000));
        assert_eq!(file(""), Reading::Known(Kills::default()));
        assert!(file("nonsense\n").unknown().unwrap().contains("none of its 1 lines"));
        let missing = KillFile("/nowhere/kills".into()).kills();
        assert!(missing.unknown().unwrap().contains("could not read `/nowhere/kills`"));
    }

    #[test]
    fn of_a_long_file_the_end_is_read() {
        let line = LINE.replace('\n', "");
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("kills");
        let old = " ".repeat(BYTES_MAX as usize);
        std::fs::write(&path, format!("{line}{old}\n{line}\n")).unwrap();
        let kills = KillFile(path).kills();
        assert_eq!(kills.known().map(|kills| (kills.kills.len(), kills.unreadable)), Some((1, 0)));
    }
}
