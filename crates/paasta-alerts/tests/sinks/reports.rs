//! News of instances, and what comes of them over the wire.

use std::sync::Arc;
use std::time::Duration;

use paasta_alerts::{News, Reporter, Sinks, Sources};
use paasta_config::{Memory, Soa, SystemConfig};
use paasta_core::{InstanceId, Timestamp};

use super::sensu::{Receiver3030, validated};

fn id(text: &str) -> InstanceId {
    text.parse().unwrap()
}

#[test]
fn news_reach_who_is_to_be_told_and_nobody_else() {
    let receiver = Receiver3030::start();
    let files = Memory::new()
        .with(
            "web/marathon-prod.yaml",
            "main: {monitoring: {tip: T, team: own}}\nbad: 3\nsilent: {monitoring: {team: ''}}",
        )
        .with("web/monitoring.yaml", "team: web_team")
        .with("lost/marathon-prod.yaml", "main: {")
        .with("lost/monitoring.yaml", "team: lost_team");
    let text =
        format!(r#"{{"cluster": "prod", "sensu_host": "127.0.0.1", "sensu_port": {}}}"#, receiver.port);
    let system = SystemConfig::from_json(&text).unwrap();
    let sinks = Sinks::from_system(&system).unwrap();
    let reporter = Reporter::start(Sources { soa: Soa::new(Arc::new(files)), system }, sinks).unwrap();
    let tell = |instance: &str, news: News| reporter.tell(Timestamp::from_millis(0), &id(instance), news);
    let next = || {
        let event = validated(&receiver.next());
        let text = |key: &str| event[key].as_str().unwrap().to_owned();
        (text("name"), event["status"].as_u64().unwrap(), text("team"), text("output"))
    };
    let is = |name: &str, status, team: &str, output: &str| {
        (name.to_owned(), status, team.to_owned(), output.to_owned())
    };

    tell("web.main", News::SetUp(Ok(())));
    assert_eq!(next(), is("setup_marathon_job.web.main", 0, "own", "Service deployed."));
    tell("web.main", News::SetUp(Err("boom".to_owned())));
    assert_eq!(next(), is("setup_marathon_job.web.main", 2, "own", "boom"));
    // An instance, or a file, that cannot be read alerts as well as it can.
    tell("web.bad", News::SetUp(Err("no map".to_owned())));
    assert_eq!(next(), is("setup_marathon_job.web.bad", 2, "web_team", "no map"));
    tell("lost.main", News::SetUp(Err("no YAML".to_owned())));
    assert_eq!(next(), is("setup_marathon_job.lost.main", 2, "lost_team", "no YAML"));
    // Nobody is told of what is in no file, nor where no team is named.
    tell("web.gone", News::SetUp(Err("boom".to_owned())));
    tell("web.silent", News::SetUp(Err("boom".to_owned())));
    tell("unknown.main", News::SetUp(Err("boom".to_owned())));
    // A row of docs/differences.md: what is removed is resolved under every name that may have alerted.
    tell("web.gone", News::Removed);
    let text = "this instance was removed: it is configured no more";
    for check in
        ["check_paasta_services_replication", "check_marathon_services_replication", "setup_marathon_job"]
    {
        assert_eq!(next(), is(&format!("{check}.web.gone"), 0, "web_team", text));
    }
    assert!(reporter.flush(Duration::from_secs(20)) && receiver.is_done());
    assert_eq!(reporter.sinks().counts().sent, 7);
}
