//! Calls whose answer would be rounded here, and otherwise in OPA, which calculates fractions in 64 bits of mantissa.
//!
//! As with [`super::bounds`], a refusal ends the evaluation: the call must not become undefined.

use regorus::Value;

use super::bounds::Exceeded;
use crate::document::{ReadError, decimal, read_input};

/// Most fractions that are added up; each is a multiple of a sixteenth and below a million, so that no sum is rounded.
const MAX_FRACTIONS: usize = 1_000;
const LARGEST_FRACTION: f64 = 1_048_576.0;

/// Whether calls of `name` are looked at.
pub(crate) fn applies(name: &str) -> bool {
    matches!(name, "sum" | "product" | "to_number" | "json.unmarshal")
}

/// Whether the answer of `name` for these operands is exact. Wrong operands are left to the builtin.
pub(crate) fn check(name: &str, operands: &[Value]) -> Result<(), Exceeded> {
    let exact = match (name, operands) {
        ("sum", [items]) => items_of(items).is_none_or(|items| is_whole(&items) || are_plain(&items)),
        ("product", [items]) => items_of(items).is_none_or(|items| is_whole(&items)),
        ("to_number", [Value::String(text)]) => !text.contains(['.', 'e', 'E']) || decimal(text).is_some(),
        ("json.unmarshal", [Value::String(text)]) => !matches!(read_input(text.as_bytes()), Err(ReadError::Unsupported(_))),
        _ => true,
    };
    if exact { Ok(()) } else { Err(Exceeded(format!("{name} would give a number that the engine does not hold exactly"))) }
}

fn items_of(collection: &Value) -> Option<Vec<&Value>> {
    match collection {
        Value::Array(items) => Some(items.iter().collect()),
        Value::Set(items) => Some(items.iter().collect()),
        _ => None,
    }
}

fn is_whole(items: &[&Value]) -> bool {
    items.iter().all(|item| if let Value::Number(number) = item { number.is_integer() } else { true })
}

fn are_plain(items: &[&Value]) -> bool {
    let plain = |float: f64| float.abs() < LARGEST_FRACTION && (float * 16.0).fract() == 0.0;
    items.len() <= MAX_FRACTIONS && items.iter().all(|item| item.as_f64().is_ok_and(plain))
}

#[cfg(test)]
mod tests {
    use super::super::tests::json;
    use super::*;

    #[test]
    fn what_would_be_rounded_is_refused_and_all_else_is_not() {
        for (name, operand) in [("sum", "[0.1, 0.2]"), ("product", "[0.2, 0.3]"), ("to_number", r#""0.30000000000000000001""#)]
        {
            assert!(check(name, &[json(operand)]).is_err(), "{name} {operand}");
        }
        for (name, operand) in [("sum", "[0.5, 0.25]"), ("sum", r#"["a"]"#), ("product", "[2, 3]"), ("to_number", r#""0.3""#)] {
            assert!(check(name, &[json(operand)]).is_ok(), "{name} {operand}");
        }
        assert!(check("json.unmarshal", &["0.123456789012345678901".into()]).is_err());
        assert!(check("json.unmarshal", &["nonsense".into()]).is_ok());
    }
}
