//! Amounts with units: `10Ki`, `1.5GB`, `100m`. The arithmetic is exact, in decimal, but that of bytes.

mod binary;

use regorus::Value;

use super::super::{BuiltinError, Circumstances, OwnBuiltin, operands::string};
use crate::document::decimal;

pub(in crate::builtins) const OWN: &[OwnBuiltin] = &[
    OwnBuiltin { name: "units.parse", arity: 1, call: parse },
    OwnBuiltin { name: "units.parse_bytes", arity: 1, call: parse_bytes },
];

/// Longest number written out here; OPA lets exponents have six digits.
const MOST_DIGITS: usize = 2_000;
/// OPA keeps ten places of what is no integer.
const PLACES: usize = 10;
/// 0.001 as the nearest binary float, times ten to the 60: OPA multiplies with that.
const MILLI: &str = "1000000000000000020816681711721685132943093776702880859375";

fn parse(operands: &[Value], circumstances: &Circumstances) -> Result<Value, BuiltinError> {
    let text = string(operands, 0)?.replace('"', "");
    let (number, unit) = split(&text, "units.parse")?;
    let size = match unit.split_at_checked(1) {
        None | Some(("", _)) => 1,
        Some(("m", "")) => return value_of(&amount(number, "units.parse")?.milli(), circumstances),
        Some((first, rest)) => size_of(first, &rest.to_lowercase()).ok_or_else(|| unknown("units.parse: unit", unit))?,
    };
    value_of(&amount(number, "units.parse")?.times(size), circumstances)
}

fn parse_bytes(operands: &[Value], _: &Circumstances) -> Result<Value, BuiltinError> {
    let (amount, size) = bytes_of(string(operands, 0)?)?;
    let bytes = binary::product(&amount.digits, amount.places, size);
    let bytes = bytes.ok_or_else(|| BuiltinError("units.parse_bytes: beyond the engine's numbers".into()))?;
    integer_value(&amount.signed(&bytes.to_string()))
}

/// Whether `text` has more digits than are written out here, or a unit whose letters Go may map to others.
pub(in crate::builtins) fn is_beyond(text: &str) -> bool {
    !text.is_ascii() || is_long(text)
}

fn is_long(text: &str) -> bool {
    let digits = |part: &str| part.trim_start_matches(['+', '-']).chars().take_while(char::is_ascii_digit).collect::<String>();
    let exponents = text.split(['e', 'E']).skip(1).map(|part| digits(part).parse::<usize>().unwrap_or(0));
    text.len() > MOST_DIGITS / 2 || exponents.max().is_some_and(|exponent| exponent > MOST_DIGITS / 2)
}

/// Whether `text` is an amount that is not calculated here as OPA does.
pub(in crate::builtins) fn are_bytes_beyond(text: &str) -> bool {
    is_beyond(text) || bytes_of(text).is_ok_and(|(amount, size)| binary::product(&amount.digits, amount.places, size).is_none())
}

fn bytes_of(text: &str) -> Result<(Amount, u64), BuiltinError> {
    let text = text.to_lowercase().replace('"', "");
    let (number, unit) = split(&text, "units.parse_bytes")?;
    let size = match unit.strip_suffix('b').unwrap_or(unit).split_at_checked(1) {
        None if unit.is_empty() => 1,
        Some(("m", "")) => 1_000_000,
        Some((first, rest)) => size_of(first, rest).ok_or_else(|| unknown("units.parse_bytes: byte unit", unit))?,
        None => return Err(unknown("units.parse_bytes: byte unit", unit)),
    };
    Ok((amount(number, "units.parse_bytes")?, size))
}

/// `k`, `m` ... alone are powers of 1000, with an `i` powers of 1024. A single `m` is for the callers.
fn size_of(first: &str, rest: &str) -> Option<u64> {
    let power = match first {
        "k" | "K" => 1,
        "M" => 2,
        "m" if rest == "i" => 2,
        "g" | "G" => 3,
        "t" | "T" => 4,
        "p" | "P" => 5,
        "e" | "E" => 6,
        _ => return None,
    };
    match rest {
        "" => Some(1_000_u64.pow(power)),
        "i" => Some(1_024_u64.pow(power)),
        _ => None,
    }
}

fn unknown(what: &str, unit: &str) -> BuiltinError {
    BuiltinError(format!("{what} {unit} not recognized"))
}

/// The number and the unit behind it. An `e` belongs to the number when digits or a sign follow.
fn split<'t>(text: &'t str, name: &str) -> Result<(&'t str, &'t str), BuiltinError> {
    if text.contains(' ') {
        return Err(BuiltinError(format!("{name}: spaces not allowed in resource strings")));
    }
    let bytes = text.as_bytes();
    let is_exponent = |at: usize| bytes.get(at + 1).is_some_and(|next| next.is_ascii_digit() || matches!(next, b'+' | b'-'));
    let is_unit = |(at, byte): (usize, &u8)| match byte {
        b'0'..=b'9' | b'.' | b'+' | b'-' => false,
        b'e' | b'E' => !is_exponent(at),
        _ => true,
    };
    let end = bytes.iter().enumerate().position(is_unit).unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    if number.is_empty() {
        return Err(BuiltinError(format!("{name}: no amount provided")));
    }
    Ok((number, unit))
}

/// A decimal number: the digits of an integer, and how many of them stand behind the point.
#[derive(Debug, Clone)]
struct Amount {
    negative: bool,
    digits: String,
    places: usize,
}

fn amount(text: &str, name: &str) -> Result<Amount, BuiltinError> {
    read(text).ok_or_else(|| BuiltinError(format!("{name}: could not parse amount to a number")))
}

fn read(text: &str) -> Option<Amount> {
    let (negative, unsigned) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (mantissa, exponent) = unsigned.split_once(['e', 'E']).unwrap_or((unsigned, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let exponent: i64 = exponent.strip_prefix('+').unwrap_or(exponent).parse().ok()?;
    let mut digits = format!("{whole}{fraction}");
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let places = i64::try_from(fraction.len()).ok()? - exponent;
    let zeros = usize::try_from(-places).unwrap_or(0);
    if digits.len() + zeros > MOST_DIGITS {
        return None;
    }
    digits.push_str(&"0".repeat(zeros));
    let places = usize::try_from(places).unwrap_or(0);
    (places <= MOST_DIGITS).then_some(Amount { negative, digits, places })
}

impl Amount {
    fn times(mut self, size: u64) -> Self {
        self.digits = product(&self.digits, &size.to_string());
        self
    }

    fn milli(mut self) -> Self {
        self.digits = product(&self.digits, MILLI);
        self.places += 60;
        self
    }

    /// The digits before the point, and those behind it.
    fn parts(&self) -> (String, String) {
        let padded = format!("{:0>1$}", self.digits, self.places + 1);
        let (whole, fraction) = padded.split_at(padded.len() - self.places);
        let whole = whole.trim_start_matches('0');
        (if whole.is_empty() { "0" } else { whole }.to_owned(), fraction.trim_end_matches('0').to_owned())
    }

    fn signed(&self, text: &str) -> String {
        if self.negative && text.bytes().any(|byte| matches!(byte, b'1'..=b'9')) { format!("-{text}") } else { text.to_owned() }
    }
}

/// An integer as it is, and anything else rounded to ten places. What no float of the engine is, is left to OPA.
fn value_of(amount: &Amount, circumstances: &Circumstances) -> Result<Value, BuiltinError> {
    let (whole, fraction) = amount.parts();
    if fraction.is_empty() {
        return integer_value(&amount.signed(&whole));
    }
    let (kept, cut) = fraction.split_at_checked(PLACES).unwrap_or((&fraction, ""));
    let mut digits = format!("{whole}{kept:0<PLACES$}");
    if cut.as_bytes().first().is_some_and(|digit| *digit >= b'5') {
        digits = sum_with_one(&digits);
    }
    let (whole, fraction) = digits.split_at(digits.len() - PLACES);
    let number = amount.signed(&format!("{whole}.{fraction}"));
    decimal(&number).ok_or_else(|| circumstances.leave(format!("units.parse: {number} would be rounded")))
}

fn integer_value(text: &str) -> Result<Value, BuiltinError> {
    Value::from_numeric_string(text).map_err(|_| BuiltinError(format!("{text} is beyond the engine's numbers")))
}

fn sum_with_one(digits: &str) -> String {
    let nines = digits.len() - digits.trim_end_matches('9').len();
    let (kept, _) = digits.split_at(digits.len() - nines);
    let raised = match kept.as_bytes().split_last() {
        Some((last, rest)) => format!("{}{}", String::from_utf8_lossy(rest), char::from(last + 1)),
        None => "1".to_owned(),
    };
    raised + &"0".repeat(nines)
}

/// The product of two numbers in decimal digits.
fn product(a: &str, b: &str) -> String {
    let digits = |text: &str| text.bytes().rev().map(|byte| u64::from(byte - b'0')).collect::<Vec<_>>();
    let (a, b) = (digits(a), digits(b));
    let mut columns = vec![0_u64; a.len() + b.len()];
    for (i, x) in a.iter().enumerate() {
        for (column, y) in columns.iter_mut().skip(i).zip(&b) {
            *column += x * y;
        }
    }
    let mut carry = 0;
    let mut text: Vec<u8> = Vec::with_capacity(columns.len());
    for column in columns {
        let sum = column + carry;
        text.push(b'0' + u8::try_from(sum % 10).unwrap_or(0));
        carry = sum / 10;
    }
    text.iter().rev().map(|byte| char::from(*byte)).collect()
}

#[cfg(test)]
mod tests {
    use crate::builtins::tests::{called, is_left_to_opa, json};

    #[test]
    fn amounts_are_exact() {
        for (text, number) in [
            ("1", "1"),
            ("1K", "1000"),
            ("1.5Ki", "1536"),
            ("1M", "1000000"),
            ("1mi", "1048576"),
            ("1m", "0.001"),
            ("1500m", "1.5"),
            ("-1k", "-1000"),
            ("1e3", "1000"),
            ("1e3k", "1000000"),
            ("1E", "1000000000000000000"),
            ("1Ei", "1152921504606846976"),
            ("1.", "1"),
            ("0.33333333333", "0.3333333333"),
            ("\"2k\"", "2000"),
        ] {
            assert_eq!(called("units.parse", &[text.into()]), Ok(json(number)), "{text}");
        }
    }

    #[test]
    fn bytes_are_cut_to_whole_ones() {
        for (text, number) in
            [("1KB", "1000"), ("1kib", "1024"), ("1.5", "1"), ("1.2345678901234k", "1234"), ("1m", "1000000"), ("0.5", "0")]
        {
            assert_eq!(called("units.parse_bytes", &[text.into()]), Ok(json(number)), "{text}");
        }
    }

    #[test]
    fn what_a_float_does_not_hold_is_left_to_opa() {
        for text in ["2.2Ei", "1e15m", "1e-3Ei"] {
            assert!(is_left_to_opa("units.parse", &[text.into()]), "{text}");
        }
        for text in ["2.5Ei", "0.1", "1500m", "1e3m", "0.3333333333"] {
            assert!(!is_left_to_opa("units.parse", &[text.into()]), "{text}");
        }
    }

    #[test]
    fn what_is_no_amount_has_no_answer() {
        for text in ["", "k", "1 k", "1q", "1da", "1h", "1Z", "1_000", "1.1.1", "1e10000000", "0x10", "1/2"] {
            assert!(called("units.parse", &[text.into()]).is_err(), "{text}");
            assert!(called("units.parse_bytes", &[text.into()]).is_err(), "{text}");
        }
    }
}
