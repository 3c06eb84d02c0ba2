//! `strings.split_n`: the first parts of a string, or the last.

use regorus::{Value, value::Array};

use super::{
    BuiltinError, Circumstances, OwnBuiltin,
    operands::{integer, string},
};

pub(super) const OWN: &[OwnBuiltin] = &[OwnBuiltin { name: "strings.split_n", arity: 3, call: split_n }];

/// At most `n` parts: the first ones, or the last ones if `n` is negative. What is left over is dropped.
fn split_n(operands: &[Value], _: &Circumstances) -> Result<Value, BuiltinError> {
    let (text, delimiter, count) = (string(operands, 0)?, string(operands, 1)?, integer(operands, 2)?);
    let wanted = usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX);
    let parts: Vec<&str> = if delimiter.is_empty() {
        text.split("").filter(|part| !part.is_empty()).collect()
    } else {
        text.split(delimiter).collect()
    };
    let skipped = if count < 0 { parts.len().saturating_sub(wanted) } else { 0 };
    Ok(parts.into_iter().skip(skipped).take(wanted).map(Value::from).collect::<Array>().into_value())
}

#[cfg(test)]
mod tests {
    use super::super::tests::{called, json};
    use super::*;

    fn split(text: &str, delimiter: &str, count: &str) -> Result<Value, BuiltinError> {
        called("strings.split_n", &[Value::from(text), Value::from(delimiter), json(count)])
    }

    #[test]
    fn parts_are_counted_from_either_end() {
        for (count, parts) in [
            ("0", "[]"),
            ("1", "[\"a\"]"),
            ("2", "[\"a\", \"b\"]"),
            ("9", "[\"a\", \"b\", \"\"]"),
            ("-1", "[\"\"]"),
            ("-2", "[\"b\", \"\"]"),
            ("-9", "[\"a\", \"b\", \"\"]"),
            ("9223372036854775807", "[\"a\", \"b\", \"\"]"),
            ("-9223372036854775808", "[\"a\", \"b\", \"\"]"),
        ] {
            assert_eq!(split("a/b/", "/", count), Ok(json(parts)), "{count}");
        }
    }

    #[test]
    fn an_empty_delimiter_parts_characters() {
        assert_eq!(split("aé", "", "5"), Ok(json("[\"a\", \"é\"]")));
        assert_eq!(split("", "", "5"), Ok(json("[]")));
        assert_eq!(split("", "/", "5"), Ok(json("[\"\"]")));
    }

    #[test]
    fn a_count_is_a_whole_number() {
        assert!(split("a", "/", "1.5").is_err());
        assert!(split("a", "/", "\"1\"").is_err());
    }
}
