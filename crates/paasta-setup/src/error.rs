//! Why a pass does nothing at all.

use paasta_bounce::{MarginError, UnknownMethod, Violation};
use paasta_config::{Position, RenderError, SettingError};
use paasta_core::{InstanceId, NameError};
use paasta_drain::DrainConfigError;

/// Why a pass did nothing for an instance.
#[derive(Debug, thiserror::Error)]
pub enum PassError {
    /// It cannot be rendered for its engine.
    #[error("could not render instance `{instance}`")]
    Render {
        /// Which instance.
        instance: InstanceId,
        /// Why.
        source: Box<RenderError>,
    },
    /// A setting that decides how it is bounced cannot be read.
    #[error("could not read the settings of instance `{instance}`")]
    Setting {
        /// Which instance.
        instance: InstanceId,
        /// Why.
        source: Box<SettingError>,
    },
    /// No such bounce method.
    #[error("could not read the settings of instance `{instance}`: {}bounce_method", at(.position))]
    BounceMethod {
        /// Which instance.
        instance: InstanceId,
        /// Where the name was written, if it was.
        position: Option<Position>,
        /// Why.
        source: UnknownMethod,
    },
    /// The margin factor is out of range.
    #[error("could not read the settings of instance `{instance}`: bounce_margin_factor")]
    Margin {
        /// Which instance.
        instance: InstanceId,
        /// Why.
        source: MarginError,
    },
    /// A registration cannot be one.
    #[error("could not read the settings of instance `{instance}`: registrations")]
    Registration {
        /// Which instance.
        instance: InstanceId,
        /// Why.
        source: NameError,
    },
    /// No such drain method, or its parameters are wrong.
    #[error("could not read the settings of instance `{instance}`")]
    Drain {
        /// Which instance.
        instance: InstanceId,
        /// Why.
        source: Box<DrainConfigError>,
    },
    /// Something that the decision needs cannot be had, so nothing is decided.
    #[error("instance `{instance}` needs {need}, which cannot be had: {reason}")]
    Needs {
        /// Which instance.
        instance: InstanceId,
        /// What it needs.
        need: Need,
        /// Why that cannot be had.
        reason: String,
    },
    /// The plan would break a promise of its method; nothing was done. This is a defect of ours.
    #[error("the plan for instance `{instance}` is unsafe and was not carried out")]
    Unsafe {
        /// Which instance.
        instance: InstanceId,
        /// Which promise.
        source: Violation,
    },
}

impl PassError {
    /// Whether only a change of configuration helps (marathon-and-bounce.md §5.9); the others may pass by
    /// themselves.
    pub fn is_config(&self) -> bool {
        !matches!(self, PassError::Needs { .. } | PassError::Unsafe { .. })
    }

    /// The original's name of this kind of error, for machines.
    pub fn class(&self) -> &'static str {
        match self {
            PassError::Render { source, .. } => source.class,
            PassError::Setting { source, .. } => source.class,
            PassError::BounceMethod { .. } => "UnknownBounceMethod",
            PassError::Margin { .. } | PassError::Registration { .. } => "InvalidInstanceConfig",
            PassError::Drain { .. } => "InvalidDrainMethod",
            PassError::Needs { .. } => "NotAvailable",
            PassError::Unsafe { .. } => "UnsafePlan",
        }
    }
}

/// What a decision can need of others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// That this process may still act.
    Leave,
    /// The lock that keeps two programs from working on one instance.
    Lock,
    /// The count that the autoscaler wrote.
    AutoscaledCount,
    /// Which hosts are about to leave.
    LeavingHosts,
    /// What load balancers say of its tasks.
    LoadBalancers,
}

impl std::fmt::Display for Need {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Need::Leave => "leave to change anything",
            Need::Lock => "its bounce lock",
            Need::AutoscaledCount => "its autoscaled count",
            Need::LeavingHosts => "the list of hosts about to leave",
            Need::LoadBalancers => "the answer of load balancers",
        })
    }
}

fn at(position: &Option<Position>) -> String {
    position.as_ref().map(|position| format!("{position}: ")).unwrap_or_default()
}
