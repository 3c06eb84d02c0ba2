//! Rounding down and up.
//!
//! OPA takes the whole part and looks at its sign to know which side it lies on. Of a number between -1 and 0 that is zero, which has
//! none: `floor(-0.5)` is 0 there, and `ceil(-0.5)` is 1. Who asks both engines must get one answer.

use regorus::Value;

use super::{
    BuiltinError, OwnBuiltin,
    operands::{operand, wrong_type},
};

pub(super) const OWN: &[OwnBuiltin] = &[
    OwnBuiltin { name: "ceil", arity: 1, call: |operands, _| rounded(operands, Side::Up) },
    OwnBuiltin { name: "floor", arity: 1, call: |operands, _| rounded(operands, Side::Down) },
];

#[derive(Debug, Clone, Copy)]
enum Side {
    Down,
    Up,
}

fn rounded(operands: &[Value], side: Side) -> Result<Value, BuiltinError> {
    let value = operand(operands, 0);
    let Value::Number(number) = value else {
        return Err(wrong_type(0, "number", value));
    };
    let is_below_zero = *value > Value::from(-1_i64) && *value < Value::from(0_i64);
    Ok(match side {
        Side::Down if is_below_zero => Value::from(0_i64),
        Side::Up if is_below_zero => Value::from(1_i64),
        Side::Down => Value::from(number.floor()),
        Side::Up => Value::from(number.ceil()),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::super::tests::{called, json};

    #[test]
    fn numbers_between_minus_one_and_zero_are_rounded_as_by_opa() {
        for (number, floor, ceil) in [
            ("-0.5", "0", "1"),
            ("-0.001", "0", "1"),
            ("-1", "-1", "-1"),
            ("-1.5", "-2", "-1"),
            ("0", "0", "0"),
            ("0.5", "0", "1"),
            ("1.5", "1", "2"),
        ] {
            assert_eq!(called("floor", &[json(number)]).unwrap(), json(floor), "floor({number})");
            assert_eq!(called("ceil", &[json(number)]).unwrap(), json(ceil), "ceil({number})");
        }
        assert!(called("floor", &[json("\"1\"")]).is_err());
    }
}
