//! A soa-configs tree, a system configuration, and the real program over both.

#![allow(dead_code, reason = "each test program uses its part")]

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A world in a temporary directory.
pub(crate) struct World {
    root: tempfile::TempDir,
}

impl World {
    /// Clusters `pnw` and `nor` are known; there are no services.
    pub(crate) fn new() -> Self {
        let world = World { root: tempfile::tempdir().expect("a temporary directory") };
        world.system(r#"{"cluster": "pnw", "clusters": ["pnw", "nor"], "soa_dir": "SOA"}"#);
        fs::create_dir_all(world.soa_dir()).expect("a directory");
        world
    }

    /// Two services: `web` with instances `main` and `canary` in `pnw` and `main` in `nor`, and `bare` with none.
    pub(crate) fn with_services() -> Self {
        let world = World::new();
        world.file(
            "web/marathon-pnw.yaml",
            "main:\n  deploy_group: prod\ncanary:\n  deploy_group: prod\n_t: {}\n",
        );
        world.file("web/marathon-nor.yaml", "main:\n  deploy_group: prod\n");
        world.file("web/deploy.yaml", "pipeline:\n  - step: itest\n  - step: prod\n");
        world.file("bare/service.yaml", "description: nothing yet\n");
        world
    }

    /// Writes the system configuration; `SOA` in it becomes the soa directory.
    pub(crate) fn system(&self, json: &str) {
        let json = json.replace("SOA", &self.soa_dir().display().to_string());
        fs::create_dir_all(self.root.path().join("etc")).expect("a directory");
        fs::write(self.root.path().join("etc/system.json"), json).expect("a file");
    }

    /// Writes a file of soa-configs.
    pub(crate) fn file(&self, path: &str, text: &str) {
        let path = self.soa_dir().join(path);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
        fs::write(path, text).expect("a file");
    }

    pub(crate) fn soa_dir(&self) -> PathBuf {
        self.root.path().join("soa")
    }

    pub(crate) fn root(&self) -> &Path {
        self.root.path()
    }

    /// The program, without anything of this machine's environment.
    pub(crate) fn paasta(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_paasta"));
        command.env_clear().env("PATH", "/usr/bin:/bin").env("HOME", self.root.path());
        command.env("PAASTA_SYSTEM_CONFIG_DIR", self.root.path().join("etc"));
        command.current_dir(self.root.path()).args(arguments);
        command
    }

    /// Runs it: exit code, stdout, stderr.
    #[track_caller]
    pub(crate) fn run(&self, arguments: &[&str]) -> (i32, String, String) {
        let Output { status, stdout, stderr } = self.paasta(arguments).output().expect("the program starts");
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("output in UTF-8");
        (status.code().expect("an exit code"), text(stdout), text(stderr))
    }

    /// Runs it where it must succeed and say nothing on stderr; gives its stdout.
    #[track_caller]
    pub(crate) fn ok(&self, arguments: &[&str]) -> String {
        let (code, stdout, stderr) = self.run(arguments);
        assert_eq!((code, stderr.as_str()), (0, ""), "{arguments:?}\n{stdout}");
        stdout
    }
}

/// An API that answers every request by the first answer whose path it begins with, else 404; gives its address.
pub(crate) fn api(answers: &[(&'static str, &'static str)]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let answers = answers.to_vec();
    std::thread::spawn(move || {
        for socket in listener.incoming() {
            let Ok(mut socket) = socket else { return };
            let mut request = Vec::new();
            let mut byte = [0];
            while !request.ends_with(b"\r\n\r\n") && matches!(socket.read(&mut byte), Ok(1)) {
                request.push(byte[0]);
            }
            let request = String::from_utf8_lossy(&request).into_owned();
            let found = answers.iter().find(|(path, _)| request.starts_with(&format!("GET {path}")));
            let (status, body) = match found {
                Some((_, body)) => ("200 OK", *body),
                None => {
                    ("404 Not Found", r#"{"error": {"code": "not_deployed", "message": "nothing there"}}"#)
                }
            };
            let answer = format!("HTTP/1.1 {status}\r\nConnection: close\r\n\r\n{body}");
            let _ = socket.write_all(answer.as_bytes());
        }
    });
    url
}
