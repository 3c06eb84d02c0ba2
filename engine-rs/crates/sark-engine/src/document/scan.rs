//! Where the tokens of a JSON text begin and end, by the grammar of RFC 8259, which is also Go's.

/// A token that breaks the grammar, with the place of the byte that does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Broken {
    pub at: usize,
    pub what: &'static str,
}

pub(super) const fn broken<T>(at: usize, what: &'static str) -> Result<T, Broken> {
    Err(Broken { at, what })
}

/// A string's end, just behind its closing quote, and whether it holds escapes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct StringEnd {
    pub after: usize,
    pub escaped: bool,
}

/// The first place at or after `at` that is no white space.
pub(super) fn skip_space(bytes: &[u8], mut at: usize) -> usize {
    while let Some(b' ' | b'\n' | b'\r' | b'\t') = bytes.get(at) {
        at += 1;
    }
    at
}

/// The end of the string whose first byte behind the opening quote is at `at`.
#[inline]
pub(super) fn end_of_string(bytes: &[u8], at: usize) -> Result<StringEnd, Broken> {
    let at = next_special(bytes, at);
    // Most strings are without escapes.
    if bytes.get(at) == Some(&b'"') { Ok(StringEnd { after: at + 1, escaped: false }) } else { end_of_escaped(bytes, at) }
}

/// As [`end_of_string`], from the first byte of the string that is special and not its end.
#[cold]
fn end_of_escaped(bytes: &[u8], mut at: usize) -> Result<StringEnd, Broken> {
    loop {
        at = match bytes.get(at) {
            Some(b'"') => return Ok(StringEnd { after: at + 1, escaped: true }),
            Some(b'\\') => next_special(bytes, end_of_escape(bytes, at)?),
            Some(_) => return broken(at, "a control character inside a string"),
            None => return broken(at, "a string without its end"),
        }
    }
}

/// The first place at or after `at` with a quote, a backslash or a control character; eight bytes are looked at at a time.
#[inline]
fn next_special(bytes: &[u8], mut at: usize) -> usize {
    while let Some(word) = bytes.get(at..).and_then(<[u8]>::first_chunk::<8>) {
        let special = special_bytes(u64::from_le_bytes(*word));
        if special != 0 {
            return at + (special.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    let rest = bytes.get(at..).unwrap_or_default();
    at + rest.iter().take_while(|byte| **byte >= 0x20 && **byte != b'"' && **byte != b'\\').count()
}

/// The top bit of each byte that is special; bits above the lowest one that is set may be wrong.
const fn special_bytes(word: u64) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const TOPS: u64 = 0x8080_8080_8080_8080;
    // With this bit turned over, a quote comes right behind the control characters, and nothing else comes before it.
    let control_or_quote = (word ^ (ONES * 0x02)).wrapping_sub(ONES * 0x21);
    let backslash = (word ^ (ONES * b'\\' as u64)).wrapping_sub(ONES);
    // What is no ASCII keeps its top bit in both.
    (control_or_quote | backslash) & !word & TOPS
}

/// The end of the escape whose backslash is at `at`.
fn end_of_escape(bytes: &[u8], at: usize) -> Result<usize, Broken> {
    match bytes.get(at + 1) {
        Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Ok(at + 2),
        Some(b'u') => match bytes.get(at + 2..at + 6) {
            Some(digits) if digits.iter().all(u8::is_ascii_hexdigit) => Ok(at + 6),
            _ => broken(at, "\\u without four hexadecimal digits"),
        },
        _ => broken(at, "a backslash that escapes nothing"),
    }
}

/// The end of the number that begins at `at`, and whether it is written as an integer.
pub(super) fn end_of_number(bytes: &[u8], start: usize) -> Result<(usize, bool), Broken> {
    let mut at = start + usize::from(bytes.get(start) == Some(&b'-'));
    at = match bytes.get(at) {
        Some(b'0') => at + 1,
        Some(b'1'..=b'9') => end_of_digits(bytes, at),
        _ => return broken(at, "a minus sign without a digit"),
    };
    let mut integer = true;
    if bytes.get(at) == Some(&b'.') {
        integer = false;
        at = some_digits(bytes, at + 1)?;
    }
    if let Some(b'e' | b'E') = bytes.get(at) {
        integer = false;
        let signed = matches!(bytes.get(at + 1), Some(b'+' | b'-'));
        at = some_digits(bytes, at + 1 + usize::from(signed))?;
    }
    Ok((at, integer))
}

fn some_digits(bytes: &[u8], at: usize) -> Result<usize, Broken> {
    let end = end_of_digits(bytes, at);
    if end == at { broken(at, "a number that ends without a digit") } else { Ok(end) }
}

fn end_of_digits(bytes: &[u8], mut at: usize) -> usize {
    while let Some(b'0'..=b'9') = bytes.get(at) {
        at += 1;
    }
    at
}

/// The end of the literal `word` at `at`.
pub(super) fn end_of_word(bytes: &[u8], at: usize, word: &'static str) -> Result<usize, Broken> {
    if bytes.get(at..).unwrap_or_default().starts_with(word.as_bytes()) {
        Ok(at + word.len())
    } else {
        broken(at, "a word that is none of true, false and null")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_string_is_found_wherever_it_falls() {
        for length in 0..40 {
            for filler in ["a", "\u{7f}", "é", "😀", "!", "#", "[", "]"] {
                let text = format!("{}\" x", filler.repeat(length));
                let after = filler.len() * length + 1;
                assert_eq!(end_of_string(text.as_bytes(), 0), Ok(StringEnd { after, escaped: false }), "{text}");
            }
            let escaped = format!("{}\\\"{}\"", "a".repeat(length), "b".repeat(length));
            assert_eq!(end_of_string(escaped.as_bytes(), 0), Ok(StringEnd { after: 2 * length + 3, escaped: true }));
            for control in 0..0x20_u8 {
                let text = [b"a".repeat(length), vec![control], b"bcdefgh\"".to_vec()].concat();
                assert_eq!(end_of_string(&text, 0).map_err(|broken| broken.at), Err(length));
            }
        }
    }
}
