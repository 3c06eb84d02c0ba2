//! Values and strings as OPA writes them into messages.

use std::fmt::Write;

use regorus::Value;

use super::super::{order::compare, unicode::is_assigned};

/// A term as OPA shows it: `{"a": [1, true]}`, sets as `{1, 2}` and `set()`. None when it is longer than `most` bytes.
pub(super) fn term(value: &Value, most: usize) -> Option<String> {
    let mut text = String::new();
    write_term(value, &mut text, most)?;
    (text.len() <= most).then_some(text)
}

fn write_term(value: &Value, text: &mut String, most: usize) -> Option<()> {
    if text.len() > most {
        return None;
    }
    match value {
        Value::Null => text.push_str("null"),
        Value::Bool(value) => text.push_str(if *value { "true" } else { "false" }),
        Value::Number(number) => text.push_str(&number.format_decimal()),
        Value::String(string) if string.len() > most => return None,
        Value::String(string) => text.push_str(&quoted(string, false)),
        Value::Array(items) => write_all("[", "]", items.iter(), text, most)?,
        Value::Set(items) if items.is_empty() => text.push_str("set()"),
        Value::Set(items) => {
            let mut sorted: Vec<_> = items.iter().collect();
            sorted.sort_by(|a, b| compare(a, b));
            write_all("{", "}", sorted.into_iter(), text, most)?;
        }
        Value::Object(fields) => {
            let mut sorted: Vec<_> = fields.iter().collect();
            sorted.sort_by(|a, b| compare(a.0, b.0));
            text.push('{');
            for (place, (key, value)) in sorted.into_iter().enumerate() {
                text.push_str(if place == 0 { "" } else { ", " });
                write_term(key, text, most)?;
                text.push_str(": ");
                write_term(value, text, most)?;
            }
            text.push('}');
        }
        Value::Undefined => text.push_str("undefined"),
    }
    Some(())
}

fn write_all<'v>(
    open: &str,
    close: &str,
    items: impl Iterator<Item = &'v Value>,
    text: &mut String,
    most: usize,
) -> Option<()> {
    text.push_str(open);
    for (place, item) in items.enumerate() {
        text.push_str(if place == 0 { "" } else { ", " });
        write_term(item, text, most)?;
    }
    text.push_str(close);
    Some(())
}

/// `string` between double quotes with Go's escapes; with `ascii`, everything beyond ASCII is escaped too.
pub(super) fn quoted(string: &str, ascii: bool) -> String {
    let mut text = String::with_capacity(string.len() + 2);
    text.push('"');
    string.chars().for_each(|c| escape(c, '"', ascii, &mut text));
    text.push('"');
    text
}

/// `c` between single quotes with Go's escapes.
pub(super) fn quoted_char(c: char, ascii: bool) -> String {
    let mut text = String::from("'");
    escape(c, '\'', ascii, &mut text);
    text.push('\'');
    text
}

fn escape(c: char, quote: char, ascii: bool, text: &mut String) {
    match c {
        '\x07' => text.push_str("\\a"),
        '\x08' => text.push_str("\\b"),
        '\x0c' => text.push_str("\\f"),
        '\n' => text.push_str("\\n"),
        '\r' => text.push_str("\\r"),
        '\t' => text.push_str("\\t"),
        '\x0b' => text.push_str("\\v"),
        '\\' => text.push_str("\\\\"),
        _ if c == quote => {
            text.push('\\');
            text.push(c);
        }
        _ if (c.is_ascii() || !ascii) && is_printable(c) => text.push(c),
        _ => {
            let code = u32::from(c);
            // Writing to a string cannot fail.
            let _ = match code {
                0..0x20 | 0x7f => write!(text, "\\x{code:02x}"),
                0..0x1_0000 => write!(text, "\\u{code:04x}"),
                _ => write!(text, "\\U{code:08x}"),
            };
        }
    }
}

/// Go counts marks as printable; Rust escapes one only where no letter precedes it.
pub(super) fn is_printable(c: char) -> bool {
    let is_shown = || ['a', c].iter().collect::<String>().escape_debug().nth(1) == Some(c);
    matches!(c, ' ' | '\'' | '"' | '\\') || (is_assigned(c) && is_shown())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::builtins::tests::{json, set_of};

    #[test]
    fn terms_are_written_as_rego() {
        for (value, text) in [
            (json(r#"{"b": [1, "x\ny"], "a": null}"#), r#"{"a": null, "b": [1, "x\ny"]}"#),
            (set_of(r#"["b", 2, true]"#), r#"{true, 2, "b"}"#),
            (set_of("[]"), "set()"),
        ] {
            assert_eq!(term(&value, text.len()).as_deref(), Some(text));
            assert_eq!(term(&value, text.len() - 1), None);
        }
    }

    #[test]
    fn what_cannot_be_seen_is_escaped() {
        assert_eq!(quoted("a\"\\\u{1}\u{7f}\u{a0}é日\u{301}'", false), "\"a\\\"\\\\\\x01\\x7f\\u00a0é日\u{301}'\"");
        assert_eq!(quoted("\u{1c88}\u{1c89}\u{1fae9}", false), "\"\u{1c88}\\u1c89\\U0001fae9\"");
        assert_eq!(quoted("é\u{1f600}", true), r#""\u00e9\U0001f600""#);
        assert_eq!(quoted_char('\'', false), r"'\''");
    }
}
