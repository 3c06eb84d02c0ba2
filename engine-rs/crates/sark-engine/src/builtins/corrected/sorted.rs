//! Functions that go by the order of values.

use regorus::{Value, value::Array};

use super::super::{
    BuiltinError, Circumstances, OwnBuiltin,
    operands::{none_of, operand},
};
use super::order::compare;

pub(in crate::builtins) const OWN: &[OwnBuiltin] = &[
    OwnBuiltin { name: "max", arity: 1, call: max },
    OwnBuiltin { name: "min", arity: 1, call: min },
    OwnBuiltin { name: "sort", arity: 1, call: sort },
];

fn items(operands: &[Value]) -> Result<Vec<&Value>, BuiltinError> {
    match operand(operands, 0) {
        Value::Array(items) => Ok(items.iter().collect()),
        Value::Set(items) => Ok(items.iter().collect()),
        other => Err(none_of(0, "array, set", other)),
    }
}

/// Of nothing there is no largest.
fn max(operands: &[Value], _: &Circumstances) -> Result<Value, BuiltinError> {
    Ok(items(operands)?.into_iter().max_by(|a, b| compare(a, b)).cloned().unwrap_or(Value::Undefined))
}

fn min(operands: &[Value], _: &Circumstances) -> Result<Value, BuiltinError> {
    Ok(items(operands)?.into_iter().min_by(|a, b| compare(a, b)).cloned().unwrap_or(Value::Undefined))
}

fn sort(operands: &[Value], _: &Circumstances) -> Result<Value, BuiltinError> {
    let mut items = items(operands)?;
    items.sort_by(|a, b| compare(a, b));
    Ok(items.into_iter().cloned().collect::<Array>().into_value())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::builtins::tests::{called, json, set_of};

    #[test]
    fn a_set_comes_behind_an_object() {
        let mixed: Value = [set_of("[1]"), json("{}"), json("[2]"), json("\"a\"")].into_iter().collect::<Array>().into_value();
        assert_eq!(called("max", std::slice::from_ref(&mixed)), Ok(set_of("[1]")));
        assert_eq!(called("min", std::slice::from_ref(&mixed)), Ok(json("\"a\"")));
        let sorted = [json("\"a\""), json("[2]"), json("{}"), set_of("[1]")].into_iter().collect::<Array>().into_value();
        assert_eq!(called("sort", &[mixed]), Ok(sorted));
    }

    #[test]
    fn of_nothing_there_is_no_largest() {
        assert_eq!(called("max", &[json("[]")]), Ok(Value::Undefined));
        assert!(called("max", &[json("{}")]).is_err());
    }
}
