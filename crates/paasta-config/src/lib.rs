//! soa-configs and system configuration: the only reader of YAML.
//!
//! Files are read through a [`ConfigSource`], parsed by PyYAML's rules into positioned [`Node`]s, merged, and
//! read through checked getters. What one instance comes to is a [`Wanted`]; a [`Renderer`] (one per engine)
//! turns it into what would run.

mod node;
mod wanted;

pub use node::{Map, Node, Position, Value};
pub use wanted::{DeploymentRecord, DesiredState, RenderError, Renderer, Wanted};
