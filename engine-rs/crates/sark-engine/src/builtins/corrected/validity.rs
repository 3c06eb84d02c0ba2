//! Whether a text is of a kind: false for anything that is no text, where regorus has no answer. Decoding is beside it.

use regorus::Value;
use serde::de::IgnoredAny;

use super::super::{
    BuiltinError, Circumstances, OwnBuiltin, base64,
    operands::{operand, string, text_of_bytes},
};

pub(in crate::builtins) const OWN: &[OwnBuiltin] = &[
    OwnBuiltin { name: "base64.decode", arity: 1, call: base64_decode },
    OwnBuiltin { name: "base64.is_valid", arity: 1, call: base64_is_valid },
    OwnBuiltin { name: "base64url.decode", arity: 1, call: base64url_decode },
    OwnBuiltin { name: "hex.decode", arity: 1, call: hex_decode },
    OwnBuiltin { name: "json.is_valid", arity: 1, call: json_is_valid },
    OwnBuiltin { name: "net.cidr_is_valid", arity: 1, call: cidr_is_valid },
];

fn of_text(operands: &[Value], is_valid: impl Fn(&str) -> bool) -> Result<Value, BuiltinError> {
    Ok(Value::from(matches!(operand(operands, 0), Value::String(text) if is_valid(text))))
}

/// Go reads no deeper.
const DEEPEST_JSON: usize = 10_000;

fn json_is_valid(operands: &[Value], _: &Circumstances) -> Result<Value, BuiltinError> {
    of_text(operands, |text| serde_json::from_str::<IgnoredAny>(text).is_ok() && depth(text) <= DEEPEST_JSON)
}

/// Levels of arrays and objects of a JSON text.
fn depth(json: &str) -> usize {
    let (mut level, mut deepest) = (0_usize, 0);
    let (mut in_string, mut is_escaped) = (false, false);
    for byte in json.bytes() {
        if in_string {
            in_string = is_escaped || byte != b'"';
            is_escaped = !is_escaped && byte == b'\\';
            continue;
        }
        match byte {
            b'"' => in_string = true,
            b'[' | b'{' => level += 1,
            b']' | b'}' => level = level.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(level);
    }
    deepest
}

fn cidr_is_valid(operands: &[Value], _: &Circumstances) -> Result<Value, BuiltinError> {
    of_text(operands, |text| {
        let Some((address, length)) = text.split_once('/') else {
            return false;
        };
        let longest = match address.parse() {
            Ok(std::net::IpAddr::V4(_)) => 32,
            Ok(std::net::IpAddr::V6(_)) => 128,
            Err(_) => return false,
        };
        length.bytes().all(|byte| byte.is_ascii_digit()) && length.parse::<u32>().is_ok_and(|length| length <= longest)
    })
}

fn base64_is_valid(operands: &[Value], _: &Circumstances) -> Result<Value, BuiltinError> {
    of_text(operands, |text| base64::standard(text.as_bytes()).is_some())
}

fn base64_decode(operands: &[Value], circumstances: &Circumstances) -> Result<Value, BuiltinError> {
    text_of(base64::standard(string(operands, 0)?.as_bytes()), circumstances)
}

/// The padding may be left out, unless there are line breaks.
fn base64url_decode(operands: &[Value], circumstances: &Circumstances) -> Result<Value, BuiltinError> {
    text_of(base64::url(string(operands, 0)?), circumstances)
}

/// Pairs of digits of either case.
fn hex_decode(operands: &[Value], circumstances: &Circumstances) -> Result<Value, BuiltinError> {
    let invalid = || BuiltinError("encoding/hex: invalid byte or odd length".into());
    let digits: Option<Vec<u32>> = string(operands, 0)?.chars().map(|c| c.to_digit(16)).collect();
    let pairs = digits.ok_or_else(invalid)?;
    let byte = |pair: &[u32]| match pair {
        [high, low] => u8::try_from(high * 16 + low).ok(),
        _ => None,
    };
    let bytes: Option<Vec<u8>> = pairs.chunks(2).map(byte).collect();
    text_of_bytes(bytes.ok_or_else(invalid)?, circumstances).map(Value::from)
}

fn text_of(bytes: Option<Vec<u8>>, circumstances: &Circumstances) -> Result<Value, BuiltinError> {
    let bytes = bytes.ok_or_else(|| BuiltinError("illegal base64 data".into()))?;
    text_of_bytes(bytes, circumstances).map(Value::from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::builtins::tests::{called, is_left_to_opa, json};

    #[test]
    fn a_text_that_nests_deeper_than_go_reads_is_not_valid() {
        let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        for (text, expected) in [
            (nested(10_000), true),
            (nested(10_001), false),
            (format!("[\"{}\\\"{}\"]", "[".repeat(10_000), "[".repeat(10_000)), true),
            (format!("{}1{}", "{\"a\":".repeat(10_001), "}".repeat(10_001)), false),
        ] {
            assert_eq!(called("json.is_valid", &[text.as_str().into()]), Ok(Value::from(expected)));
        }
    }

    #[test]
    fn what_is_no_text_is_not_valid() {
        for name in ["base64.is_valid", "json.is_valid", "net.cidr_is_valid"] {
            for operand in ["null", "1", "[]", "{}", "true"] {
                assert_eq!(called(name, &[json(operand)]), Ok(Value::from(false)), "{name} {operand}");
            }
        }
    }

    #[test]
    fn texts_are_judged_as_go_does() {
        for (name, text, is_valid) in [
            ("json.is_valid", "[1e1000]", true),
            ("json.is_valid", "[1,]", false),
            ("net.cidr_is_valid", "10.0.0.0/8", true),
            ("net.cidr_is_valid", "::/128", true),
            ("net.cidr_is_valid", "10.0.0.0/33", false),
            ("net.cidr_is_valid", "10.0.0.0/+8", false),
            ("net.cidr_is_valid", "10.0.0.0", false),
            ("base64.is_valid", "YWJj\n", true),
            ("base64.is_valid", "YR==", true),
            ("base64.is_valid", "YQ=", false),
            ("base64.is_valid", "YQ==YQ==", false),
        ] {
            assert_eq!(called(name, &[text.into()]), Ok(Value::from(is_valid)), "{name} {text}");
        }
    }

    #[test]
    fn base64_is_decoded_with_either_alphabet() {
        assert_eq!(called("base64.decode", &["YWJjZA==".into()]), Ok("abcd".into()));
        assert_eq!(called("base64url.decode", &["8J-RjQ".into()]), Ok("👍".into()));
        assert!(called("base64.decode", &["8J-RjQ==".into()]).is_err());
    }

    #[test]
    fn line_breaks_are_skipped_but_count_for_the_padding_of_a_url() {
        for text in ["aGk=\n", "a\nGkx", "\n", "YW\nJj\r"] {
            assert!(called("base64url.decode", &[text.into()]).is_err(), "{text:?}");
            assert!(!is_left_to_opa("base64url.decode", &[text.into()]), "{text:?}");
        }
        assert_eq!(called("base64url.decode", &["YW\nJjZ\r\nA==".into()]), Ok("abcd".into()));
        assert_eq!(called("base64.decode", &["aG\nk=\n".into()]), Ok("hi".into()));
    }

    #[test]
    fn hexadecimal_digits_are_decoded_in_pairs_of_either_case() {
        assert_eq!(called("hex.decode", &["61C3a9".into()]), Ok("aé".into()));
        assert_eq!(called("hex.decode", &["".into()]), Ok("".into()));
        for text in ["6", "6g", "+6", "é1"] {
            assert!(called("hex.decode", &[text.into()]).is_err(), "{text}");
            assert!(!is_left_to_opa("hex.decode", &[text.into()]), "{text}");
        }
    }

    #[test]
    fn bytes_that_are_no_text_are_left_to_opa() {
        for (name, text) in [
            ("base64.decode", "/w=="),
            ("base64url.decode", "_w"),
            ("hex.decode", "ff"),
            ("hex.decode", "c3"),
            ("urlquery.decode", "%ff"),
            ("urlquery.decode_object", "a=%ff"),
            ("urlquery.decode_object", "%ff=a"),
        ] {
            assert!(is_left_to_opa(name, &[text.into()]), "{name} {text}");
        }
        assert!(is_left_to_opa("replace", &["é".into(), "".into(), "x".into()]));
        assert!(is_left_to_opa("strings.replace_n", &[json(r#"{"": "x"}"#), "é".into()]));
    }
}
