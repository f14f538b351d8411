//! What is done to hosts, and how far that reaches (monitoring.md §8.2).

use paasta_core::Reading;
use paasta_mesos::{
    Machine, MesosError, MesosMaster, Operator, Unavailability, Verb, down_call, schedule_update, up_call,
};
use serde_json::Value;

/// What is to be done to machines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// They are to be away at that time: what is free there is reserved, and tasks leave.
    Drain(Unavailability),
    /// They stay.
    Undrain,
    /// They are away.
    Down,
    /// They are back.
    Up,
}

/// Does it. What did not keep it from being done is given back.
///
/// # Errors
/// It was not done, or not as far as could be seen.
pub async fn carry_out(
    change: &Change,
    machines: &[Machine],
    operator: &Operator,
) -> Result<Vec<MesosError>, MesosError> {
    match change {
        Change::Drain(when) => operator.drain(machines, when).await,
        Change::Undrain => operator.undrain(machines).await,
        Change::Down => operator.down(machines).await.map(|()| vec![]),
        Change::Up => operator.up(machines).await.map(|()| vec![]),
    }
}

/// The calls that would do it, without making them.
///
/// # Errors
/// The master did not say what they are made from.
pub async fn calls(
    change: &Change,
    machines: &[Machine],
    operator: &Operator,
) -> Result<Vec<Value>, MesosError> {
    let (verb, schedule) = match change {
        Change::Down => return Ok(vec![down_call(machines)]),
        Change::Up => return Ok(vec![up_call(machines)]),
        Change::Drain(when) => (Verb::Reserve, operator.schedule().await?.with(machines, when)),
        Change::Undrain => (Verb::Unreserve, operator.schedule().await?.without(machines)),
    };
    let mut calls = operator.reservations(verb, machines).await?;
    calls.push(schedule_update(&schedule));
    Ok(calls)
}

/// How far it reaches: each machine with how many tasks run there.
pub async fn reach(machines: &[Machine], master: &MesosMaster) -> Vec<(String, Reading<usize>)> {
    let state = master.state().await;
    let count = |host: &str| match &state {
        Ok(state) => state.running_on(host),
        Err(error) => Reading::Unknown(error.to_string()),
    };
    let names = machines.iter().filter_map(|machine| machine.hostname.as_deref());
    names.map(|host| (host.to_owned(), count(host))).collect()
}
