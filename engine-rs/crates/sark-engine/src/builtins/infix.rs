//! Operators under their names, which OPA lets policies call as functions.

use regorus::Value;

use super::{
    BuiltinError, Circumstances, OwnBuiltin,
    operands::{none_of, operand, set, wrong_type},
};

pub(super) const OWN: &[OwnBuiltin] = &[
    OwnBuiltin {
        name: "and",
        arity: 2,
        call: |operands, _| Ok(set(operands, 0)?.intersection(set(operands, 1)?).into_value()),
    },
    OwnBuiltin { name: "div", arity: 2, call: divide },
    OwnBuiltin { name: "equal", arity: 2, call: |operands, _| compare(operands, |left, right| left == right) },
    OwnBuiltin { name: "gt", arity: 2, call: |operands, _| compare(operands, |left, right| left > right) },
    OwnBuiltin { name: "gte", arity: 2, call: |operands, _| compare(operands, |left, right| left >= right) },
    OwnBuiltin { name: "internal.member_2", arity: 2, call: member },
    OwnBuiltin { name: "internal.member_3", arity: 3, call: member_with_key },
    OwnBuiltin { name: "lt", arity: 2, call: |operands, _| compare(operands, |left, right| left < right) },
    OwnBuiltin { name: "lte", arity: 2, call: |operands, _| compare(operands, |left, right| left <= right) },
    OwnBuiltin { name: "minus", arity: 2, call: minus },
    OwnBuiltin { name: "mul", arity: 2, call: multiply },
    OwnBuiltin { name: "neq", arity: 2, call: |operands, _| compare(operands, |left, right| left != right) },
    OwnBuiltin { name: "or", arity: 2, call: |operands, _| Ok(set(operands, 0)?.union(set(operands, 1)?).into_value()) },
    OwnBuiltin { name: "plus", arity: 2, call: plus },
    OwnBuiltin { name: "rem", arity: 2, call: remainder },
];

fn compare(operands: &[Value], holds: fn(&Value, &Value) -> bool) -> Result<Value, BuiltinError> {
    Ok(Value::from(holds(operand(operands, 0), operand(operands, 1))))
}

fn plus(operands: &[Value], _: &Circumstances) -> Result<Value, BuiltinError> {
    match (operand(operands, 0), operand(operands, 1)) {
        (Value::Number(left), Value::Number(right)) => left.add(right).map(Value::Number).map_err(|_| out_of_range()),
        other => Err(not_numbers(other)),
    }
}

fn minus(operands: &[Value], _: &Circumstances) -> Result<Value, BuiltinError> {
    match (operand(operands, 0), operand(operands, 1)) {
        (Value::Number(left), Value::Number(right)) => left.sub(right).map(Value::Number).map_err(|_| out_of_range()),
        (Value::Set(left), Value::Set(right)) => Ok(left.difference(right).into_value()),
        (Value::Set(_), other) => Err(wrong_type(1, "set", other)),
        (Value::Number(_), other) => Err(wrong_type(1, "number", other)),
        (other, _) => Err(none_of(0, "number, set", other)),
    }
}

fn multiply(operands: &[Value], _: &Circumstances) -> Result<Value, BuiltinError> {
    match (operand(operands, 0), operand(operands, 1)) {
        (Value::Number(left), Value::Number(right)) => left.mul(right).map(Value::Number).map_err(|_| out_of_range()),
        other => Err(not_numbers(other)),
    }
}

fn divide(operands: &[Value], _: &Circumstances) -> Result<Value, BuiltinError> {
    match (operand(operands, 0), operand(operands, 1)) {
        (Value::Number(_), zero @ Value::Number(_)) if *zero == Value::from(0) => Err(BuiltinError("divide by zero".into())),
        (Value::Number(left), Value::Number(right)) => {
            left.clone().divide(right).map(Value::Number).map_err(|_| out_of_range())
        }
        other => Err(not_numbers(other)),
    }
}

fn remainder(operands: &[Value], _: &Circumstances) -> Result<Value, BuiltinError> {
    match (operand(operands, 0), operand(operands, 1)) {
        (Value::Number(_), zero @ Value::Number(_)) if *zero == Value::from(0) => Err(BuiltinError("modulo by zero".into())),
        (Value::Number(left), Value::Number(right)) if left.is_integer() && right.is_integer() => {
            left.clone().modulo(right).map(Value::Number).map_err(|_| out_of_range())
        }
        (Value::Number(_), Value::Number(_)) => Err(BuiltinError("modulo on floating-point number".into())),
        other => Err(not_numbers(other)),
    }
}

fn not_numbers((left, right): (&Value, &Value)) -> BuiltinError {
    match left {
        Value::Number(_) => wrong_type(1, "number", right),
        _ => wrong_type(0, "number", left),
    }
}

fn out_of_range() -> BuiltinError {
    BuiltinError("the result is out of range".into())
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
