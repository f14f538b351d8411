//! Whether this host can be drained without a service falling short (monitoring.md §8.2).

use std::collections::BTreeMap;
use std::net::IpAddr;

use anyhow::Context as _;
use paasta_config::{InstanceType, Namespace, Soa, SystemConfig};
use paasta_core::{Counts, InstanceId, Reading, Registration};
use paasta_mesos::{Agent, MesosAgent, MesosError, MesosMaster, Placement, RunningHere, by_attribute};
use paasta_smartstack::{Backends, Provider};

/// Below so many percent of the copies that a location should have, none may be lost.
const ENOUGH_PERCENT: usize = 80;

/// A copy that gets traffic here and should not be lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Danger {
    /// The instance.
    pub instance: String,
    /// What it is known under.
    pub registration: String,
    /// How many copies get traffic in this location.
    pub up: usize,
    /// How many should.
    pub expected: usize,
}

impl std::fmt::Display for Danger {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { instance, registration, up, expected } = self;
        write!(
            f,
            "{instance} serves here, and {registration} has only {up} of {expected} copies up in this location"
        )
    }
}

/// Whether a location with so many copies up, of so many that it should have, can spare none.
fn falls_short(up: usize, expected: usize) -> bool {
    up.saturating_mul(100) < expected.saturating_mul(ENOUGH_PERCENT)
}

/// Where copies run, and who can be asked about them.
pub struct Place<'a> {
    /// The name of this host, by which the master knows it.
    pub host: &'a str,
    /// Its address.
    pub ip: IpAddr,
    /// Whose agents there are.
    pub master: &'a MesosMaster,
    /// The load balancers that are asked, and on which host the nearest is; none where there are none.
    pub provider: Option<(&'a dyn Provider, &'a str)>,
    /// What is configured.
    pub soa: &'a Soa,
    /// What is configured of this host.
    pub system: &'a SystemConfig,
    /// What the autoscaler wants.
    pub counts: &'a dyn Counts,
}

/// The copies on this host that should not be lost now.
///
/// # Errors
/// Something could not be asked: whether the host can be drained is not known then, and it should not be.
pub async fn in_danger(place: &Place<'_>) -> anyhow::Result<Vec<Danger>> {
    let Some((provider, balancer)) = place.provider else { return Ok(vec![]) };
    let agents = place.master.agents().await?;
    let agents = match agents.known() {
        Reading::Known(agents) => agents,
        Reading::Unknown(reason) => anyhow::bail!(reason),
    };
    let running = running_here(place.host, agents).await?;
    let backends = provider.backends(balancer, None).await?;
    let mut found = Vec::new();
    for copy in &running {
        let told = || format!("could not tell whether {}.{} can be spared", copy.service, copy.instance);
        found.extend(danger(place, agents, &backends, copy).await.with_context(told)?);
    }
    found.sort_by(|a, b| a.instance.cmp(&b.instance));
    found.dedup();
    Ok(found)
}

async fn running_here(host: &str, agents: &[Agent]) -> Result<Vec<RunningHere>, MesosError> {
    let agent = match agents.iter().find(|agent| agent.hostname == host) {
        Some(agent) => MesosAgent::of(agent, "http", MesosAgent::PATIENCE).await?,
        None => {
            MesosAgent::at(format!("http://{host}:{}", paasta_mesos::AGENT_PORT), MesosAgent::PATIENCE)
                .await?
        }
    };
    Ok(agent.state().await?.running_of_marathons())
}

async fn danger(
    place: &Place<'_>,
    agents: &[Agent],
    backends: &Backends,
    copy: &RunningHere,
) -> anyhow::Result<Option<Danger>> {
    let Some(port) = copy.port else { return Ok(None) };
    let id = InstanceId::new(copy.service.parse()?, copy.instance.parse()?);
    let cluster = place.system.cluster()?;
    let instance = place.soa.instance(&id, InstanceType::Marathon, &cluster, place.system)?;
    let config = instance.config();
    let registration = config.first_registration()?;
    let name = paasta_smartstack::proxy_name(&registration);
    let is_here = |address: std::net::SocketAddr| address.port() == port && address.ip() == place.ip;
    let serves = backends.of(&name).iter().any(|one| one.is_up() && one.address.is_some_and(is_here));
    if !serves {
        return Ok(None);
    }
    let locations = locations(place, agents, &registration, &placement(&config)?)?;
    let expected = expected(place, &registration).await? / locations;
    let up = backends.up(&name);
    Ok(falls_short(up, expected).then(|| Danger {
        instance: id.to_string(),
        registration: registration.to_string(),
        up,
        expected,
    }))
}

/// In how many locations the registration is discovered.
fn locations(
    place: &Place<'_>,
    agents: &[Agent],
    registration: &Registration,
    placement: &Placement,
) -> anyhow::Result<usize> {
    let map = place.soa.namespace(&registration.service().parse()?, registration.namespace())?;
    let discover = Namespace::new(&map).discover();
    let discover = discover.as_str().context("`discover` is no text")?;
    let locations: BTreeMap<_, _> = by_attribute(placement.filter(agents), discover);
    match locations.len() {
        0 => anyhow::bail!("no agent has the attribute `{discover}`, by which {registration} is discovered"),
        count => Ok(count),
    }
}

/// Where the instance may run; what is not written as texts is matched by nothing.
fn placement(config: &paasta_config::InstanceConfig<'_>) -> anyhow::Result<Placement> {
    let pair = |(attribute, value): (&paasta_config::Node, &paasta_config::Node)| {
        Some((attribute.as_str()?.to_owned(), value.as_str()?.to_owned()))
    };
    let blacklist = config.deploy_blacklist()?.into_iter().filter_map(pair).collect();
    let texts = |values: &[paasta_config::Node]| -> Vec<String> {
        values.iter().filter_map(|value| value.as_str().map(str::to_owned)).collect()
    };
    let whitelist = config.deploy_whitelist()?;
    let whitelist = whitelist
        .map(|(attribute, values)| (attribute.as_str().unwrap_or_default().to_owned(), texts(values)));
    Ok(Placement { blacklist, whitelist })
}

/// How many copies all instances together want that are known under the registration.
async fn expected(place: &Place<'_>, registration: &Registration) -> anyhow::Result<usize> {
    let (service, cluster) = (registration.service().parse()?, place.system.cluster()?);
    let mut sum = 0;
    for name in place.soa.instances(&service, &cluster, InstanceType::Marathon)? {
        let id = InstanceId::new(service.clone(), name);
        let instance = place.soa.instance(&id, InstanceType::Marathon, &cluster, place.system)?;
        let config = instance.config();
        if !config.registrations()?.iter().any(|one| one == registration.as_str()) {
            continue;
        }
        let autoscaled = match config.is_autoscaled() {
            true => place.counts.count(&id).await,
            false => Reading::Known(None),
        };
        match config.instance_count(&autoscaled)? {
            Reading::Known(count) => sum += usize::try_from(count).unwrap_or_default(),
            Reading::Unknown(reason) => {
                anyhow::bail!("could not tell how many copies of {id} are wanted: {reason}")
            }
        }
    }
    Ok(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fewer_than_four_of_five_are_too_few() {
        for (up, expected, short) in [
            (8, 10, false),
            (7, 10, true),
            (0, 0, false),
            (0, 1, true),
            (1, 1, false),
            (4, 5, false),
            (3, 4, true),
        ] {
            assert_eq!(falls_short(up, expected), short, "{up} of {expected}");
        }
    }
}
