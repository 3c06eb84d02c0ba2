//! Deprecated casts: the value itself if it has the type, or a set as an array and an array as a set.

use regorus::{
    Value,
    value::{Array, Set},
};

use super::{
    BuiltinError, Circumstances, OwnBuiltin,
    operands::{none_of, operand, wrong_type},
};

pub(super) const OWN: &[OwnBuiltin] = &[
    OwnBuiltin { name: "cast_array", arity: 1, call: to_array },
    OwnBuiltin { name: "cast_boolean", arity: 1, call: to_boolean },
    OwnBuiltin { name: "cast_null", arity: 1, call: to_null },
    OwnBuiltin { name: "cast_object", arity: 1, call: to_object },
    OwnBuiltin { name: "cast_set", arity: 1, call: to_set },
    OwnBuiltin { name: "cast_string", arity: 1, call: to_string },
];

fn to_array(operands: &[Value], _: &Circumstances) -> Result<Value, BuiltinError> {
    match operand(operands, 0) {
        array @ Value::Array(_) => Ok(array.clone()),
        Value::Set(items) => Ok(items.iter_sorted().cloned().collect::<Array>().into_value()),
        other => Err(none_of(0, "array, set", other)),
    }
}

fn to_set(operands: &[Value], _: &Circumstances) -> Result<Value, BuiltinError> {
    match operand(operands, 0) {
        Value::Array(items) => Ok(items.iter().cloned().collect::<Set>().into_value()),
        set @ Value::Set(_) => Ok(set.clone()),
        other => Err(none_of(0, "array, set", other)),
    }
}

fn to_string(operands: &[Value], _: &Circumstances) -> Result<Value, BuiltinError> {
    same_if(operands, "string", |value| matches!(value, Value::String(_)))
}

fn to_boolean(operands: &[Value], _: &Circumstances) -> Result<Value, BuiltinError> {
    same_if(operands, "boolean", |value| matches!(value, Value::Bool(_)))
}

fn to_null(operands: &[Value], _: &Circumstances) -> Result<Value, BuiltinError> {
    same_if(operands, "null", |value| matches!(value, Value::Null))
}

fn to_object(operands: &[Value], _: &Circumstances) -> Result<Value, BuiltinError> {
    same_if(operands, "object", |value| matches!(value, Value::Object(_)))
}

fn same_if(operands: &[Value], expected: &str, has_type: fn(&Value) -> bool) -> Result<Value, BuiltinError> {
    let value = operand(operands, 0);
    if has_type(value) { Ok(value.clone()) } else { Err(wrong_type(0, expected, value)) }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{called, json, set_of};

    #[test]
    fn arrays_and_sets_become_each_other() {
        assert_eq!(called("cast_set", &[json("[2, 1, 2]")]), Ok(set_of("[1, 2]")));
        assert_eq!(called("cast_array", &[set_of("[2, 1]")]), Ok(json("[1, 2]")));
        assert_eq!(called("cast_array", &[json("[2, 1]")]), Ok(json("[2, 1]")));
    }

    #[test]
    fn other_casts_only_let_their_type_pass() {
        for (name, value) in [("cast_string", "\"a\""), ("cast_boolean", "false"), ("cast_null", "null"), ("cast_object", "{}")]
        {
            assert_eq!(called(name, &[json(value)]), Ok(json(value)));
            let refused = called(name, &[json("7")]).unwrap_err().0;
            assert!(refused.ends_with("but got number"), "{refused}");
        }
        assert_eq!(called("cast_set", &[json("{}")]).unwrap_err().0, "operand 1 must be one of {array, set} but got object");
    }
}
