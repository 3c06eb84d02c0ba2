//! Values as OPA's server writes them: compact, keys sorted, sets as sorted arrays, `<`, `>` and `&` escaped.
//!
//! A number read as `1.0` is printed as `1`, and one read as `1.50` as `1.5`: equal, but not spelled as OPA would.

use std::{collections::BTreeMap, io::Write as _};

use regorus::{Value, value::Object};
use thiserror::Error;

use super::order::sorted;

/// Fractions smaller than this are written with an exponent, as Go's encoder writes them.
const SMALLEST_PLAIN: f64 = 1e-6;

/// Why a value is not written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Unwritable {
    /// It is no JSON.
    #[error("it has an undefined part")]
    UndefinedPart,
    /// Its parts may be shared, so that a small value can be a long text.
    #[error("its text is too long")]
    TooLong,
}

/// Append `value` to `body` as JSON.
pub fn write(body: &mut Vec<u8>, value: &Value) -> Result<(), Unwritable> {
    write_within(body, value, usize::MAX)
}

/// As [`write`], unless `body` would become longer than `most` bytes, give or take a text or number in it.
pub fn write_within(body: &mut Vec<u8>, value: &Value, most: usize) -> Result<(), Unwritable> {
    if body.len() > most {
        return Err(Unwritable::TooLong);
    }
    match value {
        Value::Undefined => return Err(Unwritable::UndefinedPart),
        Value::Null => body.extend_from_slice(b"null"),
        Value::Bool(true) => body.extend_from_slice(b"true"),
        Value::Bool(false) => body.extend_from_slice(b"false"),
        Value::Number(_) => write_number(body, value),
        Value::String(text) => write_string(body, text),
        Value::Array(items) => write_items(body, items.iter(), most)?,
        Value::Set(items) => write_items(body, sorted(items.iter()).into_iter(), most)?,
        Value::Object(fields) => write_object(body, fields, most)?,
    }
    if body.len() > most { Err(Unwritable::TooLong) } else { Ok(()) }
}

fn write_items<'v>(body: &mut Vec<u8>, items: impl Iterator<Item = &'v Value>, most: usize) -> Result<(), Unwritable> {
    body.push(b'[');
    for (index, item) in items.enumerate() {
        if index > 0 {
            body.push(b',');
        }
        write_within(body, item, most)?;
    }
    body.push(b']');
    Ok(())
}

fn write_object(body: &mut Vec<u8>, fields: &Object, most: usize) -> Result<(), Unwritable> {
    if fields.keys().all(|key| matches!(key, Value::String(_))) {
        let named = fields.iter_sorted().filter_map(|(key, value)| match key {
            Value::String(name) => Some((&**name, value)),
            _ => None,
        });
        return write_fields(body, named, most);
    }
    // Any other key is named by its JSON, and the names are sorted.
    let mut named = BTreeMap::new();
    let mut left = most.saturating_sub(body.len());
    for (key, value) in fields.iter_sorted() {
        let name = name_of(key, left)?;
        left = left.saturating_sub(name.len());
        named.insert(name, value);
    }
    write_fields(body, named.iter().map(|(name, value)| (name.as_str(), *value)), most)
}

fn write_fields<'v>(
    body: &mut Vec<u8>,
    fields: impl Iterator<Item = (&'v str, &'v Value)>,
    most: usize,
) -> Result<(), Unwritable> {
    body.push(b'{');
    for (index, (name, value)) in fields.enumerate() {
        if index > 0 {
            body.push(b',');
        }
        write_string(body, name);
        body.push(b':');
        write_within(body, value, most)?;
    }
    body.push(b'}');
    Ok(())
}

fn name_of(key: &Value, most: usize) -> Result<String, Unwritable> {
    if let Value::String(name) = key {
        return Ok((**name).to_owned());
    }
    let mut text = Vec::new();
    write_within(&mut text, key, most)?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

fn write_number(body: &mut Vec<u8>, value: &Value) {
    let Value::Number(number) = value else { return };
    // Writing to memory cannot fail.
    let _ = if let Some(natural) = number.as_u64() {
        write!(body, "{natural}")
    } else if let Some(integer) = number.as_i64() {
        write!(body, "{integer}")
    } else {
        match number.as_f64() {
            Some(float) if !number.is_integer() && float.abs() < SMALLEST_PLAIN => write!(body, "{float:e}"),
            _ => body.write_all(number.format_decimal().as_bytes()),
        }
    };
}

fn write_string(body: &mut Vec<u8>, text: &str) {
    body.push(b'"');
    let mut rest = text;
    while let Some(at) = rest.find(must_be_escaped) {
        let (plain, special) = rest.split_at(at);
        body.extend_from_slice(plain.as_bytes());
        let mut characters = special.chars();
        if let Some(character) = characters.next() {
            write_escape(body, character);
        }
        rest = characters.as_str();
    }
    body.extend_from_slice(rest.as_bytes());
    body.push(b'"');
}

const fn must_be_escaped(character: char) -> bool {
    matches!(character, '\0'..='\u{1f}' | '"' | '\\' | '<' | '>' | '&' | '\u{2028}' | '\u{2029}')
}

fn write_escape(body: &mut Vec<u8>, character: char) {
    let short = match character {
        '"' | '\\' => character,
        '\u{8}' => 'b',
        '\u{c}' => 'f',
        '\n' => 'n',
        '\r' => 'r',
        '\t' => 't',
        _ => {
            // Writing to memory cannot fail.
            let _ = write!(body, "\\u{:04x}", u32::from(character));
            return;
        }
    };
    let _ = write!(body, "\\{short}");
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::document::read_input;
    use proptest::prelude::*;

    fn written(value: &Value) -> String {
        let mut body = Vec::new();
        write(&mut body, value).unwrap();
        String::from_utf8(body).unwrap()
    }

    fn value(json: &str) -> Value {
        read_input(json.as_bytes()).unwrap()
    }

    fn set(items: &[Value]) -> Value {
        Value::from(items.iter().cloned().collect::<BTreeSet<_>>())
    }

    #[test]
    fn json_is_written_compactly_with_sorted_keys() {
        assert_eq!(
            written(&value(r#" {"b" : [1, {}, []], "a": {"é": null}, "B": true} "#)),
            r#"{"B":true,"a":{"é":null},"b":[1,{},[]]}"#
        );
    }

    #[test]
    fn numbers_keep_every_digit() {
        for (read, printed) in [
            ("18446744073709551616", "18446744073709551616"),
            ("-100000000000000000000000", "-100000000000000000000000"),
            ("1e21", "1000000000000000000000"),
            ("1e-7", "1e-7"),
            ("-0.00000012", "-1.2e-7"),
            ("0.000001", "0.000001"),
            ("123456789.125", "123456789.125"),
            ("0.30000000000000004", "0.30000000000000004"),
            ("1.0", "1"),
            ("1.50", "1.5"),
            ("-0.0", "0"),
        ] {
            assert_eq!(written(&value(read)), printed, "{read}");
        }
    }

    #[test]
    fn strings_are_escaped_as_gos_encoder_does() {
        let text = "<>&\u{2028}\u{2029}\0\u{1f}\u{7f}\u{80}é\"\\/\u{8}\u{c}\n\r\t😀";
        let escaped = "\"\\u003c\\u003e\\u0026\\u2028\\u2029\\u0000\\u001f\u{7f}\u{80}é\\\"\\\\/\\b\\f\\n\\r\\t😀\"";
        assert_eq!(written(&Value::from(text)), escaped);
    }

    #[test]
    fn sets_are_arrays_in_opas_order() {
        let items = ["null", "true", "1", "2.5", "\"x\"", "[1]", r#"{"a":1}"#, r#"{"b":1}"#].map(value);
        let mut all = items.to_vec();
        all.extend([set(&[Value::from("a")]), set(&[Value::from("b")]), value("1.0")]);
        assert_eq!(written(&set(&all)), r#"[null,true,1,2.5,"x",[1],{"a":1},{"b":1},["a"],["b"]]"#);
    }

    #[test]
    fn keys_that_are_no_strings_are_named_by_their_json() {
        let keys = [
            value("1"),
            Value::from("1"),
            value(r#"[1,"<"]"#),
            set(&[Value::from("x")]),
            value("1.5"),
            Value::Null,
            Value::Bool(true),
        ];
        let fields: BTreeMap<_, _> = keys.into_iter().zip(0_u64..).map(|(key, number)| (key, Value::from(number))).collect();
        let expected = r#"{"1":1,"1.5":4,"[\"x\"]":3,"[1,\"\\u003c\"]":2,"null":5,"true":6}"#;
        assert_eq!(written(&Value::from(fields)), expected);
    }

    #[test]
    fn an_undefined_part_is_no_json() {
        assert_eq!(write(&mut Vec::new(), &Value::from(vec![Value::Undefined])), Err(Unwritable::UndefinedPart));
    }

    #[test]
    fn writing_ends_at_the_limit() {
        let doubled = (0..40).fold(Value::from("x"), |inner, _| Value::from(vec![inner.clone(), inner]));
        let keyed = Value::from(BTreeMap::from([(doubled.clone(), Value::Null)]));
        for value in [doubled, keyed] {
            let mut body = Vec::new();
            assert_eq!(write_within(&mut body, &value, 1_000), Err(Unwritable::TooLong));
            assert!(body.len() < 1_100);
        }
        for (json, most) in [("[1,2]", 5), (r#"{"a":"b"}"#, 9), ("true", 4)] {
            let mut body = Vec::new();
            assert_eq!(write_within(&mut body, &value(json), most), Ok(()), "{json}");
            assert_eq!(write_within(&mut Vec::new(), &value(json), most - 1), Err(Unwritable::TooLong), "{json}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(text in ".*", number in any::<f64>(), integer in any::<i128>()) {
            let big = Value::from_numeric_string(&integer.to_string()).unwrap();
            let whole = Value::from(vec![Value::from(text), big]);
            prop_assert_eq!(value(&written(&whole)), whole);
            if number.fract() != 0.0 {
                prop_assert_eq!(value(&written(&Value::from(number))), Value::from(number));
            }
        }
    }
}
