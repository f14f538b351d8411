//! From options to instances: what [`crate::options::Selection`] means in a [`World`] (cli.md §0.4).

use anyhow::Context as _;
use paasta_config::{Instance, InstanceType, LoadError, close_matches};
use paasta_core::{ClusterName, InstanceId, ServiceName};
use paasta_deploy::{Candidate, Filter, Unknown, select, split_target};

use crate::Context;
use crate::options::Selection;
use crate::report::{HintExt as _, UsageError, validate_hint};
use crate::world::{World, tell_broken};

/// The instances that a command line means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chosen {
    /// In the order of services, clusters, types and files; never empty.
    pub instances: Vec<Candidate>,
    /// Whether the clusters were named, or the services have only one.
    pub clusters_are_explicit: bool,
    /// Whether the instances were named.
    pub instances_are_explicit: bool,
}

impl Chosen {
    /// The services of the instances, each once.
    pub fn services(&self) -> Vec<&str> {
        let mut services: Vec<&str> = self.instances.iter().map(|c| c.service.as_str()).collect();
        services.dedup();
        services
    }
}

/// Finds the instances that `selection` means. None at all, a name that does not exist, and a target combined with the
/// options it stands for are errors; services that cannot be read are told on stderr and left out.
pub fn choose(selection: &Selection, world: &World, cx: &mut Context) -> anyhow::Result<Chosen> {
    let known = world.clusters()?;
    let (service, instances) = named(selection)?;
    let services = services(service.as_deref(), selection, world, cx)?;
    check_clusters(&selection.clusters, &known)?;
    let (mut candidates, mut broken) = (Vec::new(), Vec::new());
    for service in &services {
        if let Err(error) = add_candidates(&mut candidates, &mut broken, service, world) {
            broken.push((service.clone(), error));
        }
    }
    let filter = Filter {
        services: Vec::new(),
        clusters: selection.clusters.clone(),
        instances: instances.clone(),
        deploy_groups: selection.deploy_groups.clone(),
        registrations: selection.registrations.clone(),
        owners: selection.owners.clone(),
    };
    let selected = select(&candidates, &filter);
    if candidates.is_empty() && !broken.is_empty() {
        let (service, error) = broken.remove(0);
        tell_broken(&broken, cx)?;
        return Err(error)
            .hint_with(|| validate_hint(&service))
            .with_context(|| format!("could not read service `{service}`"));
    }
    tell_broken(&broken, cx)?;
    check_names(&selected.unknown_instances, &services)?;
    let chosen: Vec<Candidate> = selected.matched.into_iter().cloned().collect();
    if chosen.is_empty() {
        return Err(anyhow::anyhow!("no instance matches all that was asked for"))
            .hint("See `paasta list --print-instances` for what there is.");
    }
    let mut clusters: Vec<&str> = candidates.iter().map(|c| c.cluster.as_str()).collect();
    clusters.sort_unstable();
    clusters.dedup();
    let clusters_are_explicit = !selection.clusters.is_empty() || clusters.len() == 1;
    Ok(Chosen { instances: chosen, clusters_are_explicit, instances_are_explicit: !instances.is_empty() })
}

/// Service and instances by name, from the target or the options.
fn named(selection: &Selection) -> anyhow::Result<(Option<String>, Vec<String>)> {
    match &selection.target {
        None => Ok((selection.service.clone(), selection.instances.clone())),
        Some(target) if selection.service.is_some() || !selection.instances.is_empty() => {
            Err(UsageError(format!("`{target}` cannot be combined with --service or --instances")).into())
        }
        Some(target) => {
            let (service, instances) = split_target(target).map_err(|error| UsageError(error.to_string()))?;
            Ok((Some(service), instances))
        }
    }
}

fn services(
    named: Option<&str>,
    selection: &Selection,
    world: &World,
    cx: &Context,
) -> anyhow::Result<Vec<ServiceName>> {
    match named {
        None if !selection.owners.is_empty() => world.services(),
        named => Ok(vec![world.service_or_guess(named, cx)?]),
    }
}

fn check_clusters(wanted: &[String], known: &[ClusterName]) -> anyhow::Result<()> {
    let is_known = |name: &&String| known.iter().any(|cluster| cluster.as_str() == name.as_str());
    let Some(unknown) = wanted.iter().find(|name| !is_known(name)) else { return Ok(()) };
    let error = anyhow::anyhow!("there is no cluster `{unknown}`");
    let close = close_matches(unknown, known.iter().map(ClusterName::as_str));
    Err(error).hint_with(|| match close.is_empty() {
        true => "See `paasta list-clusters` for what there is.".to_owned(),
        false => format!("Did you mean `{}`?", close.join("` or `")),
    })
}

fn check_names(unknown: &[Unknown], services: &[ServiceName]) -> anyhow::Result<()> {
    if unknown.is_empty() {
        return Ok(());
    }
    let names: Vec<&str> = unknown.iter().map(|u| u.name.as_str()).collect();
    let of = match services {
        [one] => format!(" of service `{one}`"),
        _ => String::new(),
    };
    let error =
        anyhow::anyhow!("there is no instance `{}`{of} in the clusters asked for", names.join("`, `"));
    let similar: Vec<&str> = unknown.iter().flat_map(|u| u.similar.iter().map(String::as_str)).collect();
    Err(error).hint_with(|| match similar.is_empty() {
        true => "See `paasta list --print-instances` for what there is.".to_owned(),
        false => format!("Did you mean `{}`?", similar.join("` or `")),
    })
}

type Broken = Vec<(ServiceName, LoadError)>;

fn add_candidates(
    candidates: &mut Vec<Candidate>,
    broken: &mut Broken,
    service: &ServiceName,
    world: &World,
) -> Result<(), LoadError> {
    for cluster in world.soa.clusters(service, &world.system)? {
        for kind in InstanceType::LOADABLE {
            for instance in world.soa.instances(service, &cluster, kind)? {
                let id = InstanceId::new(service.clone(), instance);
                match candidate(&id, kind, &cluster, world) {
                    Ok(candidate) => candidates.push(candidate),
                    Err(error) => broken.push((service.clone(), error)),
                }
            }
        }
    }
    Ok(())
}

fn candidate(
    id: &InstanceId,
    kind: InstanceType,
    cluster: &ClusterName,
    world: &World,
) -> Result<Candidate, LoadError> {
    let instance = world.soa.instance(id, kind, cluster, &world.system)?;
    Ok(Candidate {
        service: id.service().to_string(),
        cluster: cluster.to_string(),
        instance: id.instance().to_string(),
        kind: kind.to_string(),
        deploy_group: instance.config().deploy_group()?,
        registrations: registrations(&instance)?,
        owner: world.soa.team(id.service(), Some(&instance.settings))?,
    })
}

fn registrations(instance: &Instance) -> Result<Vec<String>, LoadError> {
    match instance.kind {
        InstanceType::Marathon | InstanceType::Kubernetes => Ok(instance.config().registrations()?),
        _ => Ok(Vec::new()),
    }
}
