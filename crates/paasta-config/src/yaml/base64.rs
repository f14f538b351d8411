//! Base 64 as Python reads it: what is not of its alphabet is skipped, padding must fit.

/// The bytes; `None` if the padding is wrong.
pub(super) fn decode(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let (mut bits, mut sextets, mut padding) = (0u32, 0, 0);
    for byte in text.bytes() {
        if byte == b'=' {
            padding += 1;
            if sextets >= 2 && sextets + padding >= 4 {
                return Some(bytes);
            }
            continue;
        }
        let Some(sextet) = sextet(byte) else { continue };
        padding = 0;
        bits = (bits << 6) | sextet;
        sextets = (sextets + 1) % 4;
        if sextets != 1 {
            let unused = [0, 0, 4, 2].get(sextets).copied().unwrap_or_default();
            bytes.push((bits >> unused) as u8);
        }
    }
    (sextets == 0).then_some(bytes)
}

fn sextet(byte: u8) -> Option<u32> {
    Some(u32::from(match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    }))
}

#[cfg(test)]
mod tests {
    use super::decode;

    #[test]
    fn padding_must_fit() {
        let check = |text, expected: Option<&[u8]>| assert_eq!(decode(text).as_deref(), expected, "{text}");
        check("aGVsbG8=", Some(b"hello"));
        check("aGVs\nbG8=", Some(b"hello"));
        check("aA==", Some(b"h"));
        check("", Some(b""));
        check("/+8=", Some(b"\xff\xef"));
        check("aGVsbG8", None);
        check("a", None);
        check("aA=", None);
    }
}
