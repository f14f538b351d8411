//! The writer `syslog`: to the system's own log by its datagram socket, or to another host's by UDP.

use std::fmt;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs as _, UdpSocket};
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use paasta_core::{LogLevel, LogRecord, Timestamp};

use crate::audit::AuditRecord;
use crate::line::format_record;
use crate::writer::{LineWriter, Lost, OnLost};

/// Where most systems listen.
pub const SYSLOG_SOCKET: &str = "/dev/log";

/// A listener that does not take a line within this loses it.
const PATIENCE: Duration = Duration::from_millis(500);

/// Facilities by name, as `syslog.conf` has them, in the order of their numbers.
const FACILITIES: [&str; 24] = [
    "kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp",
    "ntp", "audit", "alert", "clock", "local0", "local1", "local2", "local3", "local4", "local5", "local6",
    "local7",
];

/// Where to, and as what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SyslogPlace {
    /// A datagram socket of this machine.
    Socket(PathBuf),
    /// `HOST:PORT`, by UDP.
    Address(String),
}

impl fmt::Display for SyslogPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SyslogPlace::Socket(path) => write!(f, "{}", path.display()),
            SyslogPlace::Address(address) => f.write_str(address),
        }
    }
}

/// A facility of syslog.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Facility(u8);

impl Facility {
    /// By its name, such as `user` or `local0`.
    pub fn named(name: &str) -> Option<Self> {
        FACILITIES.iter().position(|known| *known == name).and_then(|at| u8::try_from(at).ok()).map(Self)
    }
}

/// Sends each line as the message of one datagram. To a socket of this machine that is `<PRI>TAG[PID]: LINE`, as libc's
/// `syslog` writes it, without the time, which the listener knows; to another host as RFC 5424 says. Event lines have the
/// severity `info`, debug lines `debug`, audit lines `notice`. The listener may be away and come back: lines that nobody takes
/// are lost.
pub struct SyslogWriter {
    place: SyslogPlace,
    facility: Facility,
    tag: String,
    host: String,
    pid: u32,
    sender: Mutex<Option<Sender>>,
    on_lost: OnLost,
}

enum Sender {
    Local(UnixDatagram),
    Remote(UdpSocket, SocketAddr),
}

/// How much a line matters.
#[derive(Clone, Copy)]
enum Severity {
    Notice = 5,
    Info = 6,
    Debug = 7,
}

impl SyslogWriter {
    /// To that place, as `paasta` of facility `user`. Lost lines go to standard error.
    pub fn new(place: SyslogPlace) -> Self {
        Self {
            place,
            facility: Facility(1),
            tag: "paasta".to_owned(),
            host: rustix::system::uname().nodename().to_string_lossy().into_owned(),
            pid: std::process::id(),
            sender: Mutex::new(None),
            on_lost: OnLost::default(),
        }
    }

    /// Of this facility instead of `user`.
    pub fn facility(mut self, facility: Facility) -> Self {
        self.facility = facility;
        self
    }

    /// Under this name instead of `paasta`.
    pub fn tag(mut self, tag: impl Into<String>) -> Self {
        self.tag = tag.into();
        self
    }

    /// Calls `tell` with each lost line instead of writing it to standard error.
    pub fn on_lost(mut self, tell: impl Fn(&Lost<'_>) + Send + Sync + 'static) -> Self {
        self.on_lost = OnLost::new(tell);
        self
    }

    fn write_line(&self, at: Timestamp, severity: Severity, line: &str) {
        let datagram = self.datagram(at, severity, line);
        if let Err(error) = self.send(datagram.as_bytes()) {
            let place = self.place.to_string();
            self.tell_lost(&Lost { place: Some(&place), line, reason: error.to_string() });
        }
    }

    fn datagram(&self, at: Timestamp, severity: Severity, line: &str) -> String {
        let priority = u16::from(self.facility.0) * 8 + severity as u16;
        let Self { tag, host, pid, .. } = self;
        match self.place {
            SyslogPlace::Socket(_) => format!("<{priority}>{tag}[{pid}]: {line}"),
            SyslogPlace::Address(_) => format!("<{priority}>1 {at} {host} {tag} {pid} - - {line}"),
        }
    }

    /// Whatever failed, the next line begins anew: names may lead elsewhere by then.
    fn send(&self, datagram: &[u8]) -> io::Result<()> {
        let mut sender = self.sender.lock().unwrap_or_else(PoisonError::into_inner);
        let ready = match sender.take() {
            Some(ready) => ready,
            None => self.place.sender()?,
        };
        ready.send(&self.place, datagram)?;
        *sender = Some(ready);
        Ok(())
    }
}

impl SyslogPlace {
    fn sender(&self) -> io::Result<Sender> {
        match self {
            SyslogPlace::Socket(_) => {
                let socket = UnixDatagram::unbound()?;
                socket.set_write_timeout(Some(PATIENCE))?;
                Ok(Sender::Local(socket))
            }
            SyslogPlace::Address(address) => {
                let to = address.to_socket_addrs()?.next();
                let to = to.ok_or_else(|| io::Error::other("its name stands for no address"))?;
                let socket = UdpSocket::bind(if to.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" })?;
                socket.set_write_timeout(Some(PATIENCE))?;
                Ok(Sender::Remote(socket, to))
            }
        }
    }
}

impl Sender {
    fn send(&self, place: &SyslogPlace, datagram: &[u8]) -> io::Result<()> {
        match (self, place) {
            (Sender::Local(socket), SyslogPlace::Socket(path)) => socket.send_to(datagram, path)?,
            (Sender::Local(_), SyslogPlace::Address(_)) => 0,
            (Sender::Remote(socket, to), _) => socket.send_to(datagram, to)?,
        };
        Ok(())
    }
}

impl LineWriter for SyslogWriter {
    fn write(&self, record: &LogRecord) {
        let severity = match record.level {
            LogLevel::Event => Severity::Info,
            LogLevel::Debug => Severity::Debug,
        };
        match format_record(record) {
            Ok(line) => self.write_line(record.at, severity, &line),
            Err(error) => {
                self.tell_lost(&Lost { place: None, line: &record.message, reason: error.to_string() });
            }
        }
    }

    fn write_audit(&self, record: &AuditRecord) {
        self.write_line(record.at, Severity::Notice, &record.line());
    }

    fn tell_lost(&self, lost: &Lost<'_>) {
        self.on_lost.tell(lost);
    }
}

impl fmt::Debug for SyslogWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SyslogWriter").field("place", &self.place).finish_non_exhaustive()
    }
}
