//! JSON texts inside of operands.

use regorus::Value;

use super::{
    BuiltinError, Circumstances, OwnBuiltin,
    operands::{operand, string},
};
use crate::document::{ReadError, read_document, read_input, write};

pub(super) const OWN: &[OwnBuiltin] = &[
    OwnBuiltin { name: "json.marshal", arity: 1, call: marshal },
    OwnBuiltin { name: "json.unmarshal", arity: 1, call: unmarshal },
];

fn marshal(operands: &[Value], _: &Circumstances) -> Result<Value, BuiltinError> {
    let mut text = Vec::new();
    write(&mut text, operand(operands, 0)).map_err(|error| BuiltinError(error.to_string()))?;
    String::from_utf8(text).map(Value::from).map_err(|error| BuiltinError(error.to_string()))
}

fn unmarshal(operands: &[Value], circumstances: &Circumstances) -> Result<Value, BuiltinError> {
    read_noting(string(operands, 0)?.as_bytes(), circumstances)
}

/// As [`read`], for a text whose numbers become part of the answer.
pub(super) fn read_noting(text: &[u8], circumstances: &Circumstances) -> Result<Value, BuiltinError> {
    let document = read_document(text).map_err(|error| BuiltinError(format!("invalid JSON: {error}")))?;
    if !document.spelled.is_empty() {
        circumstances.spelled.borrow_mut().absorb(&document.spelled);
    }
    Ok(document.value)
}

/// Read a JSON text by the rules and limits of an input document. What only these limits refuse is left to OPA.
pub(super) fn read(text: &[u8], circumstances: &Circumstances) -> Result<Value, BuiltinError> {
    read_input(text).map_err(|error| match error {
        ReadError::Unsupported(why) => circumstances.leave(format!("a JSON text inside of an operand: {why}")),
        ReadError::Malformed(why) => BuiltinError(format!("invalid JSON: {why}")),
    })
}

#[cfg(test)]
mod tests {
    use super::super::tests::{called, json};
    use super::*;

    #[test]
    fn texts_are_written_as_go_writes_them_and_read_by_the_rules_of_inputs() {
        assert_eq!(called("json.marshal", &[json(r#"{"tags": "&"}"#)]), Ok(Value::from(r#"{"tags":"\u0026"}"#)));
        assert_eq!(called("json.unmarshal", &["[1, {\"a\": null}]".into()]), Ok(json(r#"[1, {"a": null}]"#)));
        assert!(called("json.unmarshal", &["[1,".into()]).is_err());
        assert!(called("json.unmarshal", &[Value::Null]).is_err());
    }
}
