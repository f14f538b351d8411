//! What a waiter would say of an instance while it bounces: `cargo run -p paasta-deploy --example wait`.

use paasta_core::{GitSha, NameError};
use paasta_deploy::{Answer, Progress, Sight, judge};

fn main() -> Result<(), NameError> {
    let wanted = GitSha::new("8c4365330550b406ba9efc82f5d173578f4c4949")?;
    let old = Sight {
        git_sha: "5e687a3f".into(),
        expected: Some(3),
        versions: 1,
        deploy_status: Some("Running".into()),
        running: 3,
        happy: Some(3),
        ..Sight::default()
    };
    let seen = Sight { git_sha: "8c436533".into(), versions: 2, running: 5, happy: Some(1), ..old.clone() };
    let done = Sight { versions: 1, running: 3, happy: Some(3), ..seen.clone() };
    for (moment, sight) in [("just marked", old), ("new tasks start", seen), ("old tasks are gone", done)] {
        match judge(&wanted, 1.0, &Answer::Seen(sight)) {
            Progress::Done => println!("{moment}: done"),
            Progress::Waiting(waiting) => println!("{moment}: {waiting}"),
            Progress::Unknown(reason) => println!("{moment}: unknown ({reason})"),
        }
    }
    Ok(())
}
