//! Query strings of URLs.

use std::{collections::BTreeMap, fmt::Write};

use regorus::{
    Value,
    value::{Array, Object},
};

use super::super::{
    BuiltinError, Circumstances, OwnBuiltin,
    bounds::MAX_TEXT_BYTES,
    operands::{object, string, text_of_bytes},
};

pub(in crate::builtins) const OWN: &[OwnBuiltin] = &[
    OwnBuiltin { name: "urlquery.decode", arity: 1, call: decode },
    OwnBuiltin { name: "urlquery.decode_object", arity: 1, call: decode_object },
    OwnBuiltin { name: "urlquery.encode", arity: 1, call: encode },
    OwnBuiltin { name: "urlquery.encode_object", arity: 1, call: encode_object },
];

fn encode(operands: &[Value], _: &Circumstances) -> Result<Value, BuiltinError> {
    Ok(Value::from(encoded(string(operands, 0)?)))
}

fn encoded(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => encoded.push(char::from(byte)),
            b' ' => encoded.push('+'),
            _ => {
                // Writing to a string cannot fail.
                let _ = write!(encoded, "%{byte:02X}");
            }
        }
    }
    encoded
}

/// Each field is a text, or texts in an array or set.
fn encode_object(operands: &[Value], circumstances: &Circumstances) -> Result<Value, BuiltinError> {
    let mut parameters = Vec::new();
    let mut bytes = 0;
    for (key, value) in object(operands, 0)?.iter() {
        let values = match value {
            Value::Array(items) => items.iter().collect(),
            Value::Set(items) => items.iter().collect(),
            value => vec![value],
        };
        for value in values {
            let (Value::String(key), Value::String(value)) = (key, value) else {
                return Err(BuiltinError("operand values must be string or string array".into()));
            };
            bytes += 3 * (key.len() + value.len());
            if bytes > MAX_TEXT_BYTES {
                return Err(circumstances.leave("urlquery.encode_object would make more than the engine allows"));
            }
            parameters.push(format!("{}={}", encoded(key), encoded(value)));
        }
    }
    Ok(Value::from(parameters.join("&")))
}

fn decode(operands: &[Value], circumstances: &Circumstances) -> Result<Value, BuiltinError> {
    decoded(string(operands, 0)?, circumstances).map(Value::from)
}

fn decoded(text: &str, circumstances: &Circumstances) -> Result<String, BuiltinError> {
    let invalid = || BuiltinError(format!("invalid URL escape in {text:?}"));
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let mut digit = || rest.next().and_then(|byte| char::from(byte).to_digit(16)).ok_or_else(invalid);
                let code = digit()? * 16 + digit()?;
                u8::try_from(code).map_err(|_| invalid())?
            }
            other => other,
        });
    }
    text_of_bytes(bytes, circumstances)
}

fn decode_object(operands: &[Value], circumstances: &Circumstances) -> Result<Value, BuiltinError> {
    let mut parameters: BTreeMap<String, Array> = BTreeMap::new();
    for part in string(operands, 0)?.split('&').filter(|part| !part.is_empty()) {
        if part.contains(';') {
            return Err(BuiltinError("invalid semicolon separator in query".into()));
        }
        let (key, value) = part.split_once('=').unwrap_or((part, ""));
        let (key, value) = (decoded(key, circumstances)?, decoded(value, circumstances)?);
        parameters.entry(key).or_default().push(Value::from(value));
    }
    let fields = parameters.into_iter().map(|(key, values)| (Value::from(key), values.into_value()));
    Ok(fields.collect::<Object>().into_value())
}

#[cfg(test)]
mod tests {
    use crate::builtins::tests::{called, json};

    #[test]
    fn a_text_comes_back_from_its_encoding() {
        let encoded = called("urlquery.encode", &["a b&c=é~*'()".into()]).unwrap();
        assert_eq!(encoded, "a+b%26c%3D%C3%A9~%2A%27%28%29".into());
        assert_eq!(called("urlquery.decode", &[encoded]), Ok("a b&c=é~*'()".into()));
    }

    #[test]
    fn parameters_of_an_object_are_encoded_as_texts_are() {
        let encoded = |fields: &str| called("urlquery.encode_object", &[json(fields)]);
        assert_eq!(encoded(r#"{"b": "x y", "a": ["*", "~"], "c": []}"#), Ok("a=%2A&a=~&b=x+y".into()));
        assert_eq!(encoded("{}"), Ok("".into()));
        for fields in [r#"{"a": 1}"#, r#"{"a": [["b"]]}"#, "[]"] {
            assert!(encoded(fields).is_err(), "{fields}");
        }
    }

    #[test]
    fn decoding_takes_no_parameters_apart() {
        assert_eq!(called("urlquery.decode", &["a=1&b=2".into()]), Ok("a=1&b=2".into()));
        for text in ["%zz", "a%", "a%4"] {
            assert!(called("urlquery.decode", &[text.into()]).is_err(), "{text}");
        }
    }

    #[test]
    fn parameters_are_collected_by_name() {
        let decoded = called("urlquery.decode_object", &["a=1&b=x+y&a=2&&c".into()]);
        assert_eq!(decoded, Ok(json(r#"{"a": ["1", "2"], "b": ["x y"], "c": [""]}"#)));
        assert!(called("urlquery.decode_object", &["a=1;b=2".into()]).is_err());
    }
}
