//! The hosts that operators name, as Mesos knows machines.

use paasta_mesos::Machine;
use paasta_smartstack::Resolver;

/// The machines that are meant, and what is wrong with the names that mean none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Machines {
    /// Those that are meant.
    pub found: Vec<Machine>,
    /// Why the others are left out.
    pub left_out: Vec<String>,
}

/// Each name is `host`, whose address is looked up, or `host|ip` (monitoring.md §8.1). A name without an address is left
/// out, and the others go on.
pub async fn machines(names: &[String], resolver: &dyn Resolver) -> Machines {
    let mut machines = Machines::default();
    for name in names {
        let machine = match name.split_once('|') {
            Some((host, ip)) if !host.is_empty() && ip.parse::<std::net::IpAddr>().is_ok() => {
                Ok(Machine::new(host, ip))
            }
            Some(_) => Err(format!("`{name}` is not `host|address`, such as `h1|10.0.0.1`")),
            None => match resolver.address(name).await {
                Ok(ip) => Ok(Machine::new(name, ip.to_string())),
                Err(error) => Err(format!("{error}; `{name}|ADDRESS` says it without looking it up")),
            },
        };
        match machine {
            Ok(machine) if machines.found.contains(&machine) => {}
            Ok(machine) => machines.found.push(machine),
            Err(reason) => machines.left_out.push(reason),
        }
    }
    machines
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use async_trait::async_trait;
    use paasta_smartstack::ResolveError;

    use super::*;

    struct OneHost;

    #[async_trait]
    impl Resolver for OneHost {
        async fn address(&self, host: &str) -> Result<IpAddr, ResolveError> {
            match host {
                "h1" => Ok([10, 0, 0, 9].into()),
                _ => Err(ResolveError { host: host.to_owned(), reason: "nobody knows it".to_owned() }),
            }
        }
    }

    /// The example of monitoring.md §8.1.
    #[tokio::test]
    async fn names_with_an_address_are_not_looked_up() {
        let names = ["h1", "h2|1.2.3.4", "h1|10.0.0.9", "h3", "h4|", "|1.2.3.4", "h5|x"].map(str::to_owned);
        let machines = machines(&names, &OneHost).await;
        assert_eq!(machines.found, [Machine::new("h1", "10.0.0.9"), Machine::new("h2", "1.2.3.4")]);
        assert_eq!(machines.left_out.len(), 4);
        assert!(machines.left_out[0].contains("host `h3`: nobody knows it; `h3|ADDRESS`"), "{machines:?}");
    }
}
