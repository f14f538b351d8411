//! Where operator programs write what they tell a service's people, and what they change.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use paasta_config::SystemConfig;
use paasta_core::{Clock as _, Deed, LogRecord, LogSink, NoLog, ServiceName, SystemClock};
use paasta_logs::{LogConfigError, LogWriter};
use paasta_monitoring::Container;

use crate::program;

/// What the system configuration asks for. A log that cannot be written stops nobody: its lines go to stderr.
pub fn open(system: &SystemConfig) -> Arc<dyn LogSink> {
    match paasta_logs::writer(system.map(), program::actor()) {
        Ok(writer) => Arc::<dyn LogWriter>::from(writer),
        Err(error) => to_stderr(&error),
    }
}

/// The same for programs that only write files: where no log is configured, nothing is written down.
pub fn of_files(system: &SystemConfig) -> Arc<dyn LogSink> {
    match paasta_logs::writer(system.map(), program::actor()) {
        Ok(writer) => Arc::<dyn LogWriter>::from(writer),
        Err(LogConfigError::NotConfigured { .. }) => Arc::new(NoLog),
        Err(error) => to_stderr(&error),
    }
}

fn to_stderr(error: &LogConfigError) -> Arc<dyn LogSink> {
    tracing::warn!(%error, "service logs go to stderr");
    Arc::new(StderrLog)
}

/// Writes down that the deployments.json of a service was written.
pub fn wrote_deployments(log: &dyn LogSink, soa_dir: &Path, service: &ServiceName) {
    log.audit(&paasta_deployments::wrote_deployments(soa_dir, service, SystemClock.now()));
}

/// Writes down that the file of all services' ports was written.
pub fn wrote_services_file(log: &dyn LogSink, path: &Path) {
    log.audit(&Deed {
        at: SystemClock.now(),
        action: "write-services-file".to_owned(),
        service: None,
        instance: None,
        cluster: None,
        details: [("path".to_owned(), path.display().to_string())].into(),
    });
}

/// Writes down that a container of this host was killed, whose task was over.
pub fn killed_container(log: &dyn LogSink, cluster: Option<String>, container: &Container) {
    let task = container.task.clone().unwrap_or_default();
    let details = [("container".to_owned(), container.name.clone()), ("task".to_owned(), task)].into();
    log.audit(&of_cluster("kill-container", cluster, details));
}

/// Writes down that hosts were taken out of the cluster, or back: `maintenance-<what>`.
pub fn changed_hosts(log: &dyn LogSink, cluster: Option<String>, what: &str, hosts: &[String]) {
    let details = [("hosts".to_owned(), hosts.join(", "))].into();
    log.audit(&of_cluster(&format!("maintenance-{what}"), cluster, details));
}

fn of_cluster(action: &str, cluster: Option<String>, details: BTreeMap<String, String>) -> Deed {
    let action = action.to_owned();
    Deed { at: SystemClock.now(), action, service: None, instance: None, cluster, details }
}

/// Service log lines as log lines of this program.
struct StderrLog;

impl LogSink for StderrLog {
    fn log(&self, record: &LogRecord) {
        let instance = record.instance.as_deref().unwrap_or("N/A");
        tracing::info!(service = %record.service, instance, "{}", record.message);
    }

    fn audit(&self, deed: &Deed) {
        let service = deed.service.as_deref().unwrap_or("N/A");
        let instance = deed.instance.as_deref().unwrap_or("N/A");
        tracing::info!(service, instance, details = ?deed.details, "{}", deed.action);
    }
}
