//! HAProxy, asked for its table over HTTP.

use async_trait::async_trait;
use paasta_core::Registration;

use crate::http::Http;
use crate::url_format::{Field, UrlFormat, UrlValues};
use crate::{Asker, Backends, FormatError, Patience, Provider, ProviderError, read_table};

/// The HAProxies that synapse configures, one on each host (monitoring.md §4.3).
#[derive(Clone, Debug)]
pub struct Haproxy {
    http: Http,
    format: UrlFormat,
    port: u16,
}

/// Why there is no provider.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SetupError {
    /// The format of its URLs cannot be used.
    #[error(transparent)]
    Format(#[from] FormatError),
    /// There is no HTTP client.
    #[error(transparent)]
    Client(#[from] ProviderError),
}

impl Haproxy {
    /// Asks at that port, by URLs of that format, which has places for `{host}`, `{port}` and `{scope}`.
    pub fn new(format: &str, port: u16, asker: Asker<'_>, patience: Patience) -> Result<Self, SetupError> {
        let format = UrlFormat::parse(format, &[Field::Host, Field::Port, Field::Scope])?;
        Ok(Self { http: Http::new(asker, patience, format.is_secure())?, format, port })
    }

    fn url(&self, host: &str, scope: Option<&Registration>) -> String {
        let scope = scope.map(proxy_name).filter(|scope| can_be_a_scope(scope)).unwrap_or_default();
        self.format.url(&UrlValues { host, port: self.port, scope: &scope, endpoint: "" })
    }
}

#[async_trait]
impl Provider for Haproxy {
    fn name(&self) -> &str {
        "Smartstack"
    }

    async fn backends(&self, host: &str, scope: Option<&Registration>) -> Result<Backends, ProviderError> {
        let (url, body) = self.http.get(&self.url(host, scope)).await?;
        read_table(&body).map_err(|source| ProviderError::Table { url, source })
    }
}

/// What a load balancer calls a registration: its service and its namespace.
pub fn proxy_name(registration: &Registration) -> String {
    format!("{}.{}", registration.service(), registration.namespace())
}

/// HAProxy shows the proxies whose names hold the scope, which it takes letter by letter; with any other letter we ask
/// for all of them.
fn can_be_a_scope(name: &str) -> bool {
    name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_are_the_proxys_name_where_haproxy_takes_it() {
        let format = "http://{host:s}:{port:d}/;csv;norefresh;scope={scope:s}";
        let asker = Asker { program: "test", version: "1" };
        let haproxy = Haproxy::new(format, 3212, asker, Patience::default()).unwrap();
        for (registration, scope) in [
            (Some("web.main"), "web.main"),
            (Some("web.main.x.y"), "web.main"),
            (Some("wéb.main"), ""),
            (Some("we&b.main"), ""),
            (None, ""),
        ] {
            let registration = registration.map(|text| Registration::new(text).unwrap());
            let url = haproxy.url("hst", registration.as_ref());
            assert_eq!(url, format!("http://hst:3212/;csv;norefresh;scope={scope}"));
        }
    }
}
