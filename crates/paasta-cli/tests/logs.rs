//! `paasta logs` over files and an API that says what the test says.

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::process::Stdio;
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use common::{World, api};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

/// Whatever a test waits for comes within this, on a busy machine too.
const PATIENCE: Duration = Duration::from_secs(90);

const STATUS: &str = r#"{"service": "web", "instance": "main", "git_sha": "12345678", "marathon": {
    "desired_state": "start", "app_count": 1, "bounce_method": "crossover",
    "app_statuses": [{"tasks_running": 1, "tasks_healthy": 1, "tasks_staged": 0, "tasks_total": 1, "tasks": [
        {"id": "0123456789", "task_id": "web.main.git1.config1.0123456789"}]}]}}"#;

fn world() -> World {
    let url = api(&[
        ("/v1/services/web/main/status", STATUS),
        (
            "/v1/services/web/main/tasks/web.main.git1.config1.0123456789/log?stream=stdout",
            r#"{"task": "t", "stream": "stdout", "lines": ["one", "two"]}"#,
        ),
        (
            "/v1/services/web/main/tasks/web.main.git1.config1.0123456789/log?stream=stderr",
            r#"{"task": "t", "stream": "stderr", "lines": ["oh"]}"#,
        ),
    ]);
    let world = World::with_services();
    let logs = world.root().join("logs").display().to_string();
    world.system(&format!(
        r#"{{"clusters": ["pnw", "nor"], "soa_dir": "SOA", "api_endpoints": {{"pnw": "{url}"}},
            "log_writer": {{"driver": "file", "options": {{"path_format": "{logs}/{{service}}/{{component}}.log"}}}}}}"#
    ));
    tell(&world, "2021-03-01T10:00:00.000000", "deploy", "marked");
    tell(&world, "2021-03-01T11:00:00.000000", "marathon", "bounced");
    world
}

fn tell(world: &World, at: &str, component: &str, message: &str) {
    write(world, at, (component, "event"), message);
}

fn debug(world: &World, at: &str, message: &str) {
    write(world, at, ("deploy", "debug"), message);
}

fn write(world: &World, at: &str, (component, level): (&str, &str), message: &str) {
    let dir = world.root().join("logs/web");
    fs::create_dir_all(&dir).expect("a directory");
    let mut file = fs::File::options()
        .create(true)
        .append(true)
        .open(dir.join(format!("{component}.log")))
        .expect("a file");
    writeln!(
        file,
        r#"{{"cluster": "N/A", "component": "{component}", "instance": "main", "level": "{level}", "message": "{message}", "service": "web", "timestamp": "{at}"}}"#
    )
    .expect("written");
}

#[test]
fn outputs_of_tasks_come_from_the_api() {
    let world = world();
    let stdout = world.ok(&["logs", "web.main", "-c", "pnw"]);
    assert_eq!(
        stdout,
        "[stdout] pnw main 01234567 - one\n[stdout] pnw main 01234567 - two\n[stderr] pnw main 01234567 - oh\n"
    );
    assert_eq!(world.ok(&["logs", "web.main", "-c", "pnw", "-C", "stdout", "-n", "1", "-r"]), "two\n");
}

#[test]
fn what_paasta_told_comes_from_the_log_reader() {
    let world = world();
    let deploys = world.ok(&["logs", "-s", "web", "-C", "deploy,marathon"]);
    assert_eq!(
        deploys,
        "2021-03-01 10:00:00Z [deploy] main - marked\n2021-03-01 11:00:00Z [marathon] main - bounced\n"
    );
    assert_eq!(
        world.ok(&["logs", "-s", "web", "-C", "deploy,marathon", "-l", "1", "-S"]),
        "2021-03-01 11:00:00Z bounced\n"
    );
    let range = ["logs", "-s", "web", "-C", "deploy,marathon", "--from", "2021-03-01T10:30:00"];
    assert_eq!(world.ok(&range), "2021-03-01 11:00:00Z [marathon] main - bounced\n");
    let json = world.ok(&["logs", "-s", "web", "-C", "deploy", "--json"]);
    assert_eq!(serde_json::from_str::<serde_json::Value>(&json).expect("JSON")["message"], "marked");
    let all = ["logs", "-s", "web", "-C", "deploy,marathon", "-S"];
    let one = |more: &[&str]| world.ok(&[&all, more].concat());
    assert_eq!(one(&["--line-offset", "1", "-n", "1"]), "2021-03-01 10:00:00Z marked\n");
    assert_eq!(one(&["-o", "2", "-n", "-1"]), "2021-03-01 11:00:00Z bounced\n");
    assert_eq!(
        one(&["--from", "2021-03-01", "--to", "2021-03-01T10:30:00"]),
        "2021-03-01 10:00:00Z marked\n"
    );
    debug(&world, "2021-03-01T12:00:00.000000", "why");
    assert_eq!(one(&["--level", "debug"]), "2021-03-01 12:00:00Z why\n");
    assert_eq!(
        one(&["--levels", "event,debug", "-n", "2"]),
        "2021-03-01 11:00:00Z bounced\n2021-03-01 12:00:00Z why\n"
    );
}

#[test]
fn nothing_is_shown_for_a_reason() {
    let world = world();
    let check = |arguments: &[&str], part: &str| {
        let (code, stdout, stderr) = world.run(arguments);
        assert_eq!((code, stdout.as_str()), (0, ""), "{arguments:?}: {stderr}");
        assert!(stderr.starts_with("note: ") && stderr.contains(part), "{arguments:?}: {stderr}");
    };
    check(
        &["logs", "-s", "web", "-i", "canary", "-C", "deploy"],
        "1 of other components, 1 of other instances",
    );
    check(&["logs", "-s", "web", "-C", "deploy", "--from", "5m"], "1 outside of the range of time");
    check(&["logs", "-s", "web", "-C", "deploy", "-o", "9"], "there are only 1 such lines");
    check(&["logs", "web.main", "-c", "pnw", "-p", "99"], "web.main has no such task in pnw: 99");
    check(
        &["logs", "web.main", "-c", "pnw", "--from", "5m"],
        "what tasks print carries neither times nor numbers",
    );
    fs::remove_dir_all(world.root().join("logs")).expect("removed");
    let format = world.root().join("logs/{service}/{component}.log").display().to_string();
    check(&["logs", "-s", "web", "-C", "deploy"], &format!("no log file of service `web` fits `{format}`"));
}

#[test]
fn what_was_collected_of_tasks_is_shown_by_its_time() {
    let world = world();
    let dir = world.root().join("logs/web");
    let line = |pod: &str, at: &str| {
        format!(
            r#"{{"cluster": "pnw", "component": "stdout", "instance": "main", "level": "event", "message": "from {pod}", "pod_name": "{pod}", "service": "web", "timestamp": "{at}"}}"#
        )
    };
    let lines = [
        line("aa1", "2021-03-01T10:00:00"),
        line("bb2", "2021-03-01T10:00:01"),
        "{\"half".to_owned(),
        String::new(),
    ];
    fs::write(dir.join("stdout.log"), lines.join("\n")).expect("written");
    let (code, stdout, stderr) = world.run(&["logs", "web.main", "--from", "2021-03-01"]);
    assert_eq!(code, 0, "{stderr}");
    assert_eq!(
        stdout,
        "2021-03-01 10:00:00Z [stdout] pnw main aa1 - from aa1\n2021-03-01 10:00:01Z [stdout] pnw main bb2 - from bb2\n"
    );
    let told = format!("1 line is left out of `{}`", dir.join("stdout.log").display());
    assert!(stderr.contains(&told) && stderr.contains(r#""{\"half""#), "{stderr}");
    let (_, stdout, _) = world.run(&["logs", "web.main", "--from", "2021-03-01", "-p", "bb2", "-S"]);
    assert_eq!(stdout, "2021-03-01 10:00:01Z from bb2\n");
}

#[test]
fn what_makes_no_sense_is_refused() {
    let world = world();
    let check = |arguments: &[&str], code: i32, part: &str| {
        let (actual, _, stderr) = world.run(arguments);
        assert_eq!(actual, code, "{arguments:?}: {stderr}");
        assert!(stderr.contains(part), "{arguments:?}: {stderr}");
    };
    check(&["logs", "web.main", "-C", "stdot"], 2, "no log component `stdot`");
    check(&["logs", "web.main", "-f", "--from", "5m"], 2, "cannot be used with");
    check(&["logs", "web.main", "-o", "0"], 2, "counted from 1");
    check(&["logs", "web.main", "--level", "loud"], 2, "[possible values: event, debug]");
    check(&["logs", "web.main", "--from", "1m", "--to", "1h"], 2, "is later than");
    check(&["logs", "web.mian"], 1, "Did you mean `main`?");
    world.system(r#"{"clusters": ["pnw", "nor"], "soa_dir": "SOA"}"#);
    check(&["logs", "web.main", "-C", "deploy"], 1, "`log_reader`");
    check(&["logs", "web.main", "--from", "5m"], 1, "`log_reader`");
    check(&["logs", "web.main", "-c", "pnw"], 1, "api_endpoints");
}

/// `paasta logs … -f`, ended with Ctrl-C when it is done with or silent for too long.
struct Following {
    child: std::process::Child,
    lines: mpsc::Receiver<String>,
}

impl Following {
    fn start(world: &World, arguments: &[&str]) -> Self {
        let mut command = world.paasta(arguments);
        let mut child =
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program starts");
        let (send, lines) = mpsc::channel();
        let stdout = BufReader::new(child.stdout.take().expect("a pipe"));
        std::thread::spawn(move || stdout.lines().map_while(Result::ok).try_for_each(|line| send.send(line)));
        Self { child, lines }
    }

    #[track_caller]
    fn shows(&self, expected: &str) {
        assert_eq!(self.lines.recv_timeout(PATIENCE).as_deref(), Ok(expected));
    }

    /// Ends it; gives what it said on stderr.
    fn end(mut self) -> String {
        kill_process(Pid::from_child(&self.child), Signal::INT).expect("it runs");
        let mut stderr = String::new();
        self.child.stderr.take().expect("a pipe").read_to_string(&mut stderr).expect("text");
        assert_eq!(self.child.wait().expect("it ends").code(), Some(130));
        assert_eq!(self.lines.iter().collect::<Vec<_>>(), Vec::<String>::new(), "more than expected");
        stderr
    }
}

#[test]
fn following_shows_what_comes_until_interrupted() {
    let world = world();
    let following = Following::start(&world, &["logs", "-s", "web", "-C", "deploy", "-f", "-S"]);
    following.shows("2021-03-01 10:00:00Z marked");
    tell(&world, "2021-03-01T12:00:00.000000", "deploy", "again");
    following.shows("2021-03-01 12:00:00Z again");
    let path = world.root().join("logs/web/deploy.log");
    fs::rename(&path, path.with_extension("log.1")).expect("turned over");
    tell(&world, "2021-03-01T12:00:01.000000", "deploy", "in a new file");
    following.shows("2021-03-01 12:00:01Z in a new file");
    assert_eq!(following.end(), "");
}

/// An API of which the test says at any time what there is: tasks, and what each printed on stdout.
#[derive(Clone, Default)]
struct Tasks(Arc<Mutex<BTreeMap<String, Task>>>);

#[derive(Clone, Default)]
struct Task {
    text: String,
    is_gone: bool,
}

impl Tasks {
    fn serve(&self) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let tasks = self.clone();
        std::thread::spawn(move || {
            for socket in listener.incoming() {
                let mut socket = socket.expect("a connection");
                let mut request = String::new();
                let mut reader = BufReader::new(socket.try_clone().expect("cloned"));
                while reader.read_line(&mut request).is_ok_and(|read| read > 2) {}
                let path = request.split(' ').nth(1).unwrap_or_default().to_owned();
                let body = tasks.answer(&path);
                let _ = write!(socket, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{body}");
            }
        });
        url
    }

    fn prints(&self, task: &str, text: &str) {
        self.0.lock().expect("not poisoned").entry(task.to_owned()).or_default().text.push_str(text);
    }

    fn change(&self, task: &str, change: impl FnOnce(&mut Task)) {
        change(self.0.lock().expect("not poisoned").entry(task.to_owned()).or_default());
    }

    fn answer(&self, path: &str) -> String {
        let tasks = self.0.lock().expect("not poisoned");
        if path.contains("/status") {
            let there = tasks.iter().filter(|(_, task)| !task.is_gone).map(|(id, _)| id);
            let there: Vec<_> =
                there.map(|id| json!({"id": id, "task_id": format!("web.main.git1.config1.{id}")})).collect();
            let app = json!({"tasks_running": 1, "tasks_healthy": 1, "tasks_staged": 0, "tasks_total": 1, "tasks": there});
            let marathon = json!({"desired_state": "start", "app_count": 1, "bounce_method": "crossover", "app_statuses": [app]});
            return json!({"service": "web", "instance": "main", "git_sha": "1", "marathon": marathon})
                .to_string();
        }
        let id = path.split("config1.").nth(1).and_then(|rest| rest.split('/').next()).expect("a task");
        let number = |key: &str| -> Option<usize> {
            path.split(['?', '&']).find_map(|pair| pair.strip_prefix(key)?.strip_prefix('=')?.parse().ok())
        };
        let text = &tasks[id].text;
        let after = number("after").map(|after| if after > text.len() { 0 } else { after });
        let whole = text.rfind('\n').map_or(0, |last| last + 1);
        let lines: Vec<&str> = text[after.unwrap_or(0)..].lines().collect();
        let skipped =
            if after.is_none() { lines.len().saturating_sub(number("lines").unwrap_or(100)) } else { 0 };
        json!({"task": id, "stream": "stdout", "lines": lines[skipped..], "unfinished": whole < text.len(), "next": whole})
            .to_string()
    }
}

#[test]
fn following_tasks_misses_none_of_their_lines() {
    let world = world();
    let tasks = Tasks::default();
    let url = tasks.serve();
    world.system(&format!(
        r#"{{"clusters": ["pnw", "nor"], "soa_dir": "SOA", "api_endpoints": {{"pnw": "{url}"}}}}"#
    ));
    tasks.prints("old", "tick\ntick\nhalf");
    let following =
        Following::start(&world, &["logs", "web.main", "-c", "pnw", "-C", "stdout", "-f", "-n", "2"]);
    following.shows("[stdout] pnw main old - tick");
    // More lines of the same text than are looked at at once.
    tasks.prints("old", &format!(" a line\n{}", "tick\n".repeat(3000)));
    following.shows("[stdout] pnw main old - half a line");
    (0..3000).for_each(|_| following.shows("[stdout] pnw main old - tick"));
    // A bounce: another task comes, and the old one goes with words that nobody has seen.
    tasks.prints("new", "hello\n");
    following.shows("[stdout] pnw main new - hello");
    tasks.change("old", |task| {
        task.text.push_str("bye\nlast words");
        task.is_gone = true;
    });
    following.shows("[stdout] pnw main old - bye");
    following.shows("[stdout] pnw main old - last words");
    tasks.change("new", |task| task.text = "1\n".to_owned());
    following.shows("[stdout] pnw main new - 1");
    let stderr = following.end();
    assert_eq!(stderr, "note: the log of task new was turned over; lines from before may be missing\n");
}
