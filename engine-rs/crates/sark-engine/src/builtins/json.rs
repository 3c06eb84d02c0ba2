//! JSON texts inside of operands.

use regorus::Value;

use super::{
    BuiltinError, Circumstances, OwnBuiltin,
    bounds::MAX_TEXT_BYTES,
    operands::{object, operand, string},
};
use crate::document::{ReadError, Unwritable, read_input, read_text, write_within};

pub(super) const OWN: &[OwnBuiltin] = &[
    OwnBuiltin { name: "json.marshal", arity: 1, call: marshal },
    OwnBuiltin { name: "json.marshal_with_options", arity: 2, call: marshal_with_options },
    OwnBuiltin { name: "json.unmarshal", arity: 1, call: unmarshal },
];

fn marshal(operands: &[Value], circumstances: &Circumstances) -> Result<Value, BuiltinError> {
    written("json.marshal", operand(operands, 0), circumstances).map(Value::from)
}

/// `value` as a text, which the builtin `name` makes. What would be too long is left to OPA.
fn written(name: &str, value: &Value, circumstances: &Circumstances) -> Result<String, BuiltinError> {
    let mut text = Vec::new();
    write_within(&mut text, value, MAX_TEXT_BYTES).map_err(|error| match error {
        Unwritable::TooLong => circumstances.leave(format!("{name} would make more than the engine allows")),
        Unwritable::UndefinedPart => BuiltinError(error.to_string()),
    })?;
    String::from_utf8(text).map_err(|error| BuiltinError(error.to_string()))
}

/// Over several lines if `pretty` says so, or nothing does and there is a prefix or an indent.
fn marshal_with_options(operands: &[Value], circumstances: &Circumstances) -> Result<Value, BuiltinError> {
    let text = written("json.marshal_with_options", operand(operands, 0), circumstances)?;
    let (mut prefix, mut indent, mut pretty, mut has_layout) = ("", "\t", None, false);
    for (name, value) in object(operands, 1)?.iter() {
        match (name, value) {
            (Value::String(name), Value::String(text)) if &**name == "prefix" => (prefix, has_layout) = (text, true),
            (Value::String(name), Value::String(text)) if &**name == "indent" => (indent, has_layout) = (text, true),
            (Value::String(name), Value::Bool(wanted)) if &**name == "pretty" => pretty = Some(*wanted),
            _ => return Err(BuiltinError(format!("operand 2 has an option that is unknown or of another type: {name}"))),
        }
    }
    if !pretty.unwrap_or(has_layout) {
        return Ok(Value::from(text));
    }
    let text = indented(&text, prefix, indent);
    text.map(Value::from).ok_or_else(|| circumstances.leave("json.marshal_with_options would make more than the engine allows"))
}

/// A compact JSON text over several lines, as Go writes it; None when it becomes too long.
fn indented(text: &str, prefix: &str, indent: &str) -> Option<String> {
    let mut lines = String::from(prefix);
    let mut depth = 0_usize;
    let new_line = |lines: &mut String, depth: usize| {
        let bytes = indent.len().saturating_mul(depth).saturating_add(lines.len() + prefix.len());
        (bytes <= MAX_TEXT_BYTES).then(|| {
            lines.push('\n');
            lines.push_str(prefix);
            lines.push_str(&indent.repeat(depth));
        })
    };
    let (mut in_string, mut is_escaped) = (false, false);
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        if in_string {
            in_string = is_escaped || c != '"';
            is_escaped = !is_escaped && c == '\\';
            lines.push(c);
            continue;
        }
        match c {
            '{' | '[' => {
                lines.push(c);
                if let Some(end) = chars.next_if(|next| matches!(next, '}' | ']')) {
                    lines.push(end);
                } else {
                    depth += 1;
                    new_line(&mut lines, depth)?;
                }
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                new_line(&mut lines, depth)?;
                lines.push(c);
            }
            ',' => {
                lines.push(c);
                new_line(&mut lines, depth)?;
            }
            ':' => lines.push_str(": "),
            c => {
                in_string = c == '"';
                lines.push(c);
            }
        }
    }
    Some(lines)
}

fn unmarshal(operands: &[Value], circumstances: &Circumstances) -> Result<Value, BuiltinError> {
    read_noting(string(operands, 0)?.as_bytes(), circumstances)
}

/// As [`read`], for a text whose numbers become part of the answer.
pub(super) fn read_noting(text: &[u8], circumstances: &Circumstances) -> Result<Value, BuiltinError> {
    let document = read_text(text).map_err(|error| unread(text, &error.to_string(), circumstances))?;
    if !document.spelled.is_empty() {
        circumstances.spelled.borrow_mut().absorb(&document.spelled);
    }
    Ok(document.value)
}

/// Read a JSON text by the rules and limits of an input document. What only these limits refuse is left to OPA.
pub(super) fn read(text: &[u8], circumstances: &Circumstances) -> Result<Value, BuiltinError> {
    read_input(text).map_err(|error| match error {
        ReadError::Unsupported(why) => circumstances.leave(format!("a JSON text inside of an operand: {why}")),
        ReadError::Malformed(why) => unread(text, &why, circumstances),
    })
}

/// Why `text` is no JSON. OPA looks at one token behind the value, and takes `null` for the end of the text, whatever follows.
fn unread(text: &[u8], why: &str, circumstances: &Circumstances) -> BuiltinError {
    let has_null_behind = text.get(1..).is_some_and(|behind| behind.windows(4).any(|word| word == b"null"));
    if has_null_behind {
        return circumstances.leave("a JSON text with null behind it");
    }
    BuiltinError(format!("invalid JSON: {why}"))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{called, is_left_to_opa, json};
    use super::*;

    #[test]
    fn lines_are_laid_out_and_letters_escaped_as_go_does() {
        let laid_out = |value: &str, options: &str| called("json.marshal_with_options", &[json(value), json(options)]);
        for (value, options, text) in [
            (r#""<>&\u2028""#, r#"{"pretty": true}"#, r#""\u003c\u003e\u0026\u2028""#),
            (r#"{"b": [1, {}], "a": "x:,[\"\\"}"#, "{}", r#"{"a":"x:,[\"\\","b":[1,{}]}"#),
            (
                r#"{"b": [1, {}, []], "a": "x:,[\"\\"}"#,
                r#"{"indent": "  ", "prefix": "> "}"#,
                "> {\n>   \"a\": \"x:,[\\\"\\\\\",\n>   \"b\": [\n>     1,\n>     {},\n>     []\n>   ]\n> }",
            ),
            ("[[1]]", r#"{"pretty": true}"#, "[\n\t[\n\t\t1\n\t]\n]"),
            ("[1]", r#"{"pretty": false, "prefix": "x"}"#, "[1]"),
        ] {
            assert_eq!(laid_out(value, options), Ok(text.into()), "{value} {options}");
        }
        for options in [r#"{"pretty": 1}"#, r#"{"indent": 2}"#, r#"{"other": true}"#, "[]"] {
            assert!(laid_out("[1]", options).is_err(), "{options}");
        }
        let wide = json(&format!(r#"{{"indent": "{}"}}"#, " ".repeat(1 << 20)));
        assert!(is_left_to_opa("json.marshal_with_options", &[json(&format!("[{}1]", "1,".repeat(100))), wide]));
    }

    #[test]
    fn texts_are_written_as_go_writes_them_and_read_by_the_rules_of_inputs() {
        assert_eq!(called("json.marshal", &[json(r#"{"tags": "&"}"#)]), Ok(Value::from(r#"{"tags":"\u0026"}"#)));
        assert_eq!(called("json.unmarshal", &["[1, {\"a\": null}]".into()]), Ok(json(r#"[1, {"a": null}]"#)));
        assert!(called("json.unmarshal", &["[1,".into()]).is_err());
        assert!(called("json.unmarshal", &[Value::Null]).is_err());
    }

    #[test]
    fn a_text_with_null_behind_its_value_is_left_to_opa() {
        for text in ["true null", "{}null]", "[1] nullx", "0null", "{\"a\": null} null null"] {
            assert!(is_left_to_opa("json.unmarshal", &[text.into()]), "{text}");
        }
        for text in ["nullx", "true nul", "1 2", "{} {}", "1]"] {
            assert!(!is_left_to_opa("json.unmarshal", &[text.into()]), "{text}");
            assert!(called("json.unmarshal", &[text.into()]).is_err(), "{text}");
        }
    }
}
