//! The narrow port a pass has besides those of `paasta-core`.

use paasta_config::Map;
use paasta_drain::{DrainConfigError, DrainMethod, DrainPlace, DrainTools, from_settings};

/// Builds the drain method of an instance from its merged settings.
pub trait Drains: Send + Sync {
    /// The method, or what is wrong with its name or parameters.
    fn build(
        &self,
        settings: &Map,
        in_smartstack: bool,
        place: &DrainPlace,
    ) -> Result<Box<dyn DrainMethod>, DrainConfigError>;
}

impl Drains for DrainTools {
    fn build(
        &self,
        settings: &Map,
        in_smartstack: bool,
        place: &DrainPlace,
    ) -> Result<Box<dyn DrainMethod>, DrainConfigError> {
        from_settings(settings, in_smartstack, place, self)
    }
}
