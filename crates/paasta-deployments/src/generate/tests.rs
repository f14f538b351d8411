use proptest::prelude::*;

use super::*;

const A: &str = "5e687a3f765082dee00cd4f66b0654274e3959f1";
const B: &str = "8c4365330550b406ba9efc82f5d173578f4c4949";

fn tag(name: &str, sha: &str) -> RemoteRef {
    RemoteRef::new(format!("refs/tags/{name}"), GitSha::new(sha).unwrap())
}

/// The worked example of config.md §4.6.
fn example() -> Deployments {
    let branches = [
        ControlBranch::new("prod.main", Some("prod.everything")),
        ControlBranch::new("prod.canary_one", Some("prod.canary")),
        ControlBranch::new("prod.interactive", Some("prod.interactive")),
        ControlBranch::new("prod.nightly.first", Some("prod.everything")),
        ControlBranch::new("prod.nightly.second", Some("prod.everything")),
    ];
    let refs = [
        tag("paasta-prod.everything-20210101T000000-deploy", A),
        tag("paasta-prod.everything-20210201T000000-deploy", B),
        tag("paasta-prod.canary-20210102T000000-deploy", A),
        tag("paasta-prod.main-20210301T010203-stop", B),
        tag("paasta-prod.canary_one-20210103T000000-stop", B),
        tag("paasta-prod.canary_one-20210104T000000-start", A),
        tag("paasta-prod.canary_one-20210103T000000-stop2", A),
    ];
    generate("mysvc", &branches, &refs)
}

#[test]
fn the_worked_example_byte_for_byte() {
    let expected = include_str!("worked-example.json");
    assert_eq!(example().to_text(), expected.trim_end_matches('\n'));
}

#[test]
fn a_service_without_instances_has_the_empty_document() {
    let text = generate("svc", &[], &[]).to_text();
    assert_eq!(text, r#"{"v1": {}, "v2": {"deployments": {}, "controls": {}}}"#);
}

#[test]
fn a_stop_ends_with_the_next_deploy_and_comes_back_with_the_old_sha() {
    let branches = [ControlBranch::new("p.main", Some("g"))];
    let mut refs =
        vec![tag("paasta-g-20210101T000000-deploy", A), tag("paasta-p.main-20210102T000000-stop", A)];
    let state = |refs: &[RemoteRef]| generate("s", &branches, refs).entries.remove(0).desired_state;
    assert_eq!(state(&refs), State::Stop);
    refs.push(tag("paasta-g-20210103T000000-deploy", B));
    assert_eq!(state(&refs), State::Start);
    refs.push(tag("paasta-g-20210104T000000-deploy", A));
    assert_eq!(state(&refs), State::Stop);
}

#[test]
fn tokens_compare_as_texts_and_the_later_of_equals_wins() {
    let branches = [ControlBranch::new("a.b", Some("g"))];
    let refs = [
        tag("paasta-g-20210101T000000-deploy", A),
        tag("a.b-10-start", A),
        tag("a.b-9-start", A),
        tag("paasta-a.b-9-stop", A),
    ];
    let entry = generate("s", &branches, &refs).entries.remove(0);
    assert_eq!((entry.desired_state, entry.force_bounce.as_deref()), (State::Stop, Some("9")));
}

#[test]
fn a_branch_twice_keeps_its_place_and_takes_its_last_group() {
    let branches = [
        ControlBranch::new("p.a", Some("g")),
        ControlBranch::new("p.b", Some("g")),
        ControlBranch::new("p.a", Some("h")),
        ControlBranch::new("p.c", None),
    ];
    let refs = [tag("paasta-g-20210101T000000-deploy", A), tag("paasta-h-20210101T000000-deploy", B)];
    let got = generate("s", &branches, &refs).entries;
    let got: Vec<_> = got.iter().map(|e| (e.branch.as_str(), e.git_sha.as_str())).collect();
    assert_eq!(got, [("p.a", B), ("p.b", A)]);
}

#[test]
fn annotated_tags_stand_for_their_commit() {
    let mut annotated = tag("paasta-g-20210101T000000-deploy", A);
    annotated.peeled = Some(GitSha::new(B).unwrap());
    let refs = [annotated];
    assert_eq!(latest_deploy(&refs, "g").unwrap().sha.as_str(), B);
    let got = generate("s", &[ControlBranch::new("p.a", Some("g"))], &refs).entries;
    assert_eq!(got[0].git_sha.as_str(), B);
}

proptest! {
    #[test]
    fn a_new_state_tag_always_decides(
        olds in prop::collection::vec((0i64..5, any::<bool>(), any::<bool>()), 0..8),
        now in 0i64..5,
        stop in any::<bool>(),
    ) {
        let sha = GitSha::new(A).unwrap();
        let state = |stop| if stop { State::Stop } else { State::Start };
        let time = |second| paasta_core::Timestamp::from_millis(1_600_000_000_000 + second * 1000);
        let mut refs = vec![tag("paasta-g-20210101T000000-deploy", A)];
        for (second, stop, here) in olds {
            let name = crate::state_tag("p.a", time(second), state(stop));
            refs.push(RemoteRef::new(name, GitSha::new(if here { A } else { B }).unwrap()));
        }
        let at = crate::state_time_for(&refs, "p.a", &sha, time(now)).unwrap();
        let name = crate::state_tag("p.a", at, state(stop));
        prop_assert!(!refs.iter().any(|r| r.name == name && r.sha == sha));
        refs.insert(0, RemoteRef::new(name, sha));
        let entry = generate("s", &[ControlBranch::new("p.a", Some("g"))], &refs).entries.remove(0);
        prop_assert_eq!(entry.desired_state, state(stop));
    }

    #[test]
    fn a_new_mark_always_decides(olds in prop::collection::vec((0i64..5, any::<bool>()), 0..8), now in 0i64..5) {
        let sha = GitSha::new(A).unwrap();
        let time = |second| paasta_core::Timestamp::from_millis(1_600_000_000_000 + second * 1000);
        let mut refs: Vec<RemoteRef> = Vec::new();
        for (second, here) in olds {
            let name = crate::deploy_tag("g", time(second));
            if !refs.iter().any(|r| r.name == name) {
                refs.push(RemoteRef::new(name, GitSha::new(if here { A } else { B }).unwrap()));
            }
        }
        let name = crate::deploy_tag("g", crate::deploy_time_for(&refs, "g", &sha, time(now)).unwrap());
        refs.retain(|r| r.name != name);
        refs.push(RemoteRef::new(name, sha.clone()));
        prop_assert_eq!(latest_deploy(&refs, "g").map(|l| l.sha), Some(sha));
    }

    #[test]
    fn the_table_and_the_single_lookup_agree(times in prop::collection::vec((0u32..30, any::<bool>()), 0..12)) {
        let refs: Vec<_> = times
            .iter()
            .map(|(day, a)| tag(&format!("paasta-g-202101{day:02}T000000-deploy"), if *a { A } else { B }))
            .collect();
        let one = latest_deploy(&refs, "g").map(|l| l.sha);
        let all = generate("s", &[ControlBranch::new("p.a", Some("g"))], &refs).entries;
        prop_assert_eq!(one, all.first().map(|e| e.git_sha.clone()));
    }

    #[test]
    fn any_ref_name_is_read_without_a_panic(name in "\\PC{0,60}", tail in "-[0-9T]{0,16}-(deploy|start|stop)") {
        for name in [name.clone(), format!("refs/tags/{name}"), format!("refs/tags/paasta-{name}{tail}")] {
            let _ = (deploy_tag_parts(&name), StateTag::parse(&name));
        }
    }
}
