//! What tasks print, through the APIs of their clusters.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;

use futures_util::StreamExt as _;
use paasta_api_client::{ApiClient, StatusQuery, Timeouts};
use paasta_config::InstanceType;
use paasta_core::{InstanceId, LogLevel, LogStream, LogTail, TaskId, chain};
use paasta_deploy::Candidate;

use super::line::{Line, Look};
use crate::api;
use crate::world::World;

/// How many questions are asked at once.
const QUESTIONS_MAX: usize = 10;

/// How many lines of one output are looked at for new ones.
const WINDOW_LINES: usize = 1000;

/// The outputs of some instances' tasks.
pub(super) struct Outputs {
    places: Vec<Place>,
    streams: Vec<LogStream>,
    /// Per task and stream, the end of what was shown already.
    shown: BTreeMap<(String, TaskId, &'static str), Vec<String>>,
    /// What went wrong and was told already.
    told: BTreeSet<String>,
}

/// One instance in one cluster, and whom to ask about it.
struct Place {
    id: InstanceId,
    cluster: String,
    api: Result<ApiClient, String>,
}

/// A task that exists or failed last.
struct Found {
    id: TaskId,
    short: String,
    /// Why it failed, if it did.
    failure: Option<String>,
}

/// What the APIs answered.
struct Answers<'a> {
    ends: Vec<End<'a>>,
    /// What could not be asked.
    problems: Vec<String>,
    /// Why tasks failed that printed nothing.
    notes: Vec<String>,
}

/// The end of one output.
struct End<'a> {
    place: &'a Place,
    task: TaskId,
    short: String,
    stream: LogStream,
    lines: Result<Vec<String>, String>,
}

impl Outputs {
    pub(super) fn new(chosen: &[Candidate], components: &BTreeSet<String>, world: &World) -> Self {
        let marathon = chosen.iter().filter(|one| one.kind == InstanceType::Marathon.as_str());
        let streams = [LogStream::Stdout, LogStream::Stderr];
        Self {
            places: marathon.filter_map(|one| Place::of(one, world)).collect(),
            streams: streams.into_iter().filter(|stream| components.contains(stream.as_str())).collect(),
            shown: BTreeMap::new(),
            told: BTreeSet::new(),
        }
    }

    /// Shows the last lines of each output. False if something could not be asked.
    pub(super) async fn last(
        &mut self,
        lines: usize,
        look: &Look,
        out: &mut dyn Write,
        err: &mut dyn Write,
    ) -> anyhow::Result<bool> {
        let Answers { ends, problems, notes } = self.ends().await;
        let mut shown = BTreeMap::new();
        for end in ends {
            let Ok(window) = &end.lines else { continue };
            for line in window.iter().skip(window.len().saturating_sub(lines)) {
                out.write_all(look.render(&end.line(line)).as_bytes())?;
            }
            shown.insert(end.key(), window.clone());
        }
        self.shown = shown;
        let fine = problems.is_empty();
        self.tell("warning", problems, err)?;
        self.tell("note", notes, err)?;
        Ok(fine)
    }

    /// Shows what was printed since the last look. Tasks that are new begin with all they printed.
    pub(super) async fn new_lines(
        &mut self,
        look: &Look,
        out: &mut dyn Write,
        err: &mut dyn Write,
    ) -> anyhow::Result<()> {
        let Answers { ends, problems, notes } = self.ends().await;
        let mut shown = BTreeMap::new();
        for end in ends {
            let Ok(window) = &end.lines else { continue };
            let before = self.shown.get(&end.key()).map(Vec::as_slice).unwrap_or_default();
            for line in fresh(before, window) {
                out.write_all(look.render(&end.line(line)).as_bytes())?;
            }
            shown.insert(end.key(), window.clone());
        }
        // A task that did not answer now may answer again.
        for (key, window) in shown {
            self.shown.insert(key, window);
        }
        self.tell("warning", problems, err)?;
        self.tell("note", notes, err)
    }

    /// Each text once, however often it comes.
    fn tell(&mut self, kind: &str, texts: Vec<String>, err: &mut dyn Write) -> anyhow::Result<()> {
        for text in texts {
            if self.told.insert(text.clone()) {
                writeln!(err, "{kind}: {text}")?;
            }
        }
        Ok(())
    }

    /// The ends of all outputs of all tasks that exist or failed last.
    async fn ends(&self) -> Answers<'_> {
        let tasks: Vec<_> = self.places.iter().map(tasks_of).collect();
        let tasks: Vec<_> = futures_util::stream::iter(tasks).buffered(QUESTIONS_MAX).collect().await;
        let (mut questions, mut problems, mut failed) = (Vec::new(), Vec::new(), Vec::new());
        for (place, answer) in self.places.iter().zip(tasks) {
            match answer {
                Ok(tasks) => {
                    for Found { id: task, short, failure } in tasks {
                        let each = self
                            .streams
                            .iter()
                            .map(|stream| end(place, short.clone(), task.clone(), *stream));
                        questions.extend(each);
                        failed.extend(failure.map(|message| (place, task, message)));
                    }
                }
                Err(problem) => problems.push(problem),
            }
        }
        let ends: Vec<End<'_>> =
            futures_util::stream::iter(questions).buffered(QUESTIONS_MAX).collect().await;
        problems.extend(ends.iter().filter_map(|end| end.lines.as_ref().err().cloned()));
        let notes = failed
            .into_iter()
            .filter(|(_, task, _)| ends.iter().all(|end| end.task != *task || end.is_empty()))
            .map(|(place, task, message)| {
                let (id, cluster) = (&place.id, &place.cluster);
                format!("task {} of {id} in {cluster} printed nothing: {}", short(&task), message.trim())
            })
            .collect();
        Answers { ends, problems, notes }
    }
}

impl Place {
    fn of(one: &Candidate, world: &World) -> Option<Self> {
        let cluster = one.cluster.parse().ok()?;
        let api = api::client(&cluster, &world.system, Timeouts::default());
        Some(Self {
            id: InstanceId::new(one.service.parse().ok()?, one.instance.parse().ok()?),
            cluster: one.cluster.clone(),
            api: api.map_err(|error| format!("{error:#}")),
        })
    }
}

impl End<'_> {
    fn key(&self) -> (String, TaskId, &'static str) {
        (self.place.cluster.clone(), self.task.clone(), self.stream.as_str())
    }

    fn is_empty(&self) -> bool {
        self.lines.as_ref().is_ok_and(Vec::is_empty)
    }

    fn line(&self, message: &str) -> Line {
        Line {
            at: None,
            component: self.stream.as_str().to_owned(),
            level: LogLevel::Event,
            service: self.place.id.service().to_string(),
            cluster: self.place.cluster.clone(),
            instance: self.place.id.instance().to_string(),
            task: Some(self.short.clone()),
            message: message.to_owned(),
            raw: message.to_owned(),
        }
    }
}

async fn tasks_of(place: &Place) -> Result<Vec<Found>, String> {
    let api = place.api.as_ref().map_err(Clone::clone)?;
    let status = api.status(&place.id, StatusQuery { verbose: 1 }).await;
    let status = status.map_err(|error| chain(&error))?;
    let apps = status.marathon.into_iter().flat_map(|marathon| marathon.app_statuses);
    let mut tasks = Vec::new();
    for app in apps {
        // Of a version whose tasks crash, what the last of them said is all there is to read.
        let lacking = app.instances.is_some_and(|wanted| app.tasks_total < wanted);
        tasks.extend(app.last_failure.filter(|_| lacking).map(|failure| Found {
            short: short(&failure.task_id),
            id: failure.task_id,
            failure: Some(failure.message),
        }));
        let there = app.tasks.into_iter();
        tasks.extend(
            there.filter_map(|task| Some(Found { id: task.task_id?, short: task.id, failure: None })),
        );
    }
    Ok(tasks)
}

fn short(task: &TaskId) -> String {
    task.as_str().rsplit('.').next().unwrap_or_default().to_owned()
}

async fn end(place: &Place, short: String, task: TaskId, stream: LogStream) -> End<'_> {
    let lines = match &place.api {
        Ok(api) => match api.task_log(&place.id, &task, stream, LogTail { lines: WINDOW_LINES }).await {
            Ok(log) => Ok(log.lines),
            // It never started, or ended just now: then it has nothing to say.
            Err(error) if error.status() == Some(404) => Ok(Vec::new()),
            Err(error) => Err(chain(&error)),
        },
        Err(problem) => Err(problem.clone()),
    };
    End { place, task, short, stream, lines }
}

/// What `now`, the end of an output, has that `before`, its end some time ago, had not: all after their longest
/// overlap.
fn fresh<'a>(before: &[String], now: &'a [String]) -> &'a [String] {
    let overlap = (0..before.len()).map(|skip| &before[skip..]).find(|kept| now.starts_with(kept));
    &now[overlap.map_or(0, <[String]>::len)..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_new_is_shown() {
        let lines = |text: &str| text.chars().map(|c| c.to_string()).collect::<Vec<_>>();
        let check =
            |before: &str, now: &str, new: &str| assert_eq!(fresh(&lines(before), &lines(now)), lines(new));
        check("", "ab", "ab");
        check("ab", "ab", "");
        check("ab", "abc", "c");
        check("abc", "bcd", "d");
        check("aaa", "aaab", "b");
        check("abc", "xyz", "xyz");
        check("abc", "", "");
    }
}
