//! What every way to a remote promises.

use std::fs;

use paasta_core::GitSha;
use paasta_deployments::{Refs, RefsError, RemoteRef, WriteMode, Written};

use crate::TAG;
use crate::common::{Remote, git};

/// What every way must do.
pub(crate) fn check_promises(remote: &Remote, refs: &dyn Refs) {
    let [first, second, third] = &remote.commits[..] else { panic!("three commits") };
    let listed = refs.list().unwrap();
    assert_eq!(listed[0], RemoteRef::new("HEAD", third.clone()));
    assert!(listed.contains(&RemoteRef::new("refs/tags/first", first.clone())), "{listed:?}");

    assert_eq!(refs.write(TAG, third, WriteMode::CreateOnly), Ok(Written::Done));
    assert_eq!(remote.points_at(TAG).as_deref(), Some(third.as_str()));
    assert_eq!(refs.write(TAG, third, WriteMode::CreateOnly), Ok(Written::AlreadyThere));
    let exists = refs.write(TAG, first, WriteMode::CreateOnly);
    assert!(matches!(exists, Err(RefsError::Exists { at, .. }) if at == *third));
    assert_eq!(remote.points_at(TAG).as_deref(), Some(third.as_str()), "create-only moves nothing");
    assert_eq!(refs.write(TAG, first, WriteMode::Overwrite), Ok(Written::Done));
    assert_eq!(remote.points_at(TAG).as_deref(), Some(first.as_str()));
    assert_eq!(remote.points_at("refs/heads/main").as_deref(), Some(third.as_str()));

    assert_eq!(refs.write("refs/tags/inner", second, WriteMode::CreateOnly), Ok(Written::Done));
    let nowhere = GitSha::new("1".repeat(40)).unwrap();
    let missing = refs.write("refs/tags/none", &nowhere, WriteMode::CreateOnly);
    assert!(matches!(missing, Err(RefsError::NoSuchCommit { .. })), "{missing:?}");
    let bad = refs.write("refs/tags/a..b", first, WriteMode::CreateOnly);
    assert!(matches!(bad, Err(RefsError::BadName { .. })), "{bad:?}");

    git(&remote.path(), &["tag", "-a", "-m", "x", "annotated", first.as_str()]);
    let listed = refs.list().unwrap();
    let annotated = listed.iter().find(|r| r.name == "refs/tags/annotated").unwrap();
    assert_eq!((annotated.commit(), annotated.sha == *first), (first, false));

    for hook in ["pre-receive", "update"] {
        remote.refuse_by(hook);
        let refused = refs.write("refs/tags/refused", first, WriteMode::Overwrite);
        assert!(matches!(&refused, Err(RefsError::Refused { .. })), "{refused:?}");
        let words = refused.unwrap_err().to_string();
        assert!(words.contains("releases are frozen"), "{hook}: {words}");
        assert_eq!(remote.points_at("refs/tags/refused"), None);
        fs::remove_file(remote.path().join("hooks").join(hook)).unwrap();
    }
}
