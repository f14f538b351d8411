//! Names of servers, as the configurator of HAProxy makes them.

use std::net::SocketAddr;

/// What the name of a server tells: `<host>_<ip>:<port>`, or in the old form `<ip>:<port>_<host>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerName<'a> {
    /// The host, which may itself hold a `_`; none where the name is an address alone.
    pub host: Option<&'a str>,
    /// Where it serves; none where the name has neither form.
    pub address: Option<SocketAddr>,
}

impl<'a> ServerName<'a> {
    /// Reads a name. One of neither form is all host.
    ///
    /// ```
    /// use paasta_smartstack::ServerName;
    ///
    /// for name in ["my_host_10.0.0.1:31000", "10.0.0.1:31000_my_host"] {
    ///     let read = ServerName::parse(name);
    ///     assert_eq!(read.host, Some("my_host"));
    ///     assert_eq!(read.address, "10.0.0.1:31000".parse().ok());
    /// }
    /// ```
    pub fn parse(name: &'a str) -> Self {
        let told = |host: &'a str, address: &str| {
            let host = (!host.is_empty()).then_some(host);
            Some(Self { host, address: Some(address.parse().ok()?) })
        };
        let new = name.rsplit_once('_').and_then(|(host, address)| told(host, address));
        let old = || name.split_once('_').and_then(|(address, host)| told(host, address));
        new.or_else(old).or_else(|| told("", name)).unwrap_or(Self { host: Some(name), address: None })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_and_hosts_with_underscores() {
        for (name, host, address) in [
            ("h1_10.0.0.1:31000", Some("h1"), Some("10.0.0.1:31000")),
            ("10.0.0.1:31000_h1", Some("h1"), Some("10.0.0.1:31000")),
            ("a_b_10.0.0.1:31000", Some("a_b"), Some("10.0.0.1:31000")),
            ("10.0.0.1:31000_a_b", Some("a_b"), Some("10.0.0.1:31000")),
            ("h:1_10.0.0.1:31000", Some("h:1"), Some("10.0.0.1:31000")),
            ("h_[::1]:31000", Some("h"), Some("[::1]:31000")),
            ("10.0.0.1:31000", None, Some("10.0.0.1:31000")),
            ("_10.0.0.1:31000", None, Some("10.0.0.1:31000")),
            ("h_10.0.0.1:99999", Some("h_10.0.0.1:99999"), None),
            ("h_there:31000", Some("h_there:31000"), None),
            ("", Some(""), None),
        ] {
            let want = ServerName { host, address: address.map(|a| a.parse().unwrap()) };
            assert_eq!(ServerName::parse(name), want, "{name}");
        }
    }
}
