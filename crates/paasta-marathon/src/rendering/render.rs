//! One instance rendered.

use paasta_config::{RenderError, Wanted};
use paasta_core::AppId;

use super::complete::complete;
use super::{hash, wire};

/// What would run for an instance, wherever that would be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppRendering {
    /// The id of the version.
    pub app: AppId,
    /// `config` and eight hexadecimal digits.
    pub config_hash: String,
    /// The exact text that was hashed, the force-bounce text at its end included.
    pub hash_input: String,
    /// The JSON body that creates the app.
    pub body: String,
    /// How many tasks are wanted (zero when stopped).
    pub instances: usize,
}

/// Renders identity and body of an instance (marathon-and-bounce.md §1). Pure; needs no Marathon server, as
/// [`crate::MarathonRenderer`] does for the home.
pub fn render_app(wanted: &Wanted) -> Result<AppRendering, RenderError> {
    let complete = complete(wanted)?;
    let hash_input = hash::hash_input(wanted, &complete)?;
    let config_hash = hash::config_hash(&hash_input);
    let app = hash::app_id(&wanted.id, &complete.container.image_url, &config_hash);
    hash::check_id(&app)?;
    let body = wire::body(&complete, &app)?;
    Ok(AppRendering { instances: complete.desired.count()?, app, config_hash, hash_input, body })
}
