//! Functions of strings.

use regorus::{Value, value::Array};

use super::super::{
    BuiltinError, Circumstances, OwnBuiltin,
    operands::{integer, object, string, text_of_bytes},
};
use super::{runs::runs, unicode::is_paired_later};

pub(in crate::builtins) const OWN: &[OwnBuiltin] = &[
    OwnBuiltin { name: "count", arity: 1, call: length },
    OwnBuiltin { name: "indexof", arity: 2, call: indexof },
    OwnBuiltin { name: "indexof_n", arity: 2, call: indexof_n },
    OwnBuiltin { name: "lower", arity: 1, call: lower },
    OwnBuiltin { name: "replace", arity: 3, call: replace },
    OwnBuiltin { name: "strings.count", arity: 2, call: count },
    OwnBuiltin { name: "strings.replace_n", arity: 2, call: replace_n },
    OwnBuiltin { name: "substring", arity: 3, call: substring },
    OwnBuiltin { name: "trace", arity: 1, call: trace },
    OwnBuiltin { name: "upper", arity: 1, call: upper },
];

/// Elements of a collection, or characters of a text.
fn length(operands: &[Value], _: &Circumstances) -> Result<Value, BuiltinError> {
    match operands.first() {
        Some(Value::String(text)) => Ok(Value::from(text.chars().count())),
        Some(Value::Array(items)) => Ok(Value::from(items.len())),
        Some(Value::Object(fields)) => Ok(Value::from(fields.len())),
        Some(Value::Set(items)) => Ok(Value::from(items.len())),
        _ => Err(BuiltinError("operand 1 must be one of {string, array, object, set}".into())),
    }
}

fn sought(operands: &[Value]) -> Result<(&str, &str), BuiltinError> {
    match (string(operands, 0)?, string(operands, 1)?) {
        (_, "") => Err(BuiltinError("empty search character".into())),
        both => Ok(both),
    }
}

/// The first place of the second operand in the first, counted in characters.
fn indexof(operands: &[Value], _: &Circumstances) -> Result<Value, BuiltinError> {
    let (base, search) = sought(operands)?;
    let before = base.split_once(search).map(|(before, _)| before.chars().count());
    Ok(before.map_or_else(|| Value::from(-1_i64), Value::from))
}

/// All places, those that overlap too.
fn indexof_n(operands: &[Value], circumstances: &Circumstances) -> Result<Value, BuiltinError> {
    let (base, search) = sought(operands)?;
    let starts = runs(base.as_bytes(), search.as_bytes(), circumstances)?;
    let mut starts = starts.into_iter().peekable();
    let places = base.char_indices().enumerate().filter(|(_, (at, _))| starts.next_if_eq(at).is_some());
    Ok(places.map(|(place, _)| Value::from(place)).collect::<Array>().into_value())
}

fn lower(operands: &[Value], _: &Circumstances) -> Result<Value, BuiltinError> {
    Ok(Value::from(string(operands, 0)?.chars().map(lower_of).collect::<String>()))
}

fn upper(operands: &[Value], _: &Circumstances) -> Result<Value, BuiltinError> {
    Ok(Value::from(string(operands, 0)?.chars().map(upper_of).collect::<String>()))
}

/// Go maps one character to one; only the dotted capital I becomes two in Unicode's full mapping.
fn lower_of(c: char) -> char {
    if is_paired_later(c) { c } else { c.to_lowercase().next().unwrap_or(c) }
}

/// A character whose full mapping is longer stays as it is, unless Unicode has a capital with the iota below.
fn upper_of(c: char) -> char {
    if is_paired_later(c) {
        return c;
    }
    let mut mapped = c.to_uppercase();
    match (mapped.next(), mapped.next()) {
        (Some(one), None) => one,
        _ => match c {
            '\u{1f80}'..='\u{1f87}' | '\u{1f90}'..='\u{1f97}' | '\u{1fa0}'..='\u{1fa7}' => {
                char::from_u32(u32::from(c) + 8).unwrap_or(c)
            }
            '\u{1fb3}' | '\u{1fc3}' | '\u{1ff3}' => char::from_u32(u32::from(c) + 9).unwrap_or(c),
            _ => c,
        },
    }
}

/// An empty `old` is found between all bytes, which takes characters beyond ASCII apart.
fn replace(operands: &[Value], circumstances: &Circumstances) -> Result<Value, BuiltinError> {
    let (base, old, new) = (string(operands, 0)?, string(operands, 1)?, string(operands, 2)?);
    if old.is_empty() {
        return replaced(base, &[(old, new)], circumstances);
    }
    Ok(Value::from(base.replace(old, new)))
}

/// An empty string is found around every character.
fn count(operands: &[Value], _: &Circumstances) -> Result<Value, BuiltinError> {
    let (base, search) = (string(operands, 0)?, string(operands, 1)?);
    Ok(Value::from(if search.is_empty() { base.chars().count() + 1 } else { base.matches(search).count() }))
}

fn replace_n(operands: &[Value], circumstances: &Circumstances) -> Result<Value, BuiltinError> {
    let mut pairs = Vec::new();
    for (old, new) in object(operands, 0)?.iter() {
        let Value::String(old) = old else {
            return Err(BuiltinError("operand 1 non-string key found in pattern object".into()));
        };
        let Value::String(new) = new else {
            return Err(BuiltinError("operand 1 non-string value found in pattern object".into()));
        };
        pairs.push((old.as_ref(), new.as_ref()));
    }
    pairs.sort_unstable();
    replaced(string(operands, 1)?, &pairs, circumstances)
}

/// One pass from the left; where several patterns fit, the first of `pairs` is taken. Replacements are not looked at again.
fn replaced(base: &str, pairs: &[(&str, &str)], circumstances: &Circumstances) -> Result<Value, BuiltinError> {
    let mut out = Vec::with_capacity(base.len());
    let mut rest = base.as_bytes();
    let mut matched_nothing = false;
    // A comparison of two texts takes many bytes at a time.
    let comparing: usize = pairs.iter().map(|(old, _)| 1 + old.len() / 32).sum();
    loop {
        circumstances.work(comparing)?;
        let found = pairs.iter().find(|(old, _)| rest.starts_with(old.as_bytes()) && !(old.is_empty() && matched_nothing));
        matched_nothing = found.is_some_and(|(old, _)| old.is_empty());
        if let Some((old, new)) = found {
            out.extend_from_slice(new.as_bytes());
            rest = rest.get(old.len()..).unwrap_or_default();
        } else {
            let Some((first, left)) = rest.split_first() else {
                break;
            };
            out.push(*first);
            rest = left;
        }
    }
    text_of_bytes(out, circumstances).map(Value::from)
}

fn substring(operands: &[Value], _: &Circumstances) -> Result<Value, BuiltinError> {
    let (base, start, length) = (string(operands, 0)?, integer(operands, 1)?, integer(operands, 2)?);
    let start = usize::try_from(start).map_err(|_| BuiltinError("negative offset".into()))?;
    // A negative length means the whole rest.
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    Ok(Value::from(base.chars().skip(start).take(length).collect::<String>()))
}

fn trace(operands: &[Value], _: &Circumstances) -> Result<Value, BuiltinError> {
    string(operands, 0).map(|_| Value::from(true))
}

#[cfg(test)]
mod tests {
    use super::{super::unicode::is_assigned, *};
    use crate::builtins::tests::{called, json};

    #[test]
    fn places_are_counted_in_characters() {
        assert_eq!(called("indexof", &["日本語".into(), "語".into()]), Ok(Value::from(2_u64)));
        assert_eq!(called("indexof", &["abc".into(), "z".into()]), Ok(Value::from(-1_i64)));
        assert_eq!(called("indexof_n", &["aaa".into(), "aa".into()]), Ok(json("[0, 1]")));
        assert_eq!(called("indexof_n", &["é日本日é日日本".into(), "日本".into()]), Ok(json("[1, 6]")));
        assert_eq!(called("indexof_n", &["ab".into(), "abc".into()]), Ok(json("[]")));
        assert!(called("indexof", &["abc".into(), "".into()]).is_err());
    }

    #[test]
    fn case_is_changed_character_by_character() {
        assert_eq!(called("lower", &["İΣς".into()]), Ok("iσς".into()));
        assert_eq!(called("upper", &["ßıᾳ".into()]), Ok("ßIᾼ".into()));
    }

    #[test]
    fn letters_that_go_does_not_know_have_no_case() {
        for c in (0..=u32::from(char::MAX)).filter_map(char::from_u32) {
            let (lower, upper) = (lower_of(c), upper_of(c));
            assert!([c, lower, upper].into_iter().all(is_assigned) || (lower, upper) == (c, c), "{c:?}");
        }
        let same = "\u{19b}\u{264}\u{1c89}\u{a7dc}\u{10d50}\u{10d70}\u{16ea0}";
        assert_eq!(called("lower", &[same.into()]), Ok(same.into()));
        assert_eq!(called("upper", &[same.into()]), Ok(same.into()));
    }

    #[test]
    fn an_empty_string_is_counted_around_every_character() {
        assert_eq!(called("strings.count", &["日本".into(), "".into()]), Ok(Value::from(3_u64)));
        assert_eq!(called("strings.count", &["aaaa".into(), "aa".into()]), Ok(Value::from(2_u64)));
    }

    #[test]
    fn replacements_are_made_in_one_pass() {
        let replaced = |pairs: &str, base: &str| called("strings.replace_n", &[json(pairs), base.into()]);
        assert_eq!(replaced(r#"{"a": "b", "b": "a"}"#, "abba"), Ok("baab".into()));
        assert_eq!(replaced(r#"{"a": "Y", "aa": "X"}"#, "aaa"), Ok("YYY".into()));
        assert_eq!(replaced(r#"{"": "-"}"#, "ab"), Ok("-a-b-".into()));
        assert!(replaced(r#"{"a": 1}"#, "a").is_err());
        assert_eq!(called("replace", &["ab".into(), "".into(), "x".into()]), Ok("xaxbx".into()));
    }

    #[test]
    fn a_substring_ends_where_the_string_does() {
        let part = |start: i64, length: i64| called("substring", &["日本語".into(), start.into(), length.into()]);
        assert_eq!(part(1, 1), Ok("本".into()));
        assert_eq!(part(1, -1), Ok("本語".into()));
        assert_eq!(part(9, 1), Ok("".into()));
        assert!(part(-1, 1).is_err());
        assert!(called("substring", &["a".into(), Value::from(0.5), Value::from(1_u64)]).is_err());
    }
}
