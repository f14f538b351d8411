//! `Refs` as somebody else would implement it: refs in memory, under the generator and the tag writers.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up fails")]

use std::fs;
use std::sync::{Arc, Mutex};

use paasta_config::{Memory, Soa, SystemConfig};
use paasta_core::{GitSha, ServiceName, Timestamp};
use paasta_deployments::{
    FileChange, Refs, RefsError, RemoteRef, State, WriteMode, Written, deploy_tag, generate_for_service,
    state_tag, state_time_for,
};

#[derive(Default)]
struct Kept(Mutex<Vec<RemoteRef>>);

impl Refs for Kept {
    fn url(&self) -> &str {
        "memory"
    }

    fn list(&self) -> Result<Vec<RemoteRef>, RefsError> {
        Ok(self.0.lock().unwrap().clone())
    }

    fn write(&self, name: &str, commit: &GitSha, mode: WriteMode) -> Result<Written, RefsError> {
        let mut refs = self.0.lock().unwrap();
        match refs.iter_mut().find(|r| r.name == name) {
            Some(old) if old.sha == *commit => return Ok(Written::AlreadyThere),
            Some(old) if mode == WriteMode::CreateOnly => {
                let (url, name, at) = ("memory".into(), name.into(), old.sha.clone());
                return Err(RefsError::Exists { url, name, at });
            }
            Some(old) => old.sha = commit.clone(),
            None => refs.push(RemoteRef::new(name, commit.clone())),
        }
        Ok(Written::Done)
    }
}

#[test]
fn a_deploy_a_stop_and_the_next_deploy() {
    let root = tempfile::tempdir().unwrap();
    fs::create_dir(root.path().join("web")).unwrap();
    let tree = Memory::new()
        .with("web/marathon-pnw.yaml", "main: {deploy_group: all}\n")
        .with("web/service.yaml", "git_url: memory\n");
    let soa = Soa::new(Arc::new(tree));
    let system = SystemConfig::from_json(r#"{"clusters": ["pnw"]}"#).unwrap();
    let service: ServiceName = "web".parse().unwrap();
    let remote = Arc::new(Kept::default());
    let connect = |url: &str| {
        assert_eq!(url, "memory");
        Ok(remote.clone() as Arc<dyn Refs>)
    };
    let generate = || generate_for_service(root.path(), &soa, &system, &service, &connect).unwrap();
    let now = Timestamp::from_millis(1_600_000_000_000);
    let (old, new) = (GitSha::new("a".repeat(40)).unwrap(), GitSha::new("b".repeat(40)).unwrap());

    assert!(generate().deployments.entries.is_empty());
    remote.write(&deploy_tag("all", now), &old, WriteMode::Overwrite).unwrap();
    assert_eq!(generate().deployments.entries[0].desired_state, State::Start);
    assert_eq!(generate().change, FileChange::Unchanged);

    let at = state_time_for(&remote.list().unwrap(), "pnw.main", &old, now).unwrap();
    remote.write(&state_tag("pnw.main", at, State::Stop), &old, WriteMode::CreateOnly).unwrap();
    let stopped = generate();
    assert_eq!(
        (stopped.change, stopped.deployments.entries[0].desired_state),
        (FileChange::Written, State::Stop)
    );

    remote.write(&deploy_tag("all", now.plus_seconds(1.0)), &new, WriteMode::Overwrite).unwrap();
    let entry = generate().deployments.entries.remove(0);
    assert_eq!((entry.git_sha, entry.desired_state, entry.force_bounce), (new, State::Start, None));
}
