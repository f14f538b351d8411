//! `kill -9` of `paasta local up` at ten moments of a bounce, each read from the engine's journal: after a restart the
//! bounce ends, with no orphan process, no lost deployment and no duplicate app, and as many tasks served all along.

mod history;
mod local_cluster;

use history::moments;
use local_cluster::{Playground, text};
use paasta_engine::JournalEntry;

/// Name, bounce method, number of tasks.
const INSTANCES: [(&str, &str, usize); 2] = [("main", "crossover", 2), ("calm", "upthendown", 2)];

/// A moment of the bounce of `hello.main`.
#[derive(Clone, Copy, Debug)]
enum Moment {
    /// The tag is pushed, and nothing may have noticed.
    Pushed,
    /// The journal tells this kind of event for the first time since then.
    Told(&'static str),
    /// The first task is out of traffic.
    Drained,
}

#[test]
fn killed_while_the_new_version_comes_up() {
    use Moment::{Pushed, Told};
    let moments =
        [Told("app_created"), Told("task_staged"), Told("task_started"), Told("task_healthy"), Pushed];
    survives(&moments, "25000-25199");
}

#[test]
fn killed_while_the_old_version_goes() {
    use Moment::{Drained, Told};
    let moments = [Drained, Told("task_killing"), Told("task_killed"), Told("app_deleted"), Told("app_gone")];
    survives(&moments, "25200-25399");
}

fn survives(moments: &[Moment], ports: &str) {
    let ground = Playground::new();
    ground.file("hello/marathon-local.yaml", &INSTANCES.map(instance).concat());
    let up = || ground.up(&["--ports-any", "--task-ports", ports]);
    let mut cluster = up();
    ground.deploy("web", "v1");
    ground.wait_for("v1 to run", || all_run(&ground, "v1"));
    for (number, moment) in moments.iter().enumerate() {
        let version = ["v2", "v1"][number % 2];
        let before = ground.journal().last().map_or(0, |entry| entry.seq);
        let drained = ground.drains().len();
        ground.next_second();
        ground.deploy("web", version);
        ground.wait_for(&format!("{moment:?}"), || match moment {
            Moment::Pushed => true,
            Moment::Told(kind) => {
                ground.journal().iter().any(|entry| entry.seq > before && tells(entry, kind))
            }
            Moment::Drained => ground.drains().len() > drained,
        });
        cluster.kill();
        cluster = up();
        ground.wait_for(&format!("the bounce to end after {moment:?}"), || all_run(&ground, version));
        nothing_is_left_over(&ground, version);
    }
    as_many_served_all_along(&ground);
    drop(cluster);
    let down = ground.paasta(&["local", "down", "--no-drain"]);
    assert!(down.status.success(), "{}", text(&down));
    assert_eq!(ground.processes(""), Vec::<u32>::new(), "no process is left");
}

fn instance((name, method, count): (&str, &str, usize)) -> String {
    format!(
        "{name}:\n  cmd: exec ./serve\n  instances: {count}\n  deploy_group: web\n  bounce_method: {method}\n  \
         drain_method: hacheck\n  drain_method_params: {{delay: 0.3, expiration: 600}}\n  healthcheck_mode: http\n  \
         healthcheck_interval_seconds: 1\n  healthcheck_timeout_seconds: 1\n  net: host\n  cpus: 0.1\n  mem: 64\n"
    )
}

/// Both methods promise it, and no kill of ours is an excuse: tasks outlive the engine.
#[track_caller]
fn as_many_served_all_along(ground: &Playground) {
    let (journal, drains) = (ground.journal(), ground.drains());
    for (name, _, count) in INSTANCES {
        let moments = moments(&journal, &drains, &format!("/hello.{name}."));
        let mut since_all_serve = moments.iter().skip_while(|moment| moment.serving() < count).peekable();
        assert!(since_all_serve.peek().is_some(), "{name} served");
        let fewer = since_all_serve.find(|moment| moment.serving() < count);
        assert_eq!(fewer, None, "{name}: {moments:#?}");
    }
}

fn tells(entry: &JournalEntry, kind: &str) -> bool {
    entry.note.kind == kind && entry.note.app.as_str().starts_with("/hello.main.")
}

fn all_run(ground: &Playground, version: &str) -> bool {
    let sha = ground.commit(version);
    INSTANCES.iter().all(|(name, _, count)| ground.instance_runs_only(name, &sha, *count))
}

#[track_caller]
fn nothing_is_left_over(ground: &Playground, version: &str) {
    let sha = ground.commit(version);
    assert!(ground.deployments().contains(&sha), "the deployment is not lost");
    for (name, ..) in INSTANCES {
        let apps = ground.apps(name);
        let own = format!("/hello.{name}.git{}.", &sha[..8]);
        assert!(matches!(apps.as_slice(), [app] if app.starts_with(&own)), "{name}: {apps:?}");
    }
    let wanted: usize = INSTANCES.iter().map(|(_, _, count)| count).sum();
    ground.wait_for("old processes to end", || ground.processes("").len() == wanted);
    assert_eq!(ground.processes(version).len(), wanted);
}
