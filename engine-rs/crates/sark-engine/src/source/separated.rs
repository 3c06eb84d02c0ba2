//! A line that begins with `(` is a statement of its own.
//!
//! regorus takes it for the arguments of the name that ends the line before: `limit` and `(a - b) < c` become `limit(a - b) < c`.
//! Brackets and dots it does not take across lines. OPA takes no arguments behind a space.

use std::borrow::Cow;

use super::{
    statements::joins,
    tokens::{Kind, Token, Tokens},
};

/// `text` with a `;` behind each such name, so that everything keeps its line and column.
pub(super) fn separated(text: &str) -> Cow<'_, str> {
    if !text.lines().any(|line| line.trim_start().starts_with('(')) {
        return Cow::Borrowed(text);
    }
    let mut ends = Vec::new();
    let (mut before, mut is_field): (Option<Token<'_>>, bool) = (None, false);
    for token in Tokens::of(text) {
        if let Some(name) = before
            && token.kind == Kind::Open(b'(')
            && ends_name(name, is_field)
            && text.get(name.end()..token.start).is_some_and(|between| between.contains('\n'))
        {
            ends.push(name.end());
        }
        is_field = before.is_some_and(|token| token.kind == Kind::Sign(b'.'));
        before = Some(token);
    }
    let mut new = String::with_capacity(text.len() + ends.len());
    let mut start = 0;
    for end in ends {
        new.push_str(text.get(start..end).unwrap_or_default());
        new.push(';');
        start = end;
    }
    new.push_str(text.get(start..).unwrap_or_default());
    Cow::Owned(new)
}

/// Whether a function's name may end with `token`, which is a field of something.
fn ends_name(token: Token<'_>, is_field: bool) -> bool {
    match token.kind {
        Kind::Word => is_field || !joins(token.text),
        Kind::Close(b']') => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_and_a_bracket_on_the_next_line_are_two_statements() {
        for (text, expected) in [
            ("a <= b\n(c - d) < e", "a <= b;\n(c - d) < e"),
            ("a := b # why\n\n\t# not\n\t(c)", "a := b; # why\n\n\t# not\n\t(c)"),
            ("x == y[\"z\"]\n(a)", "x == y[\"z\"];\n(a)"),
            ("x == input.if\n(a)\nb\n(c)", "x == input.if;\n(a)\nb;\n(c)"),
        ] {
            assert_eq!(separated(text), expected, "{text}");
        }
    }

    #[test]
    fn all_else_stays_as_it_is() {
        for text in [
            "f(a)",
            "f(\n(a))",
            "a if\n(b)",
            "not\n(b)",
            "x in\n(b)",
            "1 +\n(b)",
            "f(x)\n(b)",
            "3\n(b)",
            "\"a\"\n(b)",
            "{1}\n(b)",
            "`a\n(b)`",
            "# a\n(b)",
        ] {
            assert_eq!(separated(text), text);
        }
    }
}
