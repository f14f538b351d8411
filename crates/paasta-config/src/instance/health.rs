//! How an instance's health is checked.

use super::InstanceConfig;
use crate::Node;
use crate::setting::SettingError;

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HealthcheckMode {
    /// A GET of a path.
    Http,
    /// The same over TLS.
    Https,
    /// A connection.
    Tcp,
    /// A command in the container.
    Cmd,
}

impl HealthcheckMode {
    /// The word in configuration files.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
            Self::Tcp => "tcp",
            Self::Cmd => "cmd",
        }
    }
}

/// A health check with all its values (config.md §2.6).
#[derive(Clone, Debug, PartialEq)]
pub struct Healthcheck {
    /// What is asked.
    pub mode: HealthcheckMode,
    /// The path, for http and https; as written.
    pub uri: Node,
    /// The command, for `cmd`.
    pub command: Option<String>,
    /// Seconds after the start in which failures do not count. Default 60.
    pub grace_period_seconds: f64,
    /// Seconds between checks. Default 10.
    pub interval_seconds: f64,
    /// Seconds until a check has failed. Default 10.
    pub timeout_seconds: f64,
    /// Failures in a row until the task is killed. Default 30.
    pub max_consecutive_failures: i64,
}

impl InstanceConfig<'_> {
    /// What is asked; `None` means that health is not checked.
    pub fn healthcheck_mode(&self) -> Result<Option<HealthcheckMode>, SettingError> {
        let own = self.settings.get_set("healthcheck_mode");
        let Some(node) = own.or_else(|| self.namespace().healthcheck_mode()) else { return Ok(None) };
        Ok(Some(match node.as_str() {
            Some("http") => HealthcheckMode::Http,
            Some("https") => HealthcheckMode::Https,
            Some("tcp") => HealthcheckMode::Tcp,
            Some("cmd") => HealthcheckMode::Cmd,
            _ => {
                let error =
                    self.scope().wrong("healthcheck_mode", node, "one of `http`, `https`, `tcp`, `cmd`");
                return Err(error.with_class("InvalidHealthcheckMode"));
            }
        }))
    }

    /// The health check; `None` means that health is not checked.
    pub fn healthcheck(&self) -> Result<Option<Healthcheck>, SettingError> {
        let Some(mode) = self.healthcheck_mode()? else { return Ok(None) };
        let scope = self.scope();
        let command = scope.text_or_null("healthcheck_cmd")?.map(str::to_owned);
        if mode == HealthcheckMode::Cmd && command.is_none() {
            let missing = Node::null();
            let node = self.settings.get("healthcheck_mode").unwrap_or(&missing);
            return Err(scope.wrong("healthcheck_mode", node, "`cmd` with a `healthcheck_cmd` beside it"));
        }
        let seconds = |key: &str, default: f64| Ok(scope.number(key)?.unwrap_or(default));
        Ok(Some(Healthcheck {
            mode,
            uri: self
                .settings
                .get("healthcheck_uri")
                .cloned()
                .unwrap_or_else(|| self.namespace().healthcheck_uri()),
            command,
            grace_period_seconds: seconds("healthcheck_grace_period_seconds", 60.0)?,
            interval_seconds: seconds("healthcheck_interval_seconds", 10.0)?,
            timeout_seconds: seconds("healthcheck_timeout_seconds", 10.0)?,
            max_consecutive_failures: scope.integer("healthcheck_max_consecutive_failures")?.unwrap_or(30),
        }))
    }
}
