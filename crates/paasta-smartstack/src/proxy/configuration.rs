//! The whole file of a HAProxy. Pure.

use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};

use super::{Listener, Mode, Place, Server, Wanted};

/// How often a server is asked, and how often in doubt: one that is on its way out is DOWN within 1.25 s.
pub(super) const CHECK: &str =
    "check inter 1s fastinter 250ms downinter 1s fall 2 rise 1 pool-purge-delay 500ms";

/// Writes the whole configuration: what is listened on, and who serves.
///
/// ```
/// use paasta_smartstack::proxy::{Listener, Place, Server, Wanted, configuration};
///
/// let place = Place {
///     listen: [127, 0, 0, 1].into(),
///     hacheck: "127.0.0.1:6666".parse()?,
///     stats: "127.0.0.1:3212".parse()?,
///     folder: "/var/lib/paasta/haproxy".into(),
/// };
/// let server = Server { host: "h1".to_owned(), address: "10.0.0.1:31001".parse()? };
/// let mut wanted = Wanted::default();
/// wanted.listeners.insert("web.main".to_owned(), Listener { port: 20001, ..Listener::default() });
/// wanted.servers.entry("web.main".to_owned()).or_default().insert(server);
/// let text = configuration(&place, &wanted);
/// assert!(text.contains("frontend web.main"), "{text}");
/// assert!(text.contains("server h1_10.0.0.1:31001 10.0.0.1:31001 check"), "{text}");
/// # Ok::<(), std::net::AddrParseError>(())
/// ```
pub fn configuration(place: &Place, wanted: &Wanted) -> String {
    let mut text = head(place);
    for (registration, listener) in &wanted.listeners {
        text += &section(place, registration, listener);
        for server in wanted.servers_of(registration) {
            // Writing to a text cannot fail.
            let _ = writeln!(text, "  server {} {}", server.name(), arguments(server, place.hacheck));
        }
    }
    text
}

/// The part of the configuration that only a reload can change: all but the servers.
pub fn listening(place: &Place, wanted: &Wanted) -> String {
    let sections =
        wanted.listeners.iter().map(|(registration, listener)| section(place, registration, listener));
    head(place) + &sections.collect::<String>()
}

/// What follows a server's name, in the file and at the runtime API alike.
pub(super) fn arguments(server: &Server, hacheck: SocketAddr) -> String {
    format!("{} {CHECK} addr {} port {}", server.address, bare(hacheck.ip()), hacheck.port())
}

fn bare(ip: IpAddr) -> IpAddr {
    match ip.is_unspecified() {
        true => IpAddr::from([127, 0, 0, 1]),
        false => ip,
    }
}

fn head(place: &Place) -> String {
    let socket = place.socket();
    let state = place.state_file();
    format!(
        "# Written by paasta from what is registered; changes are lost.\n\
         global\n\
         \x20 stats socket {} mode 600 level admin expose-fd listeners\n\
         \x20 server-state-file {}\n\
         \x20 hard-stop-after 60s\n\
         defaults\n\
         \x20 mode http\n\
         \x20 balance roundrobin\n\
         \x20 option redispatch 1\n\
         \x20 option idle-close-on-response\n\
         \x20 option splice-auto\n\
         \x20 load-server-state-from-file global\n\
         \x20 timeout connect 1s\n\
         \x20 timeout check 5s\n\
         \x20 timeout client 60s\n\
         \x20 timeout server 60s\n\
         frontend paasta-stats\n\
         \x20 bind {}\n\
         \x20 stats enable\n\
         \x20 stats uri /\n",
        quoted(&socket.display().to_string()),
        quoted(&state.display().to_string()),
        place.stats,
    )
}

fn section(place: &Place, registration: &str, listener: &Listener) -> String {
    let Listener { port, mode, connect_ms, server_ms, client_ms, retries, .. } = listener;
    let bind = SocketAddr::new(place.listen, *port);
    let mut text = format!(
        "frontend {registration}\n\
         \x20 mode {mode}\n\
         \x20 bind {bind}\n\
         \x20 timeout client {client_ms}ms\n\
         \x20 default_backend {registration}\n\
         backend {registration}\n\
         \x20 mode {mode}\n\
         \x20 timeout connect {connect_ms}ms\n\
         \x20 timeout server {server_ms}ms\n\
         \x20 retries {retries}\n"
    );
    if *mode == Mode::Http {
        text += "  http-reuse safe\n";
    }
    // hacheck speaks HTTP, whatever the service does. Drains are told apart by the port, which a server's name ends with.
    text += "  option httpchk\n";
    let Listener { check_mode, check_uri, .. } = listener;
    let uri = check_uri.trim_start_matches('/').replace('%', "%%");
    let uri = format!("/{check_mode}/{registration}/%[srv_name,field(-1,:)]/{uri}");
    let _ = write!(text, "  http-check send meth GET uri-lf {}", quoted(&uri));
    for (name, value) in &listener.check_headers {
        let _ = write!(text, " hdr {} {}", quoted(name), quoted(value));
    }
    text.push('\n');
    text
}

/// A word of HAProxy's file: nothing in it is taken for more than it is.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-/:=+,@?&".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    // Strong quotes keep everything but themselves; a line break cannot be written.
    let shown: String = word.chars().filter(|c| !c.is_control()).collect();
    format!("'{}'", shown.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place() -> Place {
        Place {
            listen: [127, 0, 0, 1].into(),
            hacheck: "0.0.0.0:6666".parse().unwrap(),
            stats: "127.0.0.1:3212".parse().unwrap(),
            folder: "/tmp/a folder".into(),
        }
    }

    fn wanted() -> Wanted {
        let mut wanted = Wanted::default();
        let listener = Listener { port: 20001, check_uri: "status a'b".to_owned(), ..Listener::default() };
        wanted.listeners.insert("web.main".to_owned(), listener);
        let tcp = Listener {
            port: 20002,
            mode: Mode::Tcp,
            check_mode: "tcp".to_owned(),
            check_headers: [("X-Nerve-Check-IP".to_owned(), "10.0.0.1".to_owned())].into(),
            ..Listener::default()
        };
        wanted.listeners.insert("queue.main".to_owned(), tcp);
        let server = Server { host: "h 1".to_owned(), address: "10.0.0.1:31001".parse().unwrap() };
        wanted.servers.entry("web.main".to_owned()).or_default().insert(server);
        wanted
    }

    #[test]
    fn each_registration_has_a_frontend_and_its_servers() {
        let text = configuration(&place(), &wanted());
        assert!(text.contains("stats socket '/tmp/a folder/haproxy.sock' mode 600"), "{text}");
        assert!(text.contains("uri-lf '/http/web.main/%[srv_name,field(-1,:)]/status a'\\''b'"), "{text}");
        assert!(
            text.contains(
                "uri-lf '/tcp/queue.main/%[srv_name,field(-1,:)]/status' hdr X-Nerve-Check-IP 10.0.0.1"
            ),
            "{text}"
        );
        let server = "  server h-1_10.0.0.1:31001 10.0.0.1:31001 check inter 1s";
        assert!(text.contains(server), "{text}");
        assert!(text.contains("addr 127.0.0.1 port 6666"), "{text}");
    }

    #[test]
    fn servers_are_no_part_of_what_is_listened_on() {
        let mut other = wanted();
        other.servers.clear();
        assert_eq!(listening(&place(), &wanted()), listening(&place(), &other));
        other.listeners.remove("queue.main");
        assert_ne!(listening(&place(), &wanted()), listening(&place(), &other));
    }
}
