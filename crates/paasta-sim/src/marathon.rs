//! A model of Marathon and its agents: apps with counts, tasks with lives of their own.

use paasta_core::{App, AppId, CheckTiming, Health, HomeId, Task, TaskId, TaskPhase, Timestamp};
use paasta_marathon::Verb;

use crate::config::Goal;
use crate::world::{ACTORS, EPOCH, Event, FOREIGN, HOMES, HOSTS, World, tell};

/// One app.
#[derive(Debug)]
pub(crate) struct MApp {
    pub(crate) serial: u32,
    pub(crate) instance: usize,
    pub(crate) id: AppId,
    pub(crate) instances: usize,
    pub(crate) tasks: Vec<MTask>,
    /// Launches that are under way.
    pub(crate) pending: usize,
    pub(crate) has_checks: bool,
    /// Its tasks never become healthy.
    pub(crate) sick: bool,
    /// Its tasks start no earlier than this, as they failed too often.
    pub(crate) back_off_until: i64,
}

/// One task.
#[derive(Debug)]
pub(crate) struct MTask {
    pub(crate) number: u64,
    pub(crate) wire: Task,
    pub(crate) host: usize,
    pub(crate) staged_at: i64,
    /// Since when it runs and can be reached.
    pub(crate) running_since: i64,
    /// Since when its checks succeed.
    pub(crate) healthy_since: i64,
    pub(crate) drain: Option<Spool>,
    /// When its drain last ended by no doing of ours.
    pub(crate) drain_lost_at: i64,
    /// Per actor, when a call about it last failed.
    pub(crate) unanswered: [i64; ACTORS],
}

/// An entry of a hacheck; times by the clock of its host.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spool {
    pub(crate) since: i64,
    pub(crate) until: i64,
}

/// Who makes an app smaller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    /// A request of an actor.
    Request(usize),
    /// Nobody of us.
    Fault,
}

impl MTask {
    pub(crate) fn is_dying(&self) -> bool {
        self.wire.phase == TaskPhase::Killing
    }

    pub(crate) fn is_running(&self) -> bool {
        self.wire.phase == TaskPhase::Running
    }

    pub(crate) fn is_unreachable(&self) -> bool {
        self.wire.phase == TaskPhase::Unreachable
    }

    /// Since when it could serve, but for drains.
    pub(crate) fn serves_since(&self) -> i64 {
        self.running_since.max(self.healthy_since)
    }
}

impl MApp {
    /// The tasks that count for its size: all that are not on their way out.
    pub(crate) fn alive(&self) -> usize {
        self.tasks.iter().filter(|task| !task.is_dying()).count()
    }

    /// The tasks that need no replacement.
    fn reachable(&self) -> usize {
        self.tasks.iter().filter(|task| !task.is_dying() && !task.is_unreachable()).count()
    }

    pub(crate) fn healthy(&self, task: &MTask) -> bool {
        task.wire.started_at.is_some()
            && match task.wire.health {
                Health::Alive => true,
                Health::Dead => false,
                Health::NoResults => !self.has_checks,
            }
    }

    fn as_listed(&self, home: usize) -> App {
        App {
            id: self.id.clone(),
            home: HomeId::new(HOMES[home]),
            instances: self.instances,
            tasks: self.tasks.iter().map(|task| task.wire.clone()).collect(),
            checks: self.has_checks.then_some(CheckTiming { grace_seconds: 60.0, interval_seconds: 10.0 }),
            deploying: self.pending > 0,
            launch: None,
            last_failure: None,
        }
    }
}

impl World {
    /// Apps that are nobody's, one of them with a name that begins like one of ours.
    pub(crate) fn add_foreign_apps(&mut self) {
        for (home, id) in
            [(0, "svc0.main2.gitf.configf"), (0, "cron.main.gitf.configf"), (1, "svc0.mai.gitf.configf")]
        {
            self.create(home, AppId::new(id), FOREIGN, 2, true);
        }
    }

    pub(crate) fn find(&self, home: usize, serial: u32) -> Option<usize> {
        self.homes[home].iter().position(|app| app.serial == serial)
    }

    pub(crate) fn find_task(&self, home: usize, serial: u32, number: u64) -> Option<(usize, usize)> {
        let app = self.find(home, serial)?;
        let task = self.homes[home][app].tasks.iter().position(|task| task.number == number)?;
        Some((app, task))
    }

    /// Where the task of that id is.
    pub(crate) fn locate(&self, id: &TaskId) -> Option<(usize, usize, usize)> {
        let number: u64 = id.as_str().rsplit('.').next()?.parse().ok()?;
        (0..HOMES.len()).find_map(|home| {
            self.homes[home].iter().enumerate().find_map(|(app, it)| {
                let task = it.tasks.iter().position(|task| task.number == number)?;
                Some((home, app, task))
            })
        })
    }

    /// What a listing shows of the apps that `mine` holds of.
    pub(crate) fn list(&self, home: usize, mine: impl Fn(&MApp) -> bool) -> Vec<App> {
        self.homes[home].iter().filter(|app| mine(app)).map(|app| app.as_listed(home)).collect()
    }

    pub(crate) fn agent_clock(&self, host: usize) -> i64 {
        EPOCH + self.now + self.hosts[host].skew
    }

    pub(crate) fn is_drained(&self, task: &MTask) -> bool {
        task.drain.is_some_and(|spool| spool.until > self.agent_clock(task.host))
    }

    /// Whether a task takes traffic and answers.
    pub(crate) fn serves(&self, app: &MApp, task: &MTask) -> bool {
        task.is_running() && app.healthy(task) && !self.is_drained(task)
    }

    // ---- what is asked of it -------------------------------------------------------------------------------------

    /// Carries out one request and answers with a status and a message.
    pub(crate) fn request(
        &mut self,
        actor: usize,
        home: usize,
        verb: Verb,
        path: &str,
        body: &str,
    ) -> (u16, &'static str) {
        let answer = match verb {
            Verb::Post if path.starts_with("/v2/tasks/delete") => self.kill(actor, home, body),
            Verb::Post => self.post(actor, home, body),
            Verb::Put => self.put(actor, home, path, body),
            Verb::Delete => self.delete(actor, home, path),
        };
        let instance = self.actors[actor].looks.iter().position(|look| look.open).unwrap_or(FOREIGN);
        tell!(self, instance, "actor {actor}: {verb:?} {path} {body} at {} -> {}", HOMES[home], answer.0);
        answer
    }

    /// The same request arrives once more; nobody hears the answer.
    pub(crate) fn repeated(&mut self, actor: usize, home: usize, verb: Verb, path: &str, body: &str) {
        self.request(actor, home, verb, path, body);
    }

    fn post(&mut self, actor: usize, home: usize, body: &str) -> (u16, &'static str) {
        let (id, rest) = body.split_once(' ').unwrap_or((body, ""));
        let (count, checks) = rest.split_once(' ').unwrap_or((rest, ""));
        let id = AppId::new(id);
        if self.homes[home].iter().any(|app| app.id == id) {
            return (409, r#"{"message": "An app with that id exists already."}"#);
        }
        let Some(instance) = self.owner(&id) else { return (422, r#"{"message": "Object is not valid"}"#) };
        self.judge_create(actor, instance, home, &id);
        self.create(home, id, instance, count.parse().unwrap_or(1), checks == "checks");
        (201, "{}")
    }

    /// Whose app that is.
    pub(crate) fn owner(&self, id: &AppId) -> Option<usize> {
        self.instances.iter().position(|it| id.as_str().starts_with(&it.prefix))
    }

    fn create(&mut self, home: usize, id: AppId, instance: usize, instances: usize, has_checks: bool) {
        self.serial += 1;
        let serial = self.serial;
        let sick = self.instances.get(instance).is_some_and(|it| it.conf.sick.as_ref() == Some(&id));
        self.homes[home].push(MApp {
            serial,
            instance,
            id,
            instances,
            tasks: Vec::new(),
            pending: 0,
            has_checks,
            sick,
            back_off_until: 0,
        });
        let index = self.homes[home].len() - 1;
        self.resize(home, index, Cause::Fault);
    }

    fn put(&mut self, actor: usize, home: usize, path: &str, body: &str) -> (u16, &'static str) {
        let Some(app) = self.addressed(home, path) else {
            return (404, r#"{"message": "App does not exist"}"#);
        };
        let digits: String = body.chars().filter(char::is_ascii_digit).collect();
        let instances: usize = digits.parse().unwrap_or(0);
        let shrinks = instances < self.homes[home][app].instances;
        self.homes[home][app].instances = instances;
        let instance = self.homes[home][app].instance;
        let before = self.serving(actor, instance);
        // An app that is made larger loses nothing that cannot be reached and was replaced: it may come back.
        self.resize(home, app, if shrinks { Cause::Request(actor) } else { Cause::Fault });
        self.judge_capacity(actor, instance, before, "scaled");
        (200, "{}")
    }

    fn delete(&mut self, actor: usize, home: usize, path: &str) -> (u16, &'static str) {
        let Some(app) = self.addressed(home, path) else {
            return (404, r#"{"message": "App does not exist"}"#);
        };
        let instance = self.homes[home][app].instance;
        let before = self.serving(actor, instance);
        for task in 0..self.homes[home][app].tasks.len() {
            if !self.homes[home][app].tasks[task].is_dying() {
                self.judge_kill(actor, home, app, task);
            }
        }
        let gone = self.homes[home].remove(app);
        self.judge_capacity(actor, instance, before, "deleted");
        self.tell_engine_change(&gone.id);
        (200, "{}")
    }

    fn addressed(&self, home: usize, path: &str) -> Option<usize> {
        let id = path.strip_prefix("/v2/apps/")?;
        let id = id.split('?').next().unwrap_or(id);
        self.homes[home].iter().position(|app| app.id.as_str() == id)
    }

    /// Kills the tasks named in `body`, and lets their apps shrink by as many as were found: said twice, it shrinks them
    /// twice (defect B15).
    fn kill(&mut self, actor: usize, home: usize, body: &str) -> (u16, &'static str) {
        let ids: Vec<TaskId> =
            body.split('"').filter(|part| part.contains(".git")).map(TaskId::new).collect();
        let found: Vec<(u32, u64)> = ids
            .iter()
            .filter_map(|id| self.locate(id))
            .filter(|(at, _, _)| *at == home)
            .map(|(_, app, task)| (self.homes[home][app].serial, self.homes[home][app].tasks[task].number))
            .collect();
        for (serial, _) in &found {
            let listed = found.iter().filter(|(other, _)| other == serial).count();
            if self.find(home, *serial).is_some_and(|app| self.homes[home][app].instances < listed) {
                return (422, r#"{"message": "Object is not valid"}"#);
            }
        }
        let mut shrunk: Vec<u32> = Vec::new();
        for (serial, number) in found {
            let Some((app, task)) = self.find_task(home, serial, number) else { continue };
            let instance = self.homes[home][app].instance;
            self.homes[home][app].instances -= 1;
            shrunk.push(serial);
            if self.homes[home][app].tasks[task].is_dying() {
                continue;
            }
            let before = self.serving(actor, instance);
            self.judge_kill(actor, home, app, task);
            self.end(home, app, task);
            self.judge_capacity(actor, instance, before, "killed");
        }
        shrunk.dedup();
        for serial in shrunk {
            if let Some(app) = self.find(home, serial) {
                // What a repeated request shrinks besides is nobody's wish.
                self.resize(home, app, Cause::Fault);
            }
        }
        (200, "{}")
    }

    // ---- what it does by itself ----------------------------------------------------------------------------------

    /// Launches what lacks, and ends what is too much: the youngest first.
    pub(crate) fn resize(&mut self, home: usize, app: usize, cause: Cause) {
        while self.homes[home][app].alive() > self.homes[home][app].instances {
            let it = &self.homes[home][app];
            // A task that came back after it was replaced goes before its replacement.
            let last = it
                .tasks
                .iter()
                .enumerate()
                .filter(|(_, task)| !task.is_dying())
                .max_by_key(|(_, task)| {
                    (task.is_unreachable(), !task.is_running(), task.staged_at, task.number)
                })
                .map(|(index, _)| index);
            let Some(task) = last else { break };
            if it.tasks[task].is_unreachable() && it.reachable() <= it.instances && cause == Cause::Fault {
                // It may come back; only then is it too many.
                break;
            }
            match cause {
                Cause::Request(actor) => self.judge_kill(actor, home, app, task),
                Cause::Fault => self.lose(home, app, task),
            }
            self.end(home, app, task);
        }
        let it = &self.homes[home][app];
        let lacks = it.instances.saturating_sub(it.reachable() + it.pending);
        let (serial, id) = (it.serial, it.id.clone());
        for _ in 0..lacks {
            let slow = if self.now < self.launch_slow_until { 20_000 } else { 0 };
            let wait = (self.homes[home][app].back_off_until - self.now).max(0);
            let delay = wait + slow + self.rng.within(50, 4000);
            self.homes[home][app].pending += 1;
            self.after(delay, Event::Launch { home, app: serial });
        }
        self.tell_engine_change(&id);
    }

    pub(crate) fn launch(&mut self, home: usize, serial: u32) {
        let Some(app) = self.find(home, serial) else { return };
        self.homes[home][app].pending -= 1;
        if self.homes[home][app].reachable() >= self.homes[home][app].instances {
            return;
        }
        let free: Vec<usize> =
            (0..HOSTS).filter(|host| !self.hosts[*host].leaving && !self.hosts[*host].unreachable).collect();
        let host = free[self.rng.below(free.len())];
        self.task_serial += 1;
        let number = self.task_serial;
        let it = &mut self.homes[home][app];
        it.tasks.push(MTask {
            number,
            wire: Task {
                id: TaskId::new(format!("{}.{number}", it.id)),
                app: it.id.clone(),
                host: self.hosts[host].name.clone(),
                ports: vec![31_000],
                phase: TaskPhase::Staging,
                staged_at: Some(Timestamp::from_millis(EPOCH + self.now)),
                started_at: None,
                health: Health::NoResults,
            },
            host,
            staged_at: self.now,
            running_since: self.now,
            healthy_since: self.now,
            drain: None,
            drain_lost_at: -1,
            unanswered: [-1; ACTORS],
        });
        let delay = self.rng.within(500, 6000);
        self.after(delay, Event::Started { home, app: serial, task: number });
    }

    pub(crate) fn started(&mut self, home: usize, serial: u32, number: u64) {
        let Some((app, task)) = self.find_task(home, serial, number) else { return };
        let (millis, now) = (self.now, Timestamp::from_millis(EPOCH + self.now));
        let it = &mut self.homes[home][app];
        if it.tasks[task].wire.phase != TaskPhase::Staging {
            return;
        }
        it.tasks[task].wire.phase = TaskPhase::Running;
        it.tasks[task].wire.started_at = Some(now);
        it.tasks[task].running_since = millis;
        let (id, has_checks) = (it.id.clone(), it.has_checks);
        if has_checks {
            let delay = self.rng.within(500, 10_000);
            self.after(delay, Event::Checked { home, app: serial, task: number });
        }
        self.tell_engine_change(&id);
    }

    pub(crate) fn checked(&mut self, home: usize, serial: u32, number: u64) {
        let Some((app, task)) = self.find_task(home, serial, number) else { return };
        let it = &mut self.homes[home][app];
        if it.tasks[task].is_dying() {
            return;
        }
        let health = if it.sick { Health::Dead } else { Health::Alive };
        if it.tasks[task].wire.health != health {
            it.tasks[task].healthy_since = self.now;
        }
        it.tasks[task].wire.health = health;
        if it.sick {
            self.after(30_000, Event::Checked { home, app: serial, task: number });
        }
        let id = self.homes[home][app].id.clone();
        self.tell_engine_change(&id);
    }

    /// The task gets its signal: it serves no more, and is gone a little later.
    fn end(&mut self, home: usize, app: usize, task: usize) {
        let it = &mut self.homes[home][app];
        it.tasks[task].wire.phase = TaskPhase::Killing;
        let (serial, number, instance) = (it.serial, it.tasks[task].number, it.instance);
        if let Some(own) = self.instances.get_mut(instance) {
            let now = self.now;
            own.ends.retain(|at| now - at < 100_000);
            own.ends.push(now);
        }
        let delay = self.rng.within(50, 3000);
        self.after(delay, Event::Gone { home, app: serial, task: number });
    }

    pub(crate) fn gone(&mut self, home: usize, serial: u32, number: u64) {
        let Some((app, task)) = self.find_task(home, serial, number) else { return };
        let gone = self.homes[home][app].tasks.remove(task);
        // Its entry outlives it, until that runs out.
        if let Some(spool) = gone.drain {
            self.spools.insert(number, (gone.host, spool));
            if self.spools.len() > 200 {
                self.spools.pop_first();
            }
        }
        self.resize(home, app, Cause::Fault);
    }

    /// Whether exactly what is wanted stands there and serves.
    pub(crate) fn has_converged(&self, instance: usize, goal: &Goal) -> Result<(), String> {
        let mut right = false;
        for (home, apps) in self.homes.iter().enumerate() {
            for app in apps.iter().filter(|app| app.instance == instance) {
                if app.id != goal.app || home != goal.home {
                    return Err(format!("{} is still there, {} tasks", app.id, app.tasks.len()));
                }
                let serving = app.tasks.iter().filter(|task| self.serves(app, task)).count();
                if (app.instances, app.tasks.len(), serving)
                    != (goal.instances, goal.instances, goal.instances)
                {
                    let (instances, tasks) = (app.instances, app.tasks.len());
                    return Err(format!(
                        "{} has a size of {instances}, {tasks} tasks, {serving} of them serving, and {} are wanted",
                        app.id, goal.instances
                    ));
                }
                right = true;
            }
        }
        // The one method that never creates.
        let right = right || goal.method == "down";
        if right { Ok(()) } else { Err(format!("{} is not there", goal.app)) }
    }
}
