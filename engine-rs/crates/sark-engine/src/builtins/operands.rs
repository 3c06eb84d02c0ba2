//! Operands of the type a builtin wants, or OPA's sentence about the type they have.

use regorus::{
    Value,
    value::{Array, Object, Set},
};

use super::{BuiltinError, Circumstances};

/// The operand at `index`, which counts from 0; sentences count from 1. Missing ones cannot occur: callers check arities.
pub(super) fn operand(operands: &[Value], index: usize) -> &Value {
    operands.get(index).unwrap_or(&Value::Undefined)
}

pub(super) fn string(operands: &[Value], index: usize) -> Result<&str, BuiltinError> {
    match operand(operands, index) {
        Value::String(text) => Ok(text),
        other => Err(wrong_type(index, "string", other)),
    }
}

pub(super) fn array(operands: &[Value], index: usize) -> Result<&Array, BuiltinError> {
    match operand(operands, index) {
        Value::Array(items) => Ok(items),
        other => Err(wrong_type(index, "array", other)),
    }
}

pub(super) fn set(operands: &[Value], index: usize) -> Result<&Set, BuiltinError> {
    match operand(operands, index) {
        Value::Set(items) => Ok(items),
        other => Err(wrong_type(index, "set", other)),
    }
}

pub(super) fn object(operands: &[Value], index: usize) -> Result<&Object, BuiltinError> {
    match operand(operands, index) {
        Value::Object(fields) => Ok(fields),
        other => Err(wrong_type(index, "object", other)),
    }
}

/// A whole number that fits 64 bits.
pub(super) fn integer(operands: &[Value], index: usize) -> Result<i64, BuiltinError> {
    match operand(operands, index) {
        Value::Number(number) => number
            .as_i64()
            .ok_or_else(|| BuiltinError(format!("operand {} must be integer number but got floating-point number", index + 1))),
        other => Err(wrong_type(index, "number", other)),
    }
}

/// An answer made of bytes. Strings of OPA may hold any bytes, the engine's only UTF-8: what is none is left to OPA.
pub(super) fn text_of_bytes(bytes: Vec<u8>, circumstances: &Circumstances) -> Result<String, BuiltinError> {
    String::from_utf8(bytes).map_err(|_| circumstances.leave("the answer is a string of bytes that are not UTF-8"))
}

/// The operand at `index` is not `expected`.
pub(super) fn wrong_type(index: usize, expected: &str, got: &Value) -> BuiltinError {
    BuiltinError(format!("operand {} must be {expected} but got {}", index + 1, type_name(got)))
}

/// The operand at `index` is none of the types `expected`, which are separated by commas.
pub(super) fn none_of(index: usize, expected: &str, got: &Value) -> BuiltinError {
    wrong_type(index, &format!("one of {{{expected}}}"), got)
}

fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Set(_) => "set",
        Value::Object(_) => "object",
        Value::Undefined => "undefined",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_type_is_told_with_its_place() {
        let operands = [Value::from("a"), Value::Null];
        assert_eq!(string(&operands, 0), Ok("a"));
        assert_eq!(string(&operands, 1), Err(BuiltinError("operand 2 must be string but got null".into())));
        assert_eq!(
            integer(&[Value::from(1.5)], 0).unwrap_err().0,
            "operand 1 must be integer number but got floating-point number"
        );
        let sentence = none_of(0, "array, set", &Value::from(true)).0;
        assert_eq!(sentence, "operand 1 must be one of {array, set} but got boolean");
    }
}
