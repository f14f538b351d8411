//! Listings that checks count: tasks, apps and deployments of every Marathon (monitoring.md §§2.6, 3.3).

use std::collections::BTreeMap;

use futures_util::future::join_all;
use paasta_core::{AppId, HomeId, Reading, Timestamp};
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};

use crate::MarathonEngine;
use crate::wire::WireResult;

/// A task as the listing of all tasks tells it.
#[derive(Clone, Debug, PartialEq)]
pub struct ListedTask {
    /// Of which app.
    pub app: AppId,
    /// When it started to run.
    pub started_at: Option<Timestamp>,
    /// What each of its health checks says; empty where none has come.
    pub results: Vec<bool>,
}

#[derive(Deserialize)]
struct TaskList {
    tasks: Vec<WireListed>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireListed {
    app_id: String,
    started_at: Option<Timestamp>,
    health_check_results: Option<Vec<Option<WireResult>>>,
}

#[derive(Deserialize)]
struct IdList {
    apps: Vec<WireId>,
}

#[derive(Deserialize)]
struct WireId {
    id: String,
}

impl MarathonEngine {
    /// Every task of every Marathon, by one request to each. One that does not answer is unknown.
    pub async fn tasks(&self) -> BTreeMap<HomeId, Reading<Vec<ListedTask>>> {
        self.ask_each("/v2/tasks", |list: TaskList| list.tasks.into_iter().map(listed).collect()).await
    }

    /// The ids of every app of every Marathon, as written there: those in folders, too.
    pub async fn app_ids(&self) -> BTreeMap<HomeId, Reading<Vec<String>>> {
        self.ask_each("/v2/apps", |list: IdList| list.apps.into_iter().map(|app| app.id).collect()).await
    }

    /// How many deployments run at every Marathon.
    pub async fn deployments(&self) -> BTreeMap<HomeId, Reading<usize>> {
        self.ask_each("/v2/deployments", |list: Vec<IgnoredAny>| list.len()).await
    }

    async fn ask_each<L: DeserializeOwned, T>(
        &self,
        path: &str,
        take: impl Fn(L) -> T,
    ) -> BTreeMap<HomeId, Reading<T>> {
        let take = &take;
        let asked = self.clients().map(|(id, client)| async move {
            let reading = match client.get::<L>(path).await {
                Ok(list) => Reading::Known(take(list)),
                Err(error) => Reading::Unknown(error.to_string()),
            };
            (id.clone(), reading)
        });
        join_all(asked).await.into_iter().collect()
    }
}

fn listed(task: WireListed) -> ListedTask {
    let results = task.health_check_results.unwrap_or_default();
    ListedTask {
        app: AppId::new(task.app_id),
        started_at: task.started_at,
        results: results.into_iter().flatten().map(|result| result.alive).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_result_of_a_task_is_kept() {
        let text = r#"{"tasks": [
            {"appId": "/a.b.c.d", "startedAt": "2021-04-10T11:59:01.000Z", "healthCheckResults": [{"alive": true}, null, {"alive": false}]},
            {"appId": "/a.b.c.d", "startedAt": null, "new": 1}]}"#;
        let list: TaskList = serde_json::from_str(text).unwrap();
        let tasks: Vec<_> = list.tasks.into_iter().map(listed).collect();
        assert_eq!(tasks[0].results, [true, false]);
        assert_eq!(tasks[0].app, AppId::new("a.b.c.d"));
        assert!(tasks[0].started_at.is_some());
        assert_eq!((tasks[1].started_at, tasks[1].results.len()), (None, 0));
        for wrong in [r#"{"tasks": {}}"#, "{}", r#"{"tasks": [{}]}"#, "[]"] {
            assert!(serde_json::from_str::<TaskList>(wrong).is_err(), "{wrong}");
        }
    }
}
