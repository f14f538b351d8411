//! `paasta validate` over names that would leave soa-configs, and files that are none.

mod common;

use std::os::unix::fs::symlink;
use std::process::Command;

use common::World;

#[test]
fn names_stay_inside_and_bad_files_are_told() {
    let world = World::with_services();
    for name in ["../x", "..", "/etc", "a\nb"] {
        let (code, stdout, stderr) = world.run(&["validate", "-s", name, "-y", "soa"]);
        assert_eq!((code, stdout.as_str()), (2, ""), "{name:?}");
        assert!(stderr.contains("cannot be a service name"), "{stderr}");
    }
    world.file("pipe/service.yaml", "{}");
    world.file("loop/service.yaml", "{}");
    let pipe = world.soa_dir().join("pipe/marathon-pnw.yaml");
    assert!(Command::new("mkfifo").arg(pipe).status().expect("mkfifo").success());
    symlink("marathon-pnw.yaml", world.soa_dir().join("loop/marathon-pnw.yaml")).expect("a link");
    symlink("/etc", world.soa_dir().join("out")).expect("a link");
    for (service, expected) in [
        ("out", "soa/out: error: the file cannot be read: it is a link that leads out of the directory"),
        ("pipe", "pipe/marathon-pnw.yaml: error: the file cannot be read: it is a pipe, not a regular file"),
        ("loop", "loop/marathon-pnw.yaml: error: the file cannot be read: "),
    ] {
        let (code, stdout, stderr) = world.run(&["validate", "-s", service, "-y", "soa"]);
        assert_eq!(code, 1, "{service}: {stdout}{stderr}");
        assert!(stdout.contains(expected) && stdout.contains("hint: "), "{service}: {stdout}");
    }
}
