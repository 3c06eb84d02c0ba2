//! Numbers, kept exactly or refused.
//!
//! OPA keeps a number's spelling and compares by value. An integer of any size is kept exactly here. A fraction is kept
//! as the nearest binary float, but only if that float's shortest spelling is the number again: then different numbers
//! stay different, their order stays, and what is printed is equal to what was read. An integer beyond all floats is refused:
//! OPA finds such a member of a set by its spelling, so that `1e400` and `10e399`, which are equal, are two.

use regorus::Value;

use super::MAX_NUMBER_BYTES;

/// Digits that any decimal may have without being changed by a binary float.
const ALWAYS_EXACT_DIGITS: usize = 15;
/// Exponents of the first digit within which that holds; binary floats get coarser below 1e-307.
const ALWAYS_EXACT_EXPONENTS: std::ops::RangeInclusive<i64> = -300..=300;

/// Digits that an integer has before it may be beyond all floats.
const ALWAYS_FINITE_DIGITS: usize = 308;
/// Bytes of an integer with a fraction from which on OPA does not look whether the fraction is zero.
pub(crate) const LONG_NUMBER_BYTES: usize = 20;

/// Whether an integer of at most [`MAX_NUMBER_BYTES`] that is written as `token` is beyond all floats.
fn is_beyond_floats(token: &str) -> bool {
    token.len() > ALWAYS_FINITE_DIGITS && !token.parse().is_ok_and(f64::is_finite)
}

/// The value of `token`, an integer as JSON writes it; None when it is too large.
pub fn integer(token: &str) -> Option<Value> {
    // Up to 19 digits fit 64 bits.
    if token.len() <= 19 && !token.starts_with('-') {
        return token.parse::<u64>().ok().map(Value::from);
    }
    if token.len() <= 19 {
        return token.parse::<i64>().ok().map(Value::from);
    }
    if token.len() > MAX_NUMBER_BYTES || is_beyond_floats(token) {
        return None;
    }
    Value::from_numeric_string(token).ok()
}

/// The value of `token`, a number with a fraction or an exponent; None when it cannot be held exactly.
pub(crate) fn decimal(token: &str) -> Option<Value> {
    if token.len() > MAX_NUMBER_BYTES {
        return None;
    }
    let decimal = Decimal::of(token)?;
    if decimal.exponent >= 0 {
        return decimal.into_integer(token.contains(['e', 'E']) || token.len() >= LONG_NUMBER_BYTES);
    }
    let float: f64 = token.parse().ok()?;
    let plain = decimal.digits.len() <= ALWAYS_EXACT_DIGITS && ALWAYS_EXACT_EXPONENTS.contains(&decimal.leading_exponent());
    (plain || Decimal::of(&format!("{float:e}")).as_ref() == Some(&decimal)).then(|| Value::from(float))
}

/// The value of `token`, an integer beyond all floats; None of any other number, and of one that is too long.
pub(super) fn beyond_floats(token: &str) -> Option<Value> {
    if token.len() > MAX_NUMBER_BYTES {
        return None;
    }
    let written = Decimal::of(token)?.into_digits()?;
    if is_beyond_floats(&written) { Value::from_numeric_string(&written).ok() } else { None }
}

/// A number taken apart: `digits` times ten to the `exponent`, without zeros at either end.
#[derive(Debug, PartialEq, Eq)]
struct Decimal {
    negative: bool,
    digits: String,
    exponent: i64,
}

impl Decimal {
    fn of(token: &str) -> Option<Self> {
        let (negative, unsigned) = token.strip_prefix('-').map_or((false, token), |unsigned| (true, unsigned));
        let (mantissa, exponent) = unsigned.split_once(['e', 'E']).unwrap_or((unsigned, "0"));
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let exponent: i64 = exponent.parse().ok()?;
        let written = format!("{whole}{fraction}");
        let digits = written.trim_matches('0');
        if digits.is_empty() {
            return Some(Self { negative, digits: String::new(), exponent: 0 });
        }
        let behind = written.len() - written.trim_end_matches('0').len();
        let shift = i64::try_from(behind).ok()? - i64::try_from(fraction.len()).ok()?;
        Some(Self { negative, digits: digits.to_owned(), exponent: exponent.checked_add(shift)? })
    }

    /// The exponent of the first digit.
    fn leading_exponent(&self) -> i64 {
        self.exponent.saturating_add(i64::try_from(self.digits.len()).unwrap_or(i64::MAX))
    }

    /// The integer it is. OPA takes 1.0 for an index into an array and for an operand that must be whole, but neither 1e0 nor a
    /// 1.0 with more zeros: only what is too large for an index may be spelled like that.
    fn into_integer(self, is_no_index: bool) -> Option<Value> {
        if is_no_index && self.leading_exponent() <= 19 {
            return None;
        }
        if self.digits.is_empty() {
            return Some(Value::from(0_u64));
        }
        integer(&self.into_digits()?)
    }

    /// The integer it is, written out; None when it is none or too long.
    fn into_digits(self) -> Option<String> {
        let zeros = usize::try_from(self.exponent).ok()?;
        if self.digits.len().checked_add(zeros)? > MAX_NUMBER_BYTES {
            return None;
        }
        let sign = if self.negative { "-" } else { "" };
        Some(format!("{sign}{}{}", self.digits, "0".repeat(zeros)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(value: Option<Value>) -> Option<String> {
        value.map(|value| format!("{value:?}"))
    }

    #[test]
    fn integers_of_any_size_are_exact() {
        let long = "9".repeat(ALWAYS_FINITE_DIGITS);
        let largest = f64::MAX.to_string();
        for token in
            ["0", "-1", "18446744073709551615", "18446744073709551616", "-9223372036854775809", long.as_str(), largest.as_str()]
        {
            assert_eq!(printed(integer(token)), Some(format!("Number({token})")), "{token}");
        }
        assert_eq!(integer("-0"), Some(Value::from(0_u64)));
    }

    #[test]
    fn integers_beyond_all_floats_are_refused() {
        let digits = [309, 400, MAX_NUMBER_BYTES, MAX_NUMBER_BYTES + 1].map(|count| "9".repeat(count));
        for token in digits.iter().flat_map(|digits| [digits.clone(), format!("-{digits}")]) {
            assert_eq!(integer(&token), None, "{token}");
            assert_eq!(decimal(&format!("{token}.0")), None, "{token}");
        }
        for token in ["1e309", "-1.8e308", "18E307", "1e400"] {
            assert_eq!(decimal(token), None, "{token}");
            assert!(beyond_floats(token).is_some(), "{token}");
        }
        for token in ["1", "0", "1e308", "1e1100", "1e-400", "0.1", "1.0"] {
            assert_eq!(beyond_floats(token), None, "{token}");
        }
    }

    #[test]
    fn what_is_held_can_be_written() {
        // regorus panics when it cannot.
        for token in ["1.7976931348623157e308", "-1.79769313486231580793e308", "1e308", "179e306"] {
            let value = decimal(token).unwrap();
            assert_eq!(value.to_string().parse(), token.parse::<f64>(), "{token}");
        }
    }

    #[test]
    fn whole_decimals_are_integers() {
        for (token, whole) in [
            ("1.0", "1"),
            ("-2.00", "-2"),
            ("-0.0", "0"),
            ("12345678901234567.0", "12345678901234567"),
            ("100000000000000000000.0", "100000000000000000000"),
            ("1e21", "1000000000000000000000"),
            ("-1.5E+20", "-150000000000000000000"),
        ] {
            assert_eq!(printed(decimal(token)), Some(format!("Number({whole})")), "{token}");
        }
        assert_eq!(decimal("1e300"), Value::from_numeric_string(&format!("1{}", "0".repeat(300))).ok());
    }

    #[test]
    fn a_small_integer_with_an_exponent_is_refused_as_opa_knows_it_from_one_without() {
        for token in ["1e0", "10E-1", "1e2", "0e0", "-0e5"] {
            assert_eq!(decimal(token), None, "{token}");
        }
    }

    #[test]
    fn a_small_integer_with_a_long_fraction_is_refused_as_opa_takes_it_for_no_index() {
        for token in ["1.000000000000000000", "-1.00000000000000000", "123456789012345678.0", "0.000000000000000000"] {
            assert_eq!(decimal(token), None, "{token}");
        }
        assert_eq!(decimal("1.00000000000000000"), Some(Value::from(1_u64)));
    }

    #[test]
    fn fractions_are_kept_when_the_nearest_float_says_them_again() {
        for (token, float) in [
            ("0.1", 0.1),
            ("-1.50", -1.5),
            ("1e-7", 1e-7),
            ("0.30000000000000004", 0.300_000_000_000_000_04),
            ("5e-324", 5e-324),
            ("123456789.125", 123_456_789.125),
        ] {
            assert_eq!(decimal(token), Some(Value::from(float)), "{token}");
        }
    }

    #[test]
    fn what_would_be_changed_is_refused() {
        for token in [
            "0.1000000000000000055511151231257827",
            "0.10000000000000001",
            "1e-400",
            "1e1000000",
            "1e99999999999999999999",
            "1.5e-99999999999999999999",
            "4.9e-324",
            "9007199254740993.5",
        ] {
            assert_eq!(decimal(token), None, "{token}");
        }
    }
}
