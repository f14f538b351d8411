//! Which host's master leads, and whether that is this one.

use std::net::{IpAddr, UdpSocket};

use reqwest::Url;

use crate::http::{ANSWER_BYTES_MAX, Http, Request, garbled};
use crate::{MesosError, Patience, Peer};

/// The port of a master, where nothing else is said.
const MASTER_PORT: u16 = 5050;

/// Which host leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leader {
    /// Its name or address, as the masters tell it.
    pub host: String,
    /// Whether that is this host.
    pub is_here: bool,
}

/// Asks the masters behind a name who of them leads: `GET /redirect`, and the host that leads to (monitoring.md §5.1).
/// `format` is `cluster_fqdn_format` of the system configuration, `{cluster:s}` in it stands for the cluster; it may end in
/// a port. `here` is the name of this host.
///
/// The leader is here if it has this host's name or one of its addresses: no reverse name service is asked.
pub async fn leader(
    format: &str,
    cluster: &str,
    here: &str,
    patience: Patience,
) -> Result<Leader, MesosError> {
    let url = format!("http://{}/redirect", address(format, cluster));
    let request = Request::get(Peer::Master, url, ANSWER_BYTES_MAX);
    let url = redirected(&Http::new(patience, false)?, &request).await?;
    let no_host = || garbled(Peer::Master, &url, "it names no host".to_owned());
    let host = url.host_str().ok_or_else(no_host)?;
    let host = host.trim_matches(['[', ']']).to_owned();
    let asked = Url::parse(&request.url).ok().and_then(|url| url.host_str().map(str::to_owned));
    let is_here = host.eq_ignore_ascii_case(here) || has_address(&host, asked.as_deref()).await;
    Ok(Leader { host, is_here })
}

/// Where `/redirect` leads. What the leader itself answers there, such as that it does not know us, does not matter.
pub(crate) async fn redirected(http: &Http, request: &Request<'_>) -> Result<Url, MesosError> {
    let (url, response) = http.send(request).await?;
    if url.path().ends_with("/redirect") {
        let reason = format!("it names no leader (status {})", response.status().as_u16());
        return Err(garbled(request.peer, &url, reason));
    }
    Ok(url)
}

/// `host:port` of the masters of a cluster.
fn address(format: &str, cluster: &str) -> String {
    let name = format.replace("{cluster:s}", cluster).replace("{cluster}", cluster);
    match name.rsplit_once(':') {
        Some((_, port)) if port.parse::<u16>().is_ok() => name,
        _ => format!("{name}:{MASTER_PORT}"),
    }
}

/// Whether a host is the one that calls itself `here`: by its name, as `localhost`, or by one of its addresses.
pub async fn is_this_host(host: &str, here: &str) -> bool {
    let is_named = host.eq_ignore_ascii_case(here) || host.eq_ignore_ascii_case("localhost");
    is_named || has_address(host, Some("localhost")).await
}

/// Whether the name is that of an address of this machine. A loopback address is everybody's, and counts only where the
/// master that named it was asked over loopback, too, or where this machine calls itself by that name.
async fn has_address(host: &str, asked: Option<&str>) -> bool {
    let addresses = addresses(host).await;
    let over_loopback = match asked {
        Some(asked) => self::addresses(asked).await.iter().any(IpAddr::is_loopback),
        None => false,
    };
    let is_own_name = host.parse::<IpAddr>().is_err() && !host.eq_ignore_ascii_case("localhost");
    let counts = |address: &IpAddr| !address.is_loopback() || over_loopback || is_own_name;
    // Only an address of this machine can be listened on.
    let ours = |address: &IpAddr| UdpSocket::bind((*address, 0)).is_ok();
    addresses.iter().any(|address| counts(address) && ours(address))
}

async fn addresses(host: &str) -> Vec<IpAddr> {
    match tokio::net::lookup_host((host.trim_matches(['[', ']']), 0)).await {
        Ok(found) => found.map(|address| address.ip()).collect(),
        Err(_) => vec![],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_the_masters_is_made_from_the_cluster() {
        assert_eq!(address("paasta-{cluster:s}.yelp", "pnw-prod"), "paasta-pnw-prod.yelp:5050");
        assert_eq!(address("{cluster}.example.com:80", "c"), "c.example.com:80");
        assert_eq!(address("m.example.com", "c"), "m.example.com:5050");
    }

    #[tokio::test]
    async fn a_loopback_address_is_everybodys() {
        assert!(has_address("127.0.0.1", Some("localhost")).await);
        assert!(!has_address("127.0.0.1", Some("192.0.2.1")).await);
        assert!(!has_address("localhost", Some("192.0.2.1")).await);
        assert!(!has_address("192.0.2.1", Some("localhost")).await, "nobody has an address of examples");
        assert!(!has_address("no such host", Some("localhost")).await);
    }
}
