//! Calls that a short input could blow up in memory, or in time where no clock looks: refused before they are made.
//!
//! A refusal must end the evaluation. It must not make the call undefined, which OPA would not: `not` would turn that into true.

use regorus::Value;

/// Longest text or sum of texts that a call may make, in bytes.
pub(crate) const MAX_TEXT_BYTES: usize = 16 << 20;
/// Most items that a call may make.
const MAX_ITEMS: i128 = 1_000_000;
/// Most texts that a text is taken apart into.
const MAX_PIECES: usize = 1_000_000;
/// Most bits that a shift may add.
const MAX_SHIFT: u64 = 1 << 16;
/// Most digits of a number that is read from a text or multiplied up.
const MAX_DIGITS: usize = 10_000;

/// Longest text that is taken apart into a list of texts, in bytes: there may be as many texts.
const MAX_LISTED_BYTES: usize = 2 << 20;

const BOUNDED: [&str; 19] = [
    "numbers.range",
    "numbers.range_step",
    "bits.lsh",
    "bits.rsh",
    "to_number",
    "units.parse",
    "units.parse_bytes",
    "product",
    "sprintf",
    "concat",
    "replace",
    "regex.replace",
    "strings.replace_n",
    "split",
    "strings.split_n",
    "regex.split",
    "regex.find_n",
    "regex.find_all_string_submatch_n",
    "indexof_n",
];

/// The limit that a call would exceed, as one sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Exceeded(pub String);

/// Whether `name` is looked at before it is called.
pub(crate) fn applies(name: &str) -> bool {
    BOUNDED.contains(&name)
}

/// Whether calling `name` with these operands stays within bounds. Wrong operands are left to the builtin.
pub(crate) fn check(name: &str, operands: &[Value]) -> Result<(), Exceeded> {
    let within = match (name, operands) {
        ("numbers.range", [from, to]) => range(from, to, &Value::from(1_u64)),
        ("numbers.range_step", [from, to, step]) => range(from, to, step),
        ("bits.lsh", [_, by]) => whole(by).is_none_or(|by| by <= i128::from(MAX_SHIFT)),
        // Beyond, regorus has no answer.
        ("bits.rsh", [_, by]) => whole(by).is_none_or(|by| by <= i128::from(u32::MAX)),
        ("to_number" | "units.parse" | "units.parse_bytes", [text]) => exponent(text),
        ("product", [items]) => product(items),
        ("sprintf", [format, _]) => widths(format),
        ("concat", [delimiter, parts]) => joined(delimiter, parts) <= MAX_TEXT_BYTES,
        ("replace", [text, old, new]) => replaced(text, old, new) <= MAX_TEXT_BYTES,
        ("regex.replace", [text, _, new]) => grown(text, text_bytes(new)) <= MAX_TEXT_BYTES,
        ("strings.replace_n", [patterns, text]) => grown(text, longest_value(patterns)) <= MAX_TEXT_BYTES,
        ("split" | "strings.split_n", [text, delimiter, ..]) => pieces(text, delimiter) <= MAX_PIECES,
        ("indexof_n", [text, sought]) => pieces(text, sought) <= MAX_PIECES,
        ("regex.split" | "regex.find_n" | "regex.find_all_string_submatch_n", [_, text, ..]) => {
            text_bytes(text) <= MAX_LISTED_BYTES
        }
        _ => true,
    };
    if within { Ok(()) } else { Err(Exceeded(format!("{name} would make more than the engine allows"))) }
}

fn whole(value: &Value) -> Option<i128> {
    match value {
        Value::Number(number) => Some(number.as_i128().unwrap_or(i128::MAX)),
        _ => None,
    }
}

fn range(from: &Value, to: &Value, step: &Value) -> bool {
    match (whole(from), whole(to), whole(step)) {
        (Some(from), Some(to), Some(step)) if step > 0 => to.abs_diff(from) / step.unsigned_abs() < MAX_ITEMS.unsigned_abs(),
        _ => true,
    }
}

fn text_bytes(value: &Value) -> usize {
    if let Value::String(text) = value { text.len() } else { 0 }
}

fn length(value: &Value) -> usize {
    match value {
        Value::Array(items) => items.len(),
        Value::Set(items) => items.len(),
        Value::Object(fields) => fields.len(),
        _ => 1,
    }
}

/// Bytes of `text` when each of its characters, and the place before the first, is replaced by `by` bytes.
fn grown(text: &Value, by: usize) -> usize {
    let before = text_bytes(text);
    before.saturating_add(1).saturating_mul(by).saturating_add(before)
}

/// Bytes of all `parts` with the delimiter between them.
fn joined(delimiter: &Value, parts: &Value) -> usize {
    let delimiters = text_bytes(delimiter).saturating_mul(length(parts));
    match parts {
        Value::Array(items) => items.iter().map(text_bytes).fold(delimiters, usize::saturating_add),
        Value::Set(items) => items.iter().map(text_bytes).fold(delimiters, usize::saturating_add),
        _ => 0,
    }
}

/// Into how many pieces a delimiter takes a text apart.
fn pieces(text: &Value, delimiter: &Value) -> usize {
    match (text, delimiter) {
        // No text has more pieces than characters.
        (Value::String(text), _) if text.len() < MAX_PIECES => 0,
        (Value::String(text), Value::String(delimiter)) => text.matches(&**delimiter).count(),
        _ => 0,
    }
}

fn replaced(text: &Value, old: &Value, new: &Value) -> usize {
    match (text, old, new) {
        (Value::String(text), Value::String(old), Value::String(new)) => {
            let times = text.matches(&**old).count();
            times.saturating_mul(new.len()).saturating_add(text.len())
        }
        _ => 0,
    }
}

fn longest_value(patterns: &Value) -> usize {
    match patterns {
        Value::Object(fields) => fields.values().map(text_bytes).max().unwrap_or(0),
        _ => 0,
    }
}

/// No run of digits in a format, as the width in `%999999999d`, asks for much.
fn widths(format: &Value) -> bool {
    match format {
        Value::String(format) => {
            format.split(|character: char| !character.is_ascii_digit()).all(|digits| digits.trim_start_matches('0').len() <= 4)
        }
        _ => true,
    }
}

/// A text that is read as a number neither has nor stands for many digits.
fn exponent(text: &Value) -> bool {
    let Value::String(text) = text else { return true };
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    let exponent = text.split(['e', 'E']).nth(1).map_or("", |exponent| exponent.trim_start_matches(['+', '-']));
    let exponent: String = exponent.chars().take_while(char::is_ascii_digit).collect();
    digits <= MAX_DIGITS && (exponent.is_empty() || exponent.parse::<usize>().is_ok_and(|exponent| exponent <= MAX_DIGITS))
}

fn product(items: &Value) -> bool {
    let digits = |item: &Value| match item {
        Value::Number(number) if number.as_i128().is_none() => number.format_decimal().len(),
        Value::Number(_) => 20,
        _ => 0,
    };
    let sum: usize = match items {
        Value::Array(items) => items.iter().map(digits).fold(0, usize::saturating_add),
        Value::Set(items) => items.iter().map(digits).fold(0, usize::saturating_add),
        _ => 0,
    };
    sum <= MAX_DIGITS
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::read_input;

    fn checked(name: &str, operands: &str) -> Result<(), Exceeded> {
        let Value::Array(operands) = read_input(operands.as_bytes()).unwrap() else { panic!("operands are an array") };
        check(name, &operands.iter().cloned().collect::<Vec<_>>())
    }

    #[test]
    fn what_policies_ask_for_is_called() {
        for (name, operands) in [
            ("numbers.range", "[1, 100000]"),
            ("numbers.range", "[5, -5]"),
            ("numbers.range_step", "[0, 10000000, 1000]"),
            ("bits.lsh", "[1, 64]"),
            ("to_number", r#"["1e10"]"#),
            ("to_number", "[null]"),
            ("product", "[[1, 2, 3.5]]"),
            ("sprintf", r#"["%05d of %v in 2026", [1, 2]]"#),
            ("concat", r#"[", ", ["a", "b"]]"#),
            ("replace", r#"["a.b", ".", "/"]"#),
            ("regex.replace", r#"["a.b", "[.]", "/"]"#),
            ("lower", r#"["X"]"#),
        ] {
            assert_eq!(checked(name, operands), Ok(()), "{name} {operands}");
        }
    }

    #[test]
    fn what_would_blow_up_is_not() {
        let text = "a".repeat(100_000);
        let parts = format!("[{}0]", "0,".repeat(10_000));
        for (name, operands) in [
            ("numbers.range", "[1, 1000000000000]".to_owned()),
            ("numbers.range", "[-100000000000000000000000000000000000000000000, 1]".to_owned()),
            ("numbers.range_step", "[1, 1000000000000, 2]".to_owned()),
            ("bits.lsh", "[1, 1000000000]".to_owned()),
            ("bits.lsh", "[1, 100000000000000000000000000000000000000000000]".to_owned()),
            ("to_number", r#"["1e999999999"]"#.to_owned()),
            ("to_number", r#"["1e-99999999999999999999"]"#.to_owned()),
            ("to_number", format!("[\"{}\"]", "9".repeat(100_000))),
            ("product", format!("[[{0}{1}]]", format!("{},", "9".repeat(300)).repeat(40), "9".repeat(300))),
            ("sprintf", r#"["%99999999d", [1]]"#.to_owned()),
            ("sprintf", r#"["%.99999f", [1.5]]"#.to_owned()),
            ("concat", format!("[\"{text}\", {parts}]")),
            ("replace", format!("[\"{text}\", \"a\", \"{text}\"]")),
            ("regex.replace", format!("[\"{text}\", \"a\", \"{text}\"]")),
            ("strings.replace_n", format!("[{{\"a\": \"{text}\"}}, \"{text}\"]")),
            ("concat", format!("[\"\", [{}\"\"]]", format!("\"{}\",", "a".repeat(1 << 20)).repeat(17))),
            ("split", format!("[\"{}\", \"\"]", "a".repeat(1_100_000))),
            ("regex.split", format!("[\"\", \"{}\"]", "a".repeat(3 << 20))),
            ("indexof_n", format!("[\"{}\", \"a\"]", "a".repeat(1_100_000))),
        ] {
            assert!(applies(name), "{name}");
            assert!(checked(name, &operands).is_err(), "{name} {}", operands.get(..60).unwrap_or(&operands));
        }
    }
}
