//! What a command leaves behind in the service's log and in the audit log (cli.md §0.7).

use std::io;

use paasta_config::SystemConfig;
use paasta_core::{Clock as _, ClusterName, LogLevel, LogRecord, ServiceName, SystemClock};
use paasta_logs::{AuditRecord, LogConfigError, LogWriter, NullWriter};
use serde_json::{Map, Value};

use crate::Context;

/// Where something happened; `None` for everywhere.
pub(crate) type Place<'a> = Option<(&'a ClusterName, &'a str)>;

/// Writes event lines of component `deploy`, and audit lines.
pub(crate) struct Recorder {
    writer: Box<dyn LogWriter>,
    user: String,
    host: String,
}

impl Recorder {
    /// By the system configuration's `log_writer`. One that cannot be had is told on stderr, and is no reason to stop.
    pub(crate) fn open(system: &SystemConfig, cx: &mut Context) -> io::Result<Self> {
        let writer = match paasta_logs::writer(system.map()) {
            Ok(writer) => writer,
            Err(error) => {
                if !matches!(error, LogConfigError::NotConfigured { .. }) {
                    writeln!(cx.stderr, "warning: this is not logged: {error}")?;
                }
                Box::new(NullWriter)
            }
        };
        Ok(Self { writer, user: cx.environment.user.clone(), host: cx.environment.host.clone() })
    }

    /// `user@host`, as event lines name who did something.
    pub(crate) fn who(&self) -> String {
        format!("{}@{}", self.user, self.host)
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
        details: Map<String, Value>,
        service: &ServiceName,
        place: Place<'_>,
    ) {
        self.writer.audit(&AuditRecord {
            at: SystemClock.now(),
            cluster: place.map(|(cluster, _)| cluster.to_string()),
            service: Some(service.to_string()),
            instance: place.map(|(_, instance)| instance.to_owned()),
            user: self.user.clone(),
            host: self.host.clone(),
            action: action.to_owned(),
            details,
        });
    }
}
