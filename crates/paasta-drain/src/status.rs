//! How a task stands with its traffic, and what follows from that. Pure.

use paasta_core::Timestamp;

/// What one question about a task came to.
#[derive(Clone, Debug, PartialEq)]
pub struct DrainStatus {
    /// Whether traffic is being taken off.
    pub state: DrainState,
    /// When it may be killed.
    pub safe: SafeToKill,
}

/// Whether a task still gets traffic.
#[derive(Clone, Debug, PartialEq)]
pub enum DrainState {
    /// It gets traffic, as far as the method knows.
    Serving,
    /// At least one of its registrations is taken out.
    Draining {
        /// Since when the last of them is out; `None` where nobody wrote that down.
        since: Option<Timestamp>,
        /// When the first of them comes back by itself; `None` if none does.
        until: Option<Timestamp>,
        /// Why, in the words of whoever did it.
        reason: Option<String>,
        /// Whether all that is out was taken out by PaaSTA. What an operator took out stays out.
        by_us: bool,
    },
}

/// When a task may be killed without losing requests.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum SafeToKill {
    /// At any time.
    Now,
    /// At any time later than this, and not at this very moment.
    After(Timestamp),
    /// Not as things stand.
    NotYet,
}

/// How long draining takes and lasts.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct DrainTiming {
    /// Seconds from a drain until the task is safe to kill; `None` if only asking tells.
    pub delay_seconds: Option<f64>,
    /// Seconds from a drain until it ends by itself; `None` if it does not.
    pub expiration_seconds: Option<f64>,
}

/// A drain that ends sooner than this is not built upon; of one that lasts shortly, a quarter.
const LASTS_SECONDS: f64 = 10.0;

impl DrainStatus {
    /// It gets traffic, and killing it loses some.
    pub const SERVING: DrainStatus = DrainStatus { state: DrainState::Serving, safe: SafeToKill::NotYet };

    /// Whether traffic is being taken off.
    pub fn is_draining(&self) -> bool {
        matches!(self.state, DrainState::Draining { .. })
    }

    /// Whether PaaSTA may give the traffic back: it is draining, and by our own hand alone.
    pub fn is_ours(&self) -> bool {
        matches!(self.state, DrainState::Draining { by_us: true, .. })
    }

    /// Whether it may be killed at `now`. A drain that has ended by then makes nothing safe: who was asked before that
    /// could not know.
    pub fn is_safe_to_kill(&self, now: Timestamp) -> bool {
        if self.ends().is_some_and(|end| end <= now) {
            return false;
        }
        match self.safe {
            SafeToKill::Now => true,
            SafeToKill::After(when) => now > when,
            SafeToKill::NotYet => false,
        }
    }

    fn ends(&self) -> Option<Timestamp> {
        match self.state {
            DrainState::Draining { until, .. } => until,
            DrainState::Serving => None,
        }
    }

    /// When it makes sense to ask again, if time alone changes the answer: the first moment at which it is safe
    /// to kill, or at which a drain has to be renewed, whichever comes first after `now`.
    pub fn look_again(&self, timing: &DrainTiming, now: Timestamp) -> Option<Timestamp> {
        let safe = match self.safe {
            SafeToKill::After(when) => Some(Timestamp::from_millis(when.millis().saturating_add(1))),
            SafeToKill::Now | SafeToKill::NotYet => None,
        };
        let renewal = timing.renew_at(self);
        [safe, renewal].into_iter().flatten().filter(|when| *when > now).min()
    }
}

impl DrainTiming {
    /// What a task's status is right after a drain at `now` that succeeded, where it was serving before; `None`
    /// if only asking tells. Spares the question.
    pub fn fresh(&self, now: Timestamp) -> Option<DrainStatus> {
        let delay = self.delay_seconds?;
        Some(DrainStatus {
            state: DrainState::Draining {
                since: Some(now),
                until: self.expiration_seconds.map(|seconds| now.plus_seconds(seconds)),
                reason: Some(crate::REASON.to_owned()),
                by_us: true,
            },
            safe: if delay > 0.0 { SafeToKill::After(now.plus_seconds(delay)) } else { SafeToKill::Now },
        })
    }

    /// What becomes of the status of a draining task when its drain is renewed at `now`: it lasts longer, and began when
    /// it began.
    pub fn renewed(&self, status: &DrainStatus, now: Timestamp) -> DrainStatus {
        let mut renewed = status.clone();
        if let DrainState::Draining { until, .. } = &mut renewed.state {
            *until = self.expiration_seconds.map(|seconds| now.plus_seconds(seconds));
        }
        renewed
    }

    /// Whether a drain lasts long enough for what follows from it at `now`: calls take their time, and a drain that is
    /// renewed after its end begins anew, with a task that got traffic in between.
    pub fn lasts(&self, status: &DrainStatus, now: Timestamp) -> bool {
        let lifetime = self.expiration_seconds.unwrap_or(f64::INFINITY);
        let margin = (lifetime / 4.0).min(LASTS_SECONDS);
        status.ends().is_none_or(|end| end > now.plus_seconds(margin))
    }

    /// Whether a drain of ours that is still wanted should be sent again, so that it cannot end unseen: less
    /// than half of its time is left.
    pub fn renewal_due(&self, status: &DrainStatus, now: Timestamp) -> bool {
        self.renew_at(status).is_some_and(|when| now >= when)
    }

    fn renew_at(&self, status: &DrainStatus) -> Option<Timestamp> {
        match &status.state {
            DrainState::Draining { until: Some(until), by_us: true, .. } => {
                Some(until.plus_seconds(-self.expiration_seconds? / 2.0))
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMING: DrainTiming = DrainTiming { delay_seconds: Some(60.0), expiration_seconds: Some(600.0) };

    fn at(seconds: f64) -> Timestamp {
        Timestamp::from_seconds(seconds)
    }

    #[test]
    fn sixty_seconds_sharp_is_not_yet_safe() {
        let status = TIMING.fresh(at(1000.0)).expect("the delay is known");
        assert!(status.is_draining() && status.is_ours());
        for (now, safe) in [(1000.0, false), (1060.0, false), (1060.001, true), (1599.0, true)] {
            assert_eq!(status.is_safe_to_kill(at(now)), safe, "at {now}");
        }
    }

    #[test]
    fn a_drain_is_renewed_at_half_time_and_only_ours() {
        let ours = TIMING.fresh(at(1000.0)).expect("the delay is known");
        assert!(!TIMING.renewal_due(&ours, at(1299.0)));
        assert!(TIMING.renewal_due(&ours, at(1300.0)));
        let theirs = DrainStatus {
            state: DrainState::Draining { since: None, until: Some(at(1001.0)), reason: None, by_us: false },
            safe: SafeToKill::Now,
        };
        assert!(!TIMING.renewal_due(&theirs, at(1000.0)));
    }

    #[test]
    fn one_looks_again_when_time_alone_changes_something() {
        let status = TIMING.fresh(at(1000.0)).expect("the delay is known");
        assert_eq!(status.look_again(&TIMING, at(1000.0)), Some(at(1060.001)));
        assert_eq!(status.look_again(&TIMING, at(1100.0)), Some(at(1300.0)));
        assert_eq!(status.look_again(&TIMING, at(1300.0)), None);
        assert_eq!(DrainStatus::SERVING.look_again(&TIMING, at(0.0)), None);
    }

    #[test]
    fn a_renewed_drain_is_renewed_again_before_it_ends_however_short_it_lasts() {
        let timing = DrainTiming { delay_seconds: Some(40.0), expiration_seconds: Some(25.0) };
        let drained = timing.fresh(at(1000.0)).expect("the delay is known");
        assert_eq!(drained.look_again(&timing, at(1000.0)), Some(at(1012.5)));
        assert_eq!(drained.look_again(&timing, at(1012.5)), Some(at(1040.001)));
        let renewed = timing.renewed(&drained, at(1012.5));
        assert_eq!(renewed.look_again(&timing, at(1012.5)), Some(at(1025.0)));
        assert!(!renewed.is_safe_to_kill(at(1040.001)), "it ended at 1037.5");
        let again = timing.renewed(&renewed, at(1025.0));
        assert!(again.is_safe_to_kill(at(1040.001)));
    }

    /// Its hacheck was asked before the end, and others took long to answer.
    #[test]
    fn a_drain_that_has_ended_or_soon_will_makes_nothing_safe() {
        let status = TIMING.fresh(at(1000.0)).expect("the delay is known");
        for (now, safe, lasts) in [
            (1100.0, true, true),
            (1589.9, true, true),
            (1590.0, true, false),
            (1599.9, true, false),
            (1600.0, false, false),
        ] {
            let found = (status.is_safe_to_kill(at(now)), TIMING.lasts(&status, at(now)));
            assert_eq!(found, (safe, lasts), "at {now}");
        }
        let short = DrainTiming { delay_seconds: Some(1.0), expiration_seconds: Some(8.0) };
        let status = short.fresh(at(1000.0)).expect("the delay is known");
        assert!(short.lasts(&status, at(1005.9)) && !short.lasts(&status, at(1006.0)));
        assert!(TIMING.lasts(&DrainStatus::SERVING, at(1000.0)));
    }

    #[test]
    fn without_a_delay_a_drained_task_is_safe_at_once() {
        let timing = DrainTiming { delay_seconds: Some(0.0), expiration_seconds: None };
        assert!(timing.fresh(at(5.0)).expect("known").is_safe_to_kill(at(5.0)));
        assert_eq!(DrainTiming::default().fresh(at(5.0)), None);
    }
}
