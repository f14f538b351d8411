//! Packet lines, and the two conversations that need no objects: reading a ref advertisement, and asking for one ref
//! with an empty pack. Over any pair of streams.

use std::io::{self, Read, Write};

use paasta_core::GitSha;

use crate::RemoteRef;
use crate::command::add_advertised;

/// What a pack without objects looks like: header, version 2, count 0, and the SHA-1 of these twelve bytes.
const EMPTY_PACK: [u8; 32] = [
    b'P', b'A', b'C', b'K', 0, 0, 0, 2, 0, 0, 0, 0, 0x02, 0x9d, 0x08, 0x82, 0x3b, 0xd8, 0xa8, 0xea, 0xb5,
    0x10, 0xad, 0x6a, 0xc7, 0x5c, 0x82, 0x3c, 0xfd, 0x3e, 0xd3, 0x1e,
];
const ZERO_SHA: &str = "0000000000000000000000000000000000000000";
/// No server of good will advertises more than this many refs, or bytes.
const REFS_MAX: usize = 2_000_000;
pub(crate) const ADVERTISED_BYTES_MAX: u64 = crate::child::STDOUT_BYTES_MAX;

/// Why a conversation failed.
#[derive(Debug)]
pub(crate) enum WireError {
    Io(io::Error),
    /// The other side does not speak the protocol.
    Garbled(String),
    /// The other side does not come to an end.
    TooMuch,
    /// The other side said no, in its words.
    Refused(String),
}

impl From<io::Error> for WireError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// What a server tells first.
pub(crate) struct Advertisement {
    pub(crate) refs: Vec<RemoteRef>,
    pub(crate) capabilities: Vec<String>,
}

/// Reads the advertisement up to its flush.
pub(crate) fn read_advertisement(stream: &mut impl Read) -> Result<Advertisement, WireError> {
    let mut advertisement = Advertisement { refs: Vec::new(), capabilities: Vec::new() };
    let mut bytes = 0;
    while let Some(packet) = read_packet(stream)? {
        bytes += packet.len() as u64;
        if bytes > ADVERTISED_BYTES_MAX || advertisement.refs.len() > REFS_MAX {
            return Err(WireError::TooMuch);
        }
        let line = text(&packet);
        if let Some(words) = line.strip_prefix("ERR ") {
            return Err(WireError::Refused(words.to_owned()));
        }
        let (line, capabilities) = match line.split_once('\0') {
            Some((line, capabilities)) => (line, Some(capabilities)),
            None => (line.as_str(), None),
        };
        if let Some(capabilities) = capabilities {
            advertisement.capabilities = capabilities.split_whitespace().map(str::to_owned).collect();
        }
        let (sha, name) =
            line.split_once(' ').ok_or_else(|| WireError::Garbled(format!("unexpected line {line:?}")))?;
        let no_refs = sha == ZERO_SHA && name == "capabilities^{}";
        let not_a_ref = sha == "shallow" || sha == "version" || name == ".have";
        if !no_refs && !not_a_ref {
            add_advertised(&mut advertisement.refs, sha, name).map_err(WireError::Garbled)?;
        }
    }
    Ok(advertisement)
}

/// Ends a conversation after the advertisement.
pub(crate) fn write_flush(stream: &mut impl Write) -> Result<(), WireError> {
    Ok(stream.write_all(b"0000")?)
}

/// Writes one packet line.
pub(crate) fn write_packet(stream: &mut impl Write, payload: &[u8]) -> Result<(), WireError> {
    let mut packet = format!("{:04x}", payload.len() + 4).into_bytes();
    packet.extend_from_slice(payload);
    Ok(stream.write_all(&packet)?)
}

/// After the advertisement of receive-pack: moves `name` from `old` (`None`: it must be new) to `new`, without sending
/// an object. The server refuses if somebody else was quicker or if it lacks the commit.
pub(crate) fn push_without_objects(
    stream: &mut (impl Read + Write),
    capabilities: &[String],
    (name, old, new): (&str, Option<&GitSha>, &GitSha),
) -> Result<(), WireError> {
    let has = |wanted: &str| capabilities.iter().any(|c| c == wanted);
    if !has("report-status") {
        return Err(WireError::Garbled("the server does not report what became of a push".to_owned()));
    }
    let side_band = has("side-band-64k");
    let asked = if side_band { " report-status side-band-64k" } else { " report-status" };
    let command = format!("{} {new} {name}\0{asked}", old.map_or(ZERO_SHA, GitSha::as_str));
    write_packet(stream, command.as_bytes())?;
    write_flush(stream)?;
    stream.write_all(&EMPTY_PACK)?;
    stream.flush()?;
    let (report, said) =
        if side_band { read_side_band(stream)? } else { (read_plain_report(stream)?, String::new()) };
    judge(&report, name, said.trim())
}

/// Judges a report: `unpack ok`, then `ok <ref>` or `ng <ref> <reason>`.
fn judge(report: &[String], name: &str, said: &str) -> Result<(), WireError> {
    let with_words =
        |reason: &str| if said.is_empty() { reason.to_owned() } else { format!("{reason}: {said}") };
    let refusal = report.iter().find_map(|line| {
        let unpack = line.strip_prefix("unpack ").filter(|status| *status != "ok");
        unpack.or_else(|| line.strip_prefix("ng ")?.strip_prefix(name))
    });
    match refusal {
        Some(reason) => Err(WireError::Refused(with_words(reason.trim()))),
        None if report.iter().any(|line| line.strip_prefix("ok ") == Some(name)) => Ok(()),
        None => Err(WireError::Garbled(with_words("the server did not say what became of the push"))),
    }
}

fn read_plain_report(stream: &mut impl Read) -> Result<Vec<String>, WireError> {
    let mut lines = Vec::new();
    while let Some(packet) = read_packet(stream)? {
        lines.push(text(&packet));
    }
    Ok(lines)
}

/// Band 1 carries the report, itself in packet lines; band 2 the words of hooks; band 3 a fatal error.
fn read_side_band(stream: &mut impl Read) -> Result<(Vec<String>, String), WireError> {
    const BYTES_MAX: usize = 1 << 20;
    let (mut report, mut said) = (Vec::new(), Vec::new());
    while let Some(packet) = read_packet(stream)? {
        match packet.split_first() {
            Some((1, data)) => report.extend_from_slice(data),
            Some((2, data)) => said.extend_from_slice(data),
            Some((3, data)) => return Err(WireError::Refused(text(data))),
            _ => return Err(WireError::Garbled("a packet without a band".to_owned())),
        }
        if report.len() + said.len() > BYTES_MAX {
            return Err(WireError::Garbled("an endless report".to_owned()));
        }
    }
    let words = text(&said).split_whitespace().collect::<Vec<_>>().join(" ");
    Ok((read_plain_report(&mut report.as_slice())?, words))
}

/// One packet; `None` for a flush.
fn read_packet(stream: &mut impl Read) -> Result<Option<Vec<u8>>, WireError> {
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    let length = std::str::from_utf8(&length).ok().and_then(|hex| usize::from_str_radix(hex, 16).ok());
    match length {
        Some(0) => Ok(None),
        Some(length @ 4..) => {
            let mut payload = vec![0; length - 4];
            stream.read_exact(&mut payload)?;
            Ok(Some(payload))
        }
        _ => Err(WireError::Garbled("no packet line".to_owned())),
    }
}

fn text(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    text.strip_suffix('\n').unwrap_or(&text).to_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn packets(lines: &[&str]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for line in lines {
            write_packet(&mut bytes, line.as_bytes()).unwrap();
        }
        write_flush(&mut bytes).unwrap();
        bytes
    }

    #[test]
    fn an_empty_repository_advertises_only_capabilities() {
        let bytes = packets(&[&format!("{ZERO_SHA} capabilities^{{}}\0report-status side-band-64k\n")]);
        let got = read_advertisement(&mut bytes.as_slice()).unwrap();
        assert!(got.refs.is_empty());
        assert_eq!(got.capabilities, ["report-status", "side-band-64k"]);
    }

    #[test]
    fn an_error_line_is_a_refusal() {
        let bytes = packets(&["ERR access denied\n"]);
        assert!(
            matches!(read_advertisement(&mut bytes.as_slice()), Err(WireError::Refused(w)) if w == "access denied")
        );
    }

    #[test]
    fn reports_are_judged_by_the_ref_asked_for() {
        let lines = |texts: &[&str]| texts.iter().map(|t| (*t).to_owned()).collect::<Vec<_>>();
        assert!(judge(&lines(&["unpack ok", "ok refs/tags/a"]), "refs/tags/a", "").is_ok());
        assert!(judge(&lines(&["unpack ok", "ok refs/tags/ab"]), "refs/tags/a", "").is_err());
        let refused = judge(&lines(&["unpack ok", "ng refs/tags/a hook declined"]), "refs/tags/a", "frozen");
        assert!(matches!(refused, Err(WireError::Refused(w)) if w == "hook declined: frozen"));
        assert!(judge(&lines(&["unpack index-pack failed"]), "refs/tags/a", "").is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = read_advertisement(&mut bytes.as_slice());
            let _ = read_side_band(&mut bytes.as_slice());
        }
    }
}
