//! Which server is which task (monitoring.md §4.3).

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

use paasta_core::{Task, TaskId};

use crate::Backend;

/// A task and the address of its host.
#[derive(Clone, Copy, Debug)]
pub struct PlacedTask<'a> {
    /// The task.
    pub task: &'a Task,
    /// Its host's address; none where that could not be found out, and then no server is its.
    pub ip: Option<IpAddr>,
}

/// A server and its task, or one of them alone.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Match<'a> {
    /// The server; none where no server has the task's address and port.
    pub backend: Option<&'a Backend>,
    /// The task; none where no task has the server's address and port.
    pub task: Option<&'a Task>,
}

/// Pairs servers with tasks by address and port: each port of each task with all servers there, or with none, and then
/// what servers are left. Of two tasks that claim one address and port, the first has all its servers.
pub fn match_tasks<'a>(backends: &'a [Backend], tasks: &[PlacedTask<'a>]) -> Vec<Match<'a>> {
    let mut by_address: BTreeMap<SocketAddr, Vec<&Backend>> = BTreeMap::new();
    for backend in backends {
        if let Some(address) = backend.address {
            by_address.entry(address).or_default().push(backend);
        }
    }
    let mut matches = Vec::new();
    let mut claimed = BTreeSet::new();
    for placed in tasks {
        for port in &placed.task.ports {
            let address = placed.ip.map(|ip| SocketAddr::new(ip, *port));
            let own = address.and_then(|address| Some((address, by_address.remove(&address)?)));
            match own {
                Some((address, own)) => {
                    claimed.insert(address);
                    matches.extend(
                        own.into_iter()
                            .map(|backend| Match { backend: Some(backend), task: Some(placed.task) }),
                    );
                }
                None => matches.push(Match { backend: None, task: Some(placed.task) }),
            }
        }
    }
    let is_left = |backend: &&Backend| !backend.address.is_some_and(|address| claimed.contains(&address));
    let left = backends.iter().filter(is_left);
    matches.extend(left.map(|backend| Match { backend: Some(backend), task: None }));
    matches
}

/// The tasks that get traffic: those with a server that is up.
pub fn tasks_up<'a>(backends: &'a [Backend], tasks: &[PlacedTask<'a>]) -> BTreeSet<&'a TaskId> {
    let matches = match_tasks(backends, tasks);
    let up = matches.iter().filter(|found| found.backend.is_some_and(Backend::is_up));
    up.filter_map(|found| found.task).map(|task| &task.id).collect()
}

#[cfg(test)]
mod tests {
    use paasta_core::{AppId, Health, TaskPhase};

    use super::*;
    use crate::read_table;

    fn task(id: &str, ports: &[u16]) -> Task {
        Task {
            id: TaskId::new(id),
            app: AppId::new("a"),
            host: "h".to_owned(),
            ports: ports.to_vec(),
            phase: TaskPhase::Running,
            staged_at: None,
            started_at: None,
            health: Health::Alive,
        }
    }

    /// Servers by port and status, tasks by id and ports; pairs as `server-task`.
    #[track_caller]
    fn check(servers: &[(u16, &str)], tasks: &[(&str, &[u16])], want: &[&str], up: &[&str]) {
        let rows: String = servers
            .iter()
            .map(|(port, status)| format!("w.m,{port}{status}_10.0.0.1:{port},{status},\n"))
            .collect();
        let table = read_table(format!("# pxname,svname,status,\n{rows}").as_bytes()).unwrap();
        let tasks: Vec<Task> = tasks.iter().map(|(id, ports)| task(id, ports)).collect();
        let placed: Vec<_> =
            tasks.iter().map(|task| PlacedTask { task, ip: "10.0.0.1".parse().ok() }).collect();
        let backends = table.of("w.m");
        let told = |found: &Match<'_>| {
            let host = found.backend.and_then(|b| b.host.as_deref()).unwrap_or("none");
            format!("{host}-{}", found.task.map_or("none", |task| task.id.as_str()))
        };
        assert_eq!(match_tasks(backends, &placed).iter().map(told).collect::<Vec<_>>(), want);
        assert_eq!(tasks_up(backends, &placed).into_iter().map(TaskId::as_str).collect::<Vec<_>>(), up);
    }

    #[test]
    fn each_server_appears_once() {
        check(
            &[(1, "UP"), (2, "DOWN")],
            &[("a", &[1]), ("b", &[3])],
            &["1UP-a", "none-b", "2DOWN-none"],
            &["a"],
        );
        check(&[(1, "DOWN"), (1, "UP")], &[("a", &[1])], &["1DOWN-a", "1UP-a"], &["a"]);
        check(&[(1, "UP")], &[("a", &[1]), ("b", &[1])], &["1UP-a", "none-b"], &["a"]);
        check(&[(1, "UP"), (2, "UP")], &[("a", &[1, 2])], &["1UP-a", "2UP-a"], &["a"]);
        check(
            &[(1, "UP 1/2"), (2, "MAINT")],
            &[("a", &[1]), ("b", &[2])],
            &["1UP 1/2-a", "2MAINT-b"],
            &["a"],
        );
        check(&[], &[("a", &[1]), ("b", &[])], &["none-a"], &[]);
    }

    #[test]
    fn without_an_address_no_server_is_its() {
        let table = read_table(b"# pxname,svname,status,\nw.m,odd,UP,\n").unwrap();
        let one = task("a", &[1]);
        let matches = match_tasks(table.of("w.m"), &[PlacedTask { task: &one, ip: None }]);
        assert_eq!(matches.len(), 2);
        assert!(tasks_up(table.of("w.m"), &[PlacedTask { task: &one, ip: None }]).is_empty());
    }
}
