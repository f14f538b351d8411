//! What each bounce method promises, held against the journal of the real engine with real processes.

mod history;
mod local_cluster;

use history::{Moment, moments};
use local_cluster::Playground;

/// Name, bounce method, number of tasks, deploy group, further settings.
const INSTANCES: [(&str, &str, usize, &str, &str); 5] = [
    ("cross", "crossover", 4, "careful", ""),
    ("half", "crossover", 4, "careful", "\n  bounce_margin_factor: 0.5"),
    ("updown", "upthendown", 3, "careful", ""),
    ("downup", "downthenup", 3, "careless", ""),
    ("brutal", "brutal", 3, "careless", ""),
];

#[test]
fn every_method_keeps_its_promise_and_a_version_that_stays_ill_takes_nothing() {
    let ground = Playground::new();
    ground.file("hello/deploy.yaml", "pipeline:\n  - step: careful\n  - step: careless\n");
    ground.file("hello/marathon-local.yaml", &INSTANCES.map(instance).concat());
    let _cluster = ground.up(&["--ports-any", "--task-ports", "24000-24299"]);

    deploy_to_all(&ground, "v1");
    ground.next_second();
    // Its tasks come up one after the other.
    ground.version("slow", "case $((PORT0 % 4)) in 1) sleep 0.6;; 2) sleep 1.2;; 3) sleep 1.8;; esac", "");
    deploy_to_all(&ground, "slow");
    let before = ground.journal().last().map_or(0, |entry| entry.seq);
    let histories = Histories::read(&ground);
    histories.last_bounce("cross").serving_at_least(4).all_old_drained(4);
    histories.last_bounce("half").serving_at_least(2).all_old_drained(4);
    histories.last_bounce("updown").serving_at_least(3).old_stay_until_new_serve(3).all_old_drained(3);
    histories.last_bounce("downup").never_two_versions().all_old_drained(3);
    histories.last_bounce("brutal").all_old_drained(3);

    // v3 answers every health check with 500: it is killed for that, again and again.
    ground.next_second();
    ground.deploy("careful", "v3");
    let ill = |instance: &str| {
        let of_v3 =
            |app: &str| app.starts_with(&format!("/hello.{instance}.git{}", &ground.commit("v3")[..8]));
        let killed = ground.journal().into_iter().any(|entry| {
            entry.note.message.as_deref() == Some("unhealthy") && of_v3(entry.note.app.as_str())
        });
        killed && ground.apps(instance).len() == 2
    };
    ground.wait_for("v3 to fail everywhere", || ["cross", "half", "updown"].into_iter().all(ill));
    let histories = Histories::read(&ground);
    for (instance, floor) in [("cross", 4), ("half", 2), ("updown", 3)] {
        histories.last_bounce(instance).new_never_serve().serving_at_least(floor);
    }
    for instance in ["cross", "updown"] {
        let touched = touched_of(&ground, instance, "slow", before);
        assert_eq!(touched, Vec::<String>::new(), "{instance}: tasks that serve were drained or killed");
    }
}

fn instance((name, method, count, group, more): (&str, &str, usize, &str, &str)) -> String {
    // Drains last: what was taken out of traffic is still told when the test reads it.
    format!(
        "{name}:\n  cmd: exec ./serve\n  instances: {count}\n  deploy_group: {group}\n  bounce_method: {method}{more}\n  \
         drain_method: hacheck\n  drain_method_params: {{delay: 0.5, expiration: 600}}\n  healthcheck_mode: http\n  \
         healthcheck_interval_seconds: 1\n  healthcheck_timeout_seconds: 1\n  healthcheck_grace_period_seconds: 3\n  \
         healthcheck_max_consecutive_failures: 3\n  net: host\n  cpus: 0.1\n  mem: 64\n"
    )
}

/// Ends when every instance runs nothing but this version.
fn deploy_to_all(ground: &Playground, version: &str) {
    ground.deploy("careful", version);
    ground.deploy("careless", version);
    let sha = ground.commit(version);
    ground.wait_for(&format!("{version} to be all that runs"), || {
        INSTANCES.iter().all(|(name, _, count, ..)| ground.instance_runs_only(name, &sha, *count))
    });
}

/// What happened to tasks of one version, after entry `before` of the journal or by drain, other than good health.
fn touched_of(ground: &Playground, instance: &str, version: &str, before: u64) -> Vec<String> {
    let own = format!("hello.{instance}.git{}", &ground.commit(version)[..8]);
    let told = |moment: &Moment| moment.what.contains(&own).then(|| moment.what.clone());
    let journal = ground.journal();
    let (earlier, later) = journal.split_at(journal.partition_point(|entry| entry.seq <= before));
    let ends = |entry: &&paasta_engine::JournalEntry| {
        entry.note.app.as_str().contains(&own) && entry.note.kind != "task_healthy"
    };
    let drained = moments(earlier, &ground.drains(), &format!("/{own}"));
    let drained = drained.iter().filter(|moment| moment.what.starts_with("drained")).filter_map(told);
    later.iter().filter(ends).map(|entry| entry.note.kind.clone()).chain(drained).collect()
}

struct Histories(Vec<(String, Vec<Moment>)>);

impl Histories {
    fn read(ground: &Playground) -> Self {
        let (journal, drains) = (ground.journal(), ground.drains());
        let of = |name: &str| (name.to_owned(), moments(&journal, &drains, &format!("/hello.{name}.")));
        Self(INSTANCES.iter().map(|(name, ..)| of(name)).collect())
    }

    #[track_caller]
    fn last_bounce(&self, instance: &str) -> Bounce<'_> {
        let (name, moments) = self.0.iter().find(|(name, _)| name == instance).expect("known");
        Bounce::last(name, moments)
    }
}

/// The moments from the creation of the latest app on.
struct Bounce<'a> {
    instance: &'a str,
    old: String,
    new: String,
    history: &'a [Moment],
    moments: &'a [Moment],
}

impl<'a> Bounce<'a> {
    #[track_caller]
    fn last(instance: &'a str, moments: &'a [Moment]) -> Self {
        let created = |moment: &Moment| moment.what.strip_prefix("app_created ").map(str::to_owned);
        let mut apps: Vec<(usize, String)> =
            moments.iter().enumerate().filter_map(|(at, moment)| Some((at, created(moment)?))).collect();
        let (begun, new) = apps.pop().expect("an app");
        let (_, old) = apps.pop().expect("two apps");
        Self { instance, old, new, history: moments, moments: &moments[begun..] }
    }

    #[track_caller]
    fn every_moment(&self, promise: &str, holds: impl Fn(&Moment) -> bool) -> &Self {
        for moment in self.moments {
            assert!(holds(moment), "{}: {promise} broke at {}:\n{}", self.instance, moment.at, self.shown());
        }
        self
    }

    #[track_caller]
    fn serving_at_least(&self, floor: usize) -> &Self {
        self.every_moment(&format!("at least {floor} serve"), |moment| moment.serving() >= floor)
    }

    #[track_caller]
    fn old_stay_until_new_serve(&self, count: usize) -> &Self {
        let enough = |moment: &Moment| moment.of(&self.new).serving >= count;
        let turn = self.moments.iter().find(|moment| enough(moment)).map_or(f64::MAX, |moment| moment.at);
        let holds = |moment: &Moment| moment.at >= turn || moment.of(&self.old).serving == count;
        self.every_moment("old tasks stay until all new ones serve", holds)
    }

    #[track_caller]
    fn never_two_versions(&self) -> &Self {
        let holds = |moment: &Moment| moment.of(&self.old).there == 0 || moment.of(&self.new).there == 0;
        self.every_moment("no two versions at once", holds)
    }

    #[track_caller]
    fn new_never_serve(&self) -> &Self {
        self.every_moment("the new version serves never", |moment| moment.of(&self.new).serving == 0)
    }

    /// Guards the other promises: hacheck's word reached the history.
    #[track_caller]
    fn all_old_drained(&self, count: usize) -> &Self {
        let own = format!("drained {}", self.old.trim_start_matches('/'));
        let drained = self.history.iter().filter(|moment| moment.what.starts_with(&own)).count();
        assert_eq!(drained, count, "{}:\n{}", self.instance, self.shown());
        self
    }

    fn shown(&self) -> String {
        let line = |moment: &Moment| {
            let (old, new) = (moment.of(&self.old), moment.of(&self.new));
            format!("{:.3} {} old {old:?} new {new:?}\n", moment.at, moment.what)
        };
        self.moments.iter().map(line).collect()
    }
}
