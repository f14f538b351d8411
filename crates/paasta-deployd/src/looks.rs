//! How long looks at configuration files take, and which of them does not come back: a network file system that hangs answers
//! with no error.

use std::time::Duration;

use tokio::time::Instant;

use crate::state::{Action, Event};

/// A look that takes longer is taken for stuck: edits are not seen meanwhile.
pub(crate) const LOOK_SECONDS_MAX: u64 = 120;

/// Looks of one kind, of which one is under way at a time.
#[derive(Debug)]
struct Look {
    /// For people.
    name: &'static str,
    begun: Option<Instant>,
    finished: Option<Instant>,
    /// Whether it was told that the one under way is stuck.
    told: bool,
}

impl Look {
    const fn new(name: &'static str) -> Self {
        Self { name, begun: None, finished: None, told: false }
    }

    fn begins(&mut self, now: Instant) {
        self.begun.get_or_insert(now);
    }

    fn ends(&mut self, now: Instant) {
        if std::mem::take(&mut self.told) {
            tracing::info!("{} came to its end", self.name);
        }
        (self.begun, self.finished) = (None, Some(now));
    }

    /// Why it is taken for stuck, if it is.
    fn stuck(&self, now: Instant) -> Option<String> {
        let seconds = now.saturating_duration_since(self.begun?).as_secs();
        (seconds > LOOK_SECONDS_MAX).then(|| {
            format!(
                "{} has been under way for {seconds} s, and no edit is seen meanwhile: does the file system of soa-configs \
                 or of the system config (key `soa_dir`) answer?",
                self.name
            )
        })
    }

    fn warn(&mut self, now: Instant) {
        if !self.told
            && let Some(reason) = self.stuck(now)
        {
            self.told = true;
            tracing::warn!(%reason, "not ready");
        }
    }
}

/// Sweeps over files, and listings of instances.
#[derive(Debug)]
pub(crate) struct Looks {
    sweep: Look,
    listing: Look,
}

impl Default for Looks {
    fn default() -> Self {
        Self {
            sweep: Look::new("a sweep over configuration files"),
            listing: Look::new("a listing of instances"),
        }
    }
}

impl Looks {
    /// The loop heard that. One that it hears nothing for so long of is warned of, once.
    pub(crate) fn heard(&mut self, event: &Event, now: Instant) {
        match event {
            Event::FilesSwept { .. } => self.sweep.ends(now),
            Event::InstancesListed(_) | Event::ListingFailed(_) => self.listing.ends(now),
            _ => {}
        }
        self.sweep.warn(now);
        self.listing.warn(now);
    }

    /// The loop asked for that.
    pub(crate) fn decided(&mut self, action: &Action, now: Instant) {
        match action {
            Action::SweepFiles => self.sweep.begins(now),
            Action::ListInstances(_) => self.listing.begins(now),
            _ => {}
        }
    }

    /// Why one is taken for stuck, if one is.
    pub(crate) fn stuck(&self, now: Instant) -> Option<String> {
        self.sweep.stuck(now).or_else(|| self.listing.stuck(now))
    }

    /// How long ago the last sweep and the last listing ended; none before the first.
    pub(crate) fn ages(&self, now: Instant) -> [Option<Duration>; 2] {
        [&self.sweep, &self.listing].map(|look| Some(now.saturating_duration_since(look.finished?)))
    }

    /// As if those under way had been so since then.
    #[cfg(test)]
    pub(crate) fn hang_since(&mut self, since: Instant) {
        for look in [&mut self.sweep, &mut self.listing] {
            look.begun = look.begun.map(|_| since);
        }
    }

    /// For how long a sweep and a listing are under way; zero where none is.
    pub(crate) fn under_way(&self, now: Instant) -> [Duration; 2] {
        let since = |look: &Look| look.begun.map(|begun| now.saturating_duration_since(begun));
        [&self.sweep, &self.listing].map(|look| since(look).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Listing, Scope};

    #[test]
    fn a_look_is_stuck_after_two_minutes_until_it_ends() {
        let start = Instant::now();
        let after = |seconds: u64| start + Duration::from_secs(seconds);
        let mut looks = Looks::default();
        looks.decided(&Action::ListInstances(Scope::All), start);
        looks.decided(&Action::SweepFiles, after(5));
        looks.heard(&Event::Tick, after(LOOK_SECONDS_MAX));
        assert!(looks.stuck(after(LOOK_SECONDS_MAX)).is_none() && !looks.listing.told);
        assert_eq!(looks.ages(after(1)), [None, None]);
        looks.heard(&Event::Tick, after(121));
        assert!(looks.listing.told && !looks.sweep.told);
        let reason = looks.stuck(after(121)).expect("it is stuck");
        assert!(reason.starts_with("a listing of instances has been under way for 121 s"), "{reason}");
        looks.heard(&Event::InstancesListed(Listing::of(Scope::All, [])), after(122));
        assert!(looks.stuck(after(122)).is_none() && !looks.listing.told);
        assert!(looks.stuck(after(126)).is_some_and(|reason| reason.contains("a sweep")));
        assert_eq!(looks.ages(after(130)), [None, Some(Duration::from_secs(8))]);
        assert_eq!(looks.under_way(after(130)), [Duration::from_secs(125), Duration::ZERO]);
    }
}
