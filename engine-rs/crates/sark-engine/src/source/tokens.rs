//! What a module is made of, as far as brackets and statements are concerned; found without parsing it.

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Word,
    Number,
    /// A string, raw or not.
    Text,
    /// A string that nothing ends. The rest of the module belongs to it.
    Unended,
    /// `(`, `[` or `{`.
    Open(u8),
    /// `)`, `]` or `}`.
    Close(u8),
    /// Any other sign, with a `=` behind it: `:=`, `==`, `!=`, `<=`, `>=`.
    Double(u8),
    /// Any other sign.
    Sign(u8),
}

/// A token; comments and spaces are none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Token<'t> {
    pub kind: Kind,
    /// Where it begins.
    pub start: usize,
    pub text: &'t str,
}

impl Token<'_> {
    /// Where it ends.
    pub(super) const fn end(&self) -> usize {
        self.start + self.text.len()
    }
}

/// The tokens of a text, in order.
#[derive(Debug)]
pub(super) struct Tokens<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Tokens<'t> {
    pub(super) const fn of(text: &'t str) -> Self {
        Self { text, at: 0 }
    }

    fn byte(&self, at: usize) -> Option<u8> {
        self.text.as_bytes().get(at).copied()
    }

    /// The first place from `at` on where `is` holds, or the end.
    fn seek(&self, at: usize, is: impl Fn(u8) -> bool) -> usize {
        let rest = self.text.as_bytes().get(at..).unwrap_or_default();
        at + rest.iter().position(|byte| is(*byte)).unwrap_or(rest.len())
    }

    fn skip_spaces(&mut self) {
        loop {
            self.at = self.seek(self.at, |byte| !matches!(byte, b' ' | b'\t' | b'\r' | b'\n'));
            if self.byte(self.at) != Some(b'#') {
                return;
            }
            self.at = self.seek(self.at, |byte| byte == b'\n');
        }
    }

    /// Where the string that begins here ends; None when it does not.
    fn end_of_string(&self) -> Option<usize> {
        let mut at = self.at + 1;
        loop {
            at = self.seek(at, |byte| matches!(byte, b'"' | b'\\' | b'\n'));
            match self.byte(at)? {
                b'"' => return Some(at + 1),
                b'\n' => return None,
                _ => at += 2,
            }
        }
    }

    fn end_of_raw_string(&self) -> Option<usize> {
        let end = self.seek(self.at + 1, |byte| byte == b'`');
        self.byte(end).map(|_| end + 1)
    }

    /// Kind and end of the token that begins here with `first`.
    fn token(&self, first: u8) -> (Kind, usize) {
        let ended = |end: Option<usize>| end.map_or((Kind::Unended, self.text.len()), |end| (Kind::Text, end));
        match first {
            b'"' => ended(self.end_of_string()),
            b'`' => ended(self.end_of_raw_string()),
            b'_' | b'A'..=b'Z' | b'a'..=b'z' => {
                (Kind::Word, self.seek(self.at, |byte| !byte.is_ascii_alphanumeric() && byte != b'_'))
            }
            b'0'..=b'9' => (Kind::Number, self.seek(self.at, |byte| !byte.is_ascii_alphanumeric() && byte != b'.')),
            b'(' | b'[' | b'{' => (Kind::Open(first), self.at + 1),
            b')' | b']' | b'}' => (Kind::Close(first), self.at + 1),
            b':' | b'=' | b'!' | b'<' | b'>' if self.byte(self.at + 1) == Some(b'=') => (Kind::Double(first), self.at + 2),
            // What is no sign of the language is one character, however many bytes it has.
            _ => (Kind::Sign(first), self.seek(self.at + 1, |byte| byte & 0xC0 != 0x80)),
        }
    }
}

impl<'t> Iterator for Tokens<'t> {
    type Item = Token<'t>;

    fn next(&mut self) -> Option<Token<'t>> {
        self.skip_spaces();
        let start = self.at;
        let (kind, end) = self.token(self.byte(start)?);
        self.at = end;
        Some(Token { kind, start, text: self.text.get(start..end).unwrap_or_default() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(text: &str) -> Vec<&str> {
        Tokens::of(text).map(|token| token.text).collect()
    }

    #[test]
    fn strings_and_comments_hide_what_is_in_them() {
        assert_eq!(
            texts("a := \"[\\\"{\" # [\n`{\n\\` + f(x_1)[\"y\"]"),
            ["a", ":=", "\"[\\\"{\"", "`{\n\\`", "+", "f", "(", "x_1", ")", "[", "\"y\"", "]"]
        );
        assert_eq!(texts("a!=1.5e3|é"), ["a", "!=", "1.5e3", "|", "é"]);
        assert_eq!(texts("# only\n"), [""; 0]);
    }

    #[test]
    fn a_string_that_nothing_ends_takes_all_the_rest() {
        for text in ["\"a\n[", "\"a\\", "`a\n["] {
            let found: Vec<_> = Tokens::of(text).map(|token| token.kind).collect();
            assert_eq!(found, [Kind::Unended], "{text}");
        }
    }
}
