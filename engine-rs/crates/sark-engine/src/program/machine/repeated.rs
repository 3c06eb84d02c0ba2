//! Keys that an object comprehension gives more than once.

use std::{
    collections::BTreeMap,
    hash::{BuildHasher, BuildHasherDefault, DefaultHasher},
};

use regorus::Value;

use super::{Failure, Outcome};

const LOST: &str = "a key that an object comprehension gives twice, beside one that has the same sum of parts to OPA";

/// From here on a double is no whole number of 64 bits.
const BEYOND: f64 = 9_223_372_036_854_775_808.0;

/// Leave an object to OPA some of whose keys came more than once, if two of its keys are filed under one number there.
///
/// That number is a sum over a key's parts, the same for `["a", "b"]` and `["b", "a"]`, for 0.1 and 0.2, and for 1 and `[1]`. When
/// one of them comes again, OPA's references do not find those any more that came after its first time.
pub(super) fn are_found(fields: &BTreeMap<Value, Value>) -> Outcome<()> {
    if fields.keys().all(|key| matches!(key, Value::String(_))) {
        return Ok(());
    }
    let mut sums: Vec<u64> = fields.keys().map(|key| sum(key, &mut |_, _| {})).collect();
    sums.sort_unstable();
    if sums.windows(2).any(|pair| matches!(pair, [one, other] if one == other)) {
        return Err(Failure::Unsupported(LOST.to_owned()));
    }
    Ok(())
}

/// As OPA adds a value up, but for what it makes of a text. `see` is shown each part with its own sum, the whole last.
#[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation)] // OPA takes numbers for doubles, and cuts them, too
pub(super) fn sum(value: &Value, see: &mut dyn FnMut(&Value, u64)) -> u64 {
    let mut added = 0_u64;
    let mut add = |part: &Value| added = added.wrapping_add(sum(part, see));
    let sum = match value {
        Value::Null | Value::Undefined | Value::Bool(false) => 0,
        Value::Bool(true) => 1,
        // The whole number in front of the point, with the digits that a double has.
        Value::Number(number) => {
            let float = number.as_f64().or_else(|| number.as_i64().map(|whole| whole as f64));
            float.filter(|float| float.abs() < BEYOND).map_or(1 << 63, |float| (float as i64).cast_unsigned())
        }
        Value::String(text) => BuildHasherDefault::<DefaultHasher>::default().hash_one(text.as_ref()),
        Value::Array(items) => {
            items.iter().for_each(add);
            added
        }
        Value::Set(items) => {
            items.iter().for_each(add);
            added
        }
        Value::Object(fields) => {
            for (key, value) in fields.iter() {
                add(key);
                add(value);
            }
            added
        }
    };
    see(value, sum);
    sum
}
