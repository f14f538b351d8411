//! `paasta why`: what the last bounces of an instance were for.

use std::process::ExitCode;

use paasta_config::{InstanceType, Renderer, close_matches};
use paasta_core::{ClusterName, Created, InstanceId, Timestamp};
use paasta_logs::FileHistory;
use paasta_marathon::MarathonRenderer;
use serde::Serialize;

use crate::Context;
use crate::changes::{self, Change, Roots};
use crate::options::{Format, Output, SoaDir};
use crate::paint::{Paint, Style};
use crate::report::{HintExt as _, UsageError};
use crate::table::{self, Cell};
use crate::world::World;

/// Explain the last bounce of an instance
///
/// Reads the event log of created versions that setup_marathon_job and paasta-deployd keep on this host (system
/// configuration key `history_directory`), where the last 20 of each instance are kept: when, which version gave way to
/// which, and field by field what differed, with the file and line of the settings behind it as they stood then. It is
/// readable by the user those programs run as.
///
/// Exit code 1 if nothing is known of the instance.
#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// The instance
    #[arg(value_name = "SERVICE.INSTANCE")]
    target: String,
    /// How many bounces, the last one first
    #[arg(short = 'n', long, value_name = "N", default_value_t = 1)]
    count: usize,
    /// The cluster; else that of the system configuration
    #[arg(short = 'c', long = "cluster", alias = "clusters", value_name = "CLUSTER")]
    cluster: Option<String>,
    #[command(flatten)]
    soa_dir: SoaDir,
    #[command(flatten)]
    output: Output,
}

/// Everything that is printed.
#[derive(Debug, Serialize)]
struct Explained {
    service: String,
    instance: String,
    cluster: String,
    /// The last one first.
    bounces: Vec<Bounce>,
}

/// One created version, beside the one before.
#[derive(Debug, Serialize)]
struct Bounce {
    at: Timestamp,
    app_id: String,
    /// The version it is compared with; null where there is none, or it is not in the event log.
    from_app_id: Option<String>,
    /// The versions that stood there when it was created.
    replaces: Vec<String>,
    home: String,
    instances: usize,
    /// False where Marathon's answer to the creation was lost.
    confirmed: bool,
    /// What it was for, in words; never empty.
    causes: Vec<String>,
    changes: Vec<Change>,
}

pub(crate) fn run(args: &Args, cx: &mut Context) -> anyhow::Result<ExitCode> {
    let id: InstanceId = args.target.parse().map_err(|error| UsageError(format!("{error}")))?;
    let world = World::open_configured(args.soa_dir.get(), cx)?;
    let cluster = match &args.cluster {
        Some(named) => ClusterName::new(named.as_str()).map_err(|error| UsageError(error.to_string()))?,
        None => world.system.cluster()?,
    };
    let records = read(&id, &cluster, &world)?;
    let renderer = MarathonRenderer::from_system(world.system.map())?;
    let roots = Roots(vec![world.soa_dir.display().to_string(), world.system.directory().to_owned()]);
    let bounces = (0..records.len()).rev().take(args.count);
    let bounces = bounces.filter_map(|index| explain(&records, index, &renderer, &roots)).collect();
    let explained = Explained {
        service: id.service().to_string(),
        instance: id.instance().to_string(),
        cluster: cluster.to_string(),
        bounces,
    };
    match args.output.format() {
        Format::Json => writeln!(cx.stdout, "{}", serde_json::to_string_pretty(&explained)?)?,
        Format::Text => write!(cx.stdout, "{}", text(&explained, cx.paint()))?,
    }
    Ok(ExitCode::SUCCESS)
}

/// What is written down of the instance, oldest first; never nothing.
fn read(id: &InstanceId, cluster: &ClusterName, world: &World) -> anyhow::Result<Vec<Created>> {
    let Some(directory) = world.system.history_directory()? else {
        return Err(anyhow::anyhow!("this cluster keeps no event log: `history_directory` is null"))
            .hint("Set it in the system configuration to the directory that is to hold the log.");
    };
    let history = FileHistory::new(directory);
    let records = history
        .read(cluster, id)
        .hint("The log is readable by the user that setup_marathon_job and paasta-deployd run as.")?;
    if records.is_empty() {
        let file = history.file(cluster, id);
        let others = history.of_other_versions(cluster, id);
        if others > 0 {
            return Err(anyhow::anyhow!(
                "the {others} lines of `{}` are of another version of PaaSTA's event log",
                file.display()
            ))
            .hint("Use the `paasta` of the version that runs setup_marathon_job or paasta-deployd.");
        }
        check_name(id, cluster, world)?;
        let error = anyhow::anyhow!("nothing is written down of `{id}` in cluster `{cluster}`");
        let error = error.context("could not explain its last bounce");
        return Err(error).hint(format!(
            "`{}` on the host that runs setup_marathon_job or paasta-deployd holds what they have created.",
            file.display()
        ));
    }
    Ok(records)
}

/// A name that is configured nowhere is most likely mistyped.
fn check_name(id: &InstanceId, cluster: &ClusterName, world: &World) -> anyhow::Result<()> {
    let service = world.service(id.service().as_str())?;
    let names = world.soa.instances(&service, cluster, InstanceType::Marathon).unwrap_or_default();
    let close = close_matches(id.instance().as_str(), names.iter().map(|name| name.as_str()));
    if close.is_empty() || names.contains(id.instance()) {
        return Ok(());
    }
    Err(anyhow::anyhow!(
        "there is no instance `{id}` in cluster `{cluster}`, and nothing is written down of it"
    ))
    .hint(format!("Did you mean `{}`?", close.join("` or `")))
}

fn explain(records: &[Created], index: usize, renderer: &dyn Renderer, roots: &Roots) -> Option<Bounce> {
    let new = records.get(index)?;
    let old = before(records.get(..index)?, new);
    let fields = old.map(|old| renderer.compare(&old.hash_input, &new.hash_input)).unwrap_or_default();
    let changes = fields.iter().map(|field| {
        let feeds = renderer.feeds(&field.field);
        let source = |name: String| new.settings.get(&name).map(|place| roots.recorded(&name, place));
        Change::new(field, feeds.iter().filter_map(|feed| source(feed.name())).collect())
    });
    Some(Bounce {
        at: new.at,
        app_id: new.app.to_string(),
        from_app_id: old.map(|old| old.app.to_string()),
        replaces: new.replaces.iter().map(ToString::to_string).collect(),
        home: new.home.to_string(),
        instances: new.instances,
        confirmed: new.confirmed,
        causes: causes(old, new, &fields.iter().map(|change| change.field.as_str()).collect::<Vec<_>>()),
        changes: changes.collect(),
    })
}

/// The version that gave way: the largest that stood there and is written down. Where nothing stood there any more, as
/// under `downthenup`, the one that was created before.
fn before<'a>(earlier: &'a [Created], new: &Created) -> Option<&'a Created> {
    if new.replaces.is_empty() {
        return earlier.last();
    }
    new.replaces.iter().find_map(|app| earlier.iter().rev().find(|old| old.app == *app))
}

fn causes(old: Option<&Created>, new: &Created, fields: &[&str]) -> Vec<String> {
    let Some(old) = old else {
        return vec![match new.replaces.first() {
            Some(app) => format!("unknown: {app} is not in the event log"),
            None => "it was created for the first time, as far as the event log goes back".to_owned(),
        }];
    };
    let mut causes = Vec::new();
    if old.git_sha != new.git_sha {
        causes.push(format!("commit {} was deployed (before: {})", short(&new.git_sha), short(&old.git_sha)));
    }
    match (&old.force_bounce, &new.force_bounce) {
        (old, new) if old == new => {}
        (_, Some(token)) => causes.push(format!("it was started, stopped or restarted at {token}")),
        // A deploy ends what a start or stop has left behind.
        (Some(_), None) if !causes.is_empty() => {}
        (_, None) => causes.push("its last start, stop or restart counts no more".to_owned()),
    }
    let of_deployment =
        ["container.docker.image", "env.PAASTA_GIT_SHA", "env.PAASTA_DOCKER_IMAGE", "force_bounce"];
    if fields.iter().any(|field| !of_deployment.contains(field)) {
        causes.push("the configuration changed".to_owned());
    }
    if old.home != new.home {
        causes.push(format!("it moved from {} to {}", old.home, new.home));
    }
    if causes.is_empty() {
        causes.push("the very same version was created again: it had been removed".to_owned());
    }
    causes
}

fn short(sha: &str) -> &str {
    sha.get(..8).unwrap_or(sha)
}

fn text(explained: &Explained, paint: Paint) -> String {
    let name = format!("{}.{}", explained.service, explained.instance);
    let mut out = format!("{} in {}\n", paint.text(Style::Bold, name), explained.cluster);
    for bounce in &explained.bounces {
        let from = match (&bounce.from_app_id, bounce.replaces.first()) {
            (Some(from), _) | (None, Some(from)) => from.as_str(),
            (None, None) => "nothing",
        };
        let label = |text| Cell::new(Style::Grey, text);
        let mut rows = vec![
            vec![label("at"), bounce.at.to_string().into()],
            vec![label("from"), from.into()],
            vec![label("to"), bounce.app_id.as_str().into()],
            vec![label("because"), bounce.causes.join("; ").into()],
        ];
        if !bounce.confirmed {
            rows.push(vec![label("note"), "the engine's answer to its creation was lost".into()]);
        }
        out.push('\n');
        out.push_str(&table::render(&rows, 2, paint));
        out.push_str(&table::render(&changes::rows(&bounce.changes), 4, paint));
    }
    out
}

#[cfg(test)]
mod tests {
    use paasta_core::{AppId, HomeId};

    use super::*;

    fn created(app: &str, sha: &str, token: Option<&str>, replaces: &[&str]) -> Created {
        Created {
            at: Timestamp::from_millis(0),
            cluster: "pnw".parse().unwrap(),
            instance: "web.main".parse().unwrap(),
            home: HomeId::new("h"),
            app: AppId::new(app),
            hash_input: format!("{{\"mem\": {}}}", app.len()),
            instances: 1,
            git_sha: sha.to_owned(),
            force_bounce: token.map(str::to_owned),
            replaces: replaces.iter().map(|app| AppId::new(*app)).collect(),
            settings: Default::default(),
            confirmed: true,
        }
    }

    #[track_caller]
    fn check(records: &[Created], from: Option<&str>, cause: &str) {
        let renderer = MarathonRenderer::default();
        let bounce = explain(records, records.len() - 1, &renderer, &Roots::default()).unwrap();
        assert_eq!(bounce.from_app_id.as_deref(), from);
        assert_eq!(bounce.causes.join("; "), cause);
    }

    #[test]
    fn the_cause_is_what_differs_from_the_version_that_gave_way() {
        let a = created("a", "1111", None, &[]);
        check(
            std::slice::from_ref(&a),
            None,
            "it was created for the first time, as far as the event log goes back",
        );
        check(&[a.clone(), created("bb", "1111", None, &["a"])], Some("a"), "the configuration changed");
        check(
            &[a.clone(), created("b", "2222", None, &["a"])],
            Some("a"),
            "commit 2222 was deployed (before: 1111)",
        );
        check(
            &[a.clone(), created("b", "1111", Some("20210101T000000"), &["a"])],
            Some("a"),
            "it was started, stopped or restarted at 20210101T000000",
        );
        check(&[a.clone(), created("b", "1111", None, &["z"])], None, "unknown: z is not in the event log");
        // Under downthenup nothing stands there any more.
        check(&[a.clone(), created("bb", "1111", None, &[])], Some("a"), "the configuration changed");
        check(
            &[a.clone(), created("a", "1111", None, &[])],
            Some("a"),
            "the very same version was created again: it had been removed",
        );
        // The version that was tried in between never came to stand.
        let tried = created("bb", "2222", None, &["a"]);
        check(&[a, tried, created("cc", "1111", None, &["a"])], Some("a"), "the configuration changed");
    }
}
