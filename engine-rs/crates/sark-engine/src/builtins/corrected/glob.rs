//! Globs, by way of regular expressions: these take linear time whatever the pattern.
//!
//! `*` and `?` stop at delimiters, `**` does not; `[...]` and `{...,...}` are as in the library that OPA uses, whose reader
//! has ways of its own: only `!` negates a list, and a range is one range.

use std::{borrow::Cow, iter::Peekable, str::Chars, sync::LazyLock};

use quick_cache::Equivalent;
use regorus::Value;

use super::super::{
    BuiltinError, Circumstances, OwnBuiltin,
    operands::{none_of, operand, string},
};
use super::matching::{self, Kept, Matcher};

pub(in crate::builtins) const OWN: &[OwnBuiltin] = &[
    OwnBuiltin { name: "glob.match", arity: 3, call: glob_match },
    OwnBuiltin { name: "glob.quote_meta", arity: 1, call: quote_meta },
];

static COMPILED: LazyLock<Kept<Written, Unread>> = LazyLock::new(matching::kept);

/// Longest expression that is made of a pattern: each of its wildcards knows all delimiters.
const LONGEST_TRANSLATION: usize = 256 << 10;

/// Why a pattern is not compiled.
#[derive(Debug, Clone, Copy)]
enum Unread {
    Refused,
    /// It is not known here whether OPA's library takes it, or it makes too much.
    LeftToOpa,
}

/// What a character takes in an expression.
const CODE_POINT_BYTES: usize = 8;

/// A pattern and its delimiters.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Written {
    pattern: Box<str>,
    delimiters: Box<str>,
}

impl matching::Key for Written {
    fn bytes(&self) -> usize {
        self.pattern.len() + self.delimiters.len()
    }
}

/// The same as it is looked for, without a copy.
#[derive(Hash)]
struct Sought<'t> {
    pattern: &'t str,
    delimiters: &'t str,
}

impl Equivalent<Written> for Sought<'_> {
    fn equivalent(&self, key: &Written) -> bool {
        (self.pattern, self.delimiters) == (&*key.pattern, &*key.delimiters)
    }
}

fn glob_match(operands: &[Value], circumstances: &Circumstances) -> Result<Value, BuiltinError> {
    let (pattern, text) = (string(operands, 0)?, string(operands, 2)?);
    let delimiters = delimiters(operand(operands, 1))?;
    let regex = COMPILED.get(&Sought { pattern, delimiters: &delimiters }).unwrap_or_else(|| {
        let regex = if ends_in_an_escape(pattern) || is_long(pattern, &delimiters) {
            Err(Unread::LeftToOpa)
        } else {
            let translated = translated(pattern, &delimiters).ok_or(Unread::Refused);
            translated.and_then(|translated| Matcher::compile(&translated).map_err(|_| Unread::LeftToOpa))
        };
        COMPILED.insert(Written { pattern: pattern.into(), delimiters: (&*delimiters).into() }, regex.clone());
        regex
    });
    match regex {
        Ok(regex) => regex.is_match(text, circumstances).map(Value::from),
        Err(Unread::Refused) => Err(BuiltinError(format!("no glob: {pattern:?}"))),
        Err(Unread::LeftToOpa) => Err(circumstances.leave(format!("the glob {pattern:?} is not read here as in OPA"))),
    }
}

/// Whether `pattern` ends in a backslash that escapes nothing.
fn ends_in_an_escape(pattern: &str) -> bool {
    pattern.bytes().rev().take_while(|byte| *byte == b'\\').count() % 2 == 1
}

/// Whether too much is made of `pattern`.
fn is_long(pattern: &str, delimiters: &str) -> bool {
    let wildcards = pattern.bytes().filter(|byte| matches!(byte, b'*' | b'?')).count();
    let code_points = wildcards.saturating_mul(delimiters.len().saturating_add(1)).saturating_add(pattern.len());
    code_points.saturating_mul(CODE_POINT_BYTES) > LONGEST_TRANSLATION
}

/// Null means none, and an empty list the dot.
fn delimiters(operand: &Value) -> Result<Cow<'_, str>, BuiltinError> {
    let items = match operand {
        Value::Null => return Ok("".into()),
        Value::Array(items) if items.is_empty() => return Ok(".".into()),
        Value::Array(items) => items,
        other => return Err(none_of(1, "array, null", other)),
    };
    // One is mostly all there are, and is not copied.
    let mut delimiters = Cow::Borrowed("");
    for item in items.iter() {
        let Value::String(text) = item else {
            return Err(BuiltinError("operand 2 must be array of strings".into()));
        };
        let mut chars = text.chars();
        if chars.next().is_none() || chars.next().is_some() {
            return Err(BuiltinError("operand 2 must be array of strings of one character".into()));
        }
        delimiters += &**text;
    }
    Ok(delimiters)
}

/// A regular expression for `pattern`; None when it is no glob.
fn translated(pattern: &str, delimiters: &str) -> Option<String> {
    let single = if delimiters.is_empty() {
        "(?s:.)".to_owned()
    } else {
        format!("[^{}]", delimiters.chars().map(code_point).collect::<String>())
    };
    let mut text = String::from(r"\A(?:");
    let mut open = 0_usize;
    let mut chars = pattern.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '{' => {
                open += 1;
                text.push_str("(?:");
            }
            ',' if open > 0 => text.push('|'),
            '}' if open > 0 => {
                open -= 1;
                text.push(')');
            }
            '[' => text.push_str(&class(&mut chars)?),
            '?' => text.push_str(&single),
            '*' if chars.next_if_eq(&'*').is_some() => text.push_str("(?s:.)*"),
            '*' => {
                text.push_str(&single);
                text.push('*');
            }
            '\\' => chars.next().into_iter().for_each(|c| text.push_str(&code_point(c))),
            c => text.push_str(&code_point(c)),
        }
    }
    text.push_str(r")\z");
    (open == 0).then_some(text)
}

/// A list of characters or one range; stands behind the opening bracket.
fn class(chars: &mut Peekable<Chars<'_>>) -> Option<String> {
    let negation = if chars.next_if_eq(&'!').is_some() { "^" } else { "" };
    let mut after = chars.clone();
    let low = after.next()?;
    if after.next_if_eq(&'-').is_some() {
        let high = after.next()?;
        let is_range = after.next()? == ']' && low <= high;
        *chars = after;
        return is_range.then(|| format!("[{negation}{}-{}]", code_point(low), code_point(high)));
    }
    let mut members = String::new();
    loop {
        match chars.next()? {
            ']' => break,
            '\\' => members.push_str(&code_point(chars.next()?)),
            c => members.push_str(&code_point(c)),
        }
    }
    (!members.is_empty()).then(|| format!("[{negation}{members}]"))
}

fn code_point(c: char) -> String {
    format!("\\x{{{:x}}}", u32::from(c))
}

fn quote_meta(operands: &[Value], _: &Circumstances) -> Result<Value, BuiltinError> {
    let mut quoted = String::new();
    for c in string(operands, 0)?.chars() {
        if matches!(c, '*' | '?' | '\\' | '[' | ']' | '{' | '}') {
            quoted.push('\\');
        }
        quoted.push(c);
    }
    Ok(Value::from(quoted))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::builtins::tests::{called, is_left_to_opa, json};

    fn matched(pattern: &str, delimiters: &str, text: &str) -> Result<Value, BuiltinError> {
        called("glob.match", &[pattern.into(), json(delimiters), text.into()])
    }

    #[test]
    fn a_star_stops_at_every_delimiter() {
        for (pattern, delimiters, text, is_match) in [
            ("*", r#"[".", ":"]"#, "a:b", false),
            ("foo:*:bar", r#"[":"]"#, "foo:x:bar", true),
            ("foo:*:bar", r#"[":"]"#, "foo:x:y:bar", false),
            ("foo:**:bar", r#"[":"]"#, "foo:x:y:bar", true),
            ("*.com", "[]", "a.b.com", false),
            ("*.com", "null", "a.b.com", true),
            ("a?c", "[]", "a.c", false),
            ("?本*", "null", "日本語", true),
        ] {
            assert_eq!(matched(pattern, delimiters, text), Ok(Value::from(is_match)), "{pattern} {delimiters} {text}");
        }
    }

    #[test]
    fn lists_ranges_and_alternatives_match_one_of_theirs() {
        for (pattern, text, is_match) in [
            ("[abc]", "b", true),
            ("[!abc]", "b", false),
            ("[a-c]x", "bx", true),
            ("[!a-c]x", "bx", false),
            ("[^a]", "a", true),
            ("{a,bc}d", "bcd", true),
            ("{,a}", "", true),
            ("{a,{b,c}}", "c", true),
            (r"\*a", "*a", true),
            ("a,b", "a,b", true),
        ] {
            assert_eq!(matched(pattern, "null", text), Ok(Value::from(is_match)), "{pattern} {text}");
        }
    }

    #[test]
    fn what_is_no_glob_has_no_answer() {
        for pattern in ["[", "[]", "[a-]", "[c-a]", "[a-cx]", "{a"] {
            assert!(matched(pattern, "null", "a").is_err(), "{pattern}");
        }
        assert!(matched("*", r#"["ab"]"#, "a").is_err() && matched("*", "1", "a").is_err());
    }

    #[test]
    fn a_pattern_that_ends_in_an_escape_or_is_too_big_is_left_to_opa() {
        let deep = format!("{}a{}", "{".repeat(300), "}".repeat(300));
        for pattern in ["\\", "a\\", "a\\\\\\", "{a,\\", deep.as_str()] {
            assert!(is_left_to_opa("glob.match", &[pattern.into(), Value::Null, "".into()]), "{pattern}");
        }
        assert_eq!(matched(r"a\\", "null", r"a\"), Ok(Value::from(true)));
        let delimiters: Value = ('a'..='z').map(|letter| Value::from(letter.to_string())).collect::<Vec<_>>().into();
        assert!(is_left_to_opa("glob.match", &["*".repeat(3).repeat(1_000).into(), delimiters, "".into()]));
    }

    #[test]
    fn quoting_leaves_nothing_special() {
        let quoted = called("glob.quote_meta", &["a*b?[c]{d}\\".into()]);
        assert_eq!(quoted, Ok(r"a\*b\?\[c\]\{d\}\\".into()));
    }
}
