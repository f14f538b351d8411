//! Asks whoever generates deployments.json to look at a service now (cli.md §0.9).

use std::io::{self, Write as _};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs as _};
use std::time::Duration;

use paasta_config::{Map, SystemConfig, SystemError};

use crate::Context;

const DEFAULT_PORT: u16 = 5049;
const TIMEOUT: Duration = Duration::from_secs(3);

/// What the original asks about repositories of the people who made it (config.md §5.2).
const DEFAULT_SERVER: &str = "sysgit.yelpcorp.com";
const DEFAULT_SERVER_FOR: &str = "yelpcorp.com";

/// Sends `<service>` to every server that `git_config.nudge_servers` lists, each `host` or `host:port`. Without that key
/// of ours, to `git_config.repos.yelpsoa-configs.deploy_server`, if one is configured, or if `url`, the service's
/// repository, is one that the original has a server for. Our own key `git_config.nudge_url_contains` limits it to URLs
/// with that text.
///
/// Of several deployds the one that leads takes it, and the others refuse; so it goes to every address of every server.
/// If nobody takes it that is told on stderr and is no failure: the generator looks by itself, later.
pub(crate) fn nudge(system: &SystemConfig, service: &str, url: &str, cx: &mut Context) -> io::Result<()> {
    let servers = match servers(system, url) {
        Ok(servers) => servers,
        Err(error) => {
            let error = anyhow::Error::from(error);
            return writeln!(cx.stderr, "note: nobody was asked to look at the tags now: {error:#}");
        }
    };
    let refusals = send_all(&servers, service);
    let any = if refusals.len() > 1 { "any of " } else { "" };
    match refusals.is_empty() {
        true => Ok(()),
        false => writeln!(
            cx.stderr,
            "note: could not ask {any}{} to look at the tags now; it will be seen at the next regular look",
            refusals.join(", "),
        ),
    }
}

/// Whom to ask.
fn servers(system: &SystemConfig, url: &str) -> Result<Vec<String>, SystemError> {
    let git = system.git_config().ok().flatten();
    let only = git.and_then(|git| git.get("nudge_url_contains")?.as_str());
    if only.is_some_and(|text| !url.contains(text)) {
        return Ok(Vec::new());
    }
    if let Some(servers) = system.nudge_servers()? {
        return Ok(servers);
    }
    Ok(match git.and_then(deploy_server) {
        Some("") => Vec::new(),
        Some(server) => vec![server.to_owned()],
        None if url.contains(DEFAULT_SERVER_FOR) => vec![DEFAULT_SERVER.to_owned()],
        None => Vec::new(),
    })
}

fn deploy_server(git: &Map) -> Option<&str> {
    git.get("repos")?.as_map()?.get("yelpsoa-configs")?.as_map()?.get("deploy_server")?.as_str()
}

/// Sends it everywhere at once. Nothing if anybody took it, else why each did not.
fn send_all(servers: &[String], service: &str) -> Vec<String> {
    let (attempts, mut refusals): (Vec<_>, Vec<_>) =
        servers.iter().map(|server| addresses(server)).partition(Result::is_ok);
    let attempts: Vec<(String, SocketAddr)> = attempts.into_iter().flatten().flatten().collect();
    let ends: Vec<Result<(), String>> = std::thread::scope(|scope| {
        let threads = attempts.iter().map(|(name, address)| {
            scope.spawn(move || send(*address, service).map_err(|error| format!("`{name}` ({error})")))
        });
        let threads: Vec<_> = threads.collect();
        let lost = |_| Err("one of them (it was not asked)".to_owned());
        threads.into_iter().map(|thread| thread.join().unwrap_or_else(lost)).collect()
    });
    if ends.iter().any(Result::is_ok) {
        return Vec::new();
    }
    refusals.extend(ends.into_iter().map(|end| end.map(|()| Vec::new())));
    refusals.into_iter().filter_map(Result::err).collect()
}

/// Every address of a server, named as it was configured, with the address where it has several.
fn addresses(server: &str) -> Result<Vec<(String, SocketAddr)>, String> {
    let with_port = if has_port(server) { server.to_owned() } else { format!("{server}:{DEFAULT_PORT}") };
    let found: Vec<SocketAddr> =
        with_port.to_socket_addrs().map_err(|error| format!("`{server}` ({error})"))?.collect();
    match found.len() {
        0 => Err(format!("`{server}` (it has no address)")),
        1 => Ok(found.into_iter().map(|address| (server.to_owned(), address)).collect()),
        _ => Ok(found.into_iter().map(|address| (format!("{server} at {address}"), address)).collect()),
    }
}

fn send(address: SocketAddr, service: &str) -> io::Result<()> {
    let mut stream = TcpStream::connect_timeout(&address, TIMEOUT)?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    stream.write_all(format!("{service}\n").as_bytes())
}

/// Whether a port follows the host: `h:1` and `[::1]:1`, but not `::1`.
fn has_port(server: &str) -> bool {
    let after_host = server.rsplit_once(']').map_or(server, |(_, rest)| rest);
    after_host.matches(':').count() == 1
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn ports_are_optional() {
        for (server, expected) in
            [("h", false), ("h:1", true), ("[::1]:1", true), ("[::1]", false), ("::1", false)]
        {
            assert_eq!(has_port(server), expected, "{server}");
        }
    }

    #[test]
    fn who_is_asked_about_what() {
        let asked = |git_config: &str, url: &str| {
            let system = SystemConfig::from_json(&format!("{{{git_config}}}")).unwrap();
            servers(&system, url).map_err(|error| format!("{:#}", anyhow::Error::from(error)))
        };
        let server = |more: &str, server: &str| {
            format!(
                r#""git_config": {{{more} "repos": {{"yelpsoa-configs": {{"deploy_server": "{server}"}}}}}}"#
            )
        };
        let all = |servers: &[&str]| Ok(servers.iter().map(|server| (*server).to_owned()).collect());
        let (ours, theirs) = ("git@code.example.com:web", "git@git.yelpcorp.com:services/web");
        assert_eq!(asked("", ours), all(&[]));
        assert_eq!(asked("", theirs), all(&["sysgit.yelpcorp.com"]));
        for url in [ours, theirs] {
            assert_eq!(asked(&server("", "h:1"), url), all(&["h:1"]));
            assert_eq!(asked(&server("", ""), url), all(&[]));
        }
        let only = server(r#""nudge_url_contains": "yelpcorp.com","#, "h:1");
        assert_eq!((asked(&only, ours), asked(&only, theirs)), (all(&[]), all(&["h:1"])));

        let listed = |list: &str| server(&format!(r#""nudge_servers": {list},"#), "h:1");
        assert_eq!(asked(&listed(r#"["one", "two:5"]"#), ours), all(&["one", "two:5"]));
        assert_eq!(asked(&listed("[]"), ours), all(&[]));
        let wrong = asked(&listed(r#""one""#), ours).unwrap_err();
        assert!(wrong.contains("git_config.nudge_servers: ") && wrong.contains("not a list"), "{wrong}");
    }

    #[test]
    fn every_address_is_asked_and_one_that_takes_it_is_enough() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let leader = listener.local_addr().unwrap().to_string();
        let standby = {
            let closed = TcpListener::bind("127.0.0.1:0").unwrap();
            closed.local_addr().unwrap().to_string()
        };
        assert_eq!(send_all(&[standby.clone(), leader.clone()], "web"), Vec::<String>::new());
        let mut heard = String::new();
        listener.accept().unwrap().0.read_to_string(&mut heard).unwrap();
        assert_eq!(heard, "web\n");

        let refusals = send_all(&[standby.clone(), "nowhere.invalid:1".to_owned()], "web");
        assert!(refusals.len() == 2 && refusals.iter().any(|told| told.contains(&standby)), "{refusals:?}");
        assert_eq!(send_all(&[], "web"), Vec::<String>::new());
    }
}
