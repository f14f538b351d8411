//! Who may speak with the engine.

use axum::http::{HeaderMap, header};

use crate::secrets::SecretText;

/// Whether the request shows the token: as `Bearer`, as the password of `Basic`, or as `token=`.
pub(crate) fn is_allowed(token: Option<&SecretText>, headers: &HeaderMap) -> bool {
    let Some(token) = token else { return true };
    let shown = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let Some(shown) = shown.and_then(credential) else { return false };
    same(token.expose().as_bytes(), &shown)
}

/// Whether the `Host` header names this machine by an address, `localhost` or its own name. Without a token this
/// keeps web pages of other origins out that had their own name point to loopback.
pub(crate) fn host_is_ours(host: &str, headers: &HeaderMap) -> bool {
    let Some(shown) = headers.get(header::HOST).and_then(|value| value.to_str().ok()) else { return true };
    let name = match shown.rsplit_once(':') {
        Some((name, port)) if port.chars().all(|c| c.is_ascii_digit()) => name,
        _ => shown,
    };
    let bare = name.trim_start_matches('[').trim_end_matches(']');
    bare.parse::<std::net::IpAddr>().is_ok()
        || name.eq_ignore_ascii_case("localhost")
        || name.eq_ignore_ascii_case(host)
}

fn credential(value: &str) -> Option<Vec<u8>> {
    if let Some(token) = value.strip_prefix("token=") {
        return Some(token.as_bytes().to_vec());
    }
    let (scheme, rest) = value.split_once(' ')?;
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(rest.trim().as_bytes().to_vec());
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = base64(rest.trim())?;
    let colon = decoded.iter().position(|byte| *byte == b':')?;
    decoded.get(colon + 1..).map(<[u8]>::to_vec)
}

/// Compares in a time that depends on the lengths alone.
fn same(left: &[u8], right: &[u8]) -> bool {
    let differences = left.iter().zip(right).fold(0u8, |sum, (l, r)| sum | (l ^ r));
    std::hint::black_box(differences) == 0 && left.len() == right.len()
}

/// Standard base64, padded or not.
fn base64(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let (mut bits, mut held) = (0u32, 0u32);
    for c in text.trim_end_matches('=').bytes() {
        let digit = match c {
            b'A'..=b'Z' => c - b'A',
            b'a'..=b'z' => c - b'a' + 26,
            b'0'..=b'9' => c - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = (bits << 6) | u32::from(digit);
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push(u8::try_from((bits >> held) & 0xff).ok()?);
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(authorization: Option<&str>, want: bool) {
        let mut headers = HeaderMap::new();
        if let Some(value) = authorization {
            headers.insert(header::AUTHORIZATION, value.parse().expect("a header"));
        }
        assert_eq!(is_allowed(Some(&SecretText::new("s3cret")), &headers), want, "{authorization:?}");
        assert!(is_allowed(None, &headers));
    }

    #[test]
    fn tokens() {
        check(None, false);
        check(Some("Bearer s3cret"), true);
        check(Some("bearer s3cret"), true);
        check(Some("token=s3cret"), true);
        check(Some("Basic cGFhc3RhOnMzY3JldA=="), true);
        check(Some("Basic cGFhc3RhOnMzY3Jl"), false);
        check(Some("Bearer s3cre"), false);
        check(Some("Bearer s3cret2"), false);
        check(Some("Bearer "), false);
        check(Some("Digest s3cret"), false);
    }

    #[test]
    fn hosts() {
        for (host, want) in [
            ("127.0.0.1:8080", true),
            ("[::1]:8080", true),
            ("localhost", true),
            ("box:80", true),
            ("evil.example.com:8080", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, host.parse().expect("a header"));
            assert_eq!(host_is_ours("box", &headers), want, "{host}");
        }
    }
}
