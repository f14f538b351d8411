//! A revision of a repository, read as a directory would be.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

#[expect(dead_code, reason = "these tests need its `git` alone")]
mod common;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use paasta_config::{ConfigSource, Directory, InstanceType, LoadError, Map, Soa, SystemConfig};
use paasta_deployments::{GitTree, GitTreeError};
use tempfile::TempDir;

use common::git;

/// The settings corpus of paasta-config: generated services, a few of them shared by symbolic links.
fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../paasta-config/tests/fixtures/corpus")
}

#[test]
fn the_same_tree_gives_the_same_settings_from_a_revision_as_from_a_directory() {
    let folder = tempfile::tempdir().unwrap();
    let (bare, soa) = (folder.path().join("soa.git"), corpus().join("soa"));
    let (git_dir, work_tree) =
        (format!("--git-dir={}", bare.display()), format!("--work-tree={}", soa.display()));
    git(folder.path(), &["init", "-q", "--bare", "-b", "main", "soa.git"]);
    git(&soa, &[&git_dir, &work_tree, "add", "--force", "."]);
    git(&soa, &[&git_dir, &work_tree, "commit", "-q", "-m", "corpus"]);

    let mut compared = 0;
    for cluster in ["norcal-devc", "westcoast-prod"] {
        let system = SystemConfig::load(corpus().join("etc").join(cluster)).unwrap();
        let from_directory = all_settings(&Soa::open(&soa), &system);
        let from_git = all_settings(&Soa::new(Arc::new(GitTree::open(&bare, "main").unwrap())), &system);
        compared += from_git.len();
        assert_eq!(from_git, from_directory, "{cluster}");
    }
    assert!(compared >= 30, "{compared}");
}

/// Every instance's settings, or the class of error and its line.
fn all_settings(soa: &Soa, system: &SystemConfig) -> Vec<(String, Result<Map, String>)> {
    let cluster = system.cluster().unwrap();
    let mut all = Vec::new();
    for service in soa.services().unwrap() {
        let instances = match soa.all_instances(&service, &cluster) {
            Ok(instances) => instances,
            Err(error) => {
                all.push((service.to_string(), Err(place(&error))));
                continue;
            }
        };
        for (instance, kind) in instances {
            let id = format!("{service}.{instance}");
            let settings = soa.settings(&id.parse().unwrap(), kind, &cluster, system);
            all.push((id, settings.map_err(|error| place(&error))));
        }
    }
    all
}

fn place(error: &LoadError) -> String {
    let line = error.position().map_or(0, |position| position.line);
    format!("{} in line {line}", error.class())
}

/// A repository whose `services/` changed once: the older commit is tagged `v1`.
struct Configs(TempDir);

impl Configs {
    fn new() -> Self {
        let configs = Self(tempfile::tempdir().unwrap());
        git(configs.0.path(), &["init", "-q", "-b", "main"]);
        configs.write("secret.txt", "outside");
        configs.write("services/_shared/common.yaml", "main: {cpus: 3}\n");
        configs.write("services/svc/marathon-a.yaml", "main: {cpus: 1}\n");
        configs.write("services/gone/marathon-a.yaml", "main: {cpus: 1}\n");
        for (name, target) in [
            ("services/linked", "svc"),
            ("services/svc/shared.yaml", "../_shared/./common.yaml"),
            ("services/svc/through.yaml", "../linked/shared.yaml"),
            ("services/svc/round.yaml", "../../services/svc/marathon-a.yaml"),
            ("services/svc/dangling.yaml", "nothing.yaml"),
            ("services/svc/loop.yaml", "loop.yaml"),
            ("services/svc/outside.yaml", "../../secret.txt"),
            ("services/svc/far.yaml", "../../../../etc/passwd"),
            ("services/svc/absolute.yaml", "/etc/passwd"),
            ("services/svc/outside-dir", "../.."),
        ] {
            symlink(target, configs.0.path().join(name)).unwrap();
        }
        configs.commit("first");
        git(configs.0.path(), &["tag", "-a", "-m", "first", "v1"]);
        configs.write("services/svc/marathon-a.yaml", "main: {cpus: 2}\n");
        fs::remove_dir_all(configs.0.path().join("services/gone")).unwrap();
        configs.commit("second");
        configs
    }

    fn write(&self, path: &str, content: &str) {
        let path = self.0.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    fn commit(&self, message: &str) {
        git(self.0.path(), &["add", "."]);
        git(self.0.path(), &["commit", "-q", "-m", message]);
    }

    fn at(&self, path: &str, revision: &str) -> GitTree {
        GitTree::open(self.0.path().join(path), revision).unwrap()
    }
}

/// What a source says of a path: its text, `-` for nothing, or `refused`.
fn text(source: &dyn ConfigSource, path: &str) -> String {
    match source.read(path) {
        Ok(Some(bytes)) => String::from_utf8(bytes).unwrap().trim().to_owned(),
        Ok(None) => "-".to_owned(),
        Err(_) => "refused".to_owned(),
    }
}

#[test]
fn revisions_are_what_git_takes_for_one() {
    let configs = Configs::new();
    let head = configs.at("services", "HEAD");
    let sha = head.commit().unwrap().to_string();
    for (revision, cpus) in [
        ("HEAD", 2),
        ("main", 2),
        (sha.as_str(), 2),
        (&sha[..10], 2),
        ("HEAD~1", 1),
        ("v1", 1),
        ("main^{/first}", 1),
    ] {
        let tree = configs.at("services", revision);
        assert_eq!(text(&tree, "svc/marathon-a.yaml"), format!("main: {{cpus: {cpus}}}"), "{revision}");
        assert_eq!(tree.show("svc/marathon-a.yaml"), format!("{revision}:services/svc/marathon-a.yaml"));
    }
    let subtree = configs.at("", "v1:services");
    assert_eq!((text(&subtree, "svc/marathon-a.yaml").as_str(), subtree.commit()), ("main: {cpus: 1}", None));
    // The revision is looked up once: a commit that comes later changes nothing.
    configs.write("services/svc/marathon-a.yaml", "main: {cpus: 9}\n");
    configs.commit("third");
    assert_eq!(text(&head, "svc/marathon-a.yaml"), "main: {cpus: 2}");
}

#[test]
fn any_path_inside_of_a_repository_finds_it() {
    let configs = Configs::new();
    let bare = configs.0.path().join("bare.git");
    git(configs.0.path(), &["clone", "-q", "--bare", ".", "bare.git"]);
    for (path, file) in [
        ("", "services/svc/marathon-a.yaml"),
        (".git/refs", "services/svc/marathon-a.yaml"),
        ("services/svc", "marathon-a.yaml"),
        // Deleted since, but there at the revision; and a folder of a bare repository.
        ("services/gone", "marathon-a.yaml"),
        ("bare.git", "services/svc/marathon-a.yaml"),
        ("bare.git/services", "svc/marathon-a.yaml"),
    ] {
        assert_eq!(text(&configs.at(path, "v1"), file), "main: {cpus: 1}", "{path}");
    }
    let tree = GitTree::open(&bare, "main").unwrap().in_folder("services").unwrap().in_folder("svc").unwrap();
    assert_eq!((tree.folder().as_str(), text(&tree, "shared.yaml").as_str()), ("services/svc", "refused"));
}

#[test]
fn links_are_followed_inside_of_the_root_as_in_a_directory() {
    let configs = Configs::new();
    let tree = configs.at("services", "HEAD");
    let directory = Directory::new(configs.0.path().join("services"));
    for (path, expected) in [
        ("svc/marathon-a.yaml", "main: {cpus: 2}"),
        ("svc/shared.yaml", "main: {cpus: 3}"),
        ("svc/through.yaml", "main: {cpus: 3}"),
        ("linked/marathon-a.yaml", "main: {cpus: 2}"),
        ("svc/round.yaml", "main: {cpus: 2}"),
        ("svc/dangling.yaml", "-"),
        ("svc/loop.yaml", "refused"),
        ("svc/outside.yaml", "refused"),
        ("svc/absolute.yaml", "refused"),
        ("svc/outside-dir/secret.txt", "refused"),
        ("svc", "refused"),
        ("svc/marathon-a.yaml/x", "-"),
        ("svc/missing.yaml", "-"),
        ("missing/missing.yaml", "-"),
        ("../secret.txt", "refused"),
        ("svc//marathon-a.yaml", "refused"),
    ] {
        assert_eq!(text(&tree, path), expected, "{path} in git");
        assert_eq!(text(&directory, path), expected, "{path} in the directory");
        assert_eq!(tree.is_file(path), directory.is_file(path) || path.contains("loop"), "{path}");
    }
    // What is outside of the repository cannot be known to be missing.
    assert_eq!(text(&tree, "svc/far.yaml"), "refused");
    for path in ["", "svc", "linked", "missing", "svc/marathon-a.yaml"] {
        assert_eq!(tree.list(path).unwrap(), directory.list(path).unwrap(), "{path}");
    }
    assert!(tree.list("svc/outside-dir").is_err());
}

#[test]
fn large_files_large_links_and_submodules_are_refused() {
    let configs = Configs::new();
    fs::write(configs.0.path().join("services/svc/large.yaml"), vec![b'#'; 16 * 1024 * 1024 + 1]).unwrap();
    git(configs.0.path(), &["add", "."]);
    let sha = configs.at("", "HEAD").commit().unwrap().to_string();
    git(
        configs.0.path(),
        &["update-index", "--add", "--cacheinfo", &format!("160000,{sha},services/module")],
    );
    // A link whose target is as large as the file.
    let large = Command::new("git")
        .args(["rev-parse", ":services/svc/large.yaml"])
        .current_dir(configs.0.path())
        .output();
    let large = String::from_utf8(large.unwrap().stdout).unwrap();
    let link = format!("120000,{},services/svc/link.yaml", large.trim());
    git(configs.0.path(), &["update-index", "--add", "--cacheinfo", &link]);
    git(configs.0.path(), &["commit", "-q", "-m", "odd"]);
    let tree = configs.at("services", "HEAD");
    assert_eq!(text(&tree, "svc/link.yaml"), "refused");
    assert_eq!(text(&tree, "svc/large.yaml"), "refused");
    assert_eq!(text(&tree, "module"), "refused");
    assert_eq!(text(&tree, "module/x.yaml"), "-");
    assert!(tree.list("").unwrap().contains(&"module".to_owned()));
}

#[test]
fn errors_name_repository_and_revision_and_say_what_to_do() {
    let configs = Configs::new();
    let root = configs.0.path().display().to_string();
    let failed =
        |path: &str, revision: &str| GitTree::open(configs.0.path().join(path), revision).unwrap_err();
    for revision in ["no-such-branch", "HEAD~9", "", "HEAD..main", "v1:services/svc/marathon-a.yaml", "a\0b"]
    {
        let error = failed("services", revision);
        let text = error.to_string();
        assert!(matches!(error, GitTreeError::Revision { .. }), "{revision:?}: {text}");
        assert!(text.contains(&root) && text.contains(&format!("`{revision}`")), "{text}");
        assert!(error.hint().contains("git -C"), "{}", error.hint());
    }
    let error = failed("services/gone", "HEAD");
    assert!(error.to_string().contains("`services/gone`: nothing stands there"), "{error}");
    assert!(error.hint().contains("ls-tree"), "{}", error.hint());
    let elsewhere = tempfile::tempdir().unwrap();
    let error = GitTree::open(elsewhere.path(), "HEAD").unwrap_err();
    assert!(matches!(error, GitTreeError::Repository { foreign: false, .. }), "{error}");
    let error = configs.at("services", "HEAD").read("svc/outside.yaml").unwrap_err();
    assert_eq!(error.to_string(), "could not read `HEAD:services/svc/outside.yaml`");
    assert!(error.source.to_string().contains(&root), "{}", error.source);
}

#[test]
fn positions_name_the_revision() {
    let configs = Configs::new();
    configs.write("services/svc/marathon-a.yaml", "main: [\n");
    configs.commit("broken");
    let soa = Soa::new(Arc::new(configs.at("services", "main")));
    let (service, cluster) = ("svc".parse().unwrap(), "a".parse().unwrap());
    let error = soa.instances(&service, &cluster, InstanceType::Marathon).unwrap_err();
    assert_eq!(&*error.position().unwrap().file, "main:services/svc/marathon-a.yaml");
}
