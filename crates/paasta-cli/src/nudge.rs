//! Asks whoever generates deployments.json to look at a service now (cli.md §0.9).

use std::io::{self, Write as _};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::time::Duration;

use paasta_config::{Map, SystemConfig};

use crate::Context;

const DEFAULT_PORT: u16 = 5049;
const TIMEOUT: Duration = Duration::from_secs(3);

/// What the original asks about repositories of the people who made it (config.md §5.2).
const DEFAULT_SERVER: &str = "sysgit.yelpcorp.com";
const DEFAULT_SERVER_FOR: &str = "yelpcorp.com";

/// Sends `<service>` to `git_config.repos.yelpsoa-configs.deploy_server` (`host`, or of our own `host:port`), if one is
/// configured, or if `url`, the service's repository, is one that the original has a server for. Our own key
/// `git_config.nudge_url_contains` limits it to URLs with that text. A server that is not there is told on stderr and is
/// no failure: the generator looks by itself, later.
pub(crate) fn nudge(system: &SystemConfig, service: &str, url: &str, cx: &mut Context) -> io::Result<()> {
    let Some(server) = deploy_server(system, url) else { return Ok(()) };
    match send(&server, service) {
        Ok(()) => Ok(()),
        Err(error) => writeln!(
            cx.stderr,
            "note: could not ask `{server}` to look at the tags now ({error}); it will be seen at the next regular look"
        ),
    }
}

fn deploy_server(system: &SystemConfig, url: &str) -> Option<String> {
    let git = system.git_config().ok().flatten();
    let only = git.and_then(|git| git.get("nudge_url_contains")?.as_str());
    if only.is_some_and(|text| !url.contains(text)) {
        return None;
    }
    match git.and_then(configured_server) {
        Some(server) => (!server.is_empty()).then(|| server.to_owned()),
        None => url.contains(DEFAULT_SERVER_FOR).then(|| DEFAULT_SERVER.to_owned()),
    }
}

fn configured_server(git: &Map) -> Option<&str> {
    git.get("repos")?.as_map()?.get("yelpsoa-configs")?.as_map()?.get("deploy_server")?.as_str()
}

fn send(server: &str, service: &str) -> io::Result<()> {
    let with_port = if has_port(server) { server.to_owned() } else { format!("{server}:{DEFAULT_PORT}") };
    let mut last = io::Error::new(io::ErrorKind::NotFound, "it has no address");
    for address in with_port.to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, TIMEOUT) {
            Ok(mut stream) => {
                stream.set_write_timeout(Some(TIMEOUT))?;
                return stream.write_all(format!("{service}\n").as_bytes());
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// Whether a port follows the host: `h:1` and `[::1]:1`, but not `::1`.
fn has_port(server: &str) -> bool {
    let after_host = server.rsplit_once(']').map_or(server, |(_, rest)| rest);
    after_host.matches(':').count() == 1
}

#[cfg(test)]
mod tests {
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
            deploy_server(&system, url)
        };
        let server = |more: &str, server: &str| {
            format!(
                r#""git_config": {{{more} "repos": {{"yelpsoa-configs": {{"deploy_server": "{server}"}}}}}}"#
            )
        };
        let (ours, theirs) = ("git@code.example.com:web", "git@git.yelpcorp.com:services/web");
        assert_eq!(asked("", ours), None);
        assert_eq!(asked("", theirs).as_deref(), Some("sysgit.yelpcorp.com"));
        for url in [ours, theirs] {
            assert_eq!(asked(&server("", "h:1"), url).as_deref(), Some("h:1"));
            assert_eq!(asked(&server("", ""), url), None);
        }
        let only = server(r#""nudge_url_contains": "yelpcorp.com","#, "h:1");
        assert_eq!((asked(&only, ours), asked(&only, theirs).as_deref()), (None, Some("h:1")));
    }
}
