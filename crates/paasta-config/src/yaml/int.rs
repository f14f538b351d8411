//! Integers of YAML 1.1: octal, hexadecimal, binary, base 60, of any size.

use super::shorten;
use crate::Value;

/// Digits beyond which an integer that is not decimal is refused, as converting it takes their square.
const DIGITS_MAX: usize = 5_000;

/// Whether the integer expression matches all of `text`.
pub(super) fn is_integer(text: &str) -> bool {
    let text = text.strip_prefix(['-', '+']).unwrap_or(text);
    let rest_is = |rest: &str, allowed: fn(u8) -> bool| {
        !rest.is_empty() && rest.bytes().all(|b| b == b'_' || allowed(b))
    };
    if let Some(rest) = text.strip_prefix("0b") {
        rest_is(rest, |b| matches!(b, b'0' | b'1'))
    } else if let Some(rest) = text.strip_prefix("0x") {
        rest_is(rest, |b| b.is_ascii_hexdigit())
    } else if let Some(rest) = text.strip_prefix('0') {
        rest.is_empty() || rest_is(rest, |b| matches!(b, b'0'..=b'7'))
    } else if text.contains(':') {
        text.starts_with(|c: char| c.is_ascii_digit()) && is_sexagesimal(text)
    } else {
        text.starts_with(|c: char| c.is_ascii_digit()) && rest_is(text, |b| b.is_ascii_digit())
    }
}

/// Whether `text` is digits and then groups up to 59, with `:` between.
pub(super) fn is_sexagesimal(text: &str) -> bool {
    let mut groups = text.split(':');
    let first = groups.next().unwrap_or_default();
    first.starts_with(|c: char| c.is_ascii_digit())
        && first.bytes().all(|b| b.is_ascii_digit() || b == b'_')
        && groups.all(|group| match group.as_bytes() {
            [units] => units.is_ascii_digit(),
            [tens, units] => matches!(tens, b'0'..=b'5') && units.is_ascii_digit(),
            _ => false,
        })
}

/// The integer that PyYAML makes of a text. A tagged one may be written as Python's `int()` takes it: with space around,
/// and once more with a sign and a prefix.
pub(super) fn integer(text: &str) -> Result<Value, String> {
    let bare = text.replace('_', "");
    let negative = bare.starts_with('-');
    let digits = bare.strip_prefix(['-', '+']).unwrap_or(&bare);
    let number = if let Some(digits) = digits.strip_prefix("0b") {
        in_base(digits, 2)
    } else if let Some(digits) = digits.strip_prefix("0x") {
        in_base(digits, 16)
    } else if digits.len() > 1 && digits.starts_with('0') {
        in_base(digits, 8)
    } else if digits.contains(':') {
        in_base_sixty(digits)
    } else {
        decimal(digits)
    };
    let (is_inner_negative, number) = number.ok_or_else(|| {
        if digits.len() > DIGITS_MAX {
            format!("an integer of more than {DIGITS_MAX} digits is not decimal")
        } else {
            format!("`{}` looks like an integer, but has no digits", shorten(text))
        }
    })?;
    Ok(number.into_value(negative != is_inner_negative))
}

/// Without what Python takes for space at both ends.
pub(super) fn trim(text: &str) -> &str {
    text.trim_matches(|c: char| c.is_whitespace() || matches!(c, '\x1C'..='\x1F'))
}

/// The number without its space and sign, and whether that was `-`.
fn signed(text: &str) -> (bool, &str) {
    let text = trim(text);
    (text.starts_with('-'), text.strip_prefix(['-', '+']).unwrap_or(text))
}

fn decimal(text: &str) -> Option<(bool, Number)> {
    let (negative, digits) = signed(text);
    let fine = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    fine.then(|| (negative, Number::Decimal(digits.trim_start_matches('0').to_owned())))
}

fn in_base(text: &str, base: u32) -> Option<(bool, Number)> {
    let (negative, digits) = signed(text);
    let prefixes = match base {
        2 => ["0b", "0B"],
        8 => ["0o", "0O"],
        _ => ["0x", "0X"],
    };
    let digits = prefixes.iter().find_map(|prefix| digits.strip_prefix(prefix)).unwrap_or(digits);
    if digits.is_empty() || digits.len() > DIGITS_MAX {
        return None;
    }
    // As many digits at once as fit.
    let at_once = match base {
        2 => 29,
        8 => 9,
        _ => 7,
    };
    let mut number = Limbs::default();
    for group in digits.as_bytes().chunks(at_once) {
        let group =
            std::str::from_utf8(group).ok().filter(|group| group.chars().all(|c| c.is_digit(base)))?;
        number.push(base.pow(group.len() as u32), u32::from_str_radix(group, base).ok()?);
    }
    Some((negative, Number::Limbs(number)))
}

fn in_base_sixty(text: &str) -> Option<(bool, Number)> {
    if text.len() > DIGITS_MAX || text.split(':').any(|group| signed(group).1.is_empty()) {
        return None;
    }
    let small = text.split(':').try_fold(0i128, |sum, group| {
        let (negative, digits) = signed(group);
        let group: i128 = digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse().ok())??;
        sum.checked_mul(60)?.checked_add(if negative { -group } else { group })
    });
    if let Some(sum) = small {
        return Some((
            sum < 0,
            Number::Decimal(sum.unsigned_abs().to_string().trim_start_matches('0').to_owned()),
        ));
    }
    let mut number = Limbs::default();
    let mut groups = text.split(':');
    for digit in groups.next()?.chars() {
        number.push(10, digit.to_digit(10)?);
    }
    for group in groups {
        number.push(60, group.parse().ok()?);
    }
    Some((false, Number::Limbs(number)))
}

enum Number {
    Decimal(String),
    Limbs(Limbs),
}

impl Number {
    fn into_value(self, negative: bool) -> Value {
        let digits = match self {
            Self::Decimal(digits) => digits,
            Self::Limbs(limbs) => limbs.digits(),
        };
        let digits = if digits.is_empty() { "0".to_owned() } else { digits };
        let signed = if negative && digits != "0" { format!("-{digits}") } else { digits };
        signed.parse().map_or_else(|_| Value::BigInt(signed), Value::Int)
    }
}

/// An integer of any size in groups of nine decimal digits, lowest first.
#[derive(Default)]
struct Limbs(Vec<u32>);

impl Limbs {
    const BASE: u64 = 1_000_000_000;

    /// Times `base`, plus `digit`.
    fn push(&mut self, base: u32, digit: u32) {
        let mut carry = u64::from(digit);
        for limb in &mut self.0 {
            let value = u64::from(*limb) * u64::from(base) + carry;
            *limb = (value % Self::BASE) as u32;
            carry = value / Self::BASE;
        }
        if carry > 0 {
            self.0.push(carry as u32);
        }
    }

    fn digits(&self) -> String {
        let mut digits = String::new();
        for limb in self.0.iter().rev() {
            digits.push_str(&format!("{limb:09}"));
        }
        digits.trim_start_matches('0').to_owned()
    }
}
