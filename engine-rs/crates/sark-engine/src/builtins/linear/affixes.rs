//! Whether one of many texts begins, or ends, with one of many others.

use regorus::Value;

use super::super::{
    BuiltinError, Circumstances, OwnBuiltin,
    operands::{none_of, operand, wrong_type},
};

pub(super) const OWN: &[OwnBuiltin] = &[
    OwnBuiltin { name: "strings.any_prefix_match", arity: 2, call: any_prefix_match },
    OwnBuiltin { name: "strings.any_suffix_match", arity: 2, call: any_suffix_match },
];

fn any_prefix_match(operands: &[Value], _: &Circumstances) -> Result<Value, BuiltinError> {
    let (mut texts, prefixes) = (texts(operands, 0)?, texts(operands, 1)?);
    texts.sort_unstable();
    Ok(Value::from(prefixes.iter().any(|prefix| begins_one(&texts, prefix.as_bytes(), |text| text.as_bytes()))))
}

fn any_suffix_match(operands: &[Value], _: &Circumstances) -> Result<Value, BuiltinError> {
    let backwards = |text: &&str| -> Vec<u8> { text.bytes().rev().collect() };
    let mut texts: Vec<Vec<u8>> = texts(operands, 0)?.iter().map(backwards).collect();
    texts.sort_unstable();
    let suffixes = self::texts(operands, 1)?;
    Ok(Value::from(suffixes.iter().any(|suffix| begins_one(&texts, &backwards(suffix), Vec::as_slice))))
}

/// Whether one of `sorted` begins with `prefix`: the first that does not come before it, if any does.
fn begins_one<T>(sorted: &[T], prefix: &[u8], bytes: impl Fn(&T) -> &[u8]) -> bool {
    let first = sorted.partition_point(|text| bytes(text) < prefix);
    sorted.get(first).is_some_and(|text| bytes(text).starts_with(prefix))
}

/// A text, or all of an array or set.
fn texts(operands: &[Value], index: usize) -> Result<Vec<&str>, BuiltinError> {
    match operand(operands, index) {
        Value::String(text) => Ok(vec![text]),
        Value::Array(items) => items.iter().map(|item| text(item, index)).collect(),
        Value::Set(items) => items.iter().map(|item| text(item, index)).collect(),
        other => Err(none_of(index, "string, set, array", other)),
    }
}

fn text(item: &Value, index: usize) -> Result<&str, BuiltinError> {
    match item {
        Value::String(text) => Ok(text),
        other => Err(wrong_type(index, "a collection of strings", other)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::tests::{called, json, set_of};
    use super::*;

    #[test]
    fn one_of_the_texts_begins_or_ends_with_one_of_the_others() {
        for (name, texts, others, expected) in [
            ("strings.any_prefix_match", r#"["b", "ab", "abc"]"#, r#"["x", "abc"]"#, true),
            ("strings.any_prefix_match", r#"["b", "ab"]"#, r#"["abc", "c"]"#, false),
            ("strings.any_prefix_match", r#"["a"]"#, r#"[""]"#, true),
            ("strings.any_prefix_match", "[]", r#"[""]"#, false),
            ("strings.any_prefix_match", r#"["a"]"#, "[]", false),
            ("strings.any_prefix_match", r#""日本""#, r#""日""#, true),
            ("strings.any_suffix_match", r#"["ba", "cab"]"#, r#"["x", "ab"]"#, true),
            ("strings.any_suffix_match", r#"["ba", "bac"]"#, r#"["ab", "abac"]"#, false),
            ("strings.any_suffix_match", r#""日本""#, r#"["本"]"#, true),
        ] {
            assert_eq!(called(name, &[json(texts), json(others)]), Ok(Value::from(expected)), "{name} {texts} {others}");
        }
        assert_eq!(called("strings.any_prefix_match", &[set_of(r#"["ab"]"#), set_of(r#"["a"]"#)]), Ok(Value::from(true)));
    }

    #[test]
    fn what_is_no_text_has_no_answer() {
        for (texts, others) in [(r#"["a", 1]"#, r#""a""#), (r#""a""#, r#"["a", 1]"#), ("1", r#""a""#), (r#""a""#, "{}")] {
            assert!(called("strings.any_prefix_match", &[json(texts), json(others)]).is_err(), "{texts} {others}");
            assert!(called("strings.any_suffix_match", &[json(texts), json(others)]).is_err(), "{texts} {others}");
        }
    }
}
