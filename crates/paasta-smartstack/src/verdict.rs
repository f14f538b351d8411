//! Which tasks enough load balancers see (marathon-and-bounce.md §4.5): decided from answers, without asking anybody.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use paasta_core::{Reading, Task, TaskId};

use crate::{Backend, PlacedTask, tasks_up};

/// Reasons told of one task.
const REASONS_MAX: usize = 2;

/// What the load balancers of the hosts that were asked say of one registration: its servers, or why nothing is known.
pub type Answers<'a> = BTreeMap<&'a str, Result<&'a [Backend], String>>;

/// Whether enough load balancers see each task. A task is seen where the number of load balancers that have it up is at
/// least `min_fraction_up` of all that were asked; what one would have said that gave no answer stays open, so that the
/// verdict is unknown where it would have decided. Without anybody to ask, nothing is known of any task.
pub fn verdicts(
    tasks: &[&Task],
    addresses: &BTreeMap<&str, Result<IpAddr, String>>,
    answers: &Answers<'_>,
    min_fraction_up: f64,
) -> BTreeMap<TaskId, Reading<bool>> {
    let placed: Vec<_> = tasks
        .iter()
        .map(|task| PlacedTask {
            task,
            ip: addresses.get(task.host.as_str()).and_then(|a| a.as_ref().ok()).copied(),
        })
        .collect();
    let up: Vec<BTreeSet<&TaskId>> =
        answers.values().filter_map(|answer| Some(tasks_up(answer.as_ref().ok()?, &placed))).collect();
    let silent: Vec<&str> =
        answers.values().filter_map(|answer| Some(answer.as_ref().err()?.as_str())).collect();
    let needed = answers.len() as f64 * min_fraction_up;
    let verdict = |task: &&Task| {
        if let Some(Err(reason)) = addresses.get(task.host.as_str()) {
            return Reading::Unknown(reason.clone());
        }
        if answers.is_empty() {
            return Reading::Unknown("no load balancer was asked".to_owned());
        }
        let seen = up.iter().filter(|up| up.contains(&task.id)).count();
        if seen as f64 >= needed {
            Reading::Known(true)
        } else if ((seen + silent.len()) as f64) < needed {
            Reading::Known(false)
        } else {
            Reading::Unknown(open(&silent, answers.len()))
        }
    };
    tasks.iter().map(|task| (task.id.clone(), verdict(task))).collect()
}

fn open(silent: &[&str], asked: usize) -> String {
    let told = silent.iter().take(REASONS_MAX).copied().collect::<Vec<_>>().join("; ");
    let more = if silent.len() > REASONS_MAX { "; …" } else { "" };
    format!("{} of {asked} load balancers gave no answer: {told}{more}", silent.len())
}

/// At most `most` of the hosts, chosen by `seed`; the same seed chooses the same ones.
pub fn choose(hosts: BTreeSet<&str>, most: usize, mut seed: u64) -> Vec<&str> {
    let mut hosts: Vec<&str> = hosts.into_iter().collect();
    for at in 0..most.min(hosts.len()) {
        let left = hosts.len() - at;
        hosts.swap(at, at + usize::try_from(mix(&mut seed) % left as u64).unwrap_or_default());
    }
    hosts.truncate(most);
    hosts
}

/// A step of splitmix64.
fn mix(seed: &mut u64) -> u64 {
    *seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mixed = (*seed ^ (*seed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use paasta_core::{AppId, Health, TaskPhase};
    use proptest::prelude::*;

    use super::*;
    use crate::read_table;

    fn task(id: &str) -> Task {
        Task {
            id: TaskId::new(id),
            app: AppId::new("a"),
            host: "h".to_owned(),
            ports: vec![1],
            phase: TaskPhase::Running,
            staged_at: None,
            started_at: None,
            health: Health::Alive,
        }
    }

    /// One letter per load balancer: `u` has it up, `d` has it down, `-` does not know it, `?` gives no answer.
    fn verdict(balancers: &str, fraction: f64) -> Reading<bool> {
        let table = |letter| match letter {
            '?' => None,
            'u' => Some("w.m,h_10.0.0.1:1,UP 1/3,\n"),
            'd' => Some("w.m,h_10.0.0.1:1,DOWN,\n"),
            _ => Some("w.m,h_10.0.0.2:1,UP,\n"),
        };
        let tables: Vec<_> = balancers
            .chars()
            .map(|letter| {
                let rows = table(letter).ok_or("no answer in time".to_owned())?;
                read_table(format!("# pxname,svname,status,\n{rows}").as_bytes()).map_err(|e| e.to_string())
            })
            .collect();
        let names: Vec<String> = (0..tables.len()).map(|at| format!("h{at}")).collect();
        let answers =
            names.iter().zip(&tables).map(|(name, table): (_, &Result<crate::Backends, String>)| {
                (name.as_str(), table.as_ref().map(|table| table.of("w.m")).map_err(Clone::clone))
            });
        let answers = answers.collect();
        let (one, ip) = (task("t"), "10.0.0.1".parse().unwrap());
        verdicts(&[&one], &[("h", Ok(ip))].into(), &answers, fraction).remove(&one.id).unwrap()
    }

    #[track_caller]
    fn check(balancers: &str, fraction: f64, want: Option<bool>) {
        assert_eq!(verdict(balancers, fraction).known().copied(), want, "{balancers}");
    }

    #[test]
    fn enough_must_see_it_and_who_is_silent_leaves_it_open() {
        check("uuu", 1.0, Some(true));
        check("uud", 1.0, Some(false));
        check("uu-", 1.0, Some(false));
        check("uud", 0.6, Some(true));
        check("uud", 0.67, Some(false));
        check("uu?", 1.0, None);
        check("ud?", 1.0, Some(false));
        check("uu?", 0.6, Some(true));
        check("???", 0.5, None);
        check("", 1.0, None);
        let told = verdict("u??", 1.0);
        let want = "2 of 3 load balancers gave no answer: no answer in time; no answer in time";
        assert_eq!(told.unknown(), Some(want));
    }

    #[test]
    fn a_host_without_an_address_leaves_its_tasks_unknown() {
        let one = task("t");
        let answers = [("h", Ok(&[][..]))].into();
        let found = verdicts(&[&one], &[("h", Err("no such host".to_owned()))].into(), &answers, 1.0);
        assert_eq!(found[&one.id], Reading::Unknown("no such host".to_owned()));
    }

    proptest! {
        #[test]
        fn hosts_are_chosen_once_and_by_the_seed(count in 0usize..50, most in 0usize..30, seed: u64) {
            let names: Vec<String> = (0..count).map(|at| format!("h{at}")).collect();
            let hosts: BTreeSet<&str> = names.iter().map(String::as_str).collect();
            let chosen = choose(hosts.clone(), most, seed);
            prop_assert_eq!(chosen.len(), most.min(count));
            prop_assert_eq!(chosen.iter().collect::<BTreeSet<_>>().len(), chosen.len());
            prop_assert_eq!(chosen, choose(hosts, most, seed));
        }
    }
}
