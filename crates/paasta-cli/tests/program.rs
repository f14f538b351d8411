//! The program itself: help, versions, usage errors, external commands, closed pipes.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Output, Stdio};

fn paasta() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_paasta"));
    command.env_clear().env("PATH", "/usr/bin:/bin").env("HOME", "/nonexistent");
    command
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn run(arguments: &[&str]) -> Output {
    paasta().args(arguments).output().expect("the program starts")
}

#[test]
fn the_version_is_on_stdout() {
    for flag in ["-V", "--version"] {
        let output = run(&[flag]);
        assert_eq!(output.status.code(), Some(0));
        assert_eq!(text(&output.stdout), format!("paasta {}\n", env!("CARGO_PKG_VERSION")));
    }
}

#[test]
fn wrong_usage_is_exit_code_2_and_told_on_stderr() {
    for arguments in [&[][..], &["no-such-command"], &["completion"], &["completion", "tcsh"]] {
        let output = run(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(output.stdout.is_empty());
        assert!(!output.stderr.is_empty());
    }
}

#[test]
fn completions_name_the_commands() {
    for shell in ["bash", "zsh", "fish"] {
        let output = run(&["completion", shell]);
        assert_eq!(output.status.code(), Some(0));
        assert!(text(&output.stdout).contains("completion"));
    }
}

#[test]
fn an_external_command_takes_its_arguments_untouched() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("paasta-greet");
    fs::write(&file, "#!/bin/sh\necho \"$@\"\nexit 7\n").unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:/usr/bin:/bin", dir.path().display());
    let output = paasta().env("PATH", &path).args(["greet", "--color", "never", "-V"]).output().unwrap();
    assert_eq!(text(&output.stdout), "--color never -V\n");
    assert_eq!(output.status.code(), Some(7));
    let help = paasta().env("PATH", &path).arg("--help").output().unwrap();
    assert!(text(&help.stdout).contains("greet"));
}

#[test]
fn a_closed_pipe_is_quiet() {
    let mut child =
        paasta().args(["completion", "bash"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(text(&output.stderr), "");
    assert_eq!(output.status.code(), Some(0));
}
