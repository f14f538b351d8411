//! `generate_deployments_for_service` and `generate_all_deployments` over real repositories.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up fails")]

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use assert_cmd::Command as Program;
use tempfile::TempDir;

struct World(TempDir);

impl World {
    /// `web` with Marathon, adhoc and Tron instances; one deploy tag and one stop.
    fn new() -> Self {
        let world = Self(tempfile::tempdir().unwrap());
        fs::create_dir(world.path("etc")).unwrap();
        fs::write(world.path("etc/c.json"), r#"{"clusters": ["prod", "stage"], "cluster": "prod"}"#).unwrap();
        world.repository("web.git");
        world.service("web", &world.path("web.git").display().to_string());
        world.file("web/marathon-prod.yaml", "main: {deploy_group: all}\n_t: {}\nnone: {}\n");
        world.file("web/adhoc-stage.yaml", "shell: {deploy_group: '{cluster}.x'}\n");
        world.file(
            "web/tron-prod.yaml",
            "job: {deploy_group: all, actions: {a: {}, b: {deploy_group: other}}}\n",
        );
        world.file("web/marathon-elsewhere.yaml", "main: {deploy_group: all}\n");
        world
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn file(&self, name: &str, text: &str) {
        let path = self.path("soa").join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn service(&self, name: &str, url: &str) {
        self.file(&format!("{name}/service.yaml"), &format!("git_url: {url}\n"));
        self.file(&format!("{name}/marathon-prod.yaml"), "main: {deploy_group: all}\n");
    }

    fn repository(&self, name: &str) {
        let path = self.path(name);
        git(self.0.path(), &["init", "-q", "--bare", name]);
        let tree = git(&path, &["mktree"]);
        let commit = git(&path, &["commit-tree", &tree, "-m", "x"]);
        for tag in ["paasta-all-20210101T000000-deploy", "paasta-prod.main-20210102T000000-stop"] {
            git(&path, &["update-ref", &format!("refs/tags/{tag}"), &commit]);
        }
    }

    fn run(&self, program: &str, arguments: &[&str]) -> (i32, String) {
        let (code, stdout, stderr) = self.run_whole(program, arguments);
        assert_eq!(stdout, "");
        (code, stderr)
    }

    /// Exit code, stdout, stderr.
    fn run_whole(&self, program: &str, arguments: &[&str]) -> (i32, String, String) {
        let binary = match program {
            "one" => env!("CARGO_BIN_EXE_generate_deployments_for_service"),
            _ => env!("CARGO_BIN_EXE_generate_all_deployments"),
        };
        let mut command = Program::new(binary);
        command
            .args(arguments)
            .arg("-d")
            .arg(self.path("soa"))
            .env("PAASTA_SYSTEM_CONFIG_DIR", self.path("etc"));
        let output = command.output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
    }

    fn deployments(&self, service: &str) -> Option<serde_json::Value> {
        let text = fs::read_to_string(self.path("soa").join(service).join("deployments.json")).ok()?;
        Some(serde_json::from_str(&text).unwrap())
    }
}

fn git(folder: &Path, arguments: &[&str]) -> String {
    let output = Command::new("git")
        .args(["-c", "user.name=a", "-c", "user.email=a@b"])
        .args(arguments)
        .current_dir(folder)
        .stdin(std::process::Stdio::null())
        .output()
        .unwrap();
    assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[test]
fn one_service_with_all_its_types() {
    let world = World::new();
    assert_eq!(world.run("one", &["-s", "web"]), (0, String::new()));
    let got = world.deployments("web").unwrap();
    let controls: Vec<_> = got["v2"]["controls"].as_object().unwrap().keys().cloned().collect();
    assert_eq!(controls, ["web:prod.main", "web:prod.job.a"]);
    assert_eq!(got["v1"]["web:paasta-prod.main"]["desired_state"], "stop");
    assert_eq!(got["v2"]["controls"]["web:prod.main"]["force_bounce"], "20210102T000000");
    let file = world.path("soa/web/deployments.json");
    let before = fs::metadata(&file).unwrap().modified().unwrap();
    assert_eq!(world.run("one", &["-s", "web"]).0, 0);
    assert_eq!(fs::metadata(&file).unwrap().modified().unwrap(), before);
}

#[test]
fn an_instance_that_cannot_be_read_is_left_out_by_name() {
    let world = World::new();
    world.file("web/marathon-prod.yaml", "main: {deploy_group: all}\nodd: {deploy_group: '{team}'}\n");
    let (code, stderr) = world.run("one", &["-s", "web"]);
    assert_eq!(code, 1);
    assert!(
        stderr.contains("left out") && stderr.contains("marathon-prod.yaml:2:") && stderr.contains("odd"),
        "{stderr}"
    );
    assert!(world.deployments("web").unwrap()["v2"]["controls"]["web:prod.main"].is_object());
}

#[test]
fn what_cannot_be_asked_leaves_the_old_file() {
    let world = World::new();
    world.run("one", &["-s", "web"]);
    let before = world.deployments("web");
    world.file("web/service.yaml", "git_url: /nowhere\n");
    let (code, stderr) = world.run("one", &["-s", "web"]);
    assert_eq!((code, world.deployments("web")), (1, before.clone()));
    assert!(
        stderr.starts_with("error: could not list the tags of service `web`\n  caused by: could not reach"),
        "{stderr}"
    );
    assert!(stderr.ends_with("\n\nhint: Check that `git ls-remote /nowhere` works from here.\n"), "{stderr}");
    world.file("web/marathon-prod.yaml", "main: {\n");
    let (code, stderr) = world.run("one", &["-s", "web"]);
    assert_eq!((code, world.deployments("web")), (1, before));
    assert!(stderr.contains("web/marathon-prod.yaml:"), "{stderr}");
    assert!(stderr.contains("\n\nhint: Run `paasta validate -s web`"), "{stderr}");
}

#[test]
fn a_service_without_instances_never_asks_its_remote() {
    let world = World::new();
    world.service("bare", "/nowhere");
    world.file("bare/marathon-prod.yaml", "_t: {}\n");
    assert_eq!(world.run("one", &["-s", "bare"]), (0, String::new()));
    let empty = serde_json::json!({"v1": {}, "v2": {"deployments": {}, "controls": {}}});
    assert_eq!(world.deployments("bare").unwrap(), empty);
}

#[test]
fn wrong_usage_is_2() {
    assert_eq!(World::new().run("one", &[]).0, 2);
    assert_eq!(World::new().run("all", &["--jobs", "0"]).0, 2);
}

#[test]
fn one_bad_repository_never_stops_the_rest() {
    let world = World::new();
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    world.service("hangs", &format!("git://127.0.0.1:{}/x", silent.local_addr().unwrap().port()));
    world.service("missing", "/nowhere");
    world.service("broken", "/nowhere");
    world.file("broken/marathon-prod.yaml", "{\n");
    world.file("_shared/x.yaml", "");
    for i in 0..12 {
        world.repository(&format!("{i}.git"));
        world.service(&format!("s{i}"), &world.path(&format!("{i}.git")).display().to_string());
    }
    let (code, stderr) = world.run("all", &["--jobs", "3", "--timeout", "1"]);
    assert_eq!(code, 1);
    assert!(stderr.ends_with("13 written, 0 unchanged, 3 failed\n"), "{stderr}");
    for words in ["`hangs`", "did not answer within 1 s", "`missing`", "`broken`"] {
        assert!(stderr.contains(words), "{words}: {stderr}");
    }
    assert!((0..12).all(|i| world.deployments(&format!("s{i}")).is_some()));
    assert!(world.deployments("hangs").is_none());
    for bad in ["hangs", "missing", "broken"] {
        fs::remove_dir_all(world.path("soa").join(bad)).unwrap();
    }
    assert_eq!(world.run("all", &[]), (0, "0 written, 13 unchanged, 0 failed\n".to_owned()));
}

#[test]
fn what_hangs_costs_only_its_own_services_a_bounded_wait() {
    let world = World::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = listener.local_addr().unwrap().port();
    let hanging = [
        ("a", format!("git://127.0.0.1:{silent}/x")),
        ("b", format!("http://me:s3cret@127.0.0.1:{silent}/x")),
        ("c", "git@127.0.0.1:x".to_owned()),
    ];
    for (name, url) in &hanging {
        world.service(name, url);
        world.file(&format!("{name}/deployments.json"), "{\"v1\": {}}");
    }
    world.repository("r.git");
    let others: Vec<String> = (0..16).map(|i| format!("s{i}")).collect();
    for name in &others {
        world.service(name, &world.path("r.git").display().to_string());
    }
    let mut all = Command::new(env!("CARGO_BIN_EXE_generate_all_deployments"));
    // Fewer jobs than services that hang: they must not keep the places.
    all.args(["--jobs", "2", "--timeout", "6", "-d"]).arg(world.path("soa"));
    all.env("PAASTA_SYSTEM_CONFIG_DIR", world.path("etc")).env("GIT_SSH_COMMAND", "sleep 1000; :");
    let begin = Instant::now();
    let mut all = all.stderr(Stdio::piped()).stdin(Stdio::null()).spawn().unwrap();
    while !others.iter().all(|name| world.deployments(name).is_some()) || world.deployments("web").is_none() {
        assert!(all.try_wait().unwrap().is_none(), "it ended before all was done");
        thread::park_timeout(Duration::from_millis(10));
    }
    assert!(all.try_wait().unwrap().is_none(), "the others wait for nobody");
    let output = all.wait_with_output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(begin.elapsed() < Duration::from_secs(6 + 20), "{:?}", begin.elapsed());
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(
        stderr.ends_with("17 written, 0 unchanged, 3 failed\n") && !stderr.contains("s3cret"),
        "{stderr}"
    );
    for (name, url) in hanging {
        let shown = url.replace("s3cret", "…");
        for words in [
            format!("could not list the tags of service `{name}`"),
            format!("`{shown}` did not answer within 6 s"),
            format!("hint: Check that `git ls-remote {shown}` works from here."),
        ] {
            assert!(stderr.contains(&words), "{words}: {stderr}");
        }
        assert_eq!(world.deployments(name).unwrap(), serde_json::json!({"v1": {}}), "the old file stays");
    }
}

#[test]
fn a_dry_run_says_what_would_change_and_writes_nothing() {
    let world = World::new();
    world.service("missing", "/nowhere");
    let (code, stdout, stderr) = world.run_whole("one", &["-s", "web", "--dry-run"]);
    assert_eq!((code, stderr.as_str()), (0, ""));
    let lines: Vec<&str> = stdout.lines().collect();
    assert_eq!(lines[0], "web: would write deployments.json");
    assert!(lines[1].starts_with("  deploy group `all`: nothing -> "), "{stdout}");
    assert_eq!(lines[2], "  control `web:prod.job.a`: nothing -> start");
    assert_eq!(lines[3], "  control `web:prod.main`: nothing -> stop (of 20210102T000000)");
    assert_eq!((lines.len(), world.deployments("web")), (4, None));

    let (code, stdout, stderr) = world.run_whole("all", &["--dry-run"]);
    assert_eq!(code, 1);
    assert!(
        stdout.starts_with("web: would write deployments.json\n") && !stdout.contains("missing"),
        "{stdout}"
    );
    assert!(stderr.contains("could not list the tags of service `missing`"), "{stderr}");
    assert!(stderr.ends_with("1 to be written, 0 unchanged, 1 failed\n"), "{stderr}");
    assert!(world.deployments("web").is_none());

    assert_eq!(world.run("one", &["-s", "web"]).0, 0);
    let unchanged = (0, "web: unchanged\n".to_owned(), String::new());
    assert_eq!(world.run_whole("one", &["-s", "web", "--dry-run"]), unchanged);
    world.file("web/marathon-prod.yaml", "main: {deploy_group: all}\nodd: {deploy_group: '{team}'}\n");
    let (code, _, stderr) = world.run_whole("one", &["-s", "web", "--dry-run"]);
    assert!(code == 1 && stderr.contains("left out"), "as in a real run: {stderr}");
}
