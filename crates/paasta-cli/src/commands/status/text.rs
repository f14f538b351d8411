//! How a status reads. Pure: the same answers at the same time give the same text.

use paasta_api_client::{
    AppStatus, Bounce, DeployStatus, FailureStatus, InstanceStatus, MarathonStatus, TaskHealth, TaskPhase,
    TaskStatus, WantedState,
};
use paasta_core::Timestamp;

use super::report::{Report, TaskOutput};
use crate::age;
use crate::paint::{Paint, Style};
use crate::table::{self, Cell};

/// Healthy tasks of one version beyond this many are counted, not listed, unless `-v` is given.
const HEALTHY_TASKS_LISTED_MAX: usize = 10;

/// What rendering depends on besides the answers.
#[derive(Clone, Copy, Debug)]
pub(super) struct View {
    pub(super) now: Timestamp,
    pub(super) verbose: u8,
    pub(super) paint: Paint,
}

/// All instances, a blank line between them.
pub(super) fn render(reports: &[Report], view: View) -> String {
    let blocks: Vec<String> = reports.iter().map(|report| instance(report, view)).collect();
    blocks.join("\n")
}

fn instance(report: &Report, view: View) -> String {
    let name = view.paint.text(Style::Cyan, format!("{}.{}", report.service, report.instance));
    let mut out = format!("{name} in {}\n", report.cluster);
    match (&report.status, &report.error) {
        (Some(status), _) => out.push_str(&body(status, report, view)),
        (None, Some(error)) => {
            out.push_str(&facts(&[("error", vec![Cell::new(Style::Red, error.message.clone())])], view));
            for cause in &error.causes {
                out.push_str(&facts(&[("", vec![cause.clone().into()])], view));
            }
        }
        (None, None) => {
            let note = format!("a {} instance, which this command does not show yet", report.kind);
            out.push_str(&facts(&[("note", vec![note.into()])], view));
        }
    }
    out
}

fn body(status: &InstanceStatus, report: &Report, view: View) -> String {
    let Some(marathon) = &status.marathon else {
        return facts(&[("note", vec!["the API says nothing of how it does".into()])], view);
    };
    if let Some(error) = &marathon.error_message {
        return facts(&[("error", vec![Cell::new(Style::Red, error.clone())])], view);
    }
    let mut lines = vec![
        ("wanted", vec![wanted(status, marathon)]),
        ("running", running(marathon)),
        ("health", vec![health(marathon)]),
    ];
    if let Some(bounce) = &marathon.bounce {
        lines.push(("bounce", vec![progress(marathon, bounce)]));
        lines.extend(reasons(bounce, view));
    }
    if let Some(scaling) = &marathon.autoscaling_info {
        let limits = format!(
            "{}, {} at least, {} at most",
            scaling.current_instances, scaling.min_instances, scaling.max_instances
        );
        lines.push(("autoscaled", vec![limits.into()]));
    }
    let mut out = facts(&lines, view);
    for app in &marathon.app_statuses {
        out.push('\n');
        out.push_str(&version(app, marathon, report, view));
    }
    out
}

/// Label and value lines, labels aligned.
fn facts(lines: &[(&str, Vec<Cell>)], view: View) -> String {
    let rows: Vec<Vec<Cell>> = lines
        .iter()
        .map(|(label, cells)| {
            std::iter::once(Cell::from(format!("{label:10}"))).chain(cells.iter().cloned()).collect()
        })
        .collect();
    table::render(&rows, 2, view.paint)
}

fn wanted(status: &InstanceStatus, marathon: &MarathonStatus) -> Cell {
    let sha = match status.git_sha.as_str() {
        "" => "nothing deployed".to_owned(),
        sha => sha.to_owned(),
    };
    let config = marathon.desired_app_id.as_ref().and_then(|id| id.as_str().rsplit('.').next());
    let count = marathon.expected_instance_count;
    let state = match (marathon.desired_state, count) {
        (WantedState::Stop, _) => "stopped".to_owned(),
        (WantedState::Start, Some(1)) => "started, 1 task".to_owned(),
        (WantedState::Start, Some(n)) => format!("started, {n} tasks"),
        (WantedState::Start, None) => "started".to_owned(),
    };
    let version = [Some(sha), config.map(str::to_owned)].into_iter().flatten().collect::<Vec<_>>().join(" ");
    Cell::new(Style::Bold, format!("{version}, {state}"))
}

fn running(marathon: &MarathonStatus) -> Vec<Cell> {
    let versions: Vec<String> = marathon.app_statuses.iter().map(version_name).collect();
    let total = marathon.running_instance_count.unwrap_or(0);
    match versions.as_slice() {
        _ if total == 0 => vec!["nothing".into()],
        [] => vec![tasks(total).into()],
        [one] => vec![format!("{one}, {}", tasks(total)).into()],
        many => vec![format!("{} versions, {} in all", many.len(), tasks(total)).into()],
    }
}

fn health(marathon: &MarathonStatus) -> Cell {
    let expected = marathon.expected_instance_count.unwrap_or(0);
    let running = marathon.running_instance_count.unwrap_or(0);
    let healthy: usize = marathon.app_statuses.iter().map(|app| app.tasks_healthy).sum();
    let (style, word) = match (expected, healthy) {
        (0, _) if running == 0 => (Style::Plain, "Stopped"),
        (0, _) => (Style::Yellow, "Stopping"),
        (_, 0) => (Style::Red, "Critical"),
        (expected, healthy) if healthy >= expected => (Style::Green, "Healthy"),
        _ => (Style::Yellow, "Warning"),
    };
    let engine = match (marathon.deploy_status, marathon.backoff_seconds) {
        (Some(DeployStatus::Delayed), Some(left)) => {
            format!(", Delayed: tasks crash, next start in {left:.0}s")
        }
        (Some(DeployStatus::Waiting), _) => ", Waiting for room on a host".to_owned(),
        (Some(status), _) => format!(", {}", status.as_str()),
        (None, _) => String::new(),
    };
    let counts = match healthy > expected {
        true => format!("{healthy} healthy, {expected} wanted"),
        false => format!("{healthy}/{expected} healthy"),
    };
    Cell::new(style, format!("{word} ({counts}{engine})"))
}

fn progress(marathon: &MarathonStatus, bounce: &Bounce) -> Cell {
    let method = &marathon.bounce_method;
    if !bounce.in_progress {
        return format!("{method}, done").into();
    }
    let parts = [
        Some(format!("{} of {} new serve", bounce.happy_new, bounce.wanted)),
        count(bounce.old_happy, "old serving"),
        count(bounce.old_at_risk, "on leaving hosts"),
        count(bounce.old_unhappy, "old unhealthy"),
        count(bounce.old_draining, "draining"),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    Cell::new(Style::Yellow, format!("{method}, under way: {}", parts.join(", ")))
}

fn count(n: usize, what: &str) -> Option<String> {
    (n > 0).then(|| format!("{n} {what}"))
}

fn reasons(bounce: &Bounce, view: View) -> Vec<(&'static str, Vec<Cell>)> {
    let label = |index| if index == 0 { "waits for" } else { "" };
    let mut lines: Vec<_> = bounce
        .why
        .iter()
        .enumerate()
        .map(|(index, why)| (label(index), vec![Cell::from(why.message.clone())]))
        .collect();
    if let Some(at) = bounce.look_again_at.filter(|_| !lines.is_empty()) {
        let next = match at > view.now {
            true => format!("looks again in {}", age::short(at.since(view.now))),
            false => "looks again now".to_owned(),
        };
        lines.push(("", vec![Cell::new(Style::Grey, next)]));
    }
    lines
}

fn version(app: &AppStatus, marathon: &MarathonStatus, report: &Report, view: View) -> String {
    let wanted = app.id.is_some() && app.id == marathon.desired_app_id;
    let mut title = format!("version {}", version_name(app));
    if !wanted {
        title.push_str(" (old)");
    }
    let mut facts =
        vec![format!("{} of {} running", app.tasks_running, app.instances.unwrap_or(app.tasks_total))];
    facts.extend(count(app.tasks_healthy, "healthy"));
    facts.extend(count(app.tasks_staged, "starting"));
    facts.extend(app.create_timestamp.map(|at| format!("created {} ago", age::since(at, view.now))));
    if let Some(status) = app.deploy_status.filter(|status| *status != DeployStatus::Running) {
        facts.push(status.as_str().to_owned());
    }
    let style = if wanted { Style::Bold } else { Style::Plain };
    let mut out = format!("  {}: {}\n", view.paint.text(style, title), facts.join(", "));
    if let (true, Some(id)) = (view.verbose > 0, &app.id) {
        out.push_str(&format!("    app id {id}\n"));
    }
    if let Some(failure) = last_failure(app, marathon) {
        let age =
            failure.timestamp.map(|at| format!(" {} ago", age::since(at, view.now))).unwrap_or_default();
        let message = view.paint.text(Style::Red, failure.message.trim());
        out.push_str(&format!("    last failed{age}: {message}\n"));
    }
    for (reason, n) in &app.unused_offer_reason_counts {
        out.push_str(&format!("    refused {n} offers: {reason}\n"));
    }
    out.push_str(&tasks_of(app, report, view));
    out
}

/// Why its last task failed, for as long as the version is not well and the bounce does not say it.
fn last_failure<'a>(app: &'a AppStatus, marathon: &MarathonStatus) -> Option<&'a FailureStatus> {
    let well = app.instances.is_some_and(|wanted| app.tasks_healthy >= wanted);
    let why = || marathon.bounce.iter().flat_map(|bounce| &bounce.why);
    let said = |failure: &FailureStatus| why().any(|why| why.message.contains(&failure.message));
    app.last_failure.as_ref().filter(|failure| !well && !said(failure))
}

fn tasks_of(app: &AppStatus, report: &Report, view: View) -> String {
    let (well, ill): (Vec<_>, Vec<_>) = app.tasks.iter().partition(|task| state(task) == State::Healthy);
    let hidden = match view.verbose {
        0 if well.len() > HEALTHY_TASKS_LISTED_MAX => well.len() - HEALTHY_TASKS_LISTED_MAX,
        _ => 0,
    };
    let shown: Vec<&TaskStatus> = ill.into_iter().chain(well.into_iter().skip(hidden)).collect();
    let rows: Vec<Vec<Cell>> = shown.iter().map(|task| task_row(task, view)).collect();
    let lines = table::render(&rows, 4, view.paint);
    let mut out = String::new();
    for (line, task) in lines.lines().zip(&shown) {
        out.push_str(line);
        out.push('\n');
        for output in report.output_of(task) {
            out.push_str(&tail(output, view));
        }
    }
    if hidden > 0 {
        out.push_str(&format!("    and {hidden} more healthy tasks (-v lists them)\n"));
    }
    out
}

fn task_row(task: &TaskStatus, view: View) -> Vec<Cell> {
    let id = match (view.verbose, &task.task_id) {
        (1.., Some(whole)) => whole.to_string(),
        _ => task.id.clone(),
    };
    let place = match (&task.host, task.port) {
        (Some(host), Some(port)) => format!("{host}:{port}"),
        (Some(host), None) => host.clone(),
        (None, _) => "no host yet".to_owned(),
    };
    let age = task.deployed_timestamp.map_or_else(|| "-".to_owned(), |at| age::since(at, view.now));
    let (style, word) = state(task).shown();
    vec![id.into(), place.into(), age.into(), Cell::new(style, word)]
}

/// What one word says of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Healthy,
    Unhealthy,
    Unchecked,
    Draining,
    Starting,
    Unreachable,
    Ending,
}

fn state(task: &TaskStatus) -> State {
    match (task.phase, task.health, task.is_healthy) {
        (Some(TaskPhase::Staging), _, _) => State::Starting,
        (Some(TaskPhase::Killing), _, _) => State::Ending,
        (Some(TaskPhase::Unreachable), _, _) => State::Unreachable,
        (_, Some(TaskHealth::Draining), _) => State::Draining,
        (_, Some(TaskHealth::Healthy), _) | (_, None, Some(true)) => State::Healthy,
        (_, Some(TaskHealth::Unhealthy), _) | (_, None, Some(false)) => State::Unhealthy,
        (_, Some(TaskHealth::Unchecked), _) | (_, None, None) => State::Unchecked,
    }
}

impl State {
    fn shown(self) -> (Style, &'static str) {
        match self {
            State::Healthy => (Style::Green, "healthy"),
            State::Unhealthy => (Style::Red, "unhealthy"),
            State::Unchecked => (Style::Grey, "no health result"),
            State::Draining => (Style::Yellow, "draining"),
            State::Starting => (Style::Yellow, "starting"),
            State::Unreachable => (Style::Red, "host unreachable"),
            State::Ending => (Style::Grey, "ending"),
        }
    }
}

fn tail(output: &TaskOutput, view: View) -> String {
    let name = output.stream.as_str();
    match &output.lines {
        Err(error) => format!("      {name}: {}\n", view.paint.text(Style::Red, error.as_str())),
        Ok(lines) if lines.is_empty() => format!("      {name}: none\n"),
        Ok(lines) => lines.iter().fold(String::new(), |text, line| format!("{text}      {name}: {line}\n")),
    }
}

fn version_name(app: &AppStatus) -> String {
    let parts = [&app.git_sha, &app.config_sha].map(|part| part.as_deref().unwrap_or("?"));
    format!("{} config{}", parts[0], parts[1])
}

fn tasks(n: usize) -> String {
    if n == 1 { "1 task".to_owned() } else { format!("{n} tasks") }
}
