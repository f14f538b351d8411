//! What tasks print, through the APIs of their clusters.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;

use futures_util::StreamExt as _;
use paasta_config::InstanceType;
use paasta_core::{LogStream, LogTail, TaskId};
use paasta_deploy::Candidate;

use super::line::Look;
use super::tasks::{End, Found, Place, Printed};
use crate::world::World;

/// How many questions are asked at once.
const QUESTIONS_MAX: usize = 10;
/// How many lines of one output are asked for at once while it is followed.
const FOLLOW_LINES: usize = 1000;
/// So often in a row, and then the others have their turn.
const FOLLOW_ROUNDS: usize = 10;

/// The outputs of some instances' tasks.
pub(super) struct Outputs {
    places: Vec<Place>,
    streams: Vec<LogStream>,
    /// The tasks that are wanted, as somebody wrote them; all if there is none.
    wanted: Vec<String>,
    /// How far each output was shown.
    shown: BTreeMap<Output, Shown>,
    /// What went wrong and was told already.
    told: BTreeSet<String>,
}

/// One output of one task: the index of its place, the task, and which output.
type Output = (usize, TaskId, &'static str);

/// How far an output was shown.
struct Shown {
    short: String,
    stream: LogStream,
    /// Where to go on; none if the engine does not say.
    next: Option<u64>,
}

/// The tasks there are, and what could not be asked.
#[derive(Default)]
struct Listing {
    tasks: Vec<(usize, Found)>,
    /// The places that answered.
    answered: BTreeSet<usize>,
    problems: Vec<String>,
}

impl Outputs {
    pub(super) fn new(
        chosen: &[Candidate],
        components: &BTreeSet<String>,
        wanted: &[String],
        world: &World,
    ) -> Self {
        let marathon = chosen.iter().filter(|one| one.kind == InstanceType::Marathon.as_str());
        let streams = [LogStream::Stdout, LogStream::Stderr];
        Self {
            places: marathon.filter_map(|one| Place::of(one, world)).collect(),
            streams: streams.into_iter().filter(|stream| components.contains(stream.as_str())).collect(),
            wanted: wanted.to_vec(),
            shown: BTreeMap::new(),
            told: BTreeSet::new(),
        }
    }

    /// Says whom it will ask.
    pub(super) fn say_where(&self, verbose: bool, err: &mut dyn Write) -> std::io::Result<()> {
        for place in self.places.iter().filter(|_| verbose) {
            writeln!(err, "note: the tasks of {} are asked for at the API of {}", place.id, place.cluster)?;
        }
        Ok(())
    }

    /// Shows the last lines of each output. A line that has no end yet is left to those that follow. False if something
    /// could not be asked.
    pub(super) async fn last(
        &mut self,
        lines: usize,
        follow: bool,
        look: &Look,
        out: &mut dyn Write,
        err: &mut dyn Write,
    ) -> anyhow::Result<bool> {
        let Listing { tasks, mut problems, answered } = self.list().await;
        let ends = self.ask(&tasks, LogTail::last(lines)).await;
        let mut printed: BTreeMap<usize, usize> = BTreeMap::new();
        for end in &ends {
            match &end.printed {
                Ok(log) => {
                    let whole = log.lines.len() - usize::from(follow && log.unfinished).min(log.lines.len());
                    for line in log.lines[..whole].iter().skip(log.lines.len().saturating_sub(lines)) {
                        out.write_all(look.render(&end.line(&self.places[end.place], line)).as_bytes())?;
                    }
                    *printed.entry(end.place).or_default() += log.lines.len();
                    self.shown.insert(end.key(), end.shown(log.next));
                }
                Err(problem) => problems.push(problem.clone()),
            }
        }
        let notes = if follow { Vec::new() } else { self.why_nothing(&answered, &tasks, &ends, &printed) };
        let notes = why_failed(&self.places, &tasks, &ends).chain(notes).collect();
        let fine = problems.is_empty();
        self.tell("warning", problems, err)?;
        self.tell("note", notes, err)?;
        Ok(fine)
    }

    /// Shows what was printed since the last look. Tasks that are new begin with all they printed; of those that are gone
    /// the last words are shown.
    pub(super) async fn new_lines(
        &mut self,
        look: &Look,
        out: &mut dyn Write,
        err: &mut dyn Write,
    ) -> anyhow::Result<()> {
        let Listing { tasks, mut problems, answered } = self.list().await;
        let mut current = BTreeSet::new();
        for (place, found) in &tasks {
            for stream in &self.streams {
                let key = (*place, found.id.clone(), stream.as_str());
                let new = || Shown { short: found.short.clone(), stream: *stream, next: Some(0) };
                self.shown.entry(key.clone()).or_insert_with(new);
                current.insert(key);
            }
        }
        let gone: BTreeSet<Output> = self
            .shown
            .keys()
            .filter(|key| answered.contains(&key.0) && !current.contains(*key))
            .cloned()
            .collect();
        let mut keys: Vec<Output> = self.shown.keys().cloned().collect();
        for _ in 0..FOLLOW_ROUNDS {
            for (position, end) in self.ask_from(&std::mem::take(&mut keys), &mut problems).await {
                let is_gone = gone.contains(&end.key());
                match &end.printed {
                    Err(problem) => problems.push(problem.clone()),
                    Ok(log)
                        if self.show_new((position, &end, log), is_gone, look, (&mut *out, &mut *err))? =>
                    {
                        keys.push(end.key());
                    }
                    Ok(_) if is_gone => drop(self.shown.remove(&end.key())),
                    Ok(_) => {}
                }
            }
        }
        let notes = tasks.iter().filter_map(|(place, found)| self.why_failed_so_far(*place, found)).collect();
        self.tell("warning", problems, err)?;
        self.tell("note", notes, err)
    }

    /// What is new of these outputs, and from where on.
    async fn ask_from(&self, keys: &[Output], problems: &mut Vec<String>) -> Vec<(u64, End)> {
        let mut questions = Vec::new();
        for key in keys {
            let (index, task, _) = key;
            let (place, Some(shown)) = (&self.places[*index], self.shown.get(key)) else { continue };
            let Some(position) = shown.next else {
                let Place { cluster, .. } = place;
                problems.push(format!(
                    "what tasks print in {cluster} cannot be followed: its API does not say how far it was read"
                ));
                continue;
            };
            let found = Found { id: task.clone(), short: shown.short.clone(), failure: None };
            let (index, stream, tail) = (*index, shown.stream, LogTail::after(position, FOLLOW_LINES));
            questions.push(async move { (position, place.end(index, &found, stream, tail).await) });
        }
        futures_util::stream::iter(questions).buffered(QUESTIONS_MAX).collect().await
    }

    /// Shows what is new of one output; whether there may be more.
    fn show_new(
        &mut self,
        (position, end, log): (u64, &End, &Printed),
        is_gone: bool,
        look: &Look,
        (out, err): (&mut dyn Write, &mut dyn Write),
    ) -> anyhow::Result<bool> {
        // What is not there may be there the next time.
        let next = log.next.or(log.is_missing.then_some(position));
        if next.is_some_and(|next| next < position) {
            let short = &end.short;
            writeln!(err, "note: the log of task {short} was turned over; lines from before may be missing")?;
        }
        let kept_back = usize::from(log.unfinished && !is_gone).min(log.lines.len());
        for line in &log.lines[..log.lines.len() - kept_back] {
            out.write_all(look.render(&end.line(&self.places[end.place], line)).as_bytes())?;
        }
        if let Some(shown) = self.shown.get_mut(&end.key()) {
            shown.next = next;
        }
        Ok(log.lines.len() >= FOLLOW_LINES && next != Some(position))
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

    /// All wanted tasks that exist or failed last.
    async fn list(&self) -> Listing {
        let asked: Vec<_> = self.places.iter().map(Place::tasks).collect();
        let answers: Vec<_> = futures_util::stream::iter(asked).buffered(QUESTIONS_MAX).collect().await;
        let mut listing = Listing::default();
        for (place, answer) in answers.into_iter().enumerate() {
            match answer {
                Ok(tasks) => {
                    listing.answered.insert(place);
                    let wanted = tasks.into_iter().filter(|found| found.is_one_of(&self.wanted));
                    listing.tasks.extend(wanted.map(|found| (place, found)));
                }
                Err(problem) => listing.problems.push(problem),
            }
        }
        listing
    }

    async fn ask(&self, tasks: &[(usize, Found)], tail: LogTail) -> Vec<End> {
        let one = |(place, found): &(usize, Found), stream: LogStream| {
            let (place, found) = (*place, found.clone());
            async move { self.places[place].end(place, &found, stream, tail).await }
        };
        let questions: Vec<_> =
            tasks.iter().flat_map(|task| self.streams.iter().map(move |stream| one(task, *stream))).collect();
        futures_util::stream::iter(questions).buffered(QUESTIONS_MAX).collect().await
    }

    /// Says of each place that showed nothing why it did not.
    fn why_nothing(
        &self,
        answered: &BTreeSet<usize>,
        tasks: &[(usize, Found)],
        ends: &[End],
        printed: &BTreeMap<usize, usize>,
    ) -> Vec<String> {
        if self.places.is_empty() {
            return vec!["nothing of what was asked for runs as tasks whose output is kept".to_owned()];
        }
        let streams: Vec<_> = self.streams.iter().map(|stream| stream.as_str()).collect();
        let streams = streams.join(" or ");
        let mut notes = Vec::new();
        for place in answered {
            let Place { id, cluster, .. } = &self.places[*place];
            let count = tasks.iter().filter(|(of, _)| of == place).count();
            let has_failed = ends.iter().any(|end| end.place == *place && end.printed.is_err());
            let explained = tasks.iter().any(|(of, found)| of == place && found.failure.is_some());
            match count {
                0 if self.wanted.is_empty() => notes.push(format!("{id} has no tasks in {cluster}")),
                0 => notes.push(format!("{id} has no such task in {cluster}: {}", self.wanted.join(", "))),
                _ if printed.get(place).copied().unwrap_or(0) > 0 || has_failed || explained => {}
                1 => notes.push(format!("the task of {id} in {cluster} has printed nothing to {streams}")),
                count => notes.push(format!(
                    "the {count} tasks of {id} in {cluster} have printed nothing to {streams}"
                )),
            }
        }
        notes
    }

    /// Why a task failed of which nothing was shown.
    fn why_failed_so_far(&self, place: usize, found: &Found) -> Option<String> {
        let has_printed = self.shown.iter().any(|((of, task, _), shown)| {
            *of == place && *task == found.id && shown.next.is_some_and(|next| next > 0)
        });
        (!has_printed).then(|| found.why(&self.places[place])).flatten()
    }
}

impl End {
    fn key(&self) -> Output {
        (self.place, self.task.clone(), self.stream.as_str())
    }

    fn shown(&self, next: Option<u64>) -> Shown {
        let is_missing = self.printed.as_ref().is_ok_and(|printed: &Printed| printed.is_missing);
        let next = next.or(is_missing.then_some(0));
        Shown { short: self.short.clone(), stream: self.stream, next }
    }
}

/// Why tasks failed that printed nothing.
fn why_failed<'a>(
    places: &'a [Place],
    tasks: &'a [(usize, Found)],
    ends: &'a [End],
) -> impl Iterator<Item = String> + 'a {
    let silent = |task: &TaskId| ends.iter().all(|end| end.task != *task || end.is_empty());
    tasks
        .iter()
        .filter(move |(_, found)| silent(&found.id))
        .filter_map(|(place, found)| found.why(&places[*place]))
}
