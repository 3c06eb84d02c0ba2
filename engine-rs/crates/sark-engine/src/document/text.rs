//! Text as Go reads it: what is not Unicode becomes U+FFFD instead of an error.

use std::borrow::Cow;

/// The text of `bytes`. Each byte that belongs to no valid sequence becomes one U+FFFD, as Go does; the standard library
/// would replace a truncated sequence by one altogether.
pub(super) fn replaced(bytes: &[u8]) -> Cow<'_, str> {
    if let Ok(text) = std::str::from_utf8(bytes) {
        return Cow::Borrowed(text);
    }
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|_| char::REPLACEMENT_CHARACTER));
    }
    Cow::Owned(text)
}

/// What a string stands for whose text between the quotes is `raw`; its escapes are known to be well formed. A surrogate
/// without its other half becomes U+FFFD.
pub(super) fn unescaped(raw: &str) -> String {
    let mut text = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some((plain, escape)) = rest.split_once('\\') {
        text.push_str(plain);
        let (character, after) = one_escape(escape);
        text.push(character);
        rest = after;
    }
    text.push_str(rest);
    text
}

/// The character of an escape without its backslash, and what follows it.
fn one_escape(escape: &str) -> (char, &str) {
    let mut characters = escape.chars();
    let character = match characters.next() {
        Some('b') => '\u{8}',
        Some('f') => '\u{c}',
        Some('n') => '\n',
        Some('r') => '\r',
        Some('t') => '\t',
        Some('u') => return unicode_escape(characters.as_str()),
        Some(other) => other,
        None => char::REPLACEMENT_CHARACTER,
    };
    (character, characters.as_str())
}

fn unicode_escape(digits: &str) -> (char, &str) {
    let (first, after) = code_unit(digits);
    if let Some(character) = char::from_u32(first) {
        return (character, after);
    }
    let second = after.strip_prefix("\\u").map(code_unit);
    match second {
        Some((low @ 0xDC00..=0xDFFF, behind)) if first < 0xDC00 => {
            let code = 0x1_0000 + ((first - 0xD800) << 10) + (low - 0xDC00);
            (char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER), behind)
        }
        _ => (char::REPLACEMENT_CHARACTER, after),
    }
}

/// The value of the four hexadecimal digits in front, and what follows them.
fn code_unit(digits: &str) -> (u32, &str) {
    let (four, after) = digits.split_at_checked(4).unwrap_or((digits, ""));
    (u32::from_str_radix(four, 16).unwrap_or(0xFFFD), after)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_stray_byte_becomes_one_replacement() {
        let cases: [(&[u8], &str); 6] = [
            (b"abc", "abc"),
            (b"a\xff", "a\u{fffd}"),
            (b"\xe2\x82b", "\u{fffd}\u{fffd}b"),
            (b"\xed\xa0\x80", "\u{fffd}\u{fffd}\u{fffd}"),
            (b"\xf0\x9f\x98", "\u{fffd}\u{fffd}\u{fffd}"),
            ("é😀".as_bytes(), "é😀"),
        ];
        for (bytes, text) in cases {
            assert_eq!(replaced(bytes), text, "{bytes:x?}");
        }
    }

    #[test]
    fn escapes_stand_for_characters_and_lone_surrogates_for_replacements() {
        for (raw, text) in [
            (r"plain", "plain"),
            (r#"\"\\\/\b\f\n\r\t"#, "\"\\/\u{8}\u{c}\n\r\t"),
            (r"\u00e9\u0000x", "é\0x"),
            (r"\ud83d\ude00", "😀"),
            (r"\ud800x", "\u{fffd}x"),
            (r"\ud800\u0041", "\u{fffd}A"),
            (r"\ude00\ud83d", "\u{fffd}\u{fffd}"),
            (r"\ud83d\ud83d\ude00", "\u{fffd}😀"),
            (r"\ud83d\n", "\u{fffd}\n"),
        ] {
            assert_eq!(unescaped(raw), text, "{raw}");
        }
    }
}
