//! What a command leaves behind in the service's log and in the audit log (cli.md §0.7).

use std::collections::BTreeMap;
use std::io;

use paasta_config::SystemConfig;
use paasta_core::{Clock as _, ClusterName, Deed, LogLevel, LogRecord, ServiceName, SystemClock};
use paasta_logs::{Actor, LogConfigError, LogWriter, NullWriter};

use crate::Context;

/// Where something happened; `None` for everywhere.
pub(crate) type Place<'a> = Option<(&'a ClusterName, &'a str)>;

/// Writes event lines of component `deploy`, and audit lines.
pub(crate) struct Recorder {
    writer: Box<dyn LogWriter>,
    actor: Actor,
}

impl Recorder {
    /// By the system configuration's `log_writer`. One that cannot be had is told on stderr, and is no reason to stop.
    pub(crate) fn open(system: &SystemConfig, cx: &mut Context) -> io::Result<Self> {
        let actor = cx.environment.actor();
        let writer = match paasta_logs::writer(system.map(), actor.clone()) {
            Ok(writer) => writer,
            Err(error) => {
                if !matches!(error, LogConfigError::NotConfigured { .. }) {
                    writeln!(cx.stderr, "warning: this is not logged: {error}")?;
                }
                Box::new(NullWriter)
            }
        };
        Ok(Self { writer, actor })
    }

    /// `user@host`, as event lines name who did something.
    pub(crate) fn who(&self) -> String {
        format!("{}@{}", self.actor.user, self.actor.host)
    }

    /// Writes an event line.
    pub(crate) fn event(&self, service: &ServiceName, place: Place<'_>, message: &str) {
        self.writer.log(&LogRecord {
            at: SystemClock.now(),
            service: service.to_string(),
            instance: place.map(|(_, instance)| instance.to_owned()),
            cluster: place.map(|(cluster, _)| cluster.to_string()),
            component: "deploy".to_owned(),
            level: LogLevel::Event,
            message: message.to_owned(),
        });
    }

    /// Writes an audit line.
    pub(crate) fn audit(
        &self,
        action: &str,
        details: BTreeMap<String, String>,
        service: &ServiceName,
        place: Place<'_>,
    ) {
        self.writer.audit(&Deed {
            at: SystemClock.now(),
            action: action.to_owned(),
            service: Some(service.to_string()),
            instance: place.map(|(_, instance)| instance.to_owned()),
            cluster: place.map(|(cluster, _)| cluster.to_string()),
            details,
        });
    }
}
