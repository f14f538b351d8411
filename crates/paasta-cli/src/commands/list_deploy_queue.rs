//! `paasta list-deploy-queue`: what deployd of a cluster works on, what waits, and why (cli.md §1.22).

use std::process::ExitCode;
use std::time::Duration;

use paasta_api_client::{ApiClient, DeployQueue, DeployQueueEntry, Timeouts};
use paasta_config::close_matches;
use paasta_core::{ClusterName, without_credentials};

use crate::Context;
use crate::age;
use crate::options::{Format, Output, SoaDir};
use crate::paint::{Paint, Style};
use crate::report::{HintExt as _, UsageError};
use crate::table::{self, Cell};
use crate::world::World;

/// Show what deployd works on, what waits for it, and why
///
/// Asks deployd (`paasta-deployd --http-listen`) at the URL that --url or `deployd_endpoints` of the system configuration
/// names for the cluster, else the cluster's API. Where several are named, the one that leads answers. A local cluster answers
/// as it is.
#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// The cluster; else that of the system configuration
    #[arg(short = 'c', long = "cluster", alias = "clusters", value_name = "CLUSTER")]
    cluster: Option<String>,
    /// Where deployd answers
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// List what is at rest too, one line each; JSON always has it
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    soa_dir: SoaDir,
    #[command(flatten)]
    output: Output,
}

pub(crate) fn run(args: &Args, cx: &mut Context) -> anyhow::Result<ExitCode> {
    let world = World::open_configured(args.soa_dir.get(), cx)?;
    let cluster = cluster(args, &world)?;
    let urls = match &args.url {
        Some(url) => vec![url.clone()],
        None => endpoints(&world, &cluster)?,
    };
    let answers = urls.into_iter().map(|url| {
        let answer = ask(&cluster, &url, cx);
        (url, answer)
    });
    let queue = of_leader(&cluster, answers)?;
    match args.output.format() {
        Format::Json => writeln!(cx.stdout, "{}", serde_json::to_string_pretty(&queue)?)?,
        Format::Text => write!(cx.stdout, "{}", text(&queue, args.all, cx.paint()))?,
    }
    Ok(ExitCode::SUCCESS)
}

fn cluster(args: &Args, world: &World) -> anyhow::Result<ClusterName> {
    let Some(named) = &args.cluster else { return Ok(world.system.cluster()?) };
    let cluster = ClusterName::new(named.as_str()).map_err(|error| UsageError(error.to_string()))?;
    let known = world.clusters()?;
    if known.contains(&cluster) || args.url.is_some() {
        return Ok(cluster);
    }
    let close = close_matches(named, known.iter().map(ClusterName::as_str));
    let error = anyhow::anyhow!("there is no cluster `{named}`");
    match close.is_empty() {
        true => Err(error).hint("`paasta list-clusters` shows all."),
        false => Err(error).hint(format!("Did you mean `{}`?", close.join("` or `"))),
    }
}

/// One URL, or one for each deployd; without any, the cluster's API.
fn endpoints(world: &World, cluster: &ClusterName) -> anyhow::Result<Vec<String>> {
    let key = "deployd_endpoints";
    let named = world.system.map().get_set(key).and_then(|node| node.as_map()?.get(cluster.as_str()));
    let Some(node) = named else { return Ok(vec![world.system.api_endpoint(cluster)?]) };
    let urls: Option<Vec<String>> = match node.as_str() {
        Some(url) => Some(vec![url.to_owned()]),
        None => {
            node.as_list().and_then(|urls| urls.iter().map(|url| Some(url.as_str()?.to_owned())).collect())
        }
    };
    match urls {
        Some(urls) if !urls.is_empty() => Ok(urls),
        _ => Err(anyhow::anyhow!(
            "system config key `{key}.{cluster}` is `{node:?}`, expected a URL or a list of URLs"
        )),
    }
}

fn ask(cluster: &ClusterName, url: &str, cx: &mut Context) -> anyhow::Result<DeployQueue> {
    let timeouts = Timeouts { connect: Duration::from_secs(5), total: Duration::from_secs(20) };
    let client = ApiClient::new(cluster.clone(), url, timeouts)?;
    cx.block_on(async { Ok(client.deploy_queue().await?) }).hint(
        "deployd answers where `paasta-deployd --http-listen` or its key `deployd_http_listen` says; name it by --url, or for \
         all by `deployd_endpoints` of the system configuration.",
    )
}

/// The queue of one that stands by says nothing of what the cluster waits for: the first one that may lead is believed.
fn of_leader(
    cluster: &ClusterName,
    answers: impl Iterator<Item = (String, anyhow::Result<DeployQueue>)>,
) -> anyhow::Result<DeployQueue> {
    let (mut told, mut failure) = (Vec::new(), None);
    for (url, answer) in answers {
        let url = without_credentials(&url);
        match answer {
            Ok(queue) => match (queue.standing.as_str(), &queue.standing_detail) {
                ("waiting", Some(leader)) => {
                    told.push(format!("the one at `{url}` stands by, `{leader}` leads"))
                }
                ("waiting", None) => {
                    told.push(format!("the one at `{url}` stands by and knows of no leader"))
                }
                ("lost", why) => {
                    let why = why.as_ref().map(|why| format!(" ({why})")).unwrap_or_default();
                    told.push(format!("the one at `{url}` leads no longer{why}"));
                }
                _ => return Ok(queue),
            },
            Err(error) => {
                told.push(format!("the one at `{url}` does not answer"));
                failure.get_or_insert(error);
            }
        }
    }
    match failure {
        Some(failure) if told.len() == 1 => Err(failure),
        _ => Err(anyhow::anyhow!("no deployd of cluster `{cluster}` that was asked leads: {}", told.join("; ")))
            .hint(
                "Name the one that leads by --url, or all of them for the cluster as a list in `deployd_endpoints` of the system \
                 configuration. If none leads, see `ZooKeeper is lost` in docs/deployd.md.",
            ),
    }
}

/// The original turns these red.
const PROCESSED_MANY: u64 = 50;
const FAILURES_MANY: u64 = 10;

fn text(queue: &DeployQueue, all: bool, paint: Paint) -> String {
    let at = queue.at;
    let (rest, waiting): (Vec<_>, Vec<_>) =
        queue.unavailable_service_instances.iter().partition(|entry| entry.at_rest);
    let running: Vec<_> = queue.running_service_instances.iter().collect();
    let ready: Vec<_> = queue.available_service_instances.iter().collect();
    let mut out = headline(queue, paint);
    section(&mut out, "In flight", "", &["for", "waited"], &running, paint, |entry| {
        let waited = entry.bounce_start_time - entry.enqueue_time;
        vec![span(at - entry.bounce_start_time).into(), span(waited).into()]
    });
    section(&mut out, "Ready", "wait for a worker", &["for", "bounce by"], &ready, paint, |entry| {
        let late = if entry.bounce_by < at { Style::Red } else { Style::Plain };
        let since = entry.wait_until.max(entry.enqueue_time);
        vec![span(at - since).into(), Cell::new(late, relative(entry.bounce_by, at))]
    });
    let looks = |entry: &DeployQueueEntry| -> Vec<Cell> {
        vec![relative(entry.wait_until, at).into(), relative(entry.bounce_by, at).into()]
    };
    section(&mut out, "Waiting", "wait for their time", &["next look", "bounce by"], &waiting, paint, looks);
    match rest.first() {
        Some(_) if all => {
            section(&mut out, "At rest", "nothing to do", &["next look", "bounce by"], &rest, paint, looks);
        }
        Some(next) => out.push_str(&format!(
            "\n{} ({}): nothing to do; the next look is {}; --all lists them\n",
            paint.text(Style::Bold, "At rest"),
            rest.len(),
            relative(next.wait_until, at),
        )),
        None => {}
    }
    if !queue.problems.is_empty() {
        out.push_str(&format!("\n{} ({})\n", paint.text(Style::Bold, "Problems"), queue.problems.len()));
        for problem in &queue.problems {
            out.push_str(&format!("  {}\n", paint.text(Style::Red, problem.as_str())));
        }
    }
    out
}

fn headline(queue: &DeployQueue, paint: Paint) -> String {
    let detail = queue.standing_detail.as_ref().map(|detail| format!(" ({detail})")).unwrap_or_default();
    let stands = match queue.standing.as_str() {
        "leading" => "leads",
        "doubtful" => "cannot tell whether it still leads and begins nothing",
        other => other,
    };
    let more = match queue.urgent_workers {
        0 => String::new(),
        more => format!(" ({more} more for what is due)"),
    };
    let busy = queue.running_service_instances.len();
    let stands = paint.text(Style::Bold, stands);
    format!("deployd {stands}{detail}, {busy} of {} workers busy{more}\n", queue.workers)
}

/// A table of entries: each one's name, two columns of its own, and what all have.
fn section(
    out: &mut String,
    title: &str,
    note: &str,
    own: &[&str; 2],
    entries: &[&DeployQueueEntry],
    paint: Paint,
    times: impl Fn(&DeployQueueEntry) -> Vec<Cell>,
) {
    let note = if note.is_empty() || entries.is_empty() { String::new() } else { format!(": {note}") };
    out.push_str(&format!("\n{} ({}){note}\n", paint.text(Style::Bold, title), entries.len()));
    if entries.is_empty() {
        return out.push_str(&format!("  {}\n", paint.text(Style::Grey, "none")));
    }
    let titles = ["instance", own[0], own[1], "passes", "failures", "why"];
    let mut rows = vec![titles.map(|title| Cell::new(Style::Grey, title)).to_vec()];
    rows.extend(entries.iter().map(|entry| {
        let over = |number: u64, many: u64| {
            Cell::new(if number > many { Style::Red } else { Style::Plain }, number.to_string())
        };
        let mut row = vec![format!("{}.{}", entry.service, entry.instance).into()];
        row.extend(times(entry));
        row.push(over(entry.processed_count, PROCESSED_MANY));
        row.push(over(entry.failures, FAILURES_MANY));
        row.push(why(entry).into());
        row
    }));
    out.push_str(&table::render(&rows, 2, paint));
}

/// What the last pass came to says it all where that is why it stands there.
fn why(entry: &DeployQueueEntry) -> String {
    match (entry.last.as_str(), entry.watcher.starts_with("Worker")) {
        ("", _) => entry.because.clone(),
        (last, true) => last.to_owned(),
        (last, false) => format!("{}; before: {last}", entry.because),
    }
}

fn span(seconds: f64) -> String {
    age::short(Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or_default())
}

fn relative(time: f64, at: f64) -> String {
    match time - at {
        ahead if ahead >= 1.0 => format!("in {}", span(ahead)),
        behind if behind <= -1.0 => format!("{} ago", span(-behind)),
        _ => "now".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(name: &str, watcher: &str, because: &str, last: &str) -> DeployQueueEntry {
        let (service, instance) = name.split_once('.').unwrap();
        DeployQueueEntry {
            service: service.to_owned(),
            instance: instance.to_owned(),
            bounce_by: 940.0,
            wait_until: 1000.0,
            enqueue_time: 990.0,
            bounce_start_time: 997.0,
            watcher: watcher.to_owned(),
            because: because.to_owned(),
            last: last.to_owned(),
            ..DeployQueueEntry::default()
        }
    }

    fn later(entry: DeployQueueEntry, wait_until: f64) -> DeployQueueEntry {
        DeployQueueEntry { wait_until, ..entry }
    }

    #[test]
    fn lists_what_runs_what_may_and_what_waits_with_the_reason() {
        let drains = "crossover: waiting for 2 tasks to drain";
        let rest = |name| DeployQueueEntry {
            at_rest: true,
            ..later(entry(name, "Worker", "regular look", "steady"), 1300.0)
        };
        let queue = DeployQueue {
            at: 1000.0,
            standing: "leading".to_owned(),
            workers: 4,
            urgent_workers: 2,
            running_service_instances: vec![entry(
                "web.main",
                "YelpSoaEventHandler",
                "a tag was pushed",
                "steady",
            )],
            available_service_instances: vec![entry(
                "web.side",
                "YelpSoaEventHandler",
                "its files changed",
                "",
            )],
            unavailable_service_instances: vec![
                later(entry("api.main", "Worker", "the last pass asked to look again", drains), 1005.0),
                DeployQueueEntry {
                    failures: 11,
                    ..later(
                        entry("odd.main", "Worker", "the last pass failed", "failed: no such image"),
                        1090.0,
                    )
                },
                rest("a.main"),
                rest("b.main"),
            ],
            problems: vec!["could not read service `bad`: x".to_owned()],
            ..DeployQueue::default()
        };
        let expected = "\
deployd leads, 1 of 4 workers busy (2 more for what is due)

In flight (1)
  instance  for  waited  passes  failures  why
  web.main  3s   7s      0       0         a tag was pushed; before: steady

Ready (1): wait for a worker
  instance  for  bounce by  passes  failures  why
  web.side  0s   1m ago     0       0         its files changed

Waiting (2): wait for their time
  instance  next look  bounce by  passes  failures  why
  api.main  in 5s      1m ago     0       0         crossover: waiting for 2 tasks to drain
  odd.main  in 1m30s   1m ago     0       11        failed: no such image

At rest (2): nothing to do; the next look is in 5m; --all lists them

Problems (1)
  could not read service `bad`: x
";
        assert_eq!(text(&queue, false, Paint::new(false)), expected);
        assert!(text(&queue, false, Paint::new(true)).contains("\u{1b}[31m11\u{1b}[0m"));
        let all = text(&queue, true, Paint::new(false));
        assert!(all.contains("At rest (2): nothing to do\n  instance  next look"), "{all}");
        assert!(all.contains("  b.main    in 5m      1m ago     0       0         steady\n"), "{all}");
        let empty = text(
            &DeployQueue { standing: "leading".to_owned(), ..DeployQueue::default() },
            false,
            Paint::new(false),
        );
        assert!(empty.contains("\nReady (0)\n  none\n") && !empty.contains("At rest"), "{empty}");
    }

    #[test]
    fn the_one_that_leads_is_believed_and_one_that_stands_by_is_an_error() {
        let standing = |standing: &str, detail: Option<&str>| {
            let standing_detail = detail.map(str::to_owned);
            Ok(DeployQueue { standing: standing.to_owned(), standing_detail, ..DeployQueue::default() })
        };
        let cluster = ClusterName::new("prod").unwrap();
        let asked = |answers: Vec<anyhow::Result<DeployQueue>>| {
            let urls = (1..).map(|number| format!("http://user:secret@h{number}:1/"));
            of_leader(&cluster, urls.zip(answers))
                .map(|queue| queue.standing)
                .map_err(|error| error.to_string())
        };
        let dead = || Err(anyhow::anyhow!("connection refused"));
        assert_eq!(
            asked(vec![dead(), standing("waiting", None), standing("leading", None)]).unwrap(),
            "leading"
        );
        assert_eq!(asked(vec![standing("doubtful", Some("x"))]).unwrap(), "doubtful");
        assert_eq!(asked(vec![dead()]).unwrap_err(), "connection refused");
        let told = asked(vec![
            standing("waiting", Some("one.example.org")),
            standing("lost", Some("it ended")),
            dead(),
        ]);
        let told = told.unwrap_err();
        for part in [
            "no deployd of cluster `prod` that was asked leads: the one at `http://",
            "h1:1/` stands by, `one.example.org` leads; ",
            "h2:1/` leads no longer (it ended); ",
            "h3:1/` does not answer",
        ] {
            assert!(told.contains(part), "`{part}` is not in {told}");
        }
        assert!(!told.contains("secret"), "{told}");
    }
}
