//! What a path asks for: `/{http|https|tcp|mysql|smtp|spool}/<name>/<port>/<path>`. Pure.

use std::fmt;

/// Longest name taken, in bytes, so that it fits a file name with its port.
const NAME_BYTES_MAX: usize = 200;

/// How a service is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// By a request.
    Http,
    /// By a request over TLS whose certificate is not verified.
    Https,
    /// By connecting.
    Tcp,
    /// Not built; the spool is honoured.
    Mysql,
    /// Not built; the spool is honoured.
    Smtp,
    /// Not at all: the spool alone answers.
    Spool,
}

/// A service's name in the spool: letters, digits, `.`, `_`, `-`. Never a path.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Name(String);

/// A text that cannot be a name in the spool.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} cannot be a name, expected letters, digits, `.`, `_` and `-`")]
pub struct NameError(String);

/// Which service a path is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// How it is checked.
    pub kind: Kind,
    /// Its name, in PaaSTA a registration.
    pub name: Name,
    /// Its port; 0 means the whole service, whatever its port.
    pub port: u16,
    /// What to ask the service for, without a leading slash.
    pub path: String,
}

impl Kind {
    fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "http" => Kind::Http,
            "https" => Kind::Https,
            "tcp" => Kind::Tcp,
            "mysql" => Kind::Mysql,
            "smtp" => Kind::Smtp,
            "spool" => Kind::Spool,
            _ => return None,
        })
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Http => "http",
            Kind::Https => "https",
            Kind::Tcp => "tcp",
            Kind::Mysql => "mysql",
            Kind::Smtp => "smtp",
            Kind::Spool => "spool",
        })
    }
}

impl Name {
    /// Takes `[.a-zA-Z0-9_-]+`, but neither `.` nor `..`.
    pub fn new(text: impl Into<String>) -> Result<Self, NameError> {
        let text = text.into();
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
        let fits = (1..=NAME_BYTES_MAX).contains(&text.len());
        if fits && text.bytes().all(allowed) && text != "." && text != ".." {
            return Ok(Self(text));
        }
        Err(NameError(text))
    }

    /// The name under which the whole machine is taken out of traffic.
    pub fn all() -> Self {
        Self("all".to_owned())
    }

    /// The text as given.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Target {
    /// Reads a URL's path. `None` if it is none of ours.
    pub fn parse(path: &str) -> Option<Self> {
        let mut parts = path.strip_prefix('/')?.splitn(4, '/');
        let kind = Kind::parse(parts.next()?)?;
        let name = Name::new(parts.next()?).ok()?;
        let port = parts.next()?;
        if !port.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let port = port.parse().ok()?;
        Some(Self { kind, name, port, path: parts.next()?.to_owned() })
    }
}

/// The port that HAProxy means, from `X-Haproxy-Server-State: UP 2/3; name=…; port=1234; …`.
pub(crate) fn haproxy_port(header: &str) -> Option<u16> {
    let port = |part: &str| part.trim().strip_prefix("port=").and_then(|port| port.parse().ok());
    header.split(';').find_map(port)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(path: &str, expected: &str) {
        let shown = match Target::parse(path) {
            Some(t) => format!("{} {} {} {:?}", t.kind, t.name, t.port, t.path),
            None => "none".to_owned(),
        };
        assert_eq!(shown, expected, "{path}");
    }

    #[test]
    fn paths() {
        check("/spool/web.main/31337/status", "spool web.main 31337 \"status\"");
        check("/http/a-b_C.9/80/a/b/c", "http a-b_C.9 80 \"a/b/c\"");
        check("/tcp/all/0/", "tcp all 0 \"\"");
        check("/mysql/db/3306/x", "mysql db 3306 \"x\"");
        for bad in [
            "/",
            "/spool",
            "/spool/web.main",
            "/spool/web.main/80",
            "/spool/web.main/x/status",
            "/spool/web.main/+80/status",
            "/spool/web.main/65536/status",
            "/spool/../80/status",
            "/spool/./80/status",
            "/spool//80/status",
            "/spool/a%2Fb/80/status",
            "/spool/a:1/80/status",
            "/ftp/a/80/status",
            "spool/a/80/status",
        ] {
            check(bad, "none");
        }
        let long = |bytes: usize| format!("/tcp/{}/80/", "a".repeat(bytes));
        assert!(
            Target::parse(&long(NAME_BYTES_MAX)).is_some()
                && Target::parse(&long(NAME_BYTES_MAX + 1)).is_none()
        );
    }

    #[test]
    fn haproxy_says_the_port() {
        let header = "UP 2/3; name=bck/srv2; node=lb1; weight=1/2; port=1234; scur=13/22; qcur=0";
        assert_eq!(haproxy_port(header), Some(1234));
        assert_eq!(haproxy_port("UP; name=port=5"), None);
        assert_eq!(haproxy_port("UP; port=x"), None);
    }
}
