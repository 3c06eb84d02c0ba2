//! Numbers compared by their value, as OPA does: `1`, `1.0` and `10e-1` are one number, however long it is.

use std::cmp::Ordering;

/// A JSON number without loss.
#[derive(Debug, Clone)]
pub(crate) struct Number {
    /// As it was written.
    text: String,
    negative: bool,
    /// Digits without leading or trailing zeros; empty for zero.
    digits: String,
    /// Where the point stands, counted from the first digit: 0.5 has 0, 5 has 1.
    point: i64,
}

impl Number {
    /// Read a JSON number; None when `text` is none.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (negative, unsigned) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
        let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent.strip_prefix('+').unwrap_or(exponent).parse::<i64>().ok()?),
            None => (unsigned, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let all = format!("{whole}{fraction}");
        if whole.is_empty() || !all.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let significant = all.trim_start_matches('0');
        let leading = i64::try_from(all.len() - significant.len()).ok()?;
        let digits = significant.trim_end_matches('0').to_owned();
        let point = if digits.is_empty() { 0 } else { i64::try_from(whole.len()).ok()? - leading + exponent };
        Some(Self { text: text.to_owned(), negative: negative && !digits.is_empty(), digits, point })
    }

    /// As it was written.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    fn magnitude(&self) -> (bool, i64, &str) {
        (!self.digits.is_empty(), self.point, &self.digits)
    }
}

impl Ord for Number {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self.negative, other.negative) {
            (false, false) => self.magnitude().cmp(&other.magnitude()),
            (true, true) => other.magnitude().cmp(&self.magnitude()),
            (true, false) => Ordering::Less,
            (false, true) => Ordering::Greater,
        }
    }
}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Number {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Number {}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(text: &str) -> Number {
        Number::parse(text).unwrap()
    }

    #[test]
    fn spellings_of_one_value_are_equal() {
        for (left, right) in [
            ("1", "1.0"),
            ("10e-1", "1"),
            ("0", "-0.0"),
            ("0e5", "0"),
            ("1e+2", "100"),
            ("0.001", "1E-3"),
            ("123456789012345678901234567890", "123456789012345678901234567890.00"),
        ] {
            assert_eq!(number(left), number(right));
        }
        assert_ne!(number("123456789012345678901234567890"), number("123456789012345678901234567891"));
    }

    #[test]
    fn values_have_their_order() {
        for pair in ["-11", "-2", "-1.5", "-0.1", "0", "0.01", "0.1", "0.15", "1", "1.5", "2", "11", "1e3"].windows(2) {
            assert!(number(pair[0]) < number(pair[1]), "{pair:?}");
        }
    }

    #[test]
    fn what_is_no_number_is_refused() {
        for text in ["", "-", "x", "1.x", ".5", "1e", "--1", "0x1"] {
            assert!(Number::parse(text).is_none(), "{text:?}");
        }
    }
}
