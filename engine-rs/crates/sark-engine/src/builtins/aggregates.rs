//! Functions of whole collections.

use regorus::{Value, value::Array};

use super::{
    BuiltinError, Circumstances, OwnBuiltin,
    operands::{array, none_of, operand, set},
};

pub(super) const OWN: &[OwnBuiltin] = &[
    OwnBuiltin { name: "all", arity: 1, call: all },
    OwnBuiltin { name: "any", arity: 1, call: any },
    OwnBuiltin { name: "array.flatten", arity: 1, call: flatten },
    OwnBuiltin { name: "set_diff", arity: 2, call: difference },
];

const TRUE: Value = Value::Bool(true);

fn all(operands: &[Value], _: &Circumstances) -> Result<Value, BuiltinError> {
    match operand(operands, 0) {
        Value::Array(items) => Ok(Value::from(items.iter().all(|item| *item == TRUE))),
        Value::Set(items) => Ok(Value::from(items.iter().all(|item| *item == TRUE))),
        other => Err(none_of(0, "array, set", other)),
    }
}

fn any(operands: &[Value], _: &Circumstances) -> Result<Value, BuiltinError> {
    match operand(operands, 0) {
        Value::Array(items) => Ok(Value::from(items.iter().any(|item| *item == TRUE))),
        Value::Set(items) => Ok(Value::from(items.contains(&TRUE))),
        other => Err(none_of(0, "array, set", other)),
    }
}

/// One level only, as OPA's.
fn flatten(operands: &[Value], circumstances: &Circumstances) -> Result<Value, BuiltinError> {
    let mut flat = Array::new();
    for item in array(operands, 0)? {
        match item {
            Value::Array(nested) => {
                // One array may stand in it many times.
                circumstances.work(nested.len())?;
                flat.extend(nested.iter().cloned());
            }
            other => flat.push(other.clone()),
        }
    }
    Ok(flat.into_value())
}

fn difference(operands: &[Value], _: &Circumstances) -> Result<Value, BuiltinError> {
    Ok(set(operands, 0)?.difference(set(operands, 1)?).into_value())
}

#[cfg(test)]
mod tests {
    use super::super::tests::{called, json, set_of};
    use super::*;

    #[test]
    fn only_true_counts_as_true() {
        assert_eq!(called("all", &[json("[true, 1]")]), Ok(Value::from(false)));
        assert_eq!(called("all", &[json("[]")]), Ok(Value::from(true)));
        assert_eq!(called("any", &[json("[1, \"true\"]")]), Ok(Value::from(false)));
        assert_eq!(called("any", &[set_of("[1, true]")]), Ok(Value::from(true)));
        assert!(called("any", &[json("{}")]).is_err());
    }

    #[test]
    fn flattening_goes_one_level_deep() {
        assert_eq!(called("array.flatten", &[json("[1, [2, [3]], [], {}]")]), Ok(json("[1, 2, [3], {}]")));
        assert!(called("array.flatten", &[set_of("[1]")]).is_err());
    }

    #[test]
    fn the_difference_of_sets_is_what_only_the_first_has() {
        assert_eq!(called("set_diff", &[set_of("[1, 2, 3]"), set_of("[2]")]), Ok(set_of("[1, 3]")));
        assert_eq!(called("set_diff", &[set_of("[1]"), json("[1]")]).unwrap_err().0, "operand 2 must be set but got array");
    }
}
