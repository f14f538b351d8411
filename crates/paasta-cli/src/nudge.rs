//! Asks whoever generates deployments.json to look at a service now (cli.md §0.9).

use std::io::{self, Write as _};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::time::Duration;

use paasta_config::SystemConfig;

use crate::Context;

const DEFAULT_PORT: u16 = 5049;
const TIMEOUT: Duration = Duration::from_secs(3);

/// Sends `<service>` to `git_config.repos.yelpsoa-configs.deploy_server` (`host`, or of our own `host:port`), if one is
/// configured. A server that is not there is told on stderr and is no failure: the generator looks by itself, later.
pub(crate) fn nudge(system: &SystemConfig, service: &str, cx: &mut Context) -> io::Result<()> {
    let Some(server) = deploy_server(system) else { return Ok(()) };
    match send(&server, service) {
        Ok(()) => Ok(()),
        Err(error) => writeln!(
            cx.stderr,
            "note: could not ask `{server}` to look at the tags now ({error}); it will be seen at the next regular look"
        ),
    }
}

fn deploy_server(system: &SystemConfig) -> Option<String> {
    let repos = system.git_config().ok()??.get("repos")?.as_map()?;
    let server = repos.get("yelpsoa-configs")?.as_map()?.get("deploy_server")?.as_str()?;
    (!server.is_empty()).then(|| server.to_owned())
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
    fn only_a_configured_server_is_asked() {
        let system = |json: &str| SystemConfig::from_json(json).unwrap();
        assert_eq!(deploy_server(&system("{}")), None);
        let set = r#"{"git_config": {"repos": {"yelpsoa-configs": {"deploy_server": "h:1"}}}}"#;
        assert_eq!(deploy_server(&system(set)).as_deref(), Some("h:1"));
    }
}
