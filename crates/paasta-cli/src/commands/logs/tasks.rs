//! The tasks of one instance in one cluster, as its API tells of them.

use paasta_api_client::{ApiClient, StatusQuery, Timeouts};
use paasta_core::{InstanceId, LogLevel, LogStream, LogTail, TaskId, chain};
use paasta_deploy::Candidate;

use super::line::Line;
use crate::api;
use crate::world::World;

/// One instance in one cluster, and whom to ask about it.
pub(super) struct Place {
    pub(super) id: InstanceId,
    pub(super) cluster: String,
    api: Result<ApiClient, String>,
}

/// A task that exists or failed last.
#[derive(Clone)]
pub(super) struct Found {
    pub(super) id: TaskId,
    pub(super) short: String,
    /// Why it failed, if it did.
    pub(super) failure: Option<String>,
}

/// A part of one output.
pub(super) struct End {
    /// The index of the task's place.
    pub(super) place: usize,
    pub(super) task: TaskId,
    pub(super) short: String,
    pub(super) stream: LogStream,
    pub(super) printed: Result<Printed, String>,
}

/// What a task printed.
#[derive(Default)]
pub(super) struct Printed {
    pub(super) lines: Vec<String>,
    /// Whether the last line has no end yet.
    pub(super) unfinished: bool,
    /// Where to go on, if the engine says so.
    pub(super) next: Option<u64>,
    /// Whether nothing is kept of the task: it never started, or is long gone.
    pub(super) is_missing: bool,
}

impl Place {
    pub(super) fn of(one: &Candidate, world: &World) -> Option<Self> {
        let cluster = one.cluster.parse().ok()?;
        let api = api::client(&cluster, &world.system, Timeouts::default());
        Some(Self {
            id: InstanceId::new(one.service.parse().ok()?, one.instance.parse().ok()?),
            cluster: one.cluster.clone(),
            api: api.map_err(|error| format!("{error:#}")),
        })
    }

    /// Its tasks, or why they could not be asked for.
    pub(super) async fn tasks(&self) -> Result<Vec<Found>, String> {
        let api = self.api.as_ref().map_err(Clone::clone)?;
        let status = api.status(&self.id, StatusQuery { verbose: 1 }).await;
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

    /// A part of one output of one of its tasks. `index` is its own.
    pub(super) async fn end(&self, index: usize, task: &Found, stream: LogStream, tail: LogTail) -> End {
        let printed = match &self.api {
            Ok(api) => match api.task_log(&self.id, &task.id, stream, tail).await {
                Ok(log) => Ok(Printed {
                    lines: log.lines,
                    unfinished: log.unfinished,
                    next: log.next,
                    is_missing: false,
                }),
                // It never started, or ended just now: then it has nothing to say.
                Err(error) if error.status() == Some(404) => {
                    Ok(Printed { is_missing: true, ..Printed::default() })
                }
                Err(error) => Err(chain(&error)),
            },
            Err(problem) => Err(problem.clone()),
        };
        End { place: index, task: task.id.clone(), short: task.short.clone(), stream, printed }
    }
}

impl Found {
    /// Whether it is among those that somebody wrote; nobody wrote means everybody.
    pub(super) fn is_one_of(&self, wanted: &[String]) -> bool {
        wanted.is_empty()
            || wanted.iter().any(|one| self.id.as_str() == one || self.short.starts_with(one.as_str()))
    }

    /// Why it failed without a word, if it did.
    pub(super) fn why(&self, place: &Place) -> Option<String> {
        let message = self.failure.as_ref()?;
        let Place { id, cluster, .. } = place;
        Some(format!("task {} of {id} in {cluster} printed nothing: {}", self.short, message.trim()))
    }
}

impl End {
    pub(super) fn is_empty(&self) -> bool {
        self.printed.as_ref().is_ok_and(|printed| printed.lines.is_empty())
    }

    pub(super) fn line(&self, place: &Place, message: &str) -> Line {
        Line {
            at: None,
            component: self.stream.as_str().to_owned(),
            level: LogLevel::Event,
            service: place.id.service().to_string(),
            cluster: place.cluster.clone(),
            instance: place.id.instance().to_string(),
            task: Some(self.short.clone()),
            message: message.to_owned(),
            raw: message.to_owned(),
        }
    }
}

fn short(task: &TaskId) -> String {
    task.as_str().rsplit('.').next().unwrap_or_default().to_owned()
}
