//! Regular expressions by Go's rules.

mod names;
mod syntax;

use std::sync::LazyLock;

use regorus::{Value, value::Array};

use syntax::Untranslated;

use super::super::{
    BuiltinError, Circumstances, OwnBuiltin,
    operands::{integer, operand, string},
};
use super::matching::{self, Kept, Matcher};

pub(in crate::builtins) const OWN: &[OwnBuiltin] = &[
    OwnBuiltin { name: "re_match", arity: 2, call: is_match },
    OwnBuiltin { name: "regex.find_all_string_submatch_n", arity: 3, call: find_all_string_submatch_n },
    OwnBuiltin { name: "regex.find_n", arity: 3, call: find_n },
    OwnBuiltin { name: "regex.is_valid", arity: 1, call: is_valid },
    OwnBuiltin { name: "regex.match", arity: 2, call: is_match },
    OwnBuiltin { name: "regex.replace", arity: 3, call: replace },
    OwnBuiltin { name: "regex.split", arity: 2, call: split },
    OwnBuiltin { name: "regex.template_match", arity: 4, call: template_match },
];

/// Go counts how much a pattern makes, which takes longer ones to matter.
const LONGEST_PATTERN: usize = 32 << 10;

/// Each class of Unicode is hundreds of ranges, which are put together before anything is counted.
const MOST_UNICODE_CLASSES: usize = 32;

fn is_short(pattern: &str) -> bool {
    let classes = pattern.matches("\\p").count() + pattern.matches("\\P").count();
    pattern.len() <= LONGEST_PATTERN && classes <= MOST_UNICODE_CLASSES
}

/// Compiling costs a thousand times a match.
static COMPILED: LazyLock<Kept<Box<str>, Untranslated>> = LazyLock::new(matching::kept);

/// The error is of a pattern that Go refuses. One that Go may take, and is not compiled here, is left to OPA.
fn compiled(pattern: &str, circumstances: &Circumstances) -> Result<Matcher, BuiltinError> {
    let regex = COMPILED.get(pattern).unwrap_or_else(|| {
        // What the regex crate alone refuses: too big, too deep, two groups of one name.
        let compile = |translated: String| {
            let matcher = Matcher::compile(&translated).map_err(|_| Untranslated::LeftToOpa)?;
            Ok(matcher.ignoring_case(syntax::ignores_case(&translated)))
        };
        let regex =
            if is_short(pattern) { syntax::translated(pattern).and_then(compile) } else { Err(Untranslated::LeftToOpa) };
        COMPILED.insert(pattern.into(), regex.clone());
        regex
    });
    regex.map_err(|why| match why {
        Untranslated::Refused => BuiltinError(format!("error parsing regexp: {pattern:?}")),
        Untranslated::LeftToOpa => circumstances.leave(format!("the pattern {pattern:?} is not read here as in OPA")),
    })
}

fn is_valid(operands: &[Value], circumstances: &Circumstances) -> Result<Value, BuiltinError> {
    Ok(Value::from(matches!(operand(operands, 0), Value::String(pattern) if compiled(pattern, circumstances).is_ok())))
}

fn is_match(operands: &[Value], circumstances: &Circumstances) -> Result<Value, BuiltinError> {
    let (pattern, text) = (string(operands, 0)?, string(operands, 1)?);
    compiled(pattern, circumstances)?.is_match(text, circumstances).map(Value::from)
}

/// How many matches are asked for; a negative number means all.
fn limit(operands: &[Value]) -> Result<usize, BuiltinError> {
    Ok(usize::try_from(integer(operands, 2)?).unwrap_or(usize::MAX))
}

fn find_n(operands: &[Value], circumstances: &Circumstances) -> Result<Value, BuiltinError> {
    let (pattern, text) = (string(operands, 0)?, string(operands, 1)?);
    let limit = limit(operands)?;
    let regex = compiled(pattern, circumstances)?;
    let found = regex.find_iter(text, circumstances)?.take(limit);
    Ok(found.map(|found| found.map(|found| Value::from(found.as_str()))).collect::<Result<Array, _>>()?.into_value())
}

fn find_all_string_submatch_n(operands: &[Value], circumstances: &Circumstances) -> Result<Value, BuiltinError> {
    let (pattern, text) = (string(operands, 0)?, string(operands, 1)?);
    let limit = limit(operands)?;
    let regex = compiled(pattern, circumstances)?;
    let groups = |captures: regex::Captures<'_>| {
        let texts = captures.iter().map(|group| Value::from(group.map_or("", |group| group.as_str())));
        texts.collect::<Array>().into_value()
    };
    let found = regex.captures_iter(text, circumstances)?.take(limit);
    Ok(found.map(|captures| captures.map(groups)).collect::<Result<Array, _>>()?.into_value())
}

fn replace(operands: &[Value], circumstances: &Circumstances) -> Result<Value, BuiltinError> {
    let (text, pattern, replacement) = (string(operands, 0)?, string(operands, 1)?, string(operands, 2)?);
    let regex = compiled(pattern, circumstances)?;
    if !is_plain(replacement) {
        return Err(circumstances.leave(format!("the replacement {replacement:?} is not read here as in OPA")));
    }
    regex.replace_all(text, replacement, circumstances).map(Value::from)
}

/// Whether Go and the regex crate read a replacement alike: the groups in it are `$word` or `${word}`, and a number has no zero
/// in front. To Go a word may have any letters.
fn is_plain(replacement: &str) -> bool {
    let is_of_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let mut rest = replacement;
    while let Some((_, behind)) = rest.split_once('$') {
        if behind.is_empty() {
            return true;
        }
        if let Some(behind) = behind.strip_prefix('$') {
            rest = behind;
            continue;
        }
        let (word, behind) = match behind.strip_prefix('{') {
            Some(inside) => match inside.split_once('}') {
                Some(parts) => parts,
                None => return false,
            },
            None => behind.split_at(behind.find(|c| !is_of_word(c)).unwrap_or(behind.len())),
        };
        let is_number = word.bytes().all(|byte| byte.is_ascii_digit());
        let is_word =
            !word.is_empty() && word.chars().all(is_of_word) && !(is_number && word.len() > 1 && word.starts_with('0'));
        if !is_word || !behind.chars().next().is_none_or(|c| c.is_ascii()) {
            return false;
        }
        rest = behind;
    }
    true
}

/// An empty match at the very start separates nothing, and neither does one at the very end.
fn split(operands: &[Value], circumstances: &Circumstances) -> Result<Value, BuiltinError> {
    let (pattern, text) = (string(operands, 0)?, string(operands, 1)?);
    let regex = compiled(pattern, circumstances)?;
    if text.is_empty() && !pattern.is_empty() {
        return Ok(std::iter::once(Value::from("")).collect::<Array>().into_value());
    }
    let (mut parts, mut begin, mut end) = (Array::new(), 0, 0);
    for found in regex.find_iter(text, circumstances)? {
        let found = found?;
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

fn template_match(operands: &[Value], circumstances: &Circumstances) -> Result<Value, BuiltinError> {
    let (template, text) = (string(operands, 0)?, string(operands, 1)?);
    let (&[start], &[end]) = (string(operands, 2)?.as_bytes(), string(operands, 3)?.as_bytes()) else {
        return Err(BuiltinError("a delimiter has to be exactly one character long".into()));
    };
    let regex = compiled(&pattern_of(template, start, end, circumstances)?, circumstances)?;
    regex.is_match(text, circumstances).map(Value::from)
}

/// The pattern of a template: what stands between delimiters is a pattern, the rest is literal.
fn pattern_of(template: &str, start: u8, end: u8, circumstances: &Circumstances) -> Result<String, BuiltinError> {
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
                circumstances.long_work()?;
                compiled(&format!("^{inner}$"), circumstances)?;
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
    use crate::builtins::tests::{called, is_left_to_opa, json};

    #[test]
    fn classes_are_ascii() {
        assert_eq!(called("regex.find_n", &[r"\w+".into(), "héé a1".into(), Value::from(-1_i64)]), Ok(json(r#"["h", "a1"]"#)));
        assert_eq!(called("regex.match", &[r"^\d$".into(), "٣".into()]), Ok(Value::from(false)));
    }

    #[test]
    fn letters_that_only_a_later_unicode_takes_for_one_are_left_to_opa_where_case_is_ignored() {
        for text in ["\u{390}", "\u{1fd3}", "a\u{fb06}", "\u{a7cb}", "\u{264}", "\u{10d70}"] {
            for pattern in ["(?i)\u{390}", "(?si:x)", r"(?i)[\x{fb05}]", "(?P<n>(?i)x)"] {
                assert!(is_left_to_opa("regex.match", &[pattern.into(), text.into()]), "{pattern} {text}");
                assert!(is_left_to_opa("regex.split", &[pattern.into(), text.into()]), "{pattern} {text}");
            }
            for pattern in ["\u{390}", "(?s:x)", "(?-i)x", "(?P<i>x)", r"\(\?i\)"] {
                assert!(!is_left_to_opa("regex.match", &[pattern.into(), text.into()]), "{pattern} {text}");
            }
        }
        assert_eq!(called("regex.match", &["(?i)^σ\u{212a}$".into(), "ςk".into()]), Ok(Value::from(true)));
    }

    #[test]
    fn scripts_whose_names_go_does_not_find_are_left_to_opa() {
        for pattern in [r"\p{Linear_B}", r"[^\P{Old_Italic}]", r"\p{SignWriting}"] {
            assert!(is_left_to_opa("regex.is_valid", &[pattern.into()]), "{pattern}");
            assert!(is_left_to_opa("regex.match", &[pattern.into(), "a".into()]), "{pattern}");
        }
    }

    #[test]
    fn between_letters_of_a_word_is_no_boundary_and_inside_a_letter_is_nothing() {
        let matched = |pattern: &str, text: &str| called("regex.match", &[pattern.into(), text.into()]);
        for (pattern, text, expected) in [
            (r"\Bb", "ab", true),
            (r"\Bb", "b", false),
            (r"\B", "a\u{e9}a", false),
            (r"\B", "\u{e9}", true),
            (r"a\B\x{e9}", "a\u{e9}", false),
            (r"\BA", "\0", false),
            (r"\B|.\W", "bλAſ0", true),
        ] {
            assert_eq!(matched(pattern, text), Ok(Value::from(expected)), "{pattern} {text:?}");
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
    fn patterns_that_only_go_takes_are_left_to_opa() {
        let deep = format!("{}a{}", "(".repeat(300), ")".repeat(300));
        for pattern in [deep.as_str(), r"[\p{L}\p{N}]{1000}", "(?P<1a>x)", "(?P<n>a)(?P<n>b)", "(?)", r"\x{D800}", "(?ii)a"] {
            for name in ["regex.match", "regex.split", "re_match"] {
                assert!(is_left_to_opa(name, &[pattern.into(), "a".into()]), "{name} {pattern}");
            }
            assert!(is_left_to_opa("regex.is_valid", &[pattern.into()]), "{pattern}");
        }
        assert_eq!(called("regex.is_valid", &["(a{1,10}){1,101}".into()]), Ok(Value::from(false)));
        assert!(!is_left_to_opa("regex.match", &["(a{1,10}){1,101}".into(), "a".into()]));
        assert_eq!(called("re_match", &[r"^\d$".into(), "٣".into()]), Ok(Value::from(false)));
    }

    #[test]
    fn replacements_are_left_to_opa_where_groups_are_named_otherwise() {
        let operands = |replacement: &str| ["ab".into(), "(?P<n>a)".into(), Value::from(replacement)];
        for replacement in ["${-1}", "$é", "$01", "${01}", "${}", "$ ", "${1", "$1é", "$-", "${é}", "$$$.", "${ 1}"] {
            assert!(is_left_to_opa("regex.replace", &operands(replacement)), "{replacement}");
        }
        for (replacement, expected) in
            [("$", "$b"), ("$$1", "$1b"), ("<$1>", "<a>b"), ("${n}x$0", "axab"), ("$1x", "b"), ("${2}", "b"), ("é$n.", "éa.b")]
        {
            assert!(!is_left_to_opa("regex.replace", &operands(replacement)), "{replacement}");
            assert_eq!(called("regex.replace", &operands(replacement)), Ok(expected.into()), "{replacement}");
        }
    }

    #[test]
    fn what_is_no_pattern_is_not_valid() {
        assert_eq!(called("regex.is_valid", &["a{2,".into()]), Ok(Value::from(true)));
        assert_eq!(called("regex.is_valid", &["(".into()]), Ok(Value::from(false)));
        assert_eq!(called("regex.is_valid", &[Value::Null]), Ok(Value::from(false)));
    }
}
