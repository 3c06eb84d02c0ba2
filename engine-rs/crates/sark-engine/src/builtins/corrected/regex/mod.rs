//! Regular expressions by Go's rules.

mod syntax;

use std::sync::{Arc, LazyLock};

use quick_cache::sync::Cache;
use regex::Regex;
use regorus::{Value, value::Array};

use super::super::{
    BuiltinError, Circumstances, OwnBuiltin,
    operands::{integer, operand, string},
};

pub(in crate::builtins) const OWN: &[OwnBuiltin] = &[
    OwnBuiltin { name: "regex.find_all_string_submatch_n", arity: 3, call: find_all_string_submatch_n },
    OwnBuiltin { name: "regex.find_n", arity: 3, call: find_n },
    OwnBuiltin { name: "regex.is_valid", arity: 1, call: is_valid },
    OwnBuiltin { name: "regex.match", arity: 2, call: is_match },
    OwnBuiltin { name: "regex.replace", arity: 3, call: replace },
    OwnBuiltin { name: "regex.split", arity: 2, call: split },
    OwnBuiltin { name: "regex.template_match", arity: 4, call: template_match },
];

/// Compiling costs a thousand times a match. Patterns that come from inputs push each other out.
static COMPILED: LazyLock<Cache<Box<str>, Option<Arc<Regex>>>> = LazyLock::new(|| Cache::new(1024));

fn compiled(pattern: &str) -> Result<Arc<Regex>, BuiltinError> {
    let regex = COMPILED.get(pattern).unwrap_or_else(|| {
        let regex = syntax::translated(pattern).and_then(|translated| Regex::new(&translated).ok()).map(Arc::new);
        COMPILED.insert(pattern.into(), regex.clone());
        regex
    });
    regex.ok_or_else(|| BuiltinError(format!("error parsing regexp: {pattern:?}")))
}

fn is_valid(operands: &[Value], _: &Circumstances) -> Result<Value, BuiltinError> {
    Ok(Value::from(matches!(operand(operands, 0), Value::String(pattern) if compiled(pattern).is_ok())))
}

fn is_match(operands: &[Value], _: &Circumstances) -> Result<Value, BuiltinError> {
    let (pattern, text) = (string(operands, 0)?, string(operands, 1)?);
    Ok(Value::from(compiled(pattern)?.is_match(text)))
}

/// How many matches are asked for; a negative number means all.
fn limit(operands: &[Value]) -> Result<usize, BuiltinError> {
    Ok(usize::try_from(integer(operands, 2)?).unwrap_or(usize::MAX))
}

fn find_n(operands: &[Value], _: &Circumstances) -> Result<Value, BuiltinError> {
    let (pattern, text) = (string(operands, 0)?, string(operands, 1)?);
    let limit = limit(operands)?;
    let regex = compiled(pattern)?;
    Ok(regex.find_iter(text).take(limit).map(|found| Value::from(found.as_str())).collect::<Array>().into_value())
}

fn find_all_string_submatch_n(operands: &[Value], _: &Circumstances) -> Result<Value, BuiltinError> {
    let (pattern, text) = (string(operands, 0)?, string(operands, 1)?);
    let limit = limit(operands)?;
    let regex = compiled(pattern)?;
    let groups = |captures: regex::Captures<'_>| {
        let texts = captures.iter().map(|group| Value::from(group.map_or("", |group| group.as_str())));
        texts.collect::<Array>().into_value()
    };
    Ok(regex.captures_iter(text).take(limit).map(groups).collect::<Array>().into_value())
}

fn replace(operands: &[Value], _: &Circumstances) -> Result<Value, BuiltinError> {
    let (text, pattern, replacement) = (string(operands, 0)?, string(operands, 1)?, string(operands, 2)?);
    Ok(Value::from(compiled(pattern)?.replace_all(text, replacement).into_owned()))
}

/// An empty match at the very start separates nothing, and neither does one at the very end.
fn split(operands: &[Value], _: &Circumstances) -> Result<Value, BuiltinError> {
    let (pattern, text) = (string(operands, 0)?, string(operands, 1)?);
    let regex = compiled(pattern)?;
    if text.is_empty() && !pattern.is_empty() {
        return Ok(std::iter::once(Value::from("")).collect::<Array>().into_value());
    }
    let (mut parts, mut begin, mut end) = (Array::new(), 0, 0);
    for found in regex.find_iter(text) {
        end = found.start();
        if found.end() != 0 {
            parts.push(Value::from(text.get(begin..end).unwrap_or_default()));
        }
        begin = found.end();
    }
    if end != text.len() {
        parts.push(Value::from(text.get(begin..).unwrap_or_default()));
    }
    Ok(parts.into_value())
}

fn template_match(operands: &[Value], _: &Circumstances) -> Result<Value, BuiltinError> {
    let (template, text) = (string(operands, 0)?, string(operands, 1)?);
    let (&[start], &[end]) = (string(operands, 2)?.as_bytes(), string(operands, 3)?.as_bytes()) else {
        return Err(BuiltinError("a delimiter has to be exactly one character long".into()));
    };
    Ok(Value::from(compiled(&pattern_of(template, start, end)?)?.is_match(text)))
}

/// The pattern of a template: what stands between delimiters is a pattern, the rest is literal.
fn pattern_of(template: &str, start: u8, end: u8) -> Result<String, BuiltinError> {
    let unbalanced = || BuiltinError(format!("unbalanced braces in {template:?}"));
    let (mut pattern, mut level, mut open, mut behind) = (String::from("^"), 0_usize, 0, 0);
    for (at, byte) in template.bytes().enumerate() {
        if byte == start {
            level += 1;
            if level == 1 {
                open = at;
            }
        } else if byte == end {
            level = level.checked_sub(1).ok_or_else(unbalanced)?;
            if level == 0 {
                let inner = template.get(open + 1..at).ok_or_else(unbalanced)?;
                compiled(&format!("^{inner}$"))?;
                pattern.push_str(&regex::escape(template.get(behind..open).ok_or_else(unbalanced)?));
                for part in ["(", inner, ")"] {
                    pattern.push_str(part);
                }
                behind = at + 1;
            }
        }
    }
    if level != 0 {
        return Err(unbalanced());
    }
    pattern.push_str(&regex::escape(template.get(behind..).ok_or_else(unbalanced)?));
    pattern.push('$');
    Ok(pattern)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::builtins::tests::{called, json};

    #[test]
    fn classes_are_ascii() {
        assert_eq!(called("regex.find_n", &[r"\w+".into(), "héé a1".into(), Value::from(-1_i64)]), Ok(json(r#"["h", "a1"]"#)));
        assert_eq!(called("regex.match", &[r"^\d$".into(), "٣".into()]), Ok(Value::from(false)));
    }

    #[test]
    fn between_letters_of_a_word_is_no_boundary_and_inside_a_letter_is_nothing() {
        let matches = |pattern: &str, text: &str| called("regex.match", &[pattern.into(), text.into()]);
        for (pattern, text, expected) in [
            (r"\Bb", "ab", true),
            (r"\Bb", "b", false),
            (r"\B", "a\u{e9}a", false),
            (r"\B", "\u{e9}", true),
            (r"a\B\x{e9}", "a\u{e9}", false),
            (r"\BA", "\0", false),
        ] {
            assert_eq!(matches(pattern, text), Ok(Value::from(expected)), "{pattern} {text:?}");
        }
    }

    #[test]
    fn groups_that_took_no_part_are_empty() {
        let found = called("regex.find_all_string_submatch_n", &["(a)(b)?".into(), "ab a".into(), Value::from(-1_i64)]);
        assert_eq!(found, Ok(json(r#"[["ab", "a", "b"], ["a", "a", ""]]"#)));
    }

    #[test]
    fn empty_matches_at_the_ends_separate_nothing() {
        assert_eq!(called("regex.split", &["x*".into(), "axb".into()]), Ok(json(r#"["a", "b"]"#)));
        assert_eq!(called("regex.split", &["a".into(), "".into()]), Ok(json(r#"[""]"#)));
        assert_eq!(called("regex.split", &[",".into(), "a,b,".into()]), Ok(json(r#"["a", "b", ""]"#)));
    }

    #[test]
    fn a_template_is_literal_outside_its_delimiters() {
        let matches = |template: &str, text: &str| {
            called("regex.template_match", &[template.into(), text.into(), "{".into(), "}".into()])
        };
        assert_eq!(matches("urn:a.b:{.*}", "urn:a.b:x"), Ok(Value::from(true)));
        assert_eq!(matches("urn:a.b:{.*}", "urn:axb:x"), Ok(Value::from(false)));
        assert_eq!(matches("{[a-z]{2}}x", "abx"), Ok(Value::from(true)));
        assert!(matches("{(", "a").is_err() && matches("}", "a").is_err());
    }

    #[test]
    fn what_is_no_pattern_is_not_valid() {
        assert_eq!(called("regex.is_valid", &["a{2,".into()]), Ok(Value::from(true)));
        assert_eq!(called("regex.is_valid", &["(".into()]), Ok(Value::from(false)));
        assert_eq!(called("regex.is_valid", &[Value::Null]), Ok(Value::from(false)));
    }
}
