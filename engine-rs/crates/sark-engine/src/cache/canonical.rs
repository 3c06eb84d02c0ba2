//! One spelling of each value, written without building it.
//!
//! Every part begins with eight bytes: what it is, and how long. Objects come in the order of their keys and numbers by
//! what they are worth, so that two inputs are written alike exactly when the engine holds them for the same value.

use regorus::Value;

/// Takes what is written.
pub(crate) trait Sink {
    fn put(&mut self, bytes: &[u8]);
}

#[derive(Debug, Clone, Copy)]
enum Tag {
    Undefined = 1,
    Null,
    False,
    True,
    Positive,
    Negative,
    BigPositive,
    BigNegative,
    Float,
    String,
    Array,
    Set,
    Object,
}

/// Write `value` to `sink`.
pub(crate) fn write_canonical<S: Sink>(value: &Value, sink: &mut S) {
    match value {
        Value::Undefined => begin(Tag::Undefined, 0, sink),
        Value::Null => begin(Tag::Null, 0, sink),
        Value::Bool(false) => begin(Tag::False, 0, sink),
        Value::Bool(true) => begin(Tag::True, 0, sink),
        Value::Number(_) => write_number(value, sink),
        Value::String(text) => {
            begin(Tag::String, text.len(), sink);
            sink.put(text.as_bytes());
        }
        Value::Array(items) => {
            begin(Tag::Array, items.len(), sink);
            items.iter().for_each(|item| write_canonical(item, sink));
        }
        Value::Set(items) => {
            begin(Tag::Set, items.len(), sink);
            items.iter_sorted().for_each(|item| write_canonical(item, sink));
        }
        Value::Object(fields) => {
            begin(Tag::Object, fields.len(), sink);
            for (key, value) in fields.iter_sorted() {
                write_canonical(key, sink);
                write_canonical(value, sink);
            }
        }
    }
}

fn begin<S: Sink>(tag: Tag, length: usize, sink: &mut S) {
    sink.put(&((tag as u64) << 56 | length as u64).to_le_bytes());
}

/// Whole numbers by their digits, whether they were read as integers or as floats; the others by the bits of the float.
fn write_number<S: Sink>(value: &Value, sink: &mut S) {
    let Value::Number(number) = value else { return };
    let float = number.as_f64();
    // A float of 2^64 claims to be the largest u64.
    let whole = number.as_u64().filter(|whole| *whole != u64::MAX || float.is_none());
    if let Some(whole) = whole
        && !is_negative_zero(float)
    {
        write_small(Tag::Positive, whole, sink);
    } else if let Some(whole) = number.as_i64().filter(|whole| *whole < 0) {
        write_small(Tag::Negative, whole.unsigned_abs(), sink);
    } else if let Some(float) = float {
        write_float(float, sink);
    } else if let Some(big) = number.as_big() {
        write_big(!number.is_positive(), &big.to_bytes_le().1, sink);
    }
}

fn is_negative_zero(float: Option<f64>) -> bool {
    float.is_some_and(|float| float.to_bits() == (-0.0_f64).to_bits())
}

fn write_small<S: Sink>(tag: Tag, magnitude: u64, sink: &mut S) {
    begin(tag, 8, sink);
    sink.put(&magnitude.to_le_bytes());
}

/// `digits` are the magnitude's bytes, lowest first.
fn write_big<S: Sink>(is_negative: bool, digits: &[u8], sink: &mut S) {
    let length = digits.iter().rposition(|digit| *digit != 0).map_or(0, |last| last + 1);
    begin(if is_negative { Tag::BigNegative } else { Tag::BigPositive }, length, sink);
    sink.put(digits.get(..length).unwrap_or_default());
}

/// A float that is no integer of 64 bits.
fn write_float<S: Sink>(float: f64, sink: &mut S) {
    /// 971 places is as far as a mantissa of 53 bits is shifted.
    const BYTES: usize = 128;
    if float.fract() != 0.0 || float.abs() < 1.0 {
        begin(Tag::Float, 8, sink);
        return sink.put(&float.to_bits().to_le_bytes());
    }
    let bits = float.to_bits();
    let mantissa = u128::from(bits & ((1 << 52) - 1) | 1 << 52);
    let places = usize::try_from((bits >> 52) & 0x7ff).unwrap_or_default().saturating_sub(1075);
    let mut digits = [0; BYTES];
    for (digit, byte) in digits.iter_mut().skip(places / 8).zip((mantissa << (places % 8)).to_le_bytes()) {
        *digit = byte;
    }
    write_big(float.is_sign_negative(), &digits, sink);
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    impl Sink for Vec<u8> {
        fn put(&mut self, bytes: &[u8]) {
            self.extend_from_slice(bytes);
        }
    }

    fn written(value: &Value) -> Vec<u8> {
        let mut bytes = Vec::new();
        write_canonical(value, &mut bytes);
        bytes
    }

    fn canonical(json: &str) -> Vec<u8> {
        written(&value(json))
    }

    /// Numbers are read in full length here; the parser of inputs may have shortened them.
    fn value(json: &str) -> Value {
        json.parse().map_or_else(|_| serde_json::from_str(json).unwrap(), Value::Number)
    }

    #[test]
    fn spellings_of_one_value_are_written_alike() {
        for (one, other) in [
            (r#"{"a":1,"b":[true,null]}"#, " { \"b\" : [ true , null ] ,\n\"a\" : 1 } "),
            ("1", "1.0"),
            ("1", "1e0"),
            ("1", "10e-1"),
            ("-3", "-3.0"),
            ("18446744073709551616", "18446744073709551616.0"),
            ("100000000000000000000", "1e20"),
            ("-9223372036854775808", "-9223372036854775808.0"),
            (r#""A""#, r#""\u0041""#),
            (r#"{"a":2}"#, r#"{"a":1,"a":2}"#),
        ] {
            assert_eq!(canonical(one), canonical(other), "{one} and {other}");
        }
    }

    #[test]
    fn a_float_is_the_integer_that_it_is_worth() {
        for (float, integer) in [
            (1e30, "1000000000000000019884624838656"),
            (-1e30, "-1000000000000000019884624838656"),
            (18_446_744_073_709_551_616.0, "18446744073709551616"),
            (9_007_199_254_740_994.0, "9007199254740994"),
        ] {
            assert_eq!(written(&Value::from(float)), canonical(integer), "{integer}");
            assert_eq!(Value::from(float), value(integer), "{integer}");
        }
        let largest = written(&Value::from(f64::MAX));
        assert_eq!(largest, written(&value(&format!("{:.0}", f64::MAX))));
        assert_eq!(largest.len(), 8 + 128);
    }

    #[test]
    fn different_values_are_written_differently() {
        let all = [
            "null",
            "true",
            "false",
            "0",
            "-0.0",
            "1",
            "-1",
            "0.5",
            "-0.5",
            "5e-324",
            r#""""#,
            r#""1""#,
            "[]",
            "{}",
            "[[]]",
            "[null]",
            "[[],[]]",
            r#"{"":[]}"#,
            r#"{"":{}}"#,
            r#"["a","b"]"#,
            r#"["ab",""]"#,
            r#"{"a":"b"}"#,
            "9007199254740993",
            "9007199254740992",
            "18446744073709551615",
            "18446744073709551616.0",
            "18446744073709551617",
            "-18446744073709551616.0",
            "-9223372036854775809",
            "1000000000000000000000000000000",
            "1000000000000000000000000000001",
            "1.7976931348623157e308",
            "8.98846567431158e307",
        ];
        for (place, one) in all.iter().enumerate() {
            for other in all.iter().skip(place + 1) {
                assert_ne!(canonical(one), canonical(other), "{one} and {other}");
            }
        }
    }

    /// Texts of a few values, most of them in several spellings.
    fn number() -> impl Strategy<Value = String> {
        let whole = prop_oneof![-3_i128..4, (0_u32..4, -2_i128..3).prop_map(|(shift, off)| (1_i128 << (51 + 4 * shift)) + off)];
        let zeros = "0".repeat(30);
        prop_oneof![
            (whole, 0_u8..5, any::<bool>()).prop_map(move |(whole, spelling, is_huge)| {
                let digits = if is_huge && whole != 0 { format!("{whole}{zeros}") } else { whole.to_string() };
                match spelling {
                    0 => digits,
                    1 => format!("{digits}.0"),
                    2 => format!("{digits}e0"),
                    3 if whole != 0 => format!("{digits}0e-1"),
                    _ => format!("{digits}.5"),
                }
            }),
            any::<f64>()
                .prop_filter("JSON has finite numbers", |float| float.is_finite())
                .prop_map(|float| format!("{float:e}")),
        ]
    }

    fn text() -> impl Strategy<Value = String> {
        (prop::sample::select(vec!["", "a", "b", "ä"]), any::<bool>()).prop_map(|(text, is_escaped)| {
            let spell = |c: char| if is_escaped { format!("\\u{:04x}", u32::from(c)) } else { c.to_string() };
            format!("\"{}\"", text.chars().map(spell).collect::<String>())
        })
    }

    fn document() -> impl Strategy<Value = String> {
        let leaf = prop_oneof![Just("null".to_owned()), Just("true".to_owned()), Just("false".to_owned()), number(), text()];
        leaf.prop_recursive(3, 12, 3, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..3).prop_map(|items| format!("[{}]", items.join(" ,"))),
                prop::collection::vec((text(), inner), 0..3).prop_map(|fields| {
                    let fields: Vec<_> = fields.into_iter().map(|(key, value)| format!("{key}: {value}")).collect();
                    format!("{{{}}}", fields.join(","))
                }),
            ]
        })
    }

    fn has_negative_zero(value: &Value) -> bool {
        match value {
            Value::Number(number) => is_negative_zero(number.as_f64()),
            Value::Array(items) => items.iter().any(has_negative_zero),
            Value::Object(fields) => fields.values().any(has_negative_zero),
            _ => false,
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4096))]

        #[test]
        fn inputs_are_written_alike_exactly_when_they_are_the_same_value(one in document(), other in document()) {
            let (first, second) = (value(&one), value(&other));
            // The negative zero equals zero but is answered differently when a policy repeats it, so it stays apart.
            prop_assume!(!has_negative_zero(&first) && !has_negative_zero(&second));
            prop_assert_eq!(canonical(&one) == canonical(&other), first == second, "{} and {}", one, other);
        }

        #[test]
        fn the_order_of_keys_does_not_matter(fields in prop::collection::btree_map("[a-e]{1,2}", document(), 0..5)) {
            let write = |fields: Vec<(&String, &String)>| {
                format!("{{{}}}", fields.iter().map(|(key, value)| format!("\"{key}\":{value}")).collect::<Vec<_>>().join(","))
            };
            let fields: BTreeMap<String, String> = fields;
            prop_assert_eq!(canonical(&write(fields.iter().collect())), canonical(&write(fields.iter().rev().collect())));
        }

        #[test]
        fn numbers_are_written_alike_exactly_when_they_are_equal(one in number(), other in number()) {
            let (first, second) = (value(&one), value(&other));
            prop_assume!(!has_negative_zero(&first) && !has_negative_zero(&second));
            prop_assert_eq!(canonical(&one) == canonical(&other), first == second, "{} and {}", one, other);
        }
    }
}
