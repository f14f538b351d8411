use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

use super::*;

/// A place of soa-configs and system config, looked at as the loop does it: stirred, then swept.
struct Place {
    root: tempfile::TempDir,
    files: ConfigFiles,
}

/// So that a sweep over everything cannot be what finds a change.
const NEVER: Duration = Duration::from_secs(1_000_000);

impl Place {
    fn empty() -> Self {
        let root = tempfile::tempdir().expect("a folder");
        let (soa_dir, system_config_dir) = (root.path().join("soa"), root.path().join("etc"));
        fs::create_dir(&system_config_dir).expect("made");
        let roots = SweepRoots { soa_dir, system_config_dir };
        Self { files: ConfigFiles::new(roots).with_full_sweep_every(NEVER), root }
    }

    async fn with(paths: &[&str]) -> Self {
        let place = Self::empty();
        for path in paths {
            place.write(path, "{}");
        }
        assert_eq!(place.files.sweep().await, Swept::default(), "the first one only remembers");
        place
    }

    fn at(&self, path: &str) -> PathBuf {
        self.root.path().join(path)
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.at(path);
        fs::create_dir_all(path.parent().expect("below the root")).expect("made");
        fs::write(path, text).expect("written");
    }

    /// Sweeps whenever something is stirred until all of these were found changed, and gives back all that was.
    async fn found(&self, services: &[&str], everything: bool) -> Swept {
        let mut found = Swept::default();
        let seen = |found: &Swept| {
            let named = |name: &&str| found.services.iter().any(|service| service.as_str() == *name);
            services.iter().all(named) && (!everything || found.everything)
        };
        let looking = async {
            while !seen(&found) {
                self.files.stirred().await;
                found.merge(self.files.sweep().await);
            }
        };
        let in_time = tokio::time::timeout(Duration::from_secs(10), looking).await.is_ok();
        assert!(in_time, "wanted {services:?} {everything}, found {found:?}");
        found
    }

    async fn expect(&self, services: &[&str], everything: bool) {
        let found = self.found(services, everything).await;
        let names: Vec<&str> = found.services.iter().map(|service| service.as_str()).collect();
        assert_eq!((names.as_slice(), found.everything), (services, everything));
    }

    fn full_sweeps(&self) -> u64 {
        self.files.tallies().full_sweeps.load(Ordering::Relaxed)
    }

    fn watched(&self) -> u64 {
        self.files.tallies().folders_watched.load(Ordering::Relaxed)
    }
}

#[tokio::test]
async fn an_edit_is_heard_whatever_way_it_is_written() {
    let place = Place::with(&["soa/one/marathon-here.yaml", "soa/two/service.yaml", "etc/a.json"]).await;
    place.write("soa/one/marathon-here.yaml", "{a}");
    place.expect(&["one"], false).await;
    // As many bytes, at the same time as far as the file system can tell.
    place.write("soa/one/marathon-here.yaml", "{b}");
    place.expect(&["one"], false).await;
    place.write("soa/one/.marathon-here.yaml.swp", "{c}");
    fs::rename(place.at("soa/one/.marathon-here.yaml.swp"), place.at("soa/one/marathon-here.yaml"))
        .expect("renamed");
    place.expect(&["one"], false).await;
    place.write("soa/two/secrets/key.json", "{}");
    place.expect(&["two"], false).await;
    place.write("soa/two/secrets/key.json", "{ }");
    place.expect(&["two"], false).await;
    fs::remove_file(place.at("soa/two/service.yaml")).expect("removed");
    place.expect(&["two"], false).await;
    place.write("etc/deep/b.json", "{}");
    place.expect(&[], true).await;
    place.write("etc/deep/b.json", "{ }");
    place.expect(&[], true).await;
    assert_eq!(place.full_sweeps(), 1, "the rest was heard");
}

#[tokio::test]
async fn while_all_is_watched_nothing_is_swept_before_its_time() {
    let place = Place::with(&["soa/one/marathon-here.yaml"]).await;
    let rest = place.files.rest().expect("it is watched");
    assert!(rest > NEVER / 2, "{rest:?}");
    let roots = SweepRoots { soa_dir: place.at("soa"), system_config_dir: place.at("etc") };
    let swept = ConfigFiles::with_folders_max(roots, 1);
    swept.sweep().await;
    assert_eq!(swept.rest(), None, "more folders than may be watched");
}

#[tokio::test]
async fn services_come_go_and_come_back_while_nobody_waits_for_their_folders() {
    let place = Place::with(&["soa/one/marathon-here.yaml"]).await;
    for round in 0..20 {
        place.write("soa/new/marathon-here.yaml", &format!("{{r: {round}}}"));
        place.expect(&["new"], false).await;
        place.write("soa/new/deep/of/no/interest", "");
        place.write("soa/new/marathon-here.yaml", &format!("{{again: {round}}}"));
        place.expect(&["new"], false).await;
        fs::remove_dir_all(place.at("soa/new")).expect("removed");
        // Its number may be given to the next folder at once.
        place.write("soa/new/marathon-here.yaml", &format!("{{before: {round}}}"));
        place.expect(&["new"], false).await;
        place.write("soa/new/marathon-here.yaml", &format!("{{after: {round}}}"));
        place.expect(&["new"], false).await;
        fs::remove_dir_all(place.at("soa/new")).expect("removed");
        place.expect(&["new"], false).await;
    }
    fs::rename(place.at("soa/one"), place.at("soa/other")).expect("renamed");
    place.expect(&["one", "other"], false).await;
    place.write("soa/other/marathon-here.yaml", "{x}");
    place.expect(&["other"], false).await;
    assert_eq!(place.full_sweeps(), 1);
}

#[tokio::test]
async fn a_tree_that_is_swapped_by_its_link_is_followed() {
    let place = Place::empty();
    place.write("rev1/one/marathon-here.yaml", "{}");
    place.write("rev1/two/marathon-here.yaml", "{}");
    symlink(place.at("rev1"), place.at("soa")).expect("linked");
    place.files.sweep().await;
    for rev in 2..6 {
        let dir = format!("rev{rev}");
        place.write(&format!("{dir}/one/marathon-here.yaml"), &format!("{{rev: {rev}}}"));
        place.write(&format!("{dir}/two/marathon-here.yaml"), "{}");
        symlink(&dir, place.at("next")).expect("linked");
        fs::rename(place.at("next"), place.at("soa")).expect("swapped");
        place.expect(&["one"], false).await;
        place.write(&format!("{dir}/two/marathon-here.yaml"), "{now: watched}");
        place.expect(&["two"], false).await;
        place.write(&format!("{dir}/two/marathon-here.yaml"), "{}");
        place.expect(&["two"], false).await;
    }
}

#[tokio::test]
async fn a_link_on_the_way_to_the_root_and_links_to_services_are_followed() {
    let root = tempfile::tempdir().expect("a folder");
    for (path, text) in
        [("a/soa/one/service.yaml", "{}"), ("b/soa/one/service.yaml", "{b}"), ("etc/a.json", "{}")]
    {
        let path = root.path().join(path);
        fs::create_dir_all(path.parent().expect("below")).expect("made");
        fs::write(path, text).expect("written");
    }
    symlink("a", root.path().join("current")).expect("linked");
    symlink("one", root.path().join("a/soa/alias")).expect("linked");
    symlink("current", root.path().join("stable")).expect("linked");
    let roots =
        SweepRoots { soa_dir: root.path().join("stable/soa"), system_config_dir: root.path().join("etc") };
    let place = Place { files: ConfigFiles::new(roots).with_full_sweep_every(NEVER), root };
    place.files.sweep().await;
    place.write("a/soa/one/service.yaml", "{x}");
    place.expect(&["alias", "one"], false).await;
    symlink("b", place.at("next")).expect("linked");
    fs::rename(place.at("next"), place.at("current")).expect("swapped");
    place.expect(&["alias", "one"], false).await;
    place.write("b/soa/one/service.yaml", "{y}");
    place.expect(&["one"], false).await;
}

#[tokio::test]
async fn a_burst_is_told_soon_and_found_whole() {
    let place = Place::with(&["soa/one/marathon-here.yaml"]).await;
    let names: Vec<String> = (0..1000).map(|index| format!("service-{index:04}")).collect();
    for name in &names {
        place.write(&format!("soa/{name}/marathon-here.yaml"), "{}");
    }
    let wanted: Vec<&str> = names.iter().map(String::as_str).collect();
    place.expect(&wanted, false).await;
    for name in &names {
        place.write(&format!("soa/{name}/marathon-here.yaml"), "{a}");
    }
    place.expect(&wanted, false).await;
}

#[tokio::test]
async fn what_goes_on_all_the_time_does_not_put_it_off() {
    let place = Place::with(&["soa/one/marathon-here.yaml"]).await;
    let path = place.at("soa/one/README");
    let stop = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let writer = std::thread::spawn({
        let stop = stop.clone();
        move || {
            while !stop.load(Ordering::Relaxed) {
                fs::write(&path, "x").expect("written");
                std::thread::sleep(Duration::from_millis(1));
            }
        }
    });
    place.write("soa/one/marathon-here.yaml", "{a}");
    place.expect(&["one"], false).await;
    stop.store(true, Ordering::Relaxed);
    writer.join().expect("it ends");
}

#[tokio::test]
async fn contents_alone_are_a_change() {
    let place = Place::with(&["soa/one/marathon-here.yaml", "soa/one/README", "soa/one/.hidden"]).await;
    for name in ["README", ".hidden", "marathon-here.yaml"] {
        place.write(&format!("soa/one/{name}"), "{}");
    }
    place.write("soa/.~tmp~/marathon-here.yaml", "{}");
    place.write("soa/.git/marathon-here.yaml", "{}");
    place.files.stirred().await;
    assert_eq!(place.files.sweep().await, Swept::default());
}

#[tokio::test]
async fn where_there_are_too_many_folders_all_are_swept() {
    let root = tempfile::tempdir().expect("a folder");
    let roots = SweepRoots { soa_dir: root.path().join("soa"), system_config_dir: root.path().join("etc") };
    let place = Place { files: ConfigFiles::with_folders_max(roots, 3), root };
    for path in ["soa/one/service.yaml", "soa/two/service.yaml", "soa/three/service.yaml", "etc/a.json"] {
        place.write(path, "{}");
    }
    place.files.sweep().await;
    assert_eq!(place.watched(), 0);
    place.write("soa/three/service.yaml", "{a}");
    let mut found = Swept::default();
    let deadline = std::time::Instant::now() + Duration::from_secs(10);
    while found.services.is_empty() {
        assert!(std::time::Instant::now() < deadline, "it was not found");
        found = place.files.sweep().await;
        tokio::task::yield_now().await;
    }
    assert_eq!(found.services.iter().map(|name| name.as_str()).collect::<Vec<_>>(), ["three"]);
    assert!(place.full_sweeps() >= 2);
}

#[tokio::test]
async fn a_watch_that_was_lost_is_found_by_the_next_sweep_over_everything() {
    let place = Place::with(&["soa/one/marathon-here.yaml", "soa/two/marathon-here.yaml"]).await;
    let watched = place.watched();
    if let Watching::On(watch) = &mut place.files.sweeps().watching {
        // As if the kernel had dropped it.
        watch.deafen("soa/one");
    }
    place.write("soa/one/marathon-here.yaml", "{a}");
    place.files.sweeps().full_every = Duration::ZERO;
    let swept = place.files.sweep().await;
    assert_eq!(swept.services.iter().map(|name| name.as_str()).collect::<Vec<_>>(), ["one"]);
    place.files.sweeps().full_every = NEVER;
    assert_eq!((place.watched(), place.files.tallies().unheard.load(Ordering::Relaxed)), (watched, 1));
    place.write("soa/one/marathon-here.yaml", "{b}");
    place.expect(&["one"], false).await;
}

#[tokio::test]
async fn an_overflow_leads_to_a_sweep_over_everything() {
    let place = Place::with(&["soa/one/marathon-here.yaml"]).await;
    if let Watching::On(watch) = &mut place.files.sweeps().watching {
        watch.deafen("soa/one");
    }
    place.write("soa/one/marathon-here.yaml", "{a}");
    place.files.ear.overflow();
    let deadline = std::time::Instant::now() + Duration::from_secs(10);
    while !place.files.sweep().await.services.iter().any(|name| name.as_str() == "one") {
        assert!(std::time::Instant::now() < deadline, "it was not found");
        tokio::task::yield_now().await;
    }
    assert_eq!(place.full_sweeps(), 2);
}
