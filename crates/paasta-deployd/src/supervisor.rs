//! Tells the service manager how the process does, as `sd_notify(3)` has it.
//!
//! By hand, as it is one datagram: the crates for it bring `libc` calls that are not needed here, or take no abstract
//! sockets.

use std::ffi::OsStr;
use std::io;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

/// Where the service manager listens, if anywhere.
#[derive(Debug, Default)]
pub struct Supervisor {
    socket: Option<(UnixDatagram, SocketAddr)>,
    watchdog: Option<Duration>,
}

impl Supervisor {
    /// From the values of `NOTIFY_SOCKET`, `WATCHDOG_USEC` and `WATCHDOG_PID` and the own process id.
    ///
    /// # Errors
    /// The socket's name cannot be one.
    pub fn new(socket: Option<&OsStr>, usec: Option<&str>, pid: Option<&str>, own: u32) -> io::Result<Self> {
        let address = match socket.map(OsStr::as_bytes) {
            None | Some([]) => return Ok(Self::default()),
            Some([b'@', name @ ..]) => SocketAddr::from_abstract_name(name)?,
            Some(name) => SocketAddr::from_pathname(OsStr::from_bytes(name))?,
        };
        let sender = UnixDatagram::unbound()?;
        sender.set_nonblocking(true)?;
        let ours = pid.is_none_or(|pid| pid.parse() == Ok(own));
        let watchdog = usec.filter(|_| ours).and_then(|usec| usec.parse().ok()).filter(|usec| *usec > 0);
        Ok(Self { socket: Some((sender, address)), watchdog: watchdog.map(Duration::from_micros) })
    }

    /// Between two signs of life, if some are expected: half of the time that may pass.
    pub fn watchdog_every(&self) -> Option<Duration> {
        self.watchdog.map(|patience| patience / 2)
    }

    /// Says these lines, such as `READY=1`. Nobody hears it if there is no service manager, or if it does not keep up.
    pub fn say(&self, lines: &str) {
        if let Some((socket, address)) = &self.socket
            && let Err(error) = socket.send_to_addr(lines.as_bytes(), address)
        {
            tracing::debug!(%error, "could not tell the service manager");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_arrives_at_paths_and_abstract_names() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("notify");
        let at_path = UnixDatagram::bind(&path).expect("bound");
        let name = format!("paasta-test-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).expect("a name");
        let abstract_one = UnixDatagram::bind_addr(&address).expect("bound");
        for (listener, socket) in
            [(at_path, path.into_os_string()), (abstract_one, format!("@{name}").into())]
        {
            let supervisor = Supervisor::new(Some(&socket), Some("10000000"), Some("7"), 7).expect("fits");
            assert_eq!(supervisor.watchdog_every(), Some(Duration::from_secs(5)));
            supervisor.say("READY=1\nSTATUS=leading\n");
            let mut heard = [0; 64];
            let length = listener.recv(&mut heard).expect("heard");
            assert_eq!(&heard[..length], b"READY=1\nSTATUS=leading\n");
        }
        let nobody = Supervisor::new(None, Some("10"), None, 7).expect("fits");
        nobody.say("READY=1\n");
        assert_eq!(nobody.watchdog_every(), None);
        let another = Supervisor::new(Some(OsStr::new("/x")), Some("10"), Some("8"), 7).expect("fits");
        assert_eq!(another.watchdog_every(), None);
    }
}
