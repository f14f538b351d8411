//! What to do about an error that a service's people can mend.

use paasta_config::LoadError;
use paasta_core::ServiceName;
use paasta_deployments::RefsError;
use paasta_setup::PassError;

/// What to do about an error of this service, as a full sentence; none where nothing better is known than the error
/// itself says.
///
/// ```
/// use paasta_deployments::RefsError;
///
/// let error = RefsError::TimedOut { url: "git@example.com:web".to_owned(), seconds: 60 };
/// let hint = paasta_tools::hints::hint(&"web".parse()?, &error.into());
/// assert_eq!(hint.as_deref(), Some("Check that `git ls-remote git@example.com:web` works from here."));
/// # Ok::<(), paasta_core::NameError>(())
/// ```
pub fn hint(service: &ServiceName, error: &anyhow::Error) -> Option<String> {
    let cause = error.chain().find_map(|cause| {
        let boxed = || cause.downcast_ref::<Box<LoadError>>().map(AsRef::as_ref);
        let load = cause.downcast_ref::<LoadError>().or_else(boxed).and_then(Cause::of_load);
        let refs = || cause.downcast_ref::<RefsError>().and_then(Cause::of_refs);
        let pass = || cause.downcast_ref::<PassError>().filter(|error| error.is_config());
        load.or_else(refs).or_else(|| pass().map(|_| Cause::Files))
    })?;
    Some(match cause {
        Cause::NotDeployed => format!(
            "Mark a commit with `paasta mark-for-deployment -s {service} -l DEPLOY_GROUP -c COMMIT`, then run \
             `generate_deployments_for_service -s {service}`."
        ),
        Cause::Files => {
            format!(
                "Run `paasta validate -s {service}` in the soa-configs to check every file of the service."
            )
        }
        Cause::Remote(url) => format!("Check that `git ls-remote {url}` works from here."),
    })
}

enum Cause {
    NotDeployed,
    Files,
    Remote(String),
}

impl Cause {
    fn of_load(error: &LoadError) -> Option<Self> {
        match error {
            LoadError::NoDeployments { .. } => Some(Cause::NotDeployed),
            LoadError::Io(_) | LoadError::System(_) => None,
            _ => Some(Cause::Files),
        }
    }

    fn of_refs(error: &RefsError) -> Option<Self> {
        match error {
            RefsError::Unreachable { url, .. }
            | RefsError::TimedOut { url, .. }
            | RefsError::Garbled { url, .. }
            | RefsError::BadUrl { url, .. } => Some(Cause::Remote(url.clone())),
            _ => None,
        }
    }
}
