//! [`Files`] over real folders: watched where the kernel tells of changes, and swept all the same.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::Instant;

use crate::ports::Files;
use crate::watch::{Ear, Stirred, Watch};
use crate::{FileSweep, SweepRoots, Swept};

/// Sweeps over everything may take a twentieth of the time.
const REST_PER_WORK: u32 = 20;
/// However long a sweep takes, the next one begins after this at the latest.
const REST_MAX: Duration = Duration::from_secs(2);
/// After the kernel had more to say than it could keep, a sweep over everything comes not before this.
const OVERFLOW_REST: Duration = Duration::from_secs(1);
/// Watching that failed is tried again.
const WATCH_AGAIN: Duration = Duration::from_secs(300);
/// More folders are swept instead.
const FOLDERS_MAX: usize = 200_000;

/// The configuration files below two folders.
///
/// While they can be watched, [`Files::stirred`] resolves some milliseconds after a change, a sweep looks at the services
/// whose folders were stirred, and at everything only from time to time. Where they cannot be watched, every sweep looks at
/// everything.
#[derive(Debug)]
pub struct ConfigFiles {
    ear: Arc<Ear>,
    sweeps: Arc<Mutex<Sweeps>>,
    tallies: Arc<FileTallies>,
}

/// How configuration files are being looked at.
#[derive(Debug, Default)]
pub struct FileTallies {
    /// Folders that are watched; zero where all are swept instead.
    pub folders_watched: AtomicU64,
    /// Sweeps over everything.
    pub full_sweeps: AtomicU64,
    /// Sweeps over what was stirred.
    pub sweeps_of_stirred: AtomicU64,
    /// Services that a sweep over everything found changed and nothing had been heard of.
    pub unheard: AtomicU64,
}

impl ConfigFiles {
    /// Nothing was looked at yet. While watched, everything is swept every thirty seconds.
    pub fn new(roots: SweepRoots) -> Self {
        Self::with_folders_max(roots, FOLDERS_MAX)
    }

    /// As [`ConfigFiles::new`], with this time between two sweeps over everything while they are watched.
    pub fn with_full_sweep_every(self, every: Duration) -> Self {
        self.sweeps().full_every = every;
        self
    }

    /// How they are being looked at, for as long as they are.
    pub fn tallies(&self) -> Arc<FileTallies> {
        self.tallies.clone()
    }

    fn with_folders_max(roots: SweepRoots, folders_max: usize) -> Self {
        let (ear, tallies) = (Arc::<Ear>::default(), Arc::<FileTallies>::default());
        let sweeps = Sweeps {
            sweep: FileSweep::new(roots),
            watching: Watching::NotYet,
            ear: ear.clone(),
            tallies: tallies.clone(),
            full_every: Duration::from_secs(30),
            folders_max,
            last: None,
            owed: false,
            told: None,
        };
        Self { ear, sweeps: Arc::new(Mutex::new(sweeps)), tallies }
    }

    fn sweeps(&self) -> MutexGuard<'_, Sweeps> {
        self.sweeps.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Files for ConfigFiles {
    async fn sweep(&self) -> Swept {
        if self.sweeps.try_lock().is_ok_and(|sweeps| !sweeps.has_work()) {
            return Swept::default();
        }
        // Looking at files blocks.
        let sweeps = self.sweeps.clone();
        let look = move || sweeps.lock().unwrap_or_else(PoisonError::into_inner).look();
        match tokio::task::spawn_blocking(look).await {
            Ok(swept) => swept,
            Err(error) => {
                tracing::error!(%error, "looking for changed files broke off");
                Swept::default()
            }
        }
    }

    fn rest(&self) -> Option<Duration> {
        self.sweeps.try_lock().ok()?.rest(Instant::now())
    }

    async fn stirred(&self) {
        self.ear.stirred().await
    }
}

#[derive(Debug)]
struct Sweeps {
    sweep: FileSweep,
    watching: Watching,
    ear: Arc<Ear>,
    tallies: Arc<FileTallies>,
    full_every: Duration,
    folders_max: usize,
    /// When the last sweep over everything ended, and what it took.
    last: Option<(Instant, Duration)>,
    /// Whether one more is due.
    owed: bool,
    /// Why it is not watched, as it was told.
    told: Option<String>,
}

enum Watching {
    NotYet,
    On(Watch),
    Off { again_at: Instant },
}

impl std::fmt::Debug for Watching {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Watching::NotYet => "NotYet",
            Watching::On(_) => "On",
            Watching::Off { .. } => "Off",
        })
    }
}

impl Sweeps {
    fn has_work(&self) -> bool {
        self.ear.is_stirred() || self.is_full_due(Instant::now())
    }

    fn is_full_due(&self, now: Instant) -> bool {
        let Some((ended, took)) = self.last else { return true };
        now.saturating_duration_since(ended) >= self.full_after(took)
    }

    /// How long after a sweep over everything that took so long the next one is due.
    fn full_after(&self, took: Duration) -> Duration {
        let rest = (took * REST_PER_WORK).min(REST_MAX);
        match &self.watching {
            Watching::On(_) if self.owed => rest.max(OVERFLOW_REST).min(self.full_every),
            Watching::On(_) => self.full_every,
            _ => rest,
        }
    }

    /// How long nothing has to be looked at that is not heard of.
    fn rest(&self, now: Instant) -> Option<Duration> {
        let (Watching::On(_), Some((ended, took))) = (&self.watching, self.last) else { return None };
        let rest = self.full_after(took).saturating_sub(now.saturating_duration_since(ended));
        // Waits are measured in whole milliseconds.
        Some(rest + Duration::from_millis(1))
    }

    fn look(&mut self) -> Swept {
        let fresh = self.start_watching();
        let stirred = self.ear.take();
        if let Some(reason) = &stirred.broken {
            self.stop_watching(reason.clone());
        }
        self.owed |= stirred.overflowed;
        let swept = match fresh || stirred.all || self.is_full_due(Instant::now()) {
            true => self.look_at_all(&stirred),
            false => self.look_at(&stirred),
        };
        let watched = match &self.watching {
            Watching::On(watch) => match watch.failed().map(str::to_owned) {
                Some(reason) => {
                    self.stop_watching(reason);
                    0
                }
                None => watch.len() as u64,
            },
            _ => 0,
        };
        if watched > 0 && self.told.take().is_some() {
            tracing::info!("watching configuration files again");
        }
        self.tallies.folders_watched.store(watched, Ordering::Relaxed);
        swept
    }

    fn look_at_all(&mut self, stirred: &Stirred) -> Swept {
        self.tallies.full_sweeps.fetch_add(1, Ordering::Relaxed);
        let (begun, first) = (Instant::now(), self.last.is_none());
        let swept = match &mut self.watching {
            Watching::On(watch) => {
                if stirred.all {
                    watch.forget_all();
                } else {
                    watch.forget(&stirred.replaced);
                }
                watch.begin(self.sweep.roots());
                let mut swept = self.sweep.sweep_all(watch);
                watch.end();
                let heard = |name: &str| stirred.services.contains(name) || stirred.overflowed;
                let unheard = swept.services.iter().map(|service| service.as_str());
                let unheard = unheard.filter(|name| !heard(name)).map(str::to_owned).collect();
                if !first && !stirred.all {
                    swept.merge(watch_anew(unheard, watch, &mut self.sweep, &self.tallies));
                }
                swept
            }
            _ => self.sweep.sweep_all(&mut ()),
        };
        let now = Instant::now();
        self.last = Some((now, now.duration_since(begun)));
        self.owed = false;
        swept
    }

    fn look_at(&mut self, stirred: &Stirred) -> Swept {
        let Watching::On(watch) = &mut self.watching else { return Swept::default() };
        if stirred.services.is_empty() && !stirred.system {
            return Swept::default();
        }
        self.tallies.sweeps_of_stirred.fetch_add(1, Ordering::Relaxed);
        let mut services = stirred.services.clone();
        if !stirred.replaced.is_empty() {
            services.extend(watch.forget(&stirred.replaced));
        }
        self.sweep.sweep_some(&services, stirred.system, watch)
    }

    /// Whether it has just begun: what happened until now was not heard.
    fn start_watching(&mut self) -> bool {
        let due = match &self.watching {
            Watching::NotYet => true,
            Watching::On(_) => false,
            Watching::Off { again_at } => *again_at <= Instant::now(),
        };
        if !due {
            return false;
        }
        let roots = self.sweep.roots();
        let remote = [&roots.soa_dir, &roots.system_config_dir].into_iter().find_map(|root| remote(root));
        let watch = match remote {
            Some(reason) => Err(reason),
            None => Watch::new(self.ear.clone(), self.folders_max),
        };
        match watch {
            Ok(watch) => {
                self.watching = Watching::On(watch);
                true
            }
            Err(reason) => {
                self.stop_watching(reason);
                false
            }
        }
    }

    fn stop_watching(&mut self, reason: String) {
        self.watching = Watching::Off { again_at: Instant::now() + WATCH_AGAIN };
        self.ear.close();
        if self.told.as_ref() != Some(&reason) {
            tracing::warn!(
                %reason,
                "cannot watch configuration files and looks at all of them time and again instead: edits are seen a little \
                 later, and looking costs some of a core"
            );
            self.told = Some(reason);
        }
    }
}

/// What was found changed and not heard of may be watched no more: it is entered anew, and looked at once more.
fn watch_anew(
    services: BTreeSet<String>,
    watch: &mut Watch,
    sweep: &mut FileSweep,
    tallies: &FileTallies,
) -> Swept {
    if services.is_empty() {
        return Swept::default();
    }
    tallies.unheard.fetch_add(services.len() as u64, Ordering::Relaxed);
    tracing::debug!(?services, "a sweep found changes that were not heard of");
    let services = watch.forget(&services);
    sweep.sweep_some(&services, false, watch)
}

/// Why nothing would be heard of a folder that other hosts write to.
fn remote(root: &Path) -> Option<String> {
    // Values of statfs(2).
    const REMOTE: [(i64, &str); 9] = [
        (0x6969, "NFS"),
        (0xFF53_4D42, "CIFS"),
        (0xFE53_4D42, "SMB"),
        (0x517B, "SMB"),
        (0x6573_5546, "FUSE"),
        (0x0102_1997, "9P"),
        (0x00C3_6400, "Ceph"),
        (0x5346_414F, "AFS"),
        (0x0BD0_0BD0, "Lustre"),
    ];
    let found = rustix::fs::statfs(root).ok()?;
    let kind = found.f_type & 0xFFFF_FFFF;
    let (_, name) = REMOTE.iter().find(|(number, _)| *number == kind)?;
    Some(format!("`{}` is on {name}, which does not tell what other hosts write", root.display()))
}

#[cfg(test)]
mod tests;
