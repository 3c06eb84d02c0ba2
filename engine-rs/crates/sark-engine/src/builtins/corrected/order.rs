//! The order of values: null, booleans, numbers, strings, arrays, objects, sets.
//!
//! regorus puts sets before objects. OPA's order shows where values of several types are sorted together.

use std::cmp::Ordering;

use regorus::Value;

/// Compare as OPA does.
pub(in crate::builtins) fn compare(left: &Value, right: &Value) -> Ordering {
    match (left, right) {
        (Value::Array(a), Value::Array(b)) => a
            .iter()
            .zip(b.iter())
            .map(|(a, b)| compare(a, b))
            .find(|order| order.is_ne())
            .unwrap_or_else(|| a.len().cmp(&b.len())),
        (Value::Set(a), Value::Set(b)) => {
            let (a, b) = (sorted(a.iter()), sorted(b.iter()));
            a.iter().zip(&b).map(|(a, b)| compare(a, b)).find(|order| order.is_ne()).unwrap_or_else(|| a.len().cmp(&b.len()))
        }
        (Value::Object(a), Value::Object(b)) => {
            let (a_keys, b_keys) = (sorted(a.iter().map(|(key, _)| key)), sorted(b.iter().map(|(key, _)| key)));
            for (a_key, b_key) in a_keys.iter().zip(&b_keys) {
                let order = compare(a_key, b_key).then_with(|| match (a.get(a_key), b.get(b_key)) {
                    (Some(a), Some(b)) => compare(a, b),
                    _ => Ordering::Equal,
                });
                if order.is_ne() {
                    return order;
                }
            }
            a.len().cmp(&b.len())
        }
        _ => rank(left).cmp(&rank(right)).then_with(|| left.cmp(right)),
    }
}

fn sorted<'v>(values: impl Iterator<Item = &'v Value>) -> Vec<&'v Value> {
    let mut values: Vec<_> = values.collect();
    values.sort_by(|a, b| compare(a, b));
    values
}

fn rank(value: &Value) -> u8 {
    match value {
        Value::Undefined => 0,
        Value::Null => 1,
        Value::Bool(_) => 2,
        Value::Number(_) => 3,
        Value::String(_) => 4,
        Value::Array(_) => 5,
        Value::Object(_) => 6,
        Value::Set(_) => 7,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::builtins::tests::{json, set_of};

    #[test]
    fn every_type_has_its_place() {
        let values = [json("null"), json("false"), json("2"), json("\"a\""), json("[1]"), json("{}"), set_of("[]")];
        for pair in values.windows(2) {
            assert_eq!(compare(&pair[0], &pair[1]), Ordering::Less, "{pair:?}");
            assert_eq!(compare(&pair[1], &pair[0]), Ordering::Greater, "{pair:?}");
        }
    }

    #[test]
    fn collections_compare_item_by_item_and_then_by_length() {
        for (less, more) in
            [("[1, 2]", "[1, 3]"), ("[1]", "[1, 0]"), (r#"{"a": 1}"#, r#"{"a": 2}"#), (r#"{"a": 9}"#, r#"{"b": 1}"#)]
        {
            assert_eq!(compare(&json(less), &json(more)), Ordering::Less, "{less} {more}");
        }
        assert_eq!(compare(&set_of("[1, 2]"), &set_of("[2, 1]")), Ordering::Equal);
    }
}
