//! A home, soa-configs and a git remote in a temporary directory, and the real program over them.

#![allow(dead_code, reason = "each test program uses its part")]

mod engine;

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// Whatever a test waits for comes within this, on a busy machine too.
const PATIENCE: Duration = Duration::from_secs(90);

pub(crate) struct Playground {
    root: tempfile::TempDir,
    soa_dir: String,
}

/// A running `paasta local up`; killed with its services when it is dropped.
pub(crate) struct Cluster<'a> {
    child: Child,
    ground: &'a Playground,
    number: usize,
}

impl Playground {
    /// One service, `hello.main`, with three versions in its remote, of which `v3` never becomes healthy.
    pub(crate) fn new() -> Self {
        let root = tempfile::tempdir().expect("a temporary directory");
        let soa_dir = root.path().join("soa").to_str().expect("Unicode").to_owned();
        let ground = Self { root, soa_dir };
        for folder in ["home", "work"] {
            fs::create_dir_all(ground.root.path().join(folder)).expect("a directory");
        }
        ground.write_remote();
        ground.file("hello/service.yaml", &format!("git_url: {}\n", ground.remote().display()));
        ground.file("hello/deploy.yaml", "pipeline:\n  - step: web\n  - step: local.main\n");
        ground.instance_file(2);
        ground
    }

    pub(crate) fn instance_file(&self, instances: usize) {
        self.file(
            "hello/marathon-local.yaml",
            &format!(
                "main:\n  cmd: ./serve\n  instances: {instances}\n  deploy_group: web\n  bounce_method: crossover\n  \
                 drain_method: hacheck\n  drain_method_params: {{delay: 0.3}}\n  healthcheck_mode: http\n  \
                 healthcheck_interval_seconds: 1\n  healthcheck_timeout_seconds: 1\n  net: host\n  cpus: 0.1\n  mem: 64\n"
            ),
        );
    }

    pub(crate) fn file(&self, path: &str, content: &str) {
        let path = self.soa_dir().join(path);
        fs::create_dir_all(path.parent().expect("below the root")).expect("a directory");
        fs::write(path, content).expect("a file");
    }

    pub(crate) fn soa_dir(&self) -> &Path {
        Path::new(&self.soa_dir)
    }

    pub(crate) fn soa_dir_text(&self) -> &str {
        &self.soa_dir
    }

    pub(crate) fn remote(&self) -> PathBuf {
        self.root.path().join("remote.git")
    }

    pub(crate) fn state_dir(&self) -> PathBuf {
        self.root.path().join("home/.local/state/paasta/local")
    }

    /// The commit of `version`.
    pub(crate) fn commit(&self, version: &str) -> String {
        self.git("work", &["rev-parse", version])
    }

    /// Marks `version` for deployment, as somebody at a shell would.
    pub(crate) fn deploy(&self, group: &str, version: &str) {
        self.deploy_service("hello", group, version);
    }

    /// The same of another service than `hello`.
    pub(crate) fn deploy_service(&self, service: &str, group: &str, version: &str) {
        let sha = self.commit(version);
        let output = self.paasta(&["mark-for-deployment", "-s", service, "-l", group, "-c", &sha]);
        assert!(output.status.success(), "{}", text(&output));
    }

    /// Tags carry seconds: two of one second would be one.
    pub(crate) fn next_second(&self) {
        let second = || std::time::UNIX_EPOCH.elapsed().expect("after 1970").as_secs();
        let before = second();
        self.wait_for("the next second", || second() != before);
    }

    pub(crate) fn paasta(&self, arguments: &[&str]) -> Output {
        self.command(arguments).stdin(Stdio::null()).output().expect("it starts")
    }

    /// Starts the cluster and waits until it is ready.
    pub(crate) fn up(&self, arguments: &[&str]) -> Cluster<'_> {
        let number = fs::read_dir(self.root.path()).expect("listed").count();
        let file =
            |end: &str| fs::File::create(self.root.path().join(format!("{number}.{end}"))).expect("a file");
        let mut whole = vec!["local", "up", "--soa-dir", &self.soa_dir];
        whole.extend(arguments);
        let mut command = self.command(&whole);
        let child =
            command.stdin(Stdio::null()).stdout(file("out")).stderr(file("err")).spawn().expect("it starts");
        let mut cluster = Cluster { child, ground: self, number };
        self.wait_for("the cluster to be up", || {
            let ended = cluster.child.try_wait().expect("looked");
            assert!(ended.is_none(), "it ended ({ended:?}): {}", cluster.stderr());
            cluster.stdout().contains("local cluster is up")
        });
        cluster
    }

    /// Whether tasks of `sha`, `count` of them and healthy, are all that runs, and nothing is left to do.
    pub(crate) fn runs_only(&self, sha: &str, count: usize) -> bool {
        self.instance_runs_only("main", sha, count)
    }

    /// The same of another instance than `main`.
    pub(crate) fn instance_runs_only(&self, instance: &str, sha: &str, count: usize) -> bool {
        let output = self.paasta(&["status", "-s", "hello", "-i", instance, "--json"]);
        let Ok(status) = serde_json::from_slice::<Value>(&output.stdout) else { return false };
        let Some(marathon) = find(&status, "marathon") else { return false };
        let apps = marathon["app_statuses"].as_array().cloned().unwrap_or_default();
        let [app] = apps.as_slice() else { return false };
        let tasks = app["tasks"].as_array().cloned().unwrap_or_default();
        let healthy = tasks.iter().filter(|task| task["is_healthy"] == true).count();
        let short = app["git_sha"].as_str().unwrap_or("none");
        sha.starts_with(short)
            && healthy == count
            && tasks.len() == count
            && marathon["bounce"]["in_progress"] == false
    }

    /// The processes of the service's `version`; of any version for the empty text.
    pub(crate) fn processes(&self, version: &str) -> Vec<u32> {
        let state = self.root.path().to_str().expect("Unicode");
        let mut found: Vec<u32> = fs::read_dir("/proc")
            .expect("listed")
            .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
            .filter(|process| {
                let read = |file: &str| fs::read(format!("/proc/{process}/{file}")).unwrap_or_default();
                let arguments = String::from_utf8_lossy(&read("cmdline")).replace('\0', " ");
                let marked = format!("--version-name {version}");
                arguments.contains("paasta-demo-service")
                    && arguments.contains(&marked)
                    && arguments.contains(state)
            })
            .collect();
        found.sort_unstable();
        found
    }

    #[track_caller]
    pub(crate) fn wait_for(&self, what: &str, mut holds: impl FnMut() -> bool) {
        let begun = Instant::now();
        while !holds() {
            if begun.elapsed() > PATIENCE {
                let status = self.paasta(&["status", "-s", "hello", "-v"]);
                panic!("waited {} s for {what}; it stands at:\n{}", PATIENCE.as_secs(), text(&status));
            }
            std::thread::sleep(Duration::from_millis(30));
        }
    }

    #[expect(clippy::disallowed_methods, reason = "a test's own surroundings")]
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_paasta"));
        command.args(arguments).current_dir(self.root.path());
        command.env_clear().env("HOME", self.root.path().join("home"));
        command.env("PATH", std::env::var_os("PATH").expect("a PATH"));
        command
    }

    fn write_remote(&self) {
        self.git("", &["init", "--quiet", "--bare", "remote.git"]);
        self.git("work", &["init", "--quiet"]);
        for (version, flags) in [("v1", ""), ("v2", ""), ("v3", "--unhealthy")] {
            self.version(version, ":", flags);
        }
    }

    /// Pushes a version that does something first and then serves with these flags.
    pub(crate) fn version(&self, version: &str, first: &str, flags: &str) {
        let (program, root) = (env!("CARGO_BIN_EXE_paasta-demo-service"), self.root.path().display());
        // The flag that never comes true marks the process as one of this test.
        let script = format!(
            "#!/bin/sh\n{first}\n\
             exec '{program}' --unhealthy-while '{root}/unhealthy' --version-name {version} {flags}\n"
        );
        let path = self.root.path().join("work/serve");
        fs::write(&path, script).expect("a file");
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        fs::set_permissions(&path, mode).expect("made executable");
        self.git("work", &["add", "serve"]);
        self.git("work", &["commit", "--quiet", "--message", version]);
        self.git("work", &["tag", version]);
        self.git("work", &["push", "--quiet", "../remote.git", "HEAD:refs/heads/main"]);
    }

    fn git(&self, folder: &str, arguments: &[&str]) -> String {
        let identity =
            ["-c", "user.name=test", "-c", "user.email=test@example.com", "-c", "commit.gpgsign=false"];
        let mut command = Command::new("git");
        command.args(identity).args(arguments).current_dir(self.root.path().join(folder));
        command.env("HOME", self.root.path().join("home"));
        let output = command.output().expect("git starts");
        assert!(output.status.success(), "{}", text(&output));
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }
}

impl Drop for Playground {
    fn drop(&mut self) {
        for process in self.processes("") {
            let _ = kill_process(pid(process), Signal::KILL);
        }
    }
}

impl Cluster<'_> {
    /// What Ctrl-C's sibling does; waits until it has ended.
    pub(crate) fn terminate(&mut self) {
        kill_process(pid(self.child.id()), Signal::TERM).expect("it runs");
        let status = self.child.wait().expect("it ends");
        assert!(status.success(), "{status}: {}", self.stderr());
    }

    /// `kill -9`.
    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it ends");
    }

    pub(crate) fn stdout(&self) -> String {
        self.read("out")
    }

    pub(crate) fn stderr(&self) -> String {
        self.read("err")
    }

    #[track_caller]
    pub(crate) fn wait_for_stderr(&mut self, what: &str) {
        let begun = Instant::now();
        while !self.stderr().contains(what) {
            assert!(begun.elapsed() < PATIENCE, "`{what}` is not in:\n{}", self.stderr());
            std::thread::sleep(Duration::from_millis(30));
        }
    }

    fn read(&self, end: &str) -> String {
        let mut content = String::new();
        let path = self.ground.root.path().join(format!("{}.{end}", self.number));
        fs::File::open(path).and_then(|mut file| file.read_to_string(&mut content)).expect("read");
        content
    }
}

impl Drop for Cluster<'_> {
    fn drop(&mut self) {
        // One that has ended already is what most tests leave.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Everything a program said.
pub(crate) fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn pid(process: u32) -> Pid {
    i32::try_from(process).ok().and_then(Pid::from_raw).expect("a process id")
}

/// The first value of that key, however deep.
fn find<'a>(value: &'a Value, key: &str) -> Option<&'a Value> {
    match value {
        Value::Object(map) => map.get(key).or_else(|| map.values().find_map(|value| find(value, key))),
        Value::Array(list) => list.iter().find_map(|value| find(value, key)),
        _ => None,
    }
}
