//! Takes one app out of service, whatever is wanted of its instance (marathon-and-bounce.md §8.2).

use std::collections::BTreeSet;

use paasta_bounce::{HealthParams, Observed, method};
use paasta_config::Wanted;
use paasta_core::{AppId, Homes, LockGuard, Reading, Sighting};

use crate::observe::Statuses;
use crate::{Look, Need, Pass, PassError, PassReport, Target, look, target};

/// What stands in the place of a wanted version: there is none.
const NOTHING: &str = "nothing";

/// One app that is to lose its traffic and then go, by the bounce method `down` and the drain method of its instance.
/// Nothing is changed yet.
pub struct AppDrain<'a> {
    pass: &'a Pass,
    wanted: &'a Wanted,
    target: Target,
    app: AppId,
}

/// An [`AppDrain`] that holds the bounce lock, until it is dropped.
pub struct BegunDrain<'a> {
    drain: AppDrain<'a>,
    _lock: LockGuard,
}

impl Pass {
    /// The drain of this app of the instance in these homes. Other apps of the instance are left alone, and nothing is
    /// created: if the app is the wanted version, whoever keeps the instance as wanted creates it again afterwards.
    ///
    /// # Errors
    /// Settings that cannot be read: without them it is not known how its tasks lose their traffic.
    pub fn drain_app<'a>(
        &'a self,
        wanted: &'a Wanted,
        app: &AppId,
        homes: Homes,
    ) -> Result<AppDrain<'a>, PassError> {
        let mut target = target(wanted, self.renderer.as_ref(), self.drains.as_ref())?;
        target.desired.app = AppId::new(NOTHING);
        target.desired.homes = homes;
        target.desired.instances = 0;
        target.desired.method = method("down").map_err(|source| PassError::BounceMethod {
            instance: wanted.id.clone(),
            position: None,
            source,
        })?;
        // All tasks go, happy or not.
        target.desired.health = HealthParams { check_haproxy: false, ..target.desired.health };
        Ok(AppDrain { pass: self, wanted, target, app: app.clone() })
    }
}

impl<'a> AppDrain<'a> {
    /// The version that is wanted of the instance.
    pub fn wanted_version(&self) -> &AppId {
        &self.target.rendered.app
    }

    /// What the first step would do. Reads only.
    pub async fn look(&self) -> Look {
        let pass = self.pass;
        look(self.sight().await, &self.target, None, &pass.limits, pass.clock.now()).await
    }

    /// Takes the bounce lock, so that nobody works on the instance meanwhile.
    ///
    /// # Errors
    /// Somebody else holds it, or that cannot be known.
    pub async fn begin(self) -> Result<BegunDrain<'a>, PassError> {
        match self.pass.lock(self.wanted).await? {
            Some(lock) => Ok(BegunDrain { drain: self, _lock: lock }),
            None => Err(PassError::Needs {
                instance: self.wanted.id.clone(),
                need: Need::Lock,
                reason: "somebody else works on this instance".to_owned(),
            }),
        }
    }

    /// This app alone. All of its tasks go, so that it does not matter which hosts are about to leave.
    async fn sight(&self) -> Sighting {
        let homes = &self.target.desired.homes;
        let mut sighting = self.pass.engine.observe(&self.wanted.id, homes).await;
        for apps in sighting.homes.values_mut() {
            if let Reading::Known(apps) = apps {
                apps.retain(|app| app.id == self.app);
            }
        }
        sighting.leaving_hosts = Reading::Known(BTreeSet::new());
        sighting
    }
}

impl BegunDrain<'_> {
    /// Does what comes next, once. The report says when to look again; it is steady when the app is gone.
    ///
    /// # Errors
    /// As for [`Pass::run`].
    pub async fn step(&self) -> Result<PassReport, PassError> {
        let AppDrain { pass, wanted, target, app } = &self.drain;
        let mut statuses = Statuses::default();
        let observed: Observed =
            pass.complete(wanted, self.drain.sight().await, target, &mut statuses).await?;
        let mut report = pass.work(&crate::Planner, wanted, target, &observed, &statuses).await?;
        report.app = app.clone();
        Ok(report)
    }
}
