//! Operators under their names, which OPA lets policies call as functions.

use regorus::{Value, unstable::ArithOp};

// regorus orders a set before an object, and OPA after it.
use crate::document::compare as order;

use super::{
    BuiltinError, Circumstances, OwnBuiltin,
    arithmetic::{Unreckoned, reckon},
    operands::{none_of, operand, set, wrong_type},
};

pub(super) const OWN: &[OwnBuiltin] = &[
    OwnBuiltin {
        name: "and",
        arity: 2,
        call: |operands, _| Ok(set(operands, 0)?.intersection(set(operands, 1)?).into_value()),
    },
    OwnBuiltin { name: "div", arity: 2, call: |operands, _| reckoned(&ArithOp::Div, operands) },
    OwnBuiltin { name: "equal", arity: 2, call: |operands, _| compare(operands, |left, right| left == right) },
    OwnBuiltin { name: "gt", arity: 2, call: |operands, _| compare(operands, |left, right| order(left, right).is_gt()) },
    OwnBuiltin { name: "gte", arity: 2, call: |operands, _| compare(operands, |left, right| order(left, right).is_ge()) },
    OwnBuiltin { name: "internal.member_2", arity: 2, call: member },
    OwnBuiltin { name: "internal.member_3", arity: 3, call: member_with_key },
    OwnBuiltin { name: "lt", arity: 2, call: |operands, _| compare(operands, |left, right| order(left, right).is_lt()) },
    OwnBuiltin { name: "lte", arity: 2, call: |operands, _| compare(operands, |left, right| order(left, right).is_le()) },
    OwnBuiltin { name: "minus", arity: 2, call: minus },
    OwnBuiltin { name: "mul", arity: 2, call: |operands, _| reckoned(&ArithOp::Mul, operands) },
    OwnBuiltin { name: "neq", arity: 2, call: |operands, _| compare(operands, |left, right| left != right) },
    OwnBuiltin { name: "or", arity: 2, call: |operands, _| Ok(set(operands, 0)?.union(set(operands, 1)?).into_value()) },
    OwnBuiltin { name: "plus", arity: 2, call: |operands, _| reckoned(&ArithOp::Add, operands) },
    OwnBuiltin { name: "rem", arity: 2, call: |operands, _| reckoned(&ArithOp::Mod, operands) },
];

fn compare(operands: &[Value], holds: fn(&Value, &Value) -> bool) -> Result<Value, BuiltinError> {
    Ok(Value::from(holds(operand(operands, 0), operand(operands, 1))))
}

fn minus(operands: &[Value], _: &Circumstances) -> Result<Value, BuiltinError> {
    match (operand(operands, 0), operand(operands, 1)) {
        (Value::Set(left), Value::Set(right)) => Ok(left.difference(right).into_value()),
        (Value::Set(_), other) => Err(wrong_type(1, "set", other)),
        (Value::Number(_), _) => reckoned(&ArithOp::Sub, operands),
        (other, _) => Err(none_of(0, "number, set", other)),
    }
}

fn reckoned(op: &ArithOp, operands: &[Value]) -> Result<Value, BuiltinError> {
    let (left, right) = (operand(operands, 0), operand(operands, 1));
    reckon(op, left, right).map_err(|reason| match reason {
        Unreckoned::NotNumbers if matches!(left, Value::Number(_)) => wrong_type(1, "number", right),
        Unreckoned::NotNumbers => wrong_type(0, "number", left),
        Unreckoned::DivideByZero => BuiltinError("divide by zero".into()),
        Unreckoned::ModuloByZero => BuiltinError("modulo by zero".into()),
        Unreckoned::ModuloOfFraction => BuiltinError("modulo on floating-point number".into()),
        Unreckoned::Inexact => BuiltinError("the result is out of range".into()),
    })
}

/// The operator that OPA has under the name `name`, if it is one of arithmetic.
pub(super) fn operator(name: &str) -> Option<ArithOp> {
    Some(match name {
        "plus" => ArithOp::Add,
        "minus" => ArithOp::Sub,
        "mul" => ArithOp::Mul,
        "div" => ArithOp::Div,
        "rem" => ArithOp::Mod,
        _ => return None,
    })
}

fn member(operands: &[Value], _: &Circumstances) -> Result<Value, BuiltinError> {
    let value = operand(operands, 0);
    Ok(Value::from(match operand(operands, 1) {
        Value::Set(items) => items.contains(value),
        Value::Array(items) => items.contains(value),
        Value::Object(fields) => fields.values().any(|field| field == value),
        _ => false,
    }))
}

fn member_with_key(operands: &[Value], _: &Circumstances) -> Result<Value, BuiltinError> {
    let (key, value) = (operand(operands, 0), operand(operands, 1));
    Ok(Value::from(match operand(operands, 2) {
        Value::Set(items) => items.contains(key) && key == value,
        Value::Array(items) => {
            matches!(key, Value::Number(at) if at.as_u64().and_then(|at| usize::try_from(at).ok()).and_then(|at| items.get(at)) == Some(value))
        }
        Value::Object(fields) => fields.get(key) == Some(value),
        _ => false,
    }))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{called, json, set_of};
    use super::*;

    fn of(name: &str, left: &str, right: &str) -> Result<Value, BuiltinError> {
        called(name, &[json(left), json(right)])
    }

    #[test]
    fn numbers_are_reckoned_with() {
        assert_eq!(of("plus", "1", "2"), Ok(json("3")));
        assert_eq!(of("minus", "1", "2"), Ok(json("-1")));
        assert_eq!(of("mul", "18446744073709551615", "2"), Ok(Value::from_numeric_string("36893488147419103230").unwrap()));
        assert_eq!(of("div", "1", "4"), Ok(json("0.25")));
        assert_eq!(of("rem", "-7", "3"), Ok(json("-1")));
        assert_eq!(of("div", "1", "0").unwrap_err().0, "divide by zero");
        assert_eq!(of("rem", "1", "0").unwrap_err().0, "modulo by zero");
        assert_eq!(of("rem", "1.5", "1").unwrap_err().0, "modulo on floating-point number");
        assert_eq!(of("plus", "1", "\"1\"").unwrap_err().0, "operand 2 must be number but got string");
    }

    #[test]
    fn sets_are_subtracted_joined_and_intersected() {
        let (left, right) = (set_of("[1, 2]"), set_of("[2, 3]"));
        assert_eq!(called("minus", &[left.clone(), right.clone()]), Ok(set_of("[1]")));
        assert_eq!(called("and", &[left.clone(), right.clone()]), Ok(set_of("[2]")));
        assert_eq!(called("or", &[left.clone(), right]), Ok(set_of("[1, 2, 3]")));
        assert_eq!(called("minus", &[left, json("1")]).unwrap_err().0, "operand 2 must be set but got number");
    }

    #[test]
    fn values_of_all_types_are_compared() {
        for (name, holds) in [("equal", false), ("neq", true), ("lt", true), ("lte", true), ("gt", false), ("gte", false)] {
            assert_eq!(of(name, "1", "\"1\""), Ok(Value::from(holds)), "{name}");
        }
        assert_eq!(of("equal", "1", "1.0"), Ok(Value::from(true)));
    }

    #[test]
    fn values_are_in_the_order_that_operators_have_them() {
        let kinds = ["null", "true", "1", "1.5", "\"a\"", "[1]", "{}", "{\"a\": 1}"].map(json);
        let sets = ["[]", "[1]", "[{}]"].map(set_of);
        let plain: Vec<Value> = kinds.into_iter().chain(sets).collect();
        let nested = plain.iter().map(|value| Value::from(vec![value.clone()]));
        let all: Vec<Value> = plain.iter().cloned().chain(nested).collect();
        for (number, left) in all.iter().enumerate() {
            for right in &all {
                let ordering = order(left, right);
                for (name, holds) in [
                    ("lt", ordering.is_lt()),
                    ("lte", ordering.is_le()),
                    ("gt", ordering.is_gt()),
                    ("gte", ordering.is_ge()),
                    ("equal", ordering.is_eq()),
                    ("neq", ordering.is_ne()),
                ] {
                    let found = called(name, &[left.clone(), right.clone()]);
                    assert_eq!(found, Ok(Value::from(holds)), "{name} of {number}: {left} and {right}");
                }
            }
        }
        // An object comes before a set, whatever is in them.
        assert_eq!(called("lt", &[json("{\"a\": 1}"), set_of("[]")]), Ok(Value::from(true)));
    }

    #[test]
    fn members_are_found_in_any_collection() {
        assert_eq!(of("internal.member_2", "1", "[0, 1]"), Ok(Value::from(true)));
        assert_eq!(of("internal.member_2", "1", "{\"a\": 1}"), Ok(Value::from(true)));
        assert_eq!(of("internal.member_2", "1", "1"), Ok(Value::from(false)));
        let with_key =
            |key: &str, value: &str, collection: &str| called("internal.member_3", &[json(key), json(value), json(collection)]);
        assert_eq!(with_key("1", "\"b\"", "[\"a\", \"b\"]"), Ok(Value::from(true)));
        assert_eq!(with_key("-1", "\"b\"", "[\"a\", \"b\"]"), Ok(Value::from(false)));
        assert_eq!(with_key("\"k\"", "2", "{\"k\": 1}"), Ok(Value::from(false)));
    }
}
