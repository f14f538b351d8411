//! Files that are no files, that lead elsewhere, that vanish: none blocks or crashes, and each is told with its path.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use paasta_config::{
    ConfigSource, Directory, InstanceType, LoadError, Memory, Soa, SourceError, SystemConfig, SystemError,
};
use paasta_core::chain;

fn fifo(path: &Path) {
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
}

fn sparse(path: &Path) {
    File::create(path).unwrap().set_len(1 << 40).unwrap();
}

fn system() -> SystemConfig {
    SystemConfig::from_json(r#"{"cluster": "c", "clusters": ["c"]}"#).unwrap()
}

#[test]
fn what_is_no_file_is_refused_with_its_path_and_a_way_out() {
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("marathon-c.yaml"), "main: {}").unwrap();
    let root = tempfile::tempdir().unwrap();
    let root = root.path();
    type Make = fn(&Path, &Path);
    let cases: [(&str, Make, &str); 9] = [
        ("pipe", |path, _| fifo(path), "it is a pipe, not a regular file"),
        ("socket", |path, _| drop(UnixListener::bind(path).unwrap()), "it is a socket, not a regular file"),
        ("device", |path, _| symlink("/dev/zero", path).unwrap(), "it is a device, not a regular file"),
        ("directory", |path, _| fs::create_dir(path).unwrap(), "it is a directory, not a regular file"),
        ("loop", |path, _| symlink(path, path).unwrap(), "symbolic links"),
        ("large", |path, _| sparse(path), "it is larger than 16 MiB"),
        (
            "out",
            |path, out| symlink(out.join("marathon-c.yaml"), path).unwrap(),
            "copy what it points to into the tree",
        ),
        (
            "up",
            |path, _| symlink("../../../../../../../../etc/hostname", path).unwrap(),
            "copy what it points to",
        ),
        (
            "proc",
            |path, _| symlink("/proc/self/environ", path).unwrap(),
            "copy what it points to into the tree",
        ),
    ];
    for (service, make, _) in cases {
        fs::create_dir(root.join(service)).unwrap();
        make(&root.join(service).join("marathon-c.yaml"), outside.path());
    }
    symlink(outside.path(), root.join("linked")).unwrap();
    fs::create_dir(root.join("dangling")).unwrap();
    symlink("nowhere", root.join("dangling/marathon-c.yaml")).unwrap();
    let soa = Soa::open(root);
    for (service, _, reason) in cases {
        let error = soa
            .instances(&service.parse().unwrap(), &"c".parse().unwrap(), InstanceType::Marathon)
            .unwrap_err();
        assert_eq!(error.class(), "OSError", "{service}");
        let told = chain(&error);
        let path = root.join(service).join("marathon-c.yaml");
        assert!(
            told.contains(&format!("`{}`", path.display())) && told.contains(reason),
            "{service}: {told}"
        );
    }
    let error = soa.all_instances(&"linked".parse().unwrap(), &"c".parse().unwrap()).unwrap_err();
    assert!(chain(&error).contains("copy what it points to into the tree"), "{}", chain(&error));
    let none =
        soa.instances(&"dangling".parse().unwrap(), &"c".parse().unwrap(), InstanceType::Marathon).unwrap();
    assert!(none.is_empty());
    // One bad service is no reason to give up the others.
    fs::create_dir(root.join("zgood")).unwrap();
    fs::write(root.join("zgood/marathon-c.yaml"), "main: {}").unwrap();
    let (found, errors) = soa.paasta_services(&system()).unwrap();
    assert_eq!(found.iter().map(|name| name.as_str()).collect::<Vec<_>>(), ["zgood"]);
    assert_eq!(errors.len(), cases.len() + 1, "{errors:?}");
}

#[test]
fn links_inside_of_the_tree_are_followed() {
    let place = tempfile::tempdir().unwrap();
    let real = place.path().join("real");
    fs::create_dir_all(real.join("svc")).unwrap();
    fs::write(real.join("svc/marathon-SHARED.yaml"), "main: {}").unwrap();
    symlink("marathon-SHARED.yaml", real.join("svc/marathon-c.yaml")).unwrap();
    symlink("svc", real.join("twin")).unwrap();
    symlink("real", place.path().join("root")).unwrap();
    let soa = Soa::open(place.path().join("x/../root"));
    for service in ["svc", "twin"] {
        let all = soa.all_instances(&service.parse().unwrap(), &"c".parse().unwrap()).unwrap();
        assert_eq!(all.len(), 1, "{service}");
    }
}

#[test]
fn no_name_leaves_the_root() {
    let place = tempfile::tempdir().unwrap();
    fs::create_dir_all(place.path().join("root/svc")).unwrap();
    fs::create_dir_all(place.path().join("x")).unwrap();
    fs::write(place.path().join("x/service.yaml"), "git_url: taken").unwrap();
    let directory = Directory::new(place.path().join("root"));
    for path in [
        "..",
        "../x/service.yaml",
        "svc/../../x/service.yaml",
        "/etc/passwd",
        "svc/./x",
        "svc//x",
        "a\0b",
        "svc/",
    ] {
        let error = directory.read(path).unwrap_err();
        assert_eq!(error.source.kind(), std::io::ErrorKind::InvalidInput, "{path}");
        assert!(directory.list(path).is_err() && !directory.is_file(path), "{path}");
    }
    for name in ["..", ".", "", "a/b", "/etc", "a\0b", "a\nb"] {
        assert!(name.parse::<paasta_core::ServiceName>().is_err(), "{name:?}");
        assert!(name.parse::<paasta_config::ClusterName>().is_err(), "{name:?}");
    }
    for id in ["../x.main", "svc.../main", "svc.a/b"] {
        assert!(id.parse::<paasta_core::InstanceId>().is_err(), "{id:?}");
    }
    // Names of secrets are paths too.
    fs::write(place.path().join("x/secret.json"), "{}").unwrap();
    let tree = "main:\n  env: {A: SECRET(../../../x/secret), B: SHARED_SECRET(../../../x/secret)}\n";
    fs::write(place.path().join("root/svc/marathon-c.yaml"), tree).unwrap();
    let soa = Soa::open(place.path().join("root"));
    let id = "svc.main".parse().unwrap();
    let settings = soa.settings(&id, InstanceType::Marathon, &"c".parse().unwrap(), &system()).unwrap();
    assert!(settings.get("env").is_some());
}

/// Lists a file that is gone when it is read.
#[derive(Debug)]
struct Vanishing(Memory);

impl ConfigSource for Vanishing {
    fn read(&self, path: &str) -> Result<Option<Vec<u8>>, SourceError> {
        if path.ends_with("marathon-c.yaml") { Ok(None) } else { self.0.read(path) }
    }

    fn list(&self, directory: &str) -> Result<Vec<String>, SourceError> {
        self.0.list(directory)
    }
}

#[test]
fn a_file_that_vanishes_is_missing() {
    let tree = Memory::new().with("svc/marathon-c.yaml", "main: {}").with("svc/service.yaml", "{}");
    let soa = Soa::new(Arc::new(Vanishing(tree)));
    let cluster = "c".parse().unwrap();
    assert!(soa.all_instances(&"svc".parse().unwrap(), &cluster).unwrap().is_empty());
    let error =
        soa.settings(&"svc.main".parse().unwrap(), InstanceType::Marathon, &cluster, &system()).unwrap_err();
    assert!(matches!(error, LoadError::NoSuchInstance { .. }));
}

#[test]
fn the_system_directory_has_files_alone() {
    let place = tempfile::tempdir().unwrap();
    let directory = place.path().join("etc");
    fs::create_dir_all(directory.join("d.json")).unwrap();
    fs::write(directory.join("a.json"), r#"{"cluster": "c"}"#).unwrap();
    fs::write(place.path().join("linked.json"), r#"{"zookeeper": "z"}"#).unwrap();
    fifo(&directory.join("fifo.json"));
    drop(UnixListener::bind(directory.join("socket.json")).unwrap());
    symlink("/dev/zero", directory.join("zero.json")).unwrap();
    symlink("loop.json", directory.join("loop.json")).unwrap();
    symlink("nowhere", directory.join("dangling.json")).unwrap();
    symlink("..", directory.join("up")).unwrap();
    symlink("../linked.json", directory.join("linked.json")).unwrap();
    let system = SystemConfig::load(&directory).unwrap();
    assert_eq!((system.map().len(), system.zookeeper().unwrap().as_str()), (2, "z"));
    sparse(&directory.join("large.json"));
    let error = SystemConfig::load(&directory).unwrap_err();
    assert!(matches!(error, SystemError::Source(_)));
    assert!(
        chain(&error).contains("large.json") && chain(&error).contains("larger than 16 MiB"),
        "{}",
        chain(&error)
    );
    for no_directory in [directory.join("a.json"), directory.join("fifo.json"), directory.join("nothing")] {
        let error = SystemConfig::load(&no_directory).unwrap_err();
        assert_eq!(error.class(), "PaastaNotConfiguredError");
        assert!(error.to_string().contains(&no_directory.display().to_string()), "{error}");
    }
}

#[test]
fn a_change_is_seen_at_once_even_with_equal_size_and_times() {
    let root = tempfile::tempdir().unwrap();
    fs::create_dir(root.path().join("svc")).unwrap();
    let path = root.path().join("svc/marathon-c.yaml");
    let write = |text: &str| {
        fs::write(&path, text).unwrap();
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_600_000_000);
        File::options().write(true).open(&path).unwrap().set_modified(time).unwrap();
    };
    let (daemon, tool) = (Soa::open(root.path()), Soa::open(root.path()).cached());
    let read = |soa: &Soa| -> i64 {
        let cluster = "c".parse().unwrap();
        let instance =
            soa.instance(&"svc.main".parse().unwrap(), InstanceType::Marathon, &cluster, &system()).unwrap();
        instance.config().instances().unwrap()
    };
    write("main: {instances: 1}");
    assert_eq!((read(&daemon), read(&tool)), (1, 1));
    write("main: {instances: 2}");
    assert_eq!((read(&daemon), read(&daemon.clone()), read(&tool)), (2, 2, 1));
    // Errors are not kept.
    let tool = Soa::open(root.path()).cached();
    write("main: [");
    assert!(tool.instances(&"svc".parse().unwrap(), &"c".parse().unwrap(), InstanceType::Marathon).is_err());
    write("main: {instances: 3}");
    assert_eq!(read(&tool), 3);
}
