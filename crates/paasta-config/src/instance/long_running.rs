//! Keys of long-running instances, and of those on Marathon (config.md §2.6).

use paasta_core::Reading;

use super::InstanceConfig;
use crate::merge::lay;
use crate::setting::{SettingError, integer};
use crate::{Map, Node, Value};

impl<'a> InstanceConfig<'a> {
    /// How its count is decided while autoscaled: `autoscaling` laid over `metrics_provider: mesos_cpu`,
    /// `decision_policy: proportional`, `setpoint: 0.8`.
    pub fn autoscaling(&self) -> Result<Map, SettingError> {
        let mut autoscaling: Map = [
            (Node::text("metrics_provider"), Node::text("mesos_cpu")),
            (Node::text("decision_policy"), Node::text("proportional")),
            (Node::text("setpoint"), Node::new(Value::Float(0.8))),
        ]
        .into_iter()
        .collect();
        if let Some(own) = self.scope().map_or_null("autoscaling")? {
            lay(&mut autoscaling, own);
        }
        Ok(autoscaling)
    }

    /// The AWS role of its tasks. Default the empty text: none.
    pub fn iam_role(&self) -> Result<&'a str, SettingError> {
        Ok(self.scope().text_or_null("iam_role")?.unwrap_or(""))
    }

    /// Who gives the role to its tasks, `kiam` or `aws`, on Kubernetes. Default `kiam`.
    pub fn iam_role_provider(&self) -> Result<&'a str, SettingError> {
        Ok(self.scope().text("iam_role_provider")?.unwrap_or("kiam"))
    }

    /// The group that owns its volumes, on Kubernetes. Default none.
    pub fn fs_group(&self) -> Result<Option<i64>, SettingError> {
        self.scope().integer_or_null("fs_group")
    }

    /// By what the wait grows each time that a task dies. Default 2.
    pub fn backoff_factor(&self) -> Result<f64, SettingError> {
        Ok(self.scope().number("backoff_factor")?.unwrap_or(2.0))
    }

    /// Seconds until a task that died is launched again, the first time: 10 by the number of copies, at least 1. The
    /// key itself is not read. Unknown where the number is.
    pub fn backoff_seconds(&self, autoscaled: &Reading<Option<i64>>) -> Result<Reading<i64>, SettingError> {
        let count = match self.max_instances()? {
            Some(max) if max != 0 => Reading::Known(max),
            _ => self.instance_count(autoscaled)?,
        };
        Ok(count.map(|count| match count {
            ..=0 => 1,
            count => (10 + count - 1) / count,
        }))
    }

    /// Longest wait in seconds until a task that died is launched again. Default 300.
    pub fn max_launch_delay_seconds(&self) -> Result<f64, SettingError> {
        Ok(self.scope().number("max_launch_delay_seconds")?.unwrap_or(300.0))
    }

    /// The Mesos roles whose resources it takes. Default those of Marathon.
    pub fn accepted_resource_roles(&self) -> Result<Option<&'a [Node]>, SettingError> {
        self.scope().list_or_null("accepted_resource_roles")
    }

    /// The port on the host; 0, the default, has one chosen.
    pub fn host_port(&self) -> Result<i64, SettingError> {
        Ok(self.scope().integer("host_port")?.unwrap_or(0))
    }

    /// Its place in `marathon_servers`. Default: chosen by its name.
    pub fn marathon_shard(&self) -> Result<Option<i64>, SettingError> {
        self.scope().integer_or_null("marathon_shard")
    }

    /// Its places in `previous_marathon_servers`. Default: chosen by its name.
    pub fn previous_marathon_shards(&self) -> Result<Option<Vec<i64>>, SettingError> {
        const KEY: &str = "previous_marathon_shards";
        let Some(list) = self.scope().list_or_null(KEY)? else { return Ok(None) };
        let shard = |node| integer(node).ok_or_else(|| self.scope().wrong(KEY, node, "an integer"));
        list.iter().map(shard).collect::<Result<_, _>>().map(Some)
    }

    /// What a local run asks of its health, for a task at `host` and `port`: a URL, or the command of `cmd`. `None` where
    /// health is not checked.
    pub fn healthcheck_target(&self, host: &str, port: u16) -> Result<Option<String>, SettingError> {
        use super::HealthcheckMode::{Cmd, Http, Https, Tcp};
        let Some(check) = self.healthcheck()? else { return Ok(None) };
        Ok(match check.mode {
            Cmd => check.command,
            Tcp => Some(format!("tcp://{host}:{port}")),
            Http | Https => {
                let path = check.uri.as_str().unwrap_or_default();
                Some(format!("{}://{host}:{port}{path}", check.mode.as_str()))
            }
        })
    }
}
