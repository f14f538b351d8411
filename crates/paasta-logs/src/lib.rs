//! Log lines for a service's people, and audit lines (monitoring.md §7, config.md §9.4).
//!
//! [`writer`] makes the [`LogWriter`] that the system configuration asks for; it is a
//! [`LogSink`](paasta_core::LogSink), so whatever it meets, its caller goes on: a [`BackgroundWriter`] writes in a
//! thread of its own, through the [`LineWriter`] of the driver. [`reader`] makes the
//! [`FileReader`] over the files of the driver `file`: the last lines, a range of time, or what comes next.
//!
//! [`FileHistory`] is the event log of created versions: what `paasta why` explains bounces from.
//!
//! Drivers are `file`, `null`, `stdout` and `syslog`. `scribe` and `monk` need servers that this workspace does not speak to; they
//! are refused by name.
//!
//! ```
//! use paasta_core::{LogLevel, LogRecord, LogSink};
//! use paasta_logs::{Actor, BackgroundWriter, FileReader, FileWriter, Query};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let directory = tempfile::tempdir()?;
//! let path_format = format!("{}/{{service}}/{{component}}.log", directory.path().display());
//! let actor = Actor { user: "bob".to_owned(), host: "h".to_owned() };
//! let writer = BackgroundWriter::start(FileWriter::new(&path_format)?, actor)?;
//! writer.log(&LogRecord {
//!     at: "2021-04-01T00:00:00.123Z".parse()?,
//!     service: "web".to_owned(),
//!     instance: Some("main".to_owned()),
//!     cluster: Some("prod".to_owned()),
//!     component: "deploy".to_owned(),
//!     level: LogLevel::Event,
//!     message: "now running".to_owned(),
//! });
//! drop(writer);
//! let read = FileReader::new(&path_format)?.last(&Query::of_service("web"), 100);
//! assert_eq!(read.lines[0].message, "now running");
//! # Ok(())
//! # }
//! ```

mod actor;
mod audit;
mod background;
mod config;
mod file_writer;
mod follow;
mod history;
mod host_name;
mod json;
mod line;
mod path_format;
mod query;
mod raw_lines;
mod reader;
mod scan;
mod stdout_writer;
mod syslog;
mod writer;

pub use actor::Actor;
pub use audit::{AUDIT_STREAM, AuditRecord};
pub use background::BackgroundWriter;
pub use config::{LogConfigError, reader, writer};
pub use file_writer::FileWriter;
pub use follow::Follower;
pub use history::{FileHistory, HistoryError};
pub use host_name::host_name;
pub use line::{COMPONENTS, LogLine, UnknownComponent, format_record};
pub use path_format::PathFormatError;
pub use query::{PassedOver, Query};
pub use reader::{BrokenLines, FileReader, Read, ReadError};
pub use stdout_writer::StdoutWriter;
pub use syslog::{Facility, SYSLOG_SOCKET, SyslogPlace, SyslogWriter};
pub use writer::{LineWriter, LogWriter, Lost, NullWriter};
