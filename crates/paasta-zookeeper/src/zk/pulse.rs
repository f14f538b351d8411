//! How long after a heartbeat a session may be relied on.

use std::time::Duration;

use paasta_core::Fenced;

/// Decides from heartbeats alone whether a change may start. Times are readings of one monotonic clock.
///
/// The servers end a session `timeout` after they last heard of it. They heard of it when they answered, so not before
/// the question was sent: from that moment on nothing may start once `timeout − margin` has passed. The margin is for
/// what was begun to connect (a second at most) and arrive, and for a follower that tells its leader late of whom it heard.
#[derive(Clone, Debug)]
pub struct Pulse {
    timeout: Duration,
    margin: Duration,
    confirmed: Option<Duration>,
    over: Option<String>,
}

impl Pulse {
    /// Of a session with the timeout that the servers granted.
    pub fn new(timeout: Duration, margin: Duration) -> Self {
        Self { timeout, margin, confirmed: None, over: None }
    }

    /// How long one heartbeat lasts.
    pub fn window(&self) -> Duration {
        self.timeout.saturating_sub(self.margin)
    }

    /// How far heartbeats are apart; each is sent once the one before it was answered or has failed. An answer may take as
    /// long as what is left of the window, half of it at least: one that takes longer closes the fence until it is there, and
    /// so does one that fails where the window is half of the timeout or less, as by default. With more than that, one may fail
    /// at once.
    pub fn beat(&self) -> Duration {
        (self.window() / 2).min(self.timeout / 4).max(Duration::from_millis(10))
    }

    /// The servers answered what was sent then. Answers may come in any order.
    pub fn confirm(&mut self, sent: Duration) {
        self.confirmed = self.confirmed.max(Some(sent));
    }

    /// The session is over, for good.
    pub fn end(&mut self, reason: &str) {
        self.over.get_or_insert_with(|| reason.to_owned());
    }

    /// Why it is over, if it is.
    pub fn over(&self) -> Option<&str> {
        self.over.as_deref()
    }

    /// Until when a change may start, as far as is known; `None` if none may at all.
    pub fn open_until(&self) -> Option<Duration> {
        match (&self.over, self.confirmed) {
            (None, Some(confirmed)) if !self.window().is_zero() => {
                Some(confirmed.saturating_add(self.window()))
            }
            _ => None,
        }
    }

    /// Whether a change may start now.
    pub fn check(&self, now: Duration) -> Result<(), Fenced> {
        if let Some(reason) = &self.over {
            return Err(Fenced(format!("the session with ZooKeeper is over: {reason}")));
        }
        if self.window().is_zero() {
            return Err(Fenced(format!(
                "ZooKeeper grants sessions of {:?}, and changes need a margin of {:?}: expected a longer session timeout",
                self.timeout, self.margin
            )));
        }
        match self.open_until() {
            Some(until) if now < until => Ok(()),
            Some(_) => Err(Fenced(format!(
                "ZooKeeper has confirmed nothing for {:?}, of a session of {:?}",
                now.saturating_sub(self.confirmed.unwrap_or_default()),
                self.timeout
            ))),
            None => Err(Fenced("ZooKeeper has not confirmed the session yet".to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TIMEOUT: Duration = Duration::from_millis(1000);
    const MARGIN: Duration = Duration::from_millis(400);

    fn millis(count: u64) -> Duration {
        Duration::from_millis(count)
    }

    #[test]
    fn it_opens_with_a_heartbeat_and_shuts_before_the_servers_may_give_the_session_up() {
        let mut pulse = Pulse::new(TIMEOUT, MARGIN);
        assert!(pulse.check(millis(0)).is_err(), "nothing is confirmed yet");
        pulse.confirm(millis(100));
        assert!(pulse.check(millis(699)).is_ok());
        let shut = pulse.check(millis(700)).unwrap_err();
        assert!(shut.0.contains("confirmed nothing for 600ms"), "{shut}");
        pulse.confirm(millis(650));
        assert!(pulse.check(millis(700)).is_ok(), "it opens again");
        pulse.end("it expired");
        pulse.end("another reason");
        pulse.confirm(millis(710));
        assert!(pulse.check(millis(711)).unwrap_err().0.ends_with("it expired"));
    }

    #[test]
    fn a_margin_of_a_whole_session_never_opens() {
        let mut pulse = Pulse::new(millis(400), MARGIN);
        pulse.confirm(millis(5));
        assert!(pulse.check(millis(5)).unwrap_err().0.contains("longer session timeout"));
        assert!(pulse.beat() > Duration::ZERO);
    }

    proptest! {
        /// Whatever is confirmed in whatever order: open exactly within the window after the latest, and never once over.
        #[test]
        fn open_only_within_the_window_of_what_was_confirmed(
            sent in proptest::collection::vec(0..5000u64, 0..8),
            timeout in 1..3000u64,
            margin in 0..3000u64,
            now in 0..9000u64,
            over: bool,
        ) {
            let mut pulse = Pulse::new(millis(timeout), millis(margin));
            sent.iter().for_each(|at| pulse.confirm(millis(*at)));
            if over {
                pulse.end("over");
            }
            let latest = sent.iter().max();
            let wanted = !over && latest.is_some_and(|latest| now + margin < latest + timeout) && margin < timeout;
            prop_assert_eq!(pulse.check(millis(now)).is_ok(), wanted);
            prop_assert_eq!(pulse.open_until().is_some_and(|until| millis(now) < until), wanted);
        }
    }
}
