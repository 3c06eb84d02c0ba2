//! The order in which OPA prints a set: null, booleans, numbers, strings, arrays, objects, sets. The value type sorts sets
//! before objects.

use std::cmp::Ordering;

use regorus::{Value, value::Object};

/// The elements of a set as OPA prints them.
pub fn sorted<'v>(elements: impl Iterator<Item = &'v Value>) -> Vec<&'v Value> {
    let mut elements: Vec<_> = elements.collect();
    // Scalars are in order already; the sort is stable and costs one comparison each when nothing moves.
    if elements.iter().any(|element| rank(element) >= rank_of_arrays()) {
        elements.sort_by(|left, right| compare(left, right));
    }
    elements
}

/// The members of an object in OPA's order of their keys.
pub fn fields(object: &Object) -> Vec<(&Value, &Value)> {
    let mut fields: Vec<_> = object.iter_sorted().collect();
    if fields.iter().any(|(key, _)| rank(key) >= rank_of_arrays()) {
        fields.sort_by(|(left, _), (right, _)| compare(left, right));
    }
    fields
}

const fn rank(value: &Value) -> u8 {
    match value {
        Value::Undefined | Value::Null => 0,
        Value::Bool(_) => 1,
        Value::Number(_) => 2,
        Value::String(_) => 3,
        Value::Array(_) => rank_of_arrays(),
        Value::Object(_) => 5,
        Value::Set(_) => 6,
    }
}

const fn rank_of_arrays() -> u8 {
    4
}

/// OPA's order of values.
pub(crate) fn compare(left: &Value, right: &Value) -> Ordering {
    match (left, right) {
        (Value::Array(left), Value::Array(right)) => compare_all(left.iter(), right.iter()),
        (Value::Set(left), Value::Set(right)) => compare_all(sorted(left.iter()).into_iter(), sorted(right.iter()).into_iter()),
        (Value::Object(left), Value::Object(right)) => {
            let pairs = |(key, value)| [key, value];
            compare_all(fields(left).into_iter().flat_map(pairs), fields(right).into_iter().flat_map(pairs))
        }
        _ => rank(left).cmp(&rank(right)).then_with(|| left.cmp(right)),
    }
}

/// The first difference decides; without one, the shorter comes first.
fn compare_all<'v>(mut left: impl Iterator<Item = &'v Value>, mut right: impl Iterator<Item = &'v Value>) -> Ordering {
    loop {
        match (left.next(), right.next()) {
            (Some(one), Some(other)) => match compare(one, other) {
                Ordering::Equal => {}
                decided => return decided,
            },
            (one, other) => return one.is_some().cmp(&other.is_some()),
        }
    }
}
