//! From what runs to what is wanted. Pure.

use std::collections::BTreeMap;

use super::{Live, LiveServer, Server, Wanted};

/// One command for a running HAProxy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// A server joins; it gets traffic from then on.
    Add {
        /// Of which registration.
        registration: String,
        /// Who.
        server: Server,
    },
    /// A server that was taken out is wanted again.
    Return {
        /// Of which registration.
        registration: String,
        /// Its name at HAProxy.
        name: String,
    },
    /// A server gets no new traffic; what it serves ends in peace.
    TakeOut {
        /// Of which registration.
        registration: String,
        /// Its name at HAProxy.
        name: String,
    },
    /// A server that was taken out is forgotten; HAProxy refuses while it still serves.
    Forget {
        /// Of which registration.
        registration: String,
        /// Its name at HAProxy.
        name: String,
    },
}

/// The steps that bring the servers of a running HAProxy to what is wanted. What is listened on is not their matter.
///
/// ```
/// use paasta_smartstack::proxy::{Listener, Live, Server, Step, Wanted, steps};
///
/// let server = Server { host: "h1".to_owned(), address: "10.0.0.1:31001".parse()? };
/// let mut wanted = Wanted::default();
/// wanted.listeners.insert("web.main".to_owned(), Listener { port: 20001, ..Listener::default() });
/// wanted.servers.entry("web.main".to_owned()).or_default().insert(server.clone());
/// let joins = Step::Add { registration: "web.main".to_owned(), server };
/// assert_eq!(steps(&Live::default(), &wanted), [joins]);
/// # Ok::<(), std::net::AddrParseError>(())
/// ```
pub fn steps(live: &Live, wanted: &Wanted) -> Vec<Step> {
    let mut joins = Vec::new();
    let mut leaves = Vec::new();
    let nobody = BTreeMap::new();
    for registration in wanted.listeners.keys() {
        let live = live.0.get(registration).unwrap_or(&nobody);
        let wanted: BTreeMap<String, &Server> =
            wanted.servers_of(registration).map(|server| (server.name(), server)).collect();
        for (name, server) in &wanted {
            let registration = registration.clone();
            match live.get(name) {
                None => joins.push(Step::Add { registration, server: (*server).clone() }),
                Some(LiveServer { in_maintenance: true }) => {
                    joins.push(Step::Return { registration, name: name.clone() });
                }
                Some(LiveServer { in_maintenance: false }) => {}
            }
        }
        for (name, server) in live.iter().filter(|(name, _)| !wanted.contains_key(*name)) {
            let (registration, name) = (registration.clone(), name.clone());
            leaves.push(match server.in_maintenance {
                false => Step::TakeOut { registration, name },
                true => Step::Forget { registration, name },
            });
        }
    }
    // Who joins goes first, so that nobody is short of servers meanwhile.
    joins.extend(leaves);
    joins
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::Listener;
    use super::*;

    fn server(port: u16) -> Server {
        Server { host: "h".to_owned(), address: ([10, 0, 0, 1], port).into() }
    }

    fn apply(live: &mut Live, step: &Step) {
        match step {
            Step::Add { registration, server } => {
                let of = live.0.entry(registration.clone()).or_default();
                let old = of.insert(server.name(), LiveServer { in_maintenance: false });
                assert_eq!(old, None, "added twice");
            }
            Step::Return { registration, name } => {
                live.0.get_mut(registration).unwrap().get_mut(name).unwrap().in_maintenance = false;
            }
            Step::TakeOut { registration, name } => {
                live.0.get_mut(registration).unwrap().get_mut(name).unwrap().in_maintenance = true;
            }
            Step::Forget { registration, name } => {
                let gone = live.0.get_mut(registration).unwrap().remove(name).unwrap();
                assert!(gone.in_maintenance, "forgotten in traffic");
            }
        }
    }

    fn wanted(ports: &[u16]) -> Wanted {
        let mut wanted = Wanted::default();
        wanted.listeners.insert("a.main".to_owned(), Listener { port: 1, ..Listener::default() });
        wanted.servers.insert("a.main".to_owned(), ports.iter().copied().map(server).collect());
        // Nobody listens for these.
        wanted.servers.insert("b.main".to_owned(), [server(9)].into());
        wanted
    }

    proptest! {
        #[test]
        fn two_rounds_bring_anything_to_what_is_wanted_and_a_third_does_nothing(
            before in prop::collection::vec((1u16..8, any::<bool>()), 0..8),
            after in prop::collection::vec(1u16..8, 0..8),
        ) {
            let mut live = Live::default();
            for (port, in_maintenance) in before {
                live.0.entry("a.main".to_owned()).or_default()
                    .insert(server(port).name(), LiveServer { in_maintenance });
            }
            let wanted = wanted(&after);
            for _ in 0..2 {
                for step in steps(&live, &wanted) {
                    apply(&mut live, &step);
                }
            }
            prop_assert_eq!(steps(&live, &wanted), []);
            let names: Vec<String> = live.0.get("a.main").into_iter().flatten().map(|(name, _)| name.clone()).collect();
            let expected: Vec<String> = wanted.servers["a.main"].iter().map(Server::name).collect();
            let (mut names, mut expected) = (names, expected);
            names.sort();
            expected.sort();
            prop_assert_eq!(names, expected);
        }
    }
}
