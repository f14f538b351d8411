//! What deployments.json would say of one instance: `cargo run -p paasta-deployments --example deployments --
//! URL CLUSTER.INSTANCE DEPLOY_GROUP`, such as `. pnw.main prod.main` in a clone.

use std::error::Error;

use paasta_deployments::{ControlBranch, Limits, generate, latest_deploy, refs_for_url};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [url, branch, group] = &arguments[..] else {
        return Err("give URL CLUSTER.INSTANCE DEPLOY_GROUP".into());
    };
    let refs = refs_for_url(url, Limits::default())?.list()?;
    match latest_deploy(&refs, group) {
        Some(latest) => eprintln!("{} marks {}", latest.tag, latest.sha),
        None => eprintln!("nothing is marked for {group}"),
    }
    println!("{}", generate("example", &[ControlBranch::new(branch, Some(group))], &refs).to_text());
    Ok(())
}
