//! Marking, waiting, starting and stopping, against real git repositories, an API that says what the test says, and a
//! listener for nudges.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up fails")]

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

const NO_SUCH_COMMIT: &str = "1111111111111111111111111111111111111111";

/// A service `web` with `main` and `canary` in pnw and `main` in nor, its repository with two commits, and what else a
/// cluster has.
struct World {
    folder: TempDir,
    commits: Vec<String>,
    nudges: Arc<Mutex<Vec<String>>>,
}

impl World {
    fn new(api: Option<&str>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir_all(at("soa/web")).unwrap();
        fs::create_dir_all(at("etc")).unwrap();
        let main = "main: {deploy_group: prod, bounce_margin_factor: 0.5}\n";
        fs::write(at("soa/web/marathon-pnw.yaml"), format!("{main}canary: {{deploy_group: canary}}\n"))
            .unwrap();
        fs::write(at("soa/web/marathon-nor.yaml"), main).unwrap();
        fs::write(at("soa/web/service.yaml"), format!("git_url: {}\n", at("web.git").display())).unwrap();
        fs::create_dir_all(at("soa/api")).unwrap();
        fs::write(at("soa/api/marathon-pnw.yaml"), "main: {monitoring: {team: x}}\n").unwrap();
        let commits = repository(folder.path());
        let (nudge_port, nudges) = nudged();
        let api = api.unwrap_or("http://127.0.0.1:9");
        let system = serde_json::json!({
            "clusters": ["pnw", "nor"],
            "soa_dir": at("soa"),
            "api_endpoints": {"pnw": api, "nor": api},
            "log_writer": {"driver": "file", "options": {"path_format": at("log/{service}").to_str().unwrap()}},
            "git_config": {"repos": {"yelpsoa-configs": {"deploy_server": format!("127.0.0.1:{nudge_port}")}}},
        });
        fs::write(at("etc/system.json"), system.to_string()).unwrap();
        Self { folder, commits, nudges }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn paasta(&self, line: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_paasta"));
        command.args(line.split_whitespace()).current_dir(self.folder.path()).stdin(Stdio::null());
        command.env("PAASTA_SYSTEM_CONFIG_DIR", self.path("etc")).env("SUDO_USER", "tester");
        command
    }

    /// Exit code, stdout, stderr.
    fn run(&self, line: &str) -> (i32, String, String) {
        let output = self.paasta(line).output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
    }

    fn tags(&self) -> Vec<String> {
        let output = git(&self.path("web.git"), &["tag", "--list", "--format=%(refname) %(objectname)"]);
        output.lines().map(str::to_owned).collect()
    }

    fn log(&self, name: &str) -> String {
        fs::read_to_string(self.path("log").join(name)).unwrap_or_default()
    }

    /// Waits until that many nudges came; all of them are for `web`.
    #[track_caller]
    fn has_nudges(&self, count: usize) {
        let deadline = Instant::now() + Duration::from_secs(10);
        while self.nudges.lock().unwrap().len() < count {
            assert!(Instant::now() < deadline, "no nudge came");
            thread::yield_now();
        }
        assert_eq!(*self.nudges.lock().unwrap(), vec!["web\n"; count]);
    }

    fn mark(&self, group: &str, commit: usize) {
        let (code, _, stderr) =
            self.run(&format!("mark-for-deployment -s web -l {group} -k {}", self.commits[commit]));
        assert_eq!(code, 0, "{stderr}");
    }
}

fn git(folder: &Path, arguments: &[&str]) -> String {
    let mut command = Command::new("git");
    command.args(["-c", "user.name=a", "-c", "user.email=a@b"]).args(arguments).current_dir(folder);
    let output = command.output().unwrap();
    assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn repository(folder: &Path) -> Vec<String> {
    git(folder, &["init", "-q", "-b", "main", "work"]);
    let work = folder.join("work");
    let mut commits = Vec::new();
    for i in 0..2 {
        git(&work, &["commit", "-q", "--allow-empty", "-m", &i.to_string()]);
        commits.push(git(&work, &["rev-parse", "HEAD"]));
    }
    git(folder, &["clone", "-q", "--bare", "work", "web.git"]);
    commits
}

/// Keeps what nudges say.
fn nudged() -> (u16, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let into = seen.clone();
    thread::spawn(move || {
        for socket in listener.incoming() {
            let mut text = String::new();
            socket.unwrap().read_to_string(&mut text).unwrap();
            into.lock().unwrap().push(text);
        }
    });
    (port, seen)
}

/// An API whose answer to the n-th question for a path is the n-th of `answers`, the last one from then on.
fn api(answers: impl Fn(usize, &str) -> Option<String> + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for (count, socket) in listener.incoming().enumerate() {
            let mut socket = socket.unwrap();
            let mut request = [0; 4096];
            let length = socket.read(&mut request).unwrap();
            let line =
                String::from_utf8_lossy(&request[..length]).lines().next().unwrap_or_default().to_owned();
            let (status, body) = match answers(count, &line) {
                Some(body) => ("200 OK", body),
                None => ("503 Service Unavailable", "{}".to_owned()),
            };
            let length = body.len();
            let _ = write!(
                socket,
                "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
            );
        }
    });
    url
}

fn status(sha: &str, app_count: usize, why: &str) -> String {
    serde_json::json!({
        "service": "web", "instance": "main", "git_sha": &sha[..8],
        "marathon": {
            "desired_state": "start", "app_count": app_count, "bounce_method": "crossover",
            "deploy_status": "Running", "running_instance_count": 3, "expected_instance_count": 3,
            "bounce": {
                "in_progress": app_count > 1, "wanted": 3, "happy_new": 3, "old_happy": 0, "old_unhappy": 0,
                "old_draining": 1, "old_at_risk": 0, "old_apps": app_count - 1,
                "why": [{"kind": "draining", "message": why}],
            },
        },
    })
    .to_string()
}

#[test]
fn a_mark_writes_a_tag_logs_and_nudges() {
    let world = World::new(None);
    let sha = world.commits[0].clone();
    git(&world.path("web.git"), &["tag", "release", &sha]);
    let (code, stdout, stderr) =
        world.run(&format!("mark-for-deployment -s services-web -l prod -c {}", &sha[..6]));
    let radius =
        "mark-for-deployment: 2 instances follow deploy group `prod`\n  in nor: main\n  in pnw: main\n";
    assert_eq!((code, stderr.as_str()), (0, radius), "{stdout}");
    assert!(stdout.starts_with(&format!("{sha} is marked for deployment in `prod`: refs/tags/paasta-prod-")));
    let tags = world.tags();
    assert!(tags[0].ends_with(&format!("-deploy {sha}")), "{tags:?}");
    world.has_nudges(1);
    assert!(
        world.log("web").contains(&format!("Marked {sha} for deployment in deploy group prod by tester@"))
    );
    let audit = world.log("stream_paasta-audit-log");
    assert!(
        audit.contains(r#""action": "mark-for-deployment""#) && audit.contains(r#""user": "tester""#),
        "{audit}"
    );
    assert!(audit.contains(&format!(r#""commit": "{sha}""#)) && audit.contains(r#""deploy_group": "prod""#));
}

#[test]
fn a_dry_mark_says_tag_remote_and_instances_and_writes_nothing() {
    let world = World::new(None);
    let line = format!("mark-for-deployment -s web -l prod --dry-run -k {}", world.commits[0]);
    let (code, stdout, stderr) = world.run(&line);
    assert_eq!(code, 0, "{stderr}");
    let would = format!("would mark {} for deployment in `prod`: refs/tags/paasta-prod-", world.commits[0]);
    assert!(stdout.starts_with(&would), "{stdout}");
    assert!(stdout.ends_with(&format!("-deploy in {}\n", world.path("web.git").display())), "{stdout}");
    assert!(
        stderr.contains("2 instances follow deploy group `prod`\n  in nor: main\n  in pnw: main\n"),
        "{stderr}"
    );
    assert_eq!((world.tags().len(), world.log("web")), (0, String::new()));
    assert!(world.nudges.lock().unwrap().is_empty());
    assert_eq!(world.run(&format!("{line} --wait-for-deployment")).0, 2);
    let (code, _, stderr) = world.run(&line.replace(&world.commits[0], NO_SUCH_COMMIT));
    assert!(code == 0 && stderr.contains("whether the repository has it shows only"), "{stderr}");
    assert_eq!(world.run(&line.replace(&world.commits[0], "12345")).0, 1, "as in a real run");
    world.mark("prod", 0);
    world.run("stop web.main -c pnw");
    let (_, _, stderr) = world.run(&line);
    assert!(stderr.contains("is what is marked for `prod` already"), "{stderr}");
    assert!(stderr.contains("stays so until `paasta start`: pnw.main"), "{stderr}");
}

#[test]
fn marks_within_a_second_do_not_hide_each_other() {
    let world = World::new(None);
    for commit in [0, 1, 0] {
        world.mark("prod", commit);
    }
    let tags = world.tags();
    assert_eq!(tags.len(), 3, "{tags:?}");
    assert!(tags[2].ends_with(&world.commits[0]) && tags[1].ends_with(&world.commits[1]), "{tags:?}");
}

#[test]
fn marks_that_make_no_sense_are_refused_by_name() {
    let world = World::new(None);
    let sha = &world.commits[0];
    let check = |line: &str, code: i32, words: &str| {
        let (got, stdout, stderr) = world.run(line);
        assert!(got == code && stderr.contains(words), "{line}: {got} {stdout} {stderr}");
    };
    check(&format!("mark-for-deployment -s wb -l prod -k {sha}"), 1, "Did you mean `web`?");
    check("mark-for-deployment -s web -l prod -k 12", 2, "`12` is not a commit");
    check("wait-for-deployment -s web -l prod -c master", 2, "`master` is not a commit");
    check("mark-for-deployment -s web -l prod -k 12345", 1, "no ref points at");
    check(&format!("mark-for-deployment -s web -l prod -k {NO_SUCH_COMMIT}"), 1, "has no commit");
    check(&format!("mark-for-deployment -s web -l prod -k {sha} --auto-rollback"), 2, "not available yet");
    check(&format!("mark-for-deployment -s web -l a..b -k {sha}"), 1, "cannot be the name of a ref");
    check(
        &format!("mark-for-deployment -s web -l prod -k {sha} -u /nowhere"),
        1,
        "hint: Check that `git ls-remote /nowhere`",
    );
    assert!(world.tags().is_empty());
    check(
        &format!("mark-for-deployment -s web -l new -k {sha}"),
        0,
        "follows deploy group `new`; its deploy groups: `canary`, `prod`",
    );
    let hook = world.path("web.git/hooks/update");
    fs::create_dir_all(hook.parent().unwrap()).unwrap();
    fs::write(&hook, "#!/bin/sh\necho frozen for today >&2\nexit 1\n").unwrap();
    fs::set_permissions(&hook, fs::Permissions::from_mode(0o755)).unwrap();
    check(&format!("mark-for-deployment -s web -l prod -k {sha}"), 1, "frozen for today");
    fs::write(world.path("soa/web/deploy.yaml"), "allowed_push_groups: [ops]\n").unwrap();
    check(&format!("mark-for-deployment -s web -l prod -k {sha}"), 1, "only members of `ops`");
}

#[test]
fn a_missing_deploy_server_fails_nothing() {
    let world = World::new(None);
    let system = fs::read_to_string(world.path("etc/system.json")).unwrap();
    let mut system: serde_json::Value = serde_json::from_str(&system).unwrap();
    system["git_config"]["repos"]["yelpsoa-configs"]["deploy_server"] = "127.0.0.1:9".into();
    fs::write(world.path("etc/system.json"), system.to_string()).unwrap();
    let (code, _, stderr) = world.run(&format!("mark-for-deployment -s web -l prod -k {}", world.commits[0]));
    assert!(code == 0 && stderr.contains("note: could not ask `127.0.0.1:9`"), "{stderr}");
}

#[test]
fn a_mark_waits_until_the_commit_runs_everywhere() {
    let commit: Arc<Mutex<String>> = Arc::default();
    let wanted = commit.clone();
    let url = api(move |count, line| {
        assert!(line.contains("/v1/services/web/main/status"), "{line}");
        let wanted = wanted.lock().unwrap();
        match count {
            0 => None,
            1 => Some(status(NO_SUCH_COMMIT, 1, "")),
            2 | 3 => Some(status(&wanted, 2, "1 old task drains")),
            _ => Some(status(&wanted, 1, "")),
        }
    });
    let world = World::new(Some(&url));
    commit.lock().unwrap().clone_from(&world.commits[1]);
    let line =
        format!("mark-for-deployment -s web -l prod -k {} --wait-for-deployment -t 60", world.commits[1]);
    let (code, stdout, stderr) = world.run(&line);
    assert_eq!(code, 0, "{stderr}");
    assert!(stdout.contains("runs on all 2 instances of `prod`"), "{stdout}");
    for words in [
        "not known: ",
        "it wants 11111111",
        "bouncing: 2 versions exist: 1 old task drains",
        "web.main in nor: done",
    ] {
        assert!(stderr.contains(words), "{words}: {stderr}");
    }
    assert!(world.log("web").contains("complete"));
}

#[test]
fn waiting_ends_with_time_and_says_who_is_late_and_why() {
    let url = api(|_, _| Some(status(NO_SUCH_COMMIT, 1, "")));
    let world = World::new(Some(&url));
    world.mark("prod", 0);
    let sha = &world.commits[0];
    let (code, stdout, stderr) = world.run(&format!("wait-for-deployment -s web -l prod -k {sha} -t 1"));
    assert_eq!((code, stdout.as_str()), (1, ""));
    assert!(
        stderr
            .contains("not done: web.main in pnw: the cluster has not seen the mark yet; it wants 11111111"),
        "{stderr}"
    );
    assert!(stderr.contains("paasta status -s web -l prod"), "{stderr}");
    assert!(world.log("web").contains("is not deployed to prod after 1 s"));
}

#[test]
fn only_what_is_marked_is_waited_for() {
    let world = World::new(None);
    let (first, second) = (&world.commits[0], &world.commits[1]);
    let check = |line: &str, words: &str| {
        let (code, _, stderr) = world.run(line);
        assert!(code == 1 && stderr.contains(words), "{line}: {code} {stderr}");
    };
    check(
        &format!("wait-for-deployment -s web -l prod -k {first}"),
        "nothing is marked for deployment in `prod`",
    );
    world.mark("prod", 0);
    check(&format!("wait-for-deployment -s web -l prod -k {second}"), "is not what is marked for `prod`");
    check(&format!("wait-for-deployment -s web -l none -k {second}"), "Its deploy groups: `canary`, `prod`.");
}

#[test]
fn stop_and_start_tag_what_is_deployed() {
    let world = World::new(None);
    world.mark("prod", 0);
    world.has_nudges(1);
    let (code, stdout, stderr) = world.run("stop web.main -c pnw");
    assert_eq!(code, 0, "{stderr}");
    let short = &world.commits[0][..8];
    assert!(
        stdout.starts_with(&format!("web.main in pnw: stop at {short}: refs/tags/paasta-pnw.main-")),
        "{stdout}"
    );
    assert!(stderr.starts_with("stop: 1 instance\n  in pnw: web.main\n"), "{stderr}");
    let (code, _, stderr) = world.run("restart -s web -i main -c pnw,nor");
    assert_eq!(code, 0, "{stderr}");
    let states: Vec<String> = world.tags().into_iter().filter(|t| !t.contains("-deploy")).collect();
    assert_eq!(states.len(), 3, "{states:?}");
    assert!(states[0].contains("nor.main") && states[0].contains("-start"), "{states:?}");
    assert!(
        states[1].contains("pnw.main") && states[1].contains("-stop"),
        "the start comes later: {states:?}"
    );
    assert!(states.iter().all(|tag| tag.ends_with(&world.commits[0])));
    world.has_nudges(3);
    let log = world.log("web");
    assert!(
        log.contains("Issued request to change state of main (an instance of web) to 'stop' by tester@"),
        "{log}"
    );
    assert!(world.log("stream_paasta-audit-log").contains(r#""action": "stop""#));
}

#[test]
fn marking_a_stopped_commit_again_says_that_it_stays_stopped() {
    let world = World::new(None);
    world.mark("prod", 0);
    assert_eq!(world.run("stop web.main -c pnw").0, 0);
    let (_, _, stderr) = world.run(&format!("mark-for-deployment -s web -l prod -k {}", world.commits[1]));
    assert!(!stderr.contains("warning"), "{stderr}");
    let (_, _, stderr) = world.run(&format!("mark-for-deployment -s web -l prod -k {}", world.commits[0]));
    assert!(stderr.contains("stays so until `paasta start`: pnw.main"), "{stderr}");
}

#[test]
fn a_dry_run_changes_nothing_and_needs_no_yes() {
    let world = World::new(None);
    world.mark("prod", 0);
    let before = world.tags();
    let (code, stdout, stderr) = world.run("stop -s web -l prod --dry-run");
    assert_eq!(code, 0, "{stderr}");
    assert!(
        stdout.contains("web.main in nor: would stop at")
            && stdout.contains("web.main in pnw: would stop at")
    );
    assert!(stderr.contains("stop: 2 instances"), "{stderr}");
    assert_eq!(world.tags(), before);
}

#[test]
fn without_a_terminal_the_scope_must_be_named() {
    let world = World::new(None);
    world.mark("prod", 0);
    let before = world.tags();
    let check = |line: &str, code: i32, words: &str| {
        let (got, _, stderr) = world.run(line);
        assert!(got == code && stderr.contains(words), "{line}: {got} {stderr}");
    };
    check("stop web.main", 1, "no cluster was named");
    check("restart -s web -c pnw", 1, "no instance was named");
    check("start -o x,y", 1, "no cluster was named");
    check("stop web.main -s web", 2, "cannot be combined");
    check("stop web", 2, "is not SERVICE.INSTANCE");
    check("stop web.mian -c pnw", 1, "Did you mean `main`?");
    check("stop web.main -c pwn", 1, "there is no cluster `pwn`");
    assert_eq!(world.tags(), before);
    check("stop web.main --yes", 0, "stop: 2 instances");
    assert_eq!(world.tags().len(), before.len() + 2);
}

#[test]
fn what_is_not_deployed_is_named_and_the_others_go_on() {
    let world = World::new(None);
    world.mark("prod", 0);
    let (code, stdout, stderr) = world.run("stop -s web -i main,canary -c pnw");
    assert_eq!(code, 1);
    assert!(stdout.contains("web.main in pnw: stop at"), "{stdout}");
    assert!(stderr.contains("web.canary in pnw (deploy group canary)"), "{stderr}");
}

#[test]
fn a_service_whose_remote_is_away_does_not_stop_the_others() {
    let world = World::new(None);
    world.mark("prod", 0);
    fs::write(world.path("soa/api/service.yaml"), "git_url: /nowhere\n").unwrap();
    fs::write(world.path("soa/web/monitoring.yaml"), "team: y\n").unwrap();
    let (code, stdout, stderr) = world.run("stop -o x,y -c pnw --yes");
    assert_eq!(code, 1, "{stderr}");
    assert!(stdout.starts_with("web.main in pnw: stop at"), "{stdout}{stderr}");
    assert!(stderr.contains("error: could not list the tags of service `api`"), "{stderr}");
    assert!(
        stderr.contains(
            "could not stop every instance of: api; nothing is deployed yet for: web.canary in pnw"
        ),
        "{stderr}"
    );
}

#[test]
fn nudges_can_be_limited_to_some_repositories() {
    let world = World::new(None);
    let path = world.path("etc/system.json");
    let limit = |text: &str| {
        let mut system: serde_json::Value =
            serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        system["git_config"]["nudge_url_contains"] = text.into();
        fs::write(&path, system.to_string()).unwrap();
    };
    limit("code.example.com");
    world.mark("prod", 0);
    limit("/web.git");
    world.mark("canary", 0);
    world.has_nudges(1);
}

#[test]
fn help_is_there() {
    let world = World::new(None);
    for command in ["mark-for-deployment", "wait-for-deployment", "start", "stop", "restart"] {
        assert_eq!(world.run(&format!("{command} --help")).0, 0);
    }
}
