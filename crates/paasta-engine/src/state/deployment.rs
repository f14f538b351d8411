//! Deployments: what a change still waits for.

use paasta_core::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::command::{Refusal, Reply, Supply};
use super::outcome::Outcome;
use super::path_id::PathId;
use super::{Definition, Engine};

/// One change on its way.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Deployment {
    /// Its id.
    pub id: String,
    /// The version the app gets.
    pub version: Timestamp,
    /// Which app.
    pub app: PathId,
    /// What it does.
    pub kind: DeploymentKind,
    /// The app's JSON before, to go back to; none for a new app.
    pub before: Option<Map<String, Value>>,
}

/// What a deployment does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeploymentKind {
    /// Starts a new app.
    Start,
    /// Changes the number of instances.
    Scale,
    /// Replaces every task.
    Restart,
    /// Ends an app.
    Stop,
}

impl DeploymentKind {
    /// Marathon's name for the action.
    pub fn action(self) -> &'static str {
        match self {
            DeploymentKind::Start => "StartApplication",
            DeploymentKind::Scale => "ScaleApplication",
            DeploymentKind::Restart => "RestartApplication",
            DeploymentKind::Stop => "StopApplication",
        }
    }
}

impl Deployment {
    /// As `/v2/deployments` shows it.
    pub fn json(&self) -> Value {
        let action = json!({"action": self.kind.action(), "app": self.app});
        json!({
            "id": self.id,
            "version": self.version,
            "affectedApps": [self.app],
            "affectedPods": [],
            "steps": [{"actions": [action.clone()]}],
            "currentActions": [{"action": self.kind.action(), "app": self.app, "readinessCheckResults": []}],
            "currentStep": 1,
            "totalSteps": 1,
        })
    }

    /// As events carry it. The groups before and after are named but not filled.
    fn plan(&self) -> Value {
        let group = json!({"id": "/", "version": self.version, "apps": [], "groups": [], "dependencies": [],
                           "pods": []});
        json!({
            "id": self.id,
            "original": group,
            "target": group,
            "version": self.version,
            "steps": [{"actions": [{"action": self.kind.action(), "app": self.app}]}],
        })
    }
}

impl Engine {
    /// Refuses if a deployment holds the app and `force` does not override it.
    pub(super) fn check_lock(&self, id: &PathId, force: bool) -> Result<(), Refusal> {
        let holders = self.memory.deployments.iter().filter(|d| &d.app == id);
        let deployments: Vec<String> = holders.map(|d| d.id.clone()).collect();
        if force || deployments.is_empty() { Ok(()) } else { Err(Refusal::Locked { deployments }) }
    }

    /// Begins a deployment, ending the one that was under way.
    pub(super) fn deploy(
        &mut self,
        now: Timestamp,
        supply: &mut dyn Supply,
        mut deployment: Deployment,
        out: &mut Outcome,
    ) -> Reply {
        deployment.id = supply.unique();
        self.fail_deployments(now, &deployment.app, out);
        out.must_save = true;
        let step = json!({"actions": [{"action": deployment.kind.action(), "app": deployment.app}]});
        out.publish(now, "deployment_info", json!({"plan": deployment.plan(), "currentStep": step}));
        self.touched.insert(deployment.app.clone());
        let reply = Reply::Deployed { version: deployment.version, deployment: deployment.id.clone() };
        self.memory.deployments.push(deployment);
        reply
    }

    /// Ends an app's deployments as done.
    pub(super) fn finish_deployments(&mut self, now: Timestamp, id: &PathId, out: &mut Outcome) {
        for done in self.take_deployments(id) {
            out.must_save = true;
            out.publish(now, "deployment_step_success", json!({"plan": done.plan()}));
            out.publish(now, "deployment_success", json!({"id": done.id, "plan": done.plan()}));
        }
    }

    /// Ends an app's deployments as given up.
    fn fail_deployments(&mut self, now: Timestamp, id: &PathId, out: &mut Outcome) {
        for gone in self.take_deployments(id) {
            out.publish(now, "deployment_failed", json!({"id": gone.id, "plan": gone.plan()}));
        }
    }

    fn take_deployments(&mut self, id: &PathId) -> Vec<Deployment> {
        let (theirs, others) =
            std::mem::take(&mut self.memory.deployments).into_iter().partition(|d| &d.app == id);
        self.memory.deployments = others;
        theirs
    }

    /// Ends a deployment early. With force the app is left as it is (an app that is going still goes);
    /// otherwise a new deployment goes back to what was before.
    pub(super) fn cancel_deployment(
        &mut self,
        now: Timestamp,
        supply: &mut dyn Supply,
        id: &str,
        force: bool,
        out: &mut Outcome,
    ) -> Result<Reply, Refusal> {
        let known = self.memory.deployments.iter().find(|d| d.id == id).cloned();
        let deployment = known.ok_or_else(|| Refusal::NoDeployment(id.to_owned()))?;
        if force {
            self.fail_deployments(now, &deployment.app, out);
            out.must_save = true;
            return Ok(Reply::Done);
        }
        let Some(before) = deployment.before else {
            return self.delete_app(now, supply, &deployment.app, true, out);
        };
        let definition = Definition::read(&before).map_err(Refusal::Invalid)?;
        let version = self.next_version(now);
        let kind = match deployment.kind {
            DeploymentKind::Restart => DeploymentKind::Restart,
            _ => DeploymentKind::Scale,
        };
        let app = self.memory.apps.get_mut(&deployment.app);
        let app = app.ok_or_else(|| Refusal::NoApp(deployment.app.clone()))?;
        app.deleting = false;
        if kind == DeploymentKind::Restart {
            app.redefine(before, definition, version);
        } else {
            app.scale(definition.instances, version);
        }
        let back = Deployment {
            id: String::new(),
            version,
            app: app.id.clone(),
            kind,
            before: Some(app.raw.clone()),
        };
        Ok(self.deploy(now, supply, back, out))
    }
}
