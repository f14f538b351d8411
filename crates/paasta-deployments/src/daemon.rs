//! `git://` remotes: git's own protocol over TCP.
//!
//! libgit2 could speak it too, but a time limit for its sockets is a process-wide setting that only unsafe code may
//! touch, and its push needs the commit on this side. The two conversations needed here carry no objects at all.

use std::io::{self, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use paasta_core::GitSha;

use crate::conversation::Partner;
use crate::refs::{check_name, prove_written};
use crate::wire::{self, Advertisement, WireError};
use crate::{Limits, Refs, RefsError, RemoteRef, WriteMode, Written};

/// The refs of a repository behind a `git daemon`. Writing needs a daemon that allows it (`--enable=receive-pack`).
#[derive(Clone, Debug)]
pub struct GitDaemonRefs {
    url: String,
    host: String,
    port: u16,
    path: String,
    limits: Limits,
}

impl GitDaemonRefs {
    /// The repository at `path` (with its leading slash) of the daemon at `host:port`; `url` is how people call it.
    pub fn new(url: &str, host: String, port: u16, path: String, limits: Limits) -> Self {
        Self { url: crate::remote::without_password(url), host, port, path, limits }
    }

    fn connect(&self, service: &str, limit: Duration) -> Result<Bounded, WireError> {
        let deadline = Instant::now() + limit;
        let mut last = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
        for address in addresses(&self.host, self.port, limit)? {
            let left = deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
            match TcpStream::connect_timeout(&address, left) {
                Ok(stream) => {
                    let mut stream = Bounded(BufReader::new(Timed { stream, deadline }));
                    let request = format!("{service} {}\0host={}:{}\0", self.path, self.host, self.port);
                    wire::write_packet(&mut stream, request.as_bytes())?;
                    return Ok(stream);
                }
                Err(error) => last = error,
            }
        }
        Err(last.into())
    }

    fn advertised(&self) -> Result<Advertisement, WireError> {
        let mut stream = self.connect("git-upload-pack", self.limits.listing)?;
        let advertisement = wire::read_advertisement(&mut stream)?;
        // All is said; a daemon that is gone already does not matter.
        let _ = wire::write_flush(&mut stream);
        Ok(advertisement)
    }

    fn partner(&self, limit: Duration) -> Partner {
        Partner { url: self.url.clone(), limit }
    }
}

impl Refs for GitDaemonRefs {
    fn url(&self) -> &str {
        &self.url
    }

    fn list(&self) -> Result<Vec<RemoteRef>, RefsError> {
        let advertised = self.advertised();
        Ok(advertised.map_err(|error| self.partner(self.limits.listing).failed(error))?.refs)
    }

    fn write(&self, name: &str, commit: &GitSha, mode: WriteMode) -> Result<Written, RefsError> {
        check_name(name)?;
        let partner = self.partner(self.limits.writing);
        let stream = self.connect("git-receive-pack", self.limits.writing);
        let mut stream = stream.map_err(|error| partner.failed(error))?;
        match partner.write_ref(&mut stream, (name, commit), mode)? {
            Written::AlreadyThere => Ok(Written::AlreadyThere),
            Written::Done => prove_written(self, name, commit),
        }
    }
}

/// The addresses of a host. Who is asked for them may be slow too, and has no limit of its own.
fn addresses(host: &str, port: u16, limit: Duration) -> io::Result<Vec<SocketAddr>> {
    let (sender, receiver) = channel();
    let host = host.to_owned();
    thread::spawn(move || {
        let found = (host.as_str(), port).to_socket_addrs().map(Iterator::collect);
        // Nobody may be waiting any more.
        let _ = sender.send(found);
    });
    receiver.recv_timeout(limit).unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

/// A connection that lives until a deadline, read in large pieces.
struct Bounded(BufReader<Timed>);

impl Read for Bounded {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl Write for Bounded {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.0.get_mut().write(buffer)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.get_mut().flush()
    }
}

/// A connection that lives until a deadline, however slowly the other side drips.
struct Timed {
    stream: TcpStream,
    deadline: Instant,
}

impl Timed {
    fn left(&self) -> io::Result<Duration> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        if left.is_zero() { Err(io::ErrorKind::TimedOut.into()) } else { Ok(left) }
    }
}

impl Read for Timed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.stream.set_read_timeout(Some(self.left()?))?;
        self.stream.read(buffer)
    }
}

impl Write for Timed {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.stream.set_write_timeout(Some(self.left()?))?;
        self.stream.write(buffer)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}
