//! Calls whose answer would be rounded here, and otherwise in OPA, which calculates fractions in 64 bits of mantissa.
//!
//! As with [`super::bounds`], a refusal ends the evaluation: the call must not become undefined.

use regorus::Value;

use super::{
    arithmetic::{Unreckoned, reckon},
    bounds::Exceeded,
    corrected::{layout, moment::is_known_zone, units},
    infix::operator,
};
use crate::document::{LONG_NUMBER_BYTES, ReadError, decimal, is_plain, read_text};

/// Most fractions that are added up; each is a multiple of a sixteenth and below a million, so that no sum is rounded.
const MAX_FRACTIONS: usize = 1_000;
/// The year 2037 begins.
const LAST_LISTED: i64 = 2_114_380_800_000_000_000;
const LARGEST_FRACTION: f64 = 1_048_576.0;

/// Whether calls of `name` are looked at.
pub(crate) fn applies(name: &str) -> bool {
    matches!(
        name,
        "sum"
            | "product"
            | "rand.intn"
            | "to_number"
            | "json.unmarshal"
            | "abs"
            | "ceil"
            | "floor"
            | "round"
            | "plus"
            | "minus"
            | "mul"
            | "div"
            | "rem"
            | "glob.match"
            | "net.cidr_merge"
            | "sprintf"
            | "time.add_date"
            | "time.clock"
            | "time.date"
            | "time.diff"
            | "time.format"
            | "time.parse_ns"
            | "time.weekday"
            | "units.parse"
            | "units.parse_bytes"
            | "urlquery.encode_object"
            | "uuid.rfc4122"
    )
}

/// Whether the answer of `name` for these operands is exact. Wrong operands are left to the builtin.
pub(crate) fn check(name: &str, operands: &[Value]) -> Result<(), Exceeded> {
    let exact = match (name, operands) {
        ("sum", [items]) => items_of(items).is_none_or(|items| is_whole(&items) || are_plain(&items)),
        ("product", [items]) => items_of(items).is_none_or(|items| is_whole(&items)),
        ("to_number", [Value::String(text)]) => {
            !is_written_as_in_go(text) && !is_long_and_odd(text) && (!text.contains(['.', 'e', 'E']) || decimal(text).is_some())
        }
        // Of numbers below zero OPA drops the sign.
        ("rand.intn", [_, Value::Number(below)]) => below.is_positive() || below.as_u64() == Some(0),
        ("json.unmarshal", [Value::String(text)]) => !matches!(read_text(text.as_bytes()), Err(ReadError::Unsupported(_))),
        ("abs" | "ceil" | "floor", [number]) => !is_beyond_64_bits(number),
        // OPA adds a half first, for which a number of 64 bits has no bit left.
        ("round", [number]) => !is_beyond_63_bits(number),
        ("plus" | "minus" | "mul" | "div" | "rem", [left, right]) => {
            operator(name).is_none_or(|op| reckon(&op, left, right) != Err(Unreckoned::Inexact))
        }
        // OPA's index of rules takes a text apart at the delimiters, whatever a backslash says.
        ("glob.match", [_, Value::Array(_), Value::String(text)]) => !text.contains('\\'),
        // IPv4 networks written as IPv6.
        ("net.cidr_merge", [networks]) => items_of(networks).is_none_or(|items| !items.iter().any(|item| is_mapped(item))),
        // Years beyond all calendars begin anew in Go.
        ("time.add_date", [at, by @ ..]) => !has_zone(at) && !by.iter().any(is_far),
        // Fractions and whole numbers of more than 64 bits in other bases than ten.
        ("sprintf", [Value::String(format), Value::Array(values)]) => !(has_base(format) && values.iter().any(is_no_64_bits)),
        ("time.format", [at]) => is_in_zone_tables(at) && !names_its_zone(at),
        ("time.clock" | "time.date" | "time.weekday", [at]) => is_in_zone_tables(at),
        ("time.diff", [one, other]) => {
            let is_plain = !has_zone(one) && !has_zone(other);
            is_plain || [one, other].iter().all(|at| is_listed(at) && is_in_zone_tables(at))
        }
        ("time.parse_ns", [Value::String(layout), Value::String(text)]) => !layout::parse_needs_machine(layout, text),
        ("units.parse", [Value::String(text)]) => !units::is_beyond(text),
        ("units.parse_bytes", [Value::String(text)]) => !units::are_bytes_beyond(text),
        ("urlquery.encode_object", [Value::Object(fields)]) => fields.keys().all(|key| matches!(key, Value::String(_))),
        // OPA has a UUID for any value.
        ("uuid.rfc4122", [key]) => matches!(key, Value::String(_)),
        _ => true,
    };
    if exact { Ok(()) } else { Err(Exceeded(format!("{name} of these operands is not exactly as in OPA"))) }
}

/// OPA rounds whole numbers of more than 64 bits when it divides or rounds them.
pub(crate) fn is_beyond_64_bits(value: &Value) -> bool {
    matches!(value, Value::Number(number) if number.is_integer() && number.as_u64().is_none() && number.as_i64().is_none())
}

fn is_beyond_63_bits(value: &Value) -> bool {
    matches!(value, Value::Number(number) if number.is_integer() && number.as_i64().is_none())
}

/// Whether a directive of `format` may write a number in another base than ten.
fn has_base(format: &str) -> bool {
    format.split('%').skip(1).any(|directive| {
        directive.chars().find(char::is_ascii_alphabetic).is_some_and(|verb| matches!(verb, 'b' | 'o' | 'O' | 'p' | 'x' | 'X'))
    })
}

fn is_no_64_bits(value: &Value) -> bool {
    matches!(value, Value::Number(number) if number.as_i64().is_none())
}

/// Whether a time with a zone is answered alike everywhere: one that regorus knows, at a time for which tables of zones list
/// each change of the clock. Before, not all have the same tables, and what follows is a rule that is not read alike.
fn is_in_zone_tables(at: &Value) -> bool {
    match part(at, 1) {
        Some(Value::String(zone)) if has_zone(at) => is_listed(at) && is_known_zone(zone),
        _ => true,
    }
}

fn is_listed(at: &Value) -> bool {
    part(at, 0).unwrap_or(at).as_i64().is_ok_and(|time| (0..LAST_LISTED).contains(&time))
}

fn has_zone(at: &Value) -> bool {
    matches!(part(at, 1), Some(Value::String(zone)) if !matches!(&**zone, "" | "UTC"))
}

/// Whether the letters of a zone other than UTC are written.
fn names_its_zone(at: &Value) -> bool {
    has_zone(at) && matches!(part(at, 2), Some(Value::String(layout)) if layout::names_its_zone(layout))
}

fn part(at: &Value, number: usize) -> Option<&Value> {
    if let Value::Array(parts) = at { parts.get(number) } else { None }
}

/// Whether a number is beyond a million; one that is no double exactly is far beyond.
fn is_far(count: &Value) -> bool {
    matches!(count, Value::Number(_)) && !count.as_f64().is_ok_and(|count| count.abs() <= 1_000_000.0)
}

fn is_mapped(network: &Value) -> bool {
    matches!(network, Value::String(text) if text.to_ascii_lowercase().contains(":ffff:"))
}

fn items_of(collection: &Value) -> Option<Vec<&Value>> {
    match collection {
        Value::Array(items) => Some(items.iter().collect()),
        Value::Set(items) => Some(items.iter().collect()),
        _ => None,
    }
}

fn is_whole(items: &[&Value]) -> bool {
    items.iter().all(|item| if let Value::Number(number) = item { number.is_integer() } else { true })
}

fn are_plain(items: &[&Value]) -> bool {
    let plain = |float: f64| float.abs() < LARGEST_FRACTION && (float * 16.0).fract() == 0.0;
    items.len() <= MAX_FRACTIONS && items.iter().all(|item| item.as_f64().is_ok_and(plain))
}

/// Whether `text` may be a number with underscores or in another base, which OPA reads.
fn is_written_as_in_go(text: &str) -> bool {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let is_prefixed = digits
        .strip_prefix('0')
        .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_alphabetic() && c != 'e' && c != 'E'));
    text.contains('_') || is_prefixed
}

/// Whether `text` may be a whole number that OPA, for the length of its spelling, takes for none: with zeros in front or behind the
/// point, or with a plus.
fn is_long_and_odd(text: &str) -> bool {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'+' | b'-' | b'.'));
    is_number && text.len() >= LONG_NUMBER_BYTES && !is_plain(text)
}

#[cfg(test)]
mod tests {
    use super::super::tests::json;
    use super::*;

    #[test]
    fn what_would_be_rounded_is_refused_and_all_else_is_not() {
        for (name, operand) in [("sum", "[0.1, 0.2]"), ("product", "[0.2, 0.3]"), ("to_number", r#""0.30000000000000000001""#)]
        {
            assert!(check(name, &[json(operand)]).is_err(), "{name} {operand}");
        }
        for (name, operand) in [("sum", "[0.5, 0.25]"), ("sum", r#"["a"]"#), ("product", "[2, 3]"), ("to_number", r#""0.3""#)] {
            assert!(check(name, &[json(operand)]).is_ok(), "{name} {operand}");
        }
        assert!(check("json.unmarshal", &["0.123456789012345678901".into()]).is_err());
        for (name, operand) in [
            ("round", "123456789012345678901234567890"),
            ("round", "18446744073709551615"),
            ("net.cidr_merge", r#"["::ffff:10.0.0.0/104"]"#),
        ] {
            assert!(check(name, &[json(operand)]).is_err(), "{name} {operand}");
        }
        for (name, operands) in [
            ("sprintf", vec!["%b".into(), json("[0.5]")]),
            ("sprintf", vec!["a%-5x".into(), json("[18446744073709551616]")]),
            ("time.clock", vec![json(r#"[9223372036854775807, "Europe/Berlin"]"#)]),
            ("time.date", vec![json(r#"[-1, "Europe/Amsterdam"]"#)]),
            ("time.date", vec![json(r#"[1, "Local"]"#)]),
            ("time.date", vec![json(r#"[1, "posix/Europe/Berlin"]"#)]),
            ("time.format", vec![json(r#"[1, "Europe/Berlin", "RFC1123"]"#)]),
            ("time.diff", vec![json(r#"[1, "Europe/Berlin"]"#), json("9223372036854775807")]),
            ("rand.intn", vec!["a".into(), json("-1")]),
            ("units.parse", vec!["1e2000".into()]),
            ("units.parse", vec!["1µ".into()]),
            ("units.parse", vec!["1M\u{130}".into()]),
            ("units.parse_bytes", vec!["1M\u{130}B".into()]),
            ("units.parse_bytes", vec!["1e1000".into()]),
            ("time.add_date", vec![json(r#"[1, "Europe/Berlin"]"#), json("0"), json("6"), json("0")]),
            // No double has it exactly.
            ("time.add_date", vec![json("1"), json("0"), json("6"), json("9223372036854775807")]),
            ("time.parse_ns", vec!["RFC1123".into(), "Mon, 02 Jan 2006 15:04:05 CET".into()]),
        ] {
            assert!(check(name, &operands).is_err(), "{name} {operands:?}");
        }
        for (name, operands) in [
            ("sprintf", vec!["%b %s %v%%".into(), json(r#"[5, "x", 2]"#)]),
            ("sprintf", vec!["%.2f".into(), json("[0.5]")]),
            ("time.clock", vec![json(r#"[9223372036854775807, "UTC"]"#)]),
            ("time.clock", vec![json(r#"[1709251199123456790, "Europe/Berlin"]"#)]),
            ("rand.intn", vec!["a".into(), json("0")]),
            ("rand.intn", vec!["a".into(), json("7")]),
            ("units.parse", vec!["1e900k".into()]),
            ("units.parse_bytes", vec!["1.1kb".into()]),
            ("time.format", vec![json("1709251199123456790")]),
            ("time.format", vec![json(r#"[1, "UTC", "RFC1123"]"#)]),
            ("time.format", vec![json(r#"[1, "Europe/Berlin", "RFC1123Z"]"#)]),
            ("time.add_date", vec![json(r#"[1, "UTC"]"#), json("0"), json("6"), json("0")]),
            ("time.parse_ns", vec!["2006-01-02".into(), "2026-01-3".into()]),
            ("time.parse_ns", vec!["2006-01-02".into(), "2026-01-03".into()]),
            ("time.parse_ns", vec!["2006-01-02T15:04:05Z07:00".into(), "1985-04-12T23:20:50Z".into()]),
        ] {
            assert!(check(name, &operands).is_ok(), "{name} {operands:?}");
        }
        for (name, operand) in [
            ("round", "1.5"),
            ("round", "9223372036854775807"),
            ("floor", "18446744073709551615"),
            ("abs", "-18"),
            ("net.cidr_merge", r#"["10.0.0.0/8"]"#),
        ] {
            assert!(check(name, &[json(operand)]).is_ok(), "{name} {operand}");
        }
        assert!(check("json.unmarshal", &["nonsense".into()]).is_ok());
    }
}
