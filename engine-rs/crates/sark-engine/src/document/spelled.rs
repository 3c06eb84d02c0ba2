//! Numbers that are spelled otherwise than the engine writes them.
//!
//! OPA keeps a number's spelling: `12.50` put into a text is `12.50`. Values here have none, so what is noted of a document is
//! which numbers, by their worth, it has in another spelling than the engine's. Where one of them would become part of a text
//! OPA has to answer.

use std::collections::BTreeSet;

use regorus::Value;

/// Most numbers that are told apart. Beyond it every number counts as spelled otherwise.
const MOST: usize = 1_024;

/// Numbers that stand in a document, or in several, in another spelling than the engine's, such as `1.0`, `12.50` and `-0`.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Spelled {
    worths: BTreeSet<Value>,
    too_many: bool,
    /// Whether one is beyond all floats.
    has_beyond: bool,
}

impl Spelled {
    /// Whether every number is spelled as the engine writes it.
    pub fn is_empty(&self) -> bool {
        self.worths.is_empty() && !self.too_many
    }

    /// Note that `number` is spelled otherwise.
    pub fn note(&mut self, number: &Value) {
        if self.too_many || self.worths.contains(number) {
            return;
        }
        if self.worths.len() >= MOST {
            self.worths.clear();
            self.too_many = true;
            return;
        }
        self.worths.insert(number.clone());
    }

    /// Note `number`, which is beyond all floats: OPA knows such by their spelling also where it knows others by their worth.
    pub(super) fn note_beyond(&mut self, number: &Value) {
        self.note(number);
        self.has_beyond = true;
    }

    /// Whether a number beyond all floats is among them.
    pub(crate) const fn has_beyond(&self) -> bool {
        self.has_beyond
    }

    /// Note what `other` has.
    pub(crate) fn absorb(&mut self, other: &Self) {
        self.has_beyond |= other.has_beyond;
        other.worths.iter().for_each(|number| self.note(number));
        if other.too_many {
            self.worths.clear();
            self.too_many = true;
        }
    }

    /// Whether `value` is or contains one of the numbers, as a key too.
    pub(crate) fn touches(&self, value: &Value) -> bool {
        match value {
            Value::Number(_) => self.too_many || self.worths.contains(value),
            Value::Array(items) => items.iter().any(|item| self.touches(item)),
            Value::Set(items) => items.iter().any(|item| self.touches(item)),
            Value::Object(fields) => fields.iter().any(|(key, value)| self.touches(key) || self.touches(value)),
            _ => false,
        }
    }

    /// The numbers as a text, one for each set of them.
    pub(crate) fn text(&self) -> String {
        match self.worths() {
            None => "*".to_owned(),
            Some(worths) => worths.map(ToString::to_string).collect::<Vec<_>>().join(" "),
        }
    }

    /// The numbers in order; None when there are too many to tell.
    pub(crate) fn worths(&self) -> Option<impl ExactSizeIterator<Item = &Value>> {
        (!self.too_many).then(|| self.worths.iter())
    }
}

/// Whether `token` is how the engine writes the number that it stands for, and OPA the one that it calculates.
pub(crate) fn is_plain(token: &str) -> bool {
    let unsigned = token.strip_prefix('-').unwrap_or(token);
    let (whole, fraction) = unsigned.split_once('.').map_or((unsigned, None), |(whole, fraction)| (whole, Some(fraction)));
    let is_whole =
        whole == "0" || whole.bytes().all(|byte| byte.is_ascii_digit()) && !whole.is_empty() && !whole.starts_with('0');
    is_whole
        && match fraction {
            None => token != "-0",
            Some(fraction) => {
                // Smaller ones are written with an exponent somewhere.
                let is_small = whole == "0" && fraction.starts_with("000");
                fraction.bytes().all(|byte| byte.is_ascii_digit())
                    && !fraction.is_empty()
                    && !fraction.ends_with('0')
                    && !is_small
            }
        }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_spelling_of_each_number_is_plain() {
        for token in ["0", "7", "-7", "10", "18446744073709551616", "0.5", "-12.5", "0.05", "100.001", "0.001"] {
            assert!(is_plain(token), "{token}");
        }
        for token in
            ["-0", "1.0", "12.50", "-0.0", "0.0001", "1e2", "1E2", "1e-7", "+1", "007", ".5", "2.", "", "-", "1.5e3", "00"]
        {
            assert!(!is_plain(token), "{token}");
        }
    }

    #[test]
    fn numbers_are_found_by_their_worth_wherever_they_are() {
        let mut spelled = Spelled::default();
        let value = |json: &str| Value::from_json_str(json).unwrap();
        assert!(spelled.is_empty() && !spelled.touches(&value("[1]")));
        spelled.note(&value("1.0"));
        for touched in ["1", "1.0", "[[1]]", r#"{"a": {"b": 1}}"#] {
            assert!(spelled.touches(&value(touched)), "{touched}");
        }
        let keyed = Value::from(std::collections::BTreeMap::from([(value("1"), Value::Null)]));
        assert!(spelled.touches(&keyed));
        for untouched in ["2", "1.5", r#""1""#, r#"{"1": true}"#, "[]"] {
            assert!(!spelled.touches(&value(untouched)), "{untouched}");
        }
    }

    #[test]
    fn too_many_numbers_are_all_numbers() {
        let mut spelled = Spelled::default();
        (0..=MOST).for_each(|number| spelled.note(&Value::from(number)));
        assert!(spelled.worths().is_none() && !spelled.is_empty());
        assert!(spelled.touches(&Value::from(-1_i64)) && !spelled.touches(&Value::Null));
        let mut other = Spelled::default();
        other.absorb(&spelled);
        assert_eq!(other, spelled);
    }
}
