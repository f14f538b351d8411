//! A HAProxy of one machine, as SmartStack has one on each host: its configuration from what is registered, and the steps
//! that bring a running one there without closing anybody's connection.
//!
//! [`Wanted`] says what is listened on and who serves it, [`configuration`] writes the whole file, [`steps`] compares with
//! what runs ([`Live`]), and [`HaProxy`] is the process with its stats socket. Servers come and go through the runtime
//! API; only a change of what is listened on needs a reload, in which the old process goes on with its connections.

mod configuration;
mod live;
mod process;
mod socket;
mod steps;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

pub use configuration::{configuration, listening};
pub use live::{Live, LiveServer};
pub use process::{Changed, HaProxy, ProxyError, end_leftover, find_haproxy, find_haproxy_in};
pub use socket::{SocketError, StatsSocket};
pub use steps::{Step, steps};

const CONFIGURATION_FILE: &str = "haproxy.cfg";
const PID_FILE: &str = "haproxy.pid";

/// How a listener hands traffic on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Mode {
    /// Requests, each to a server of its own.
    #[default]
    Http,
    /// Connections.
    Tcp,
}

/// One `proxy_port` (monitoring.md §4.1): what is listened on for a registration, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listener {
    /// The port of clients.
    pub port: u16,
    /// What is handed on.
    pub mode: Mode,
    /// How hacheck is to ask a server: the first part of its path, such as `http` or `tcp`.
    pub check_mode: String,
    /// What hacheck asks a server for, with its leading `/`.
    pub check_uri: String,
    /// Headers of the question, by name.
    pub check_headers: BTreeMap<String, String>,
    /// Milliseconds to connect to a server.
    pub connect_ms: u64,
    /// Milliseconds a server may be silent.
    pub server_ms: u64,
    /// Milliseconds a client may be silent.
    pub client_ms: u64,
    /// How often a connection that fails is tried again, at another server.
    pub retries: u32,
}

impl Default for Listener {
    /// The defaults of SmartStack (monitoring.md §4.1); the port has none.
    fn default() -> Self {
        Self {
            port: 0,
            mode: Mode::Http,
            check_mode: "http".to_owned(),
            check_uri: "/status".to_owned(),
            check_headers: BTreeMap::new(),
            connect_ms: 200,
            server_ms: 1_000,
            client_ms: 1_000,
            retries: 1,
        }
    }
}

/// A task that serves, by its address.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Server {
    /// The host's name, for people.
    pub host: String,
    /// Where it serves.
    pub address: SocketAddr,
}

impl Server {
    /// Its name at HAProxy, in the newer of the two forms that are read: `<host>_<ip>:<port>` (monitoring.md §4.3). What
    /// HAProxy takes in no name becomes `-`.
    ///
    /// ```
    /// use paasta_smartstack::proxy::Server;
    ///
    /// let server = Server { host: "h1".to_owned(), address: "10.0.0.1:31001".parse()? };
    /// assert_eq!(server.name(), "h1_10.0.0.1:31001");
    /// # Ok::<(), std::net::AddrParseError>(())
    /// ```
    pub fn name(&self) -> String {
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
        let host: String = self.host.chars().map(|c| if allowed(c) { c } else { '-' }).collect();
        // The brackets of IPv6 are no part of a name.
        format!("{host}_{}:{}", self.address.ip(), self.address.port())
    }
}

/// What ought to be listened on, and who serves it, by registration.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Wanted {
    /// Each `proxy_port`, by registration.
    pub listeners: BTreeMap<String, Listener>,
    /// Who serves, by registration; of registrations without a listener none counts.
    pub servers: BTreeMap<String, BTreeSet<Server>>,
}

impl Wanted {
    /// Who serves a registration.
    pub(crate) fn servers_of(&self, registration: &str) -> impl Iterator<Item = &Server> {
        self.servers.get(registration).into_iter().flatten()
    }
}

/// What a HAProxy of this machine stands between.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Where clients connect.
    pub listen: IpAddr,
    /// hacheck, which is asked about the health of servers.
    pub hacheck: SocketAddr,
    /// Where the stats page is.
    pub stats: SocketAddr,
    /// The folder of its file, socket and state; for nobody else to write in.
    pub folder: PathBuf,
}

impl Place {
    /// The configuration file.
    pub fn file(&self) -> PathBuf {
        self.folder.join(CONFIGURATION_FILE)
    }

    /// The stats socket.
    pub fn socket(&self) -> PathBuf {
        self.folder.join("haproxy.sock")
    }

    /// What a process leaves to the one that takes over at a reload.
    pub fn state_file(&self) -> PathBuf {
        self.folder.join("servers.state")
    }

    /// The process's number.
    pub fn pid_file(&self) -> PathBuf {
        self.folder.join(PID_FILE)
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Mode::Http => "http",
            Mode::Tcp => "tcp",
        })
    }
}
