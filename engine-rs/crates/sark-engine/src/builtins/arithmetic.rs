//! Arithmetic of two numbers, by operator and by name.
//!
//! Whole numbers are exact at any size. OPA calculates with fractions in 64 bits of mantissa, which is neither exact nor what a float
//! here does: a calculation is only made when both come out the same, because nothing is rounded.

use regorus::{Value, unstable::ArithOp};

use super::exactness::is_beyond_64_bits;

/// Floats beyond this one do not hold every whole number.
const LARGEST_WHOLE_FLOAT: u64 = 1 << 53;

/// Why two values come to nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unreckoned {
    NotNumbers,
    DivideByZero,
    ModuloByZero,
    ModuloOfFraction,
    /// OPA rounds, or calculates with more digits than are held here.
    Inexact,
}

/// `left op right`.
pub(crate) fn reckon(op: &ArithOp, left: &Value, right: &Value) -> Result<Value, Unreckoned> {
    let (Value::Number(first), Value::Number(second)) = (left, right) else {
        return Err(Unreckoned::NotNumbers);
    };
    if let (Some(first), Some(second)) = (small(left), small(right)) {
        return match of_small(op, first, second)? {
            Some(answer) => Ok(Value::from(answer)),
            None => fraction(op, left, right),
        };
    }
    let whole = first.is_integer() && second.is_integer();
    match op {
        ArithOp::Div if small(right) == Some(0) => return Err(Unreckoned::DivideByZero),
        ArithOp::Mod if small(right) == Some(0) => return Err(Unreckoned::ModuloByZero),
        ArithOp::Mod if !whole => return Err(Unreckoned::ModuloOfFraction),
        // OPA divides in 64 bits of mantissa, whole numbers too.
        ArithOp::Div if is_beyond_64_bits(left) || is_beyond_64_bits(right) => return Err(Unreckoned::Inexact),
        _ => {}
    }
    if !whole {
        return fraction(op, left, right);
    }
    large(op, &integral(left)?, &integral(right)?)
}

/// A whole number that a float holds too.
fn small(value: &Value) -> Option<i64> {
    let Value::Number(number) = value else { return None };
    number.as_i64().filter(|number| number.unsigned_abs() <= LARGEST_WHOLE_FLOAT)
}

/// None is a quotient that is not whole.
fn of_small(op: &ArithOp, left: i64, right: i64) -> Result<Option<i128>, Unreckoned> {
    let (left, right) = (i128::from(left), i128::from(right));
    Ok(match op {
        ArithOp::Add => Some(left + right),
        ArithOp::Sub => Some(left - right),
        ArithOp::Mul => Some(left * right),
        ArithOp::Div => match left.checked_rem(right).ok_or(Unreckoned::DivideByZero)? {
            0 => Some(left / right),
            _ => None,
        },
        ArithOp::Mod => Some(left.checked_rem(right).ok_or(Unreckoned::ModuloByZero)?),
    })
}

/// `value`, which is whole, as no float, in which it would be calculated with as one. A large float may have been rounded.
fn integral(value: &Value) -> Result<Value, Unreckoned> {
    match (small(value), value) {
        (Some(small), _) => Ok(Value::from(small)),
        // Of the numbers beyond only floats are given as one.
        (None, Value::Number(number)) if number.as_f64().is_none() => Ok(value.clone()),
        _ => Err(Unreckoned::Inexact),
    }
}

/// `left op right` of whole numbers that are no floats.
fn large(op: &ArithOp, left: &Value, right: &Value) -> Result<Value, Unreckoned> {
    let (Value::Number(first), Value::Number(second)) = (left, right) else {
        return Err(Unreckoned::NotNumbers);
    };
    let answer = match op {
        ArithOp::Add => first.add(second),
        ArithOp::Sub => first.sub(second),
        ArithOp::Mul => first.mul(second),
        ArithOp::Mod => first.clone().modulo(second),
        ArithOp::Div => match first.clone().modulo(second) {
            Ok(rest) if Value::from(rest.clone()) == Value::from(0_u64) => first.clone().divide(second),
            _ => return Err(Unreckoned::Inexact),
        },
    };
    answer.map(Value::from).map_err(|_| Unreckoned::Inexact)
}

/// `left op right` in floats, when nothing is rounded: all three are multiples of a sixteenth and not too large.
fn fraction(op: &ArithOp, left: &Value, right: &Value) -> Result<Value, Unreckoned> {
    // How a number below zero is written in a policy. Only the sign is another one.
    if let (ArithOp::Sub, Some(0), Ok(right)) = (op, small(left), right.as_f64()) {
        return Ok(Value::from(-right));
    }
    let operand = |value: &Value| value.as_f64().ok().and_then(plain).ok_or(Unreckoned::Inexact);
    let (left, right) = (operand(left)?, operand(right)?);
    let answer = plain(match op {
        ArithOp::Add => left + right,
        ArithOp::Sub => left - right,
        ArithOp::Mul => left * right,
        ArithOp::Div if right == 0.0 => return Err(Unreckoned::DivideByZero),
        ArithOp::Div => left / right,
        ArithOp::Mod => return Err(Unreckoned::ModuloOfFraction),
    });
    let answer = answer.ok_or(Unreckoned::Inexact)?;
    // The product is exact here, so it is the dividend again or the quotient was rounded.
    #[allow(clippy::float_cmp)]
    let rounded = matches!(op, ArithOp::Div) && answer * right != left;
    if rounded {
        return Err(Unreckoned::Inexact);
    }
    let answer = Value::from(answer);
    Ok(small(&answer).map_or(answer, Value::from))
}

/// A float whose shortest decimal spelling is its exact value, with room for one exact product.
fn plain(float: f64) -> Option<f64> {
    const LARGEST: f64 = 1_099_511_627_776.0;
    (float.abs() < LARGEST && (float * 16.0).fract() == 0.0).then_some(float)
}
