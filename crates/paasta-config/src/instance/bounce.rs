//! How an instance is replaced: bounce and drain settings.

use super::{InstanceConfig, fraction, truth};
use crate::setting::{Scope, SettingError, number};
use crate::{Map, Node, Value};

/// What a task must show to be happy (marathon-and-bounce.md §4.4).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BounceHealthParams {
    /// Whether HAProxy must see it up.
    pub check_haproxy: bool,
    /// Seconds it must have been up.
    pub min_task_uptime: Option<f64>,
    /// Of the HAProxies asked, the fraction that must see it up.
    pub haproxy_min_fraction_up: f64,
}

impl InstanceConfig<'_> {
    /// By what method versions are replaced. Default `crossover`. The name is not checked here.
    pub fn bounce_method(&self) -> Result<String, SettingError> {
        Ok(self.scope().text("bounce_method")?.unwrap_or("crossover").to_owned())
    }

    /// The fraction of copies that must stay up, in `(0, 1]`. Default 1.
    pub fn bounce_margin_factor(&self) -> Result<f64, SettingError> {
        Ok(fraction(&self.scope(), "bounce_margin_factor")?.unwrap_or(1.0))
    }

    /// What a task must show to be happy; a given map replaces the default entirely, and an unknown key is an error.
    pub fn bounce_health_params(&self) -> Result<BounceHealthParams, SettingError> {
        let mut params = BounceHealthParams { haproxy_min_fraction_up: 1.0, ..Default::default() };
        let Some(node) = self.settings.get("bounce_health_params") else {
            params.check_haproxy = self.is_in_smartstack();
            return Ok(params);
        };
        let path = self.scope().key("bounce_health_params");
        let map =
            node.as_map().ok_or_else(|| SettingError::new(&path, node, "a map").with_class("TypeError"))?;
        let scope = Scope { map, path: &path };
        for (key, value) in map.iter() {
            match key.as_str() {
                Some("check_haproxy") => params.check_haproxy = truth(value),
                Some("min_task_uptime") if value.is_null() => {}
                Some("min_task_uptime") => params.min_task_uptime = Some(uptime(&scope, value)?),
                Some("haproxy_min_fraction_up") => {
                    params.haproxy_min_fraction_up =
                        fraction(&scope, "haproxy_min_fraction_up")?.unwrap_or(1.0);
                }
                _ => return Err(unknown_parameter(&path, key)),
            }
        }
        Ok(params)
    }

    /// How traffic is taken off a task. Default `hacheck` in SmartStack, else `noop`. The name is not checked here.
    pub fn drain_method(&self) -> Result<String, SettingError> {
        let default = if self.is_in_smartstack() { "hacheck" } else { "noop" };
        Ok(self.scope().text("drain_method")?.unwrap_or(default).to_owned())
    }

    /// What the drain method is given. Default `{delay: 60}` in SmartStack, else nothing; a given map replaces it.
    pub fn drain_method_params(&self) -> Result<Map, SettingError> {
        if self.has("drain_method_params") {
            return Ok(self.scope().map_or_null("drain_method_params")?.cloned().unwrap_or_default());
        }
        let delay = self.is_in_smartstack().then(|| (Node::text("delay"), Node::new(Value::Int(60))));
        Ok(delay.into_iter().collect())
    }

    /// Seconds added to the time within which a first bounce begins. Default 0.
    pub fn bounce_start_deadline(&self) -> Result<f64, SettingError> {
        Ok(self.scope().number("bounce_start_deadline")?.unwrap_or(0.0))
    }
}

fn uptime(scope: &Scope<'_>, node: &Node) -> Result<f64, SettingError> {
    number(node).ok_or_else(|| scope.wrong("min_task_uptime", node, "a number of seconds"))
}

fn unknown_parameter(path: &str, key: &Node) -> SettingError {
    SettingError::new(path, key, "one of `check_haproxy`, `min_task_uptime`, `haproxy_min_fraction_up`")
        .with_class("TypeError")
}
