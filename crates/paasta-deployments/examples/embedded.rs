//! A deploy, a stop and the next deploy of one service, all within this process and a temporary folder:
//! `cargo run -p paasta-deployments --example embedded`.

use std::error::Error;
use std::fs;
use std::sync::Arc;

use paasta_config::{Memory, Soa, SystemConfig};
use paasta_core::{GitSha, ServiceName, Timestamp};
use paasta_deployments::{
    Limits, State, WriteMode, deploy_tag, deploy_time_for, generate_for_service, latest_deploy,
    preview_for_service, refs_for_url, state_tag, state_time_for,
};

fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let code = folder.path().join("web.git");
    let [old, new] = repository(&code)?;

    // What the service's people wrote; a directory would do as well: `Soa::open("/nail/etc/services")`.
    let service: ServiceName = "web".parse()?;
    let files = Memory::new()
        .with("web/marathon-pnw.yaml", "main: {deploy_group: everything}\n")
        .with("web/service.yaml", format!("git_url: {}\n", code.display()));
    let soa = Soa::new(Arc::new(files));
    let system = SystemConfig::from_json(r#"{"clusters": ["pnw"]}"#)?;
    fs::create_dir(folder.path().join("web"))?;

    let refs = refs_for_url(&code.display().to_string(), Limits::default())?;
    let connect = |url: &str| refs_for_url(url, Limits::default());
    let update = |what: &str| -> Result<(), Box<dyn Error>> {
        println!("{what}:");
        for difference in preview_for_service(folder.path(), &soa, &system, &service, &connect)?.differences {
            println!("  {difference}");
        }
        generate_for_service(folder.path(), &soa, &system, &service, &connect)?;
        Ok(())
    };

    // Nothing below reads the clock: the time is yours.
    let now: Timestamp = "2021-03-01T01:02:03Z".parse()?;
    let at = deploy_time_for(&refs.list()?, "everything", &old, now)?;
    refs.write(&deploy_tag("everything", at), &old, WriteMode::Overwrite)?;
    update("the first commit is marked for deployment")?;

    let listed = refs.list()?;
    let running = latest_deploy(&listed, "everything").ok_or("nothing is marked")?.sha;
    let at = state_time_for(&listed, "pnw.main", &running, now)?;
    refs.write(&state_tag("pnw.main", at, State::Stop), &running, WriteMode::CreateOnly)?;
    update("the instance is stopped at that commit")?;

    let at = deploy_time_for(&refs.list()?, "everything", &new, now)?;
    refs.write(&deploy_tag("everything", at), &new, WriteMode::Overwrite)?;
    update("the next commit is marked, which ends the stop")?;
    Ok(())
}

/// A bare repository with two commits.
fn repository(path: &std::path::Path) -> Result<[GitSha; 2], Box<dyn Error>> {
    let repository = git2::Repository::init_bare(path)?;
    let author = git2::Signature::new("author", "author@example.com", &git2::Time::new(0, 0))?;
    let tree = repository.find_tree(repository.treebuilder(None)?.write()?)?;
    let first = repository.commit(Some("refs/heads/main"), &author, &author, "first", &tree, &[])?;
    let parent = repository.find_commit(first)?;
    let second = repository.commit(Some("refs/heads/main"), &author, &author, "second", &tree, &[&parent])?;
    Ok([GitSha::new(first.to_string())?, GitSha::new(second.to_string())?])
}
