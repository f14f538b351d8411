//! What is asked about hosts, answered by the Mesos master (monitoring.md §8.2).

use paasta_core::{Reading, Timestamp};
use paasta_mesos::{Machine, MesosMaster, Operator};

/// A question about hosts; the answer is yes where it is yes for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Question {
    /// Whether they are away.
    IsDown,
    /// Whether they are about to leave.
    IsDraining,
    /// Whether they are about to leave, and nothing runs there any more.
    IsDrained,
    /// Whether they should have been away by now.
    IsPastStart,
    /// Whether they should have been back by now.
    IsPastEnd,
    /// Whether nothing is lost if they go now: they are drained, or the time at which they were to be away has come.
    IsSafeToKill,
}

/// Asks the master no more than the question needs.
///
/// # Errors
/// What could not be asked: that is neither yes nor no.
pub async fn answer(
    question: Question,
    hosts: &[String],
    operator: &Operator,
    master: &MesosMaster,
    now: Timestamp,
) -> anyhow::Result<bool> {
    let asked = Asked { operator, master, now };
    for host in hosts {
        // An address, where one is given, is for those who schedule.
        let host = host.split('|').next().unwrap_or(host);
        if !asked.answer(question, host).await? {
            return Ok(false);
        }
    }
    Ok(true)
}

struct Asked<'a> {
    operator: &'a Operator,
    master: &'a MesosMaster,
    now: Timestamp,
}

impl Asked<'_> {
    async fn answer(&self, question: Question, host: &str) -> anyhow::Result<bool> {
        Ok(match question {
            Question::IsDown => is_among(&self.operator.status().await?.down, host),
            Question::IsDraining => is_among(&self.operator.status().await?.draining, host),
            Question::IsDrained => self.is_drained(host).await?,
            Question::IsPastStart => self.operator.schedule().await?.past_start(self.now, 0).contains(host),
            Question::IsPastEnd => self.operator.schedule().await?.past_end(self.now, 0).contains(host),
            Question::IsSafeToKill => match self.is_drained(host).await {
                Ok(true) => true,
                Ok(false) => self.operator.schedule().await?.past_start(self.now, 0).contains(host),
                // The time may have come whatever runs there.
                Err(error) => match self.operator.schedule().await?.past_start(self.now, 0).contains(host) {
                    true => true,
                    false => return Err(error),
                },
            },
        })
    }

    async fn is_drained(&self, host: &str) -> anyhow::Result<bool> {
        if !is_among(&self.operator.status().await?.draining, host) {
            return Ok(false);
        }
        match self.master.state().await?.running_on(host) {
            Reading::Known(count) => Ok(count == 0),
            Reading::Unknown(reason) => Err(anyhow::anyhow!(reason)),
        }
    }
}

fn is_among(machines: &[Machine], host: &str) -> bool {
    machines.iter().any(|machine| machine.hostname.as_deref() == Some(host))
}
