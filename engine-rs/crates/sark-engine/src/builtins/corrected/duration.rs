//! `time.parse_duration_ns`: Go's durations, with days, weeks and years besides.

use regorus::Value;

use super::super::{BuiltinError, Circumstances, OwnBuiltin, operands::string};

pub(in crate::builtins) const OWN: &[OwnBuiltin] =
    &[OwnBuiltin { name: "time.parse_duration_ns", arity: 1, call: parse_duration_ns }];

/// Nanoseconds of each unit.
const UNITS: [(&str, i128); 11] = [
    ("ns", 1),
    ("us", 1_000),
    ("\u{b5}s", 1_000),
    ("\u{3bc}s", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
    ("d", 86_400_000_000_000),
    ("w", 604_800_000_000_000),
    ("y", 31_536_000_000_000_000),
];

/// Fractions of a nanosecond are far below what a text may have.
const MOST_DIGITS: usize = 19;

fn parse_duration_ns(operands: &[Value], _: &Circumstances) -> Result<Value, BuiltinError> {
    let text = string(operands, 0)?;
    let nanoseconds = duration(text).and_then(|sum| i64::try_from(sum).ok());
    nanoseconds.map(Value::from).ok_or_else(|| BuiltinError(format!("time: invalid duration {text:?}")))
}

fn duration(text: &str) -> Option<i128> {
    let (sign, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest == "0" {
        return Some(0);
    }
    if rest.is_empty() {
        return None;
    }
    let mut sum = 0_i128;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, after) = rest.split_at(end);
        let unit_end = after.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(after.len());
        let (unit, left) = after.split_at(unit_end);
        let (_, size) = UNITS.iter().find(|(name, _)| *name == unit)?;
        sum = sum.checked_add(part(number, *size)?)?;
        rest = left;
    }
    Some(sign * sum)
}

/// `number` units of `size` nanoseconds, rounded down.
fn part(number: &str, size: i128) -> Option<i128> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if (whole.is_empty() && fraction.is_empty()) || fraction.contains('.') || whole.len() > MOST_DIGITS {
        return None;
    }
    let whole: i128 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    let fraction = fraction.get(..MOST_DIGITS).unwrap_or(fraction);
    let parts: i128 = if fraction.is_empty() { 0 } else { fraction.parse().ok()? };
    let scale = 10_i128.pow(u32::try_from(fraction.len()).ok()?);
    whole.checked_mul(size)?.checked_add(parts.checked_mul(size)? / scale)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::builtins::tests::called;

    #[test]
    fn units_add_up() {
        for (text, nanoseconds) in [
            ("1h30m", 5_400_000_000_000_i64),
            ("-1.5h", -5_400_000_000_000),
            ("1us", 1_000),
            ("1\u{b5}s", 1_000),
            ("0", 0),
            ("1w2d", 777_600_000_000_000),
            ("1.5d", 129_600_000_000_000),
            ("1y", 31_536_000_000_000_000),
        ] {
            assert_eq!(called("time.parse_duration_ns", &[text.into()]), Ok(Value::from(nanoseconds)), "{text}");
        }
    }

    #[test]
    fn what_is_no_duration_has_no_answer() {
        for text in ["", "1", "x", "1h1", ".s", "1 h", "1Y", "9223372037s", "-", "1.2.3s"] {
            assert!(called("time.parse_duration_ns", &[text.into()]).is_err(), "{text:?}");
        }
    }
}
