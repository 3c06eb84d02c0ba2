//! Operators on values. An operand that is undefined, or of a type the operator does not take, makes the answer undefined.

use regorus::{
    Value,
    unstable::{ArithOp, BinOp, BoolOp},
};

use super::{super::place, Failure};
use crate::{builtins::exactness::is_beyond_64_bits, document};

pub(super) fn compare(op: &BoolOp, left: &Value, right: &Value) -> Value {
    if *left == Value::Undefined || *right == Value::Undefined {
        return Value::Undefined;
    }
    Value::Bool(match op {
        BoolOp::Eq => left == right,
        BoolOp::Ne => left != right,
        BoolOp::Lt => document::compare(left, right).is_lt(),
        BoolOp::Le => document::compare(left, right).is_le(),
        BoolOp::Gt => document::compare(left, right).is_gt(),
        BoolOp::Ge => document::compare(left, right).is_ge(),
    })
}

/// Arithmetic. Whole numbers are exact at any size. OPA calculates with fractions in 64 bits of mantissa, which is neither exact nor
/// what a float here does: a calculation is only made when both come out the same, because nothing is rounded.
pub(super) fn arithmetic(op: &ArithOp, left: &Value, right: &Value) -> Result<Value, Failure> {
    let (Value::Number(first), Value::Number(second)) = (left, right) else {
        return Ok(match (op, left, right) {
            (ArithOp::Sub, Value::Set(left), Value::Set(right)) => left.difference(right).into_value(),
            _ => Value::Undefined,
        });
    };
    let whole = first.is_integer() && second.is_integer();
    let by_zero = matches!(op, ArithOp::Div | ArithOp::Mod) && *right == Value::from(0_u64);
    if by_zero || (matches!(op, ArithOp::Mod) && !whole) {
        return Ok(Value::Undefined);
    }
    // OPA divides in 64 bits of mantissa, whole numbers too.
    if matches!(op, ArithOp::Div) && (is_beyond_64_bits(left) || is_beyond_64_bits(right)) {
        return Err(Failure::Inexact);
    }
    if whole && let Some(exact) = whole_number(op, left, right) {
        return Ok(exact);
    }
    fraction(op, left, right).ok_or(Failure::Inexact)
}

/// `left op right` of whole numbers when the answer is whole too.
fn whole_number(op: &ArithOp, left: &Value, right: &Value) -> Option<Value> {
    let (Value::Number(first), Value::Number(second)) = (left, right) else {
        return None;
    };
    let answer = match op {
        ArithOp::Add => first.add(second),
        ArithOp::Sub => first.sub(second),
        ArithOp::Mul => first.mul(second),
        ArithOp::Mod => first.clone().modulo(second),
        ArithOp::Div => {
            let rest = Value::from(first.clone().modulo(second).ok()?);
            if rest != Value::from(0_u64) {
                return None;
            }
            first.clone().divide(second)
        }
    };
    let answer = Value::from(answer.ok()?);
    // A float that stands for a whole number beyond its precision has been rounded.
    let exact = matches!(&answer, Value::Number(number) if number.is_integer() && number.as_i128().is_some() || number.as_big().is_some());
    exact.then_some(answer)
}

/// `left op right` in floats, when nothing is rounded: all three are multiples of a sixteenth and not too large.
fn fraction(op: &ArithOp, left: &Value, right: &Value) -> Option<Value> {
    let (left, right) = (plain(left.as_f64().ok()?)?, plain(right.as_f64().ok()?)?);
    let answer = plain(match op {
        ArithOp::Add => left + right,
        ArithOp::Sub => left - right,
        ArithOp::Mul => left * right,
        ArithOp::Div => left / right,
        ArithOp::Mod => return None,
    })?;
    // The product is exact here, so it is the dividend again or the quotient was rounded.
    #[allow(clippy::float_cmp)]
    let rounded = matches!(op, ArithOp::Div) && answer * right != left;
    (!rounded).then(|| Value::from(answer))
}

/// A float whose shortest decimal spelling is its exact value, with room for one exact product.
fn plain(float: f64) -> Option<f64> {
    const LARGEST: f64 = 1_099_511_627_776.0;
    (float.abs() < LARGEST && (float * 16.0).fract() == 0.0).then_some(float)
}

pub(super) fn combine(op: &BinOp, left: &Value, right: &Value) -> Value {
    match (left, right) {
        (Value::Set(left), Value::Set(right)) => match op {
            BinOp::Union => left.union(right),
            BinOp::Intersection => left.intersection(right),
        }
        .into_value(),
        _ => Value::Undefined,
    }
}

/// `value in collection`.
pub(super) fn member(value: &Value, collection: &Value) -> Value {
    if *value == Value::Undefined || *collection == Value::Undefined {
        return Value::Undefined;
    }
    Value::Bool(match collection {
        Value::Array(items) => items.iter().any(|item| item == value),
        Value::Set(items) => place::element_of_set(items, value).is_some(),
        Value::Object(fields) => fields.values().any(|item| item == value),
        _ => false,
    })
}

/// `key, value in collection`.
pub(super) fn member_at(key: &Value, value: &Value, collection: &Value) -> Value {
    if [key, value, collection].contains(&&Value::Undefined) {
        return Value::Undefined;
    }
    Value::Bool(place::element(collection, key) == Some(value))
}
