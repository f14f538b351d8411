//! Shows the machine at work without a world: one worker, three instances, one of them broken.

use std::collections::BTreeSet;

use paasta_core::{Standing, Timestamp};
use paasta_deployd::{Action, Deployd, Event, Listing, PassReport, PassResult, Scope, Settings};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut deployd = Deployd::new(Settings { workers: 1, regenerate_seconds: 0.0, ..Settings::default() });
    let instances = ["broken.main", "shop.main", "shop.canary"].map(str::parse).into_iter();
    let instances = instances.collect::<Result<Vec<_>, _>>()?;
    let mut events = vec![
        Event::FilesSwept {
            services: BTreeSet::from(["shop".parse()?]),
            everything: false,
            rest_seconds: None,
        },
        Event::InstancesListed(Listing::of(Scope::All, instances)),
        Event::Stands(Standing::Leading),
        Event::Started,
    ];
    let mut now = Timestamp::from_millis(0);
    while let Some(event) = events.pop() {
        for action in deployd.handle(now, event) {
            let Action::StartPass { instance, .. } = action else { continue };
            println!("{now} pass over {instance}");
            let result = match instance.service().as_str() {
                "broken" => PassResult::Failed("no such bounce method".to_owned()),
                _ => PassResult::Steady,
            };
            events.insert(0, Event::PassFinished { instance, report: PassReport::new(result) });
        }
        now = now.plus_seconds(1.0);
    }
    for entry in deployd.snapshot(now).queue {
        println!("{} next at {} because {}", entry.instance, entry.wait_until, entry.because.as_str());
    }
    Ok(())
}
