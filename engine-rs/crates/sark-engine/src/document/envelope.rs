//! The input inside the body of a question, found without building anything.

use std::ops::Range;

use super::{
    ReadError,
    scan::{Broken, broken, end_of_number, end_of_string, end_of_word, skip_space},
    text::unescaped,
};

/// Deepest nesting that OPA reads, the body's own braces included.
const MAX_BODY_DEPTH: usize = 10_000;

/// What a collection that is open is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Open {
    Array,
    Object,
}

/// Where the input stands in `body`; None when there is none, or when it is `null`, which OPA's server takes for none.
///
/// The rules are OPA's: letter case of the member's name does not count, the last of several inputs does, and what
/// follows the body's closing brace is not looked at. The input itself is checked for grammar only.
pub fn input_in(body: &[u8]) -> Result<Option<Range<usize>>, ReadError> {
    find(body).map_err(malformed)
}

/// Where the only value in `json` stands, without the white space around it. It is checked for grammar only.
pub fn value_in(json: &[u8]) -> Result<Range<usize>, ReadError> {
    let start = skip_space(json, 0);
    let end = skip_value(json, start).map_err(malformed)?;
    match skip_space(json, end) {
        behind if behind == json.len() => Ok(start..end),
        behind => Err(malformed(Broken { at: behind, what: "something after the document" })),
    }
}

fn malformed(Broken { at, what }: Broken) -> ReadError {
    ReadError::Malformed(format!("{what} at byte {at}"))
}

fn find(body: &[u8]) -> Result<Option<Range<usize>>, Broken> {
    let mut at = skip_space(body, 0);
    match body.get(at) {
        Some(b'{') => at = skip_space(body, at + 1),
        Some(b'n') => return end_of_word(body, at, "null").map(|_| None),
        None => return Ok(None),
        Some(_) => return broken(at, "the body must be an object such as {\"input\": {}}, but it begins otherwise"),
    }
    let mut found = None;
    if body.get(at) == Some(&b'}') {
        return Ok(found);
    }
    loop {
        let (key, value_at) = member(body, at)?;
        let end = skip_value(body, value_at)?;
        if is_input(body.get(key).unwrap_or_default()) {
            found = (body.get(value_at) != Some(&b'n')).then_some(value_at..end);
        }
        at = skip_space(body, end);
        match body.get(at) {
            Some(b',') => at = skip_space(body, at + 1),
            Some(b'}') => return Ok(found),
            _ => return broken(at, "a comma or } is missing"),
        }
    }
}

/// Where a member's key stands, quotes not included, and where its value begins.
fn member(bytes: &[u8], at: usize) -> Result<(Range<usize>, usize), Broken> {
    if bytes.get(at) != Some(&b'"') {
        return broken(at, "a key must be a string");
    }
    let end = end_of_string(bytes, at + 1)?.after;
    let colon = skip_space(bytes, end);
    if bytes.get(colon) != Some(&b':') {
        return broken(colon, "a colon is missing");
    }
    Ok((at + 1..end - 1, skip_space(bytes, colon + 1)))
}

fn is_input(key: &[u8]) -> bool {
    if key.contains(&b'\\') {
        return std::str::from_utf8(key).is_ok_and(|key| unescaped(key).eq_ignore_ascii_case("input"));
    }
    key.eq_ignore_ascii_case(b"input")
}

/// The end of the value at `at`. Nesting costs a byte a level, not a stack frame.
fn skip_value(bytes: &[u8], start: usize) -> Result<usize, Broken> {
    let mut open: Vec<Open> = Vec::new();
    let mut at = start;
    loop {
        at = skip_space(bytes, at);
        at = match bytes.get(at) {
            Some(b'"') => end_of_string(bytes, at + 1)?.after,
            Some(b'{') => {
                begin(&mut open, Open::Object, at)?;
                at = skip_space(bytes, at + 1);
                if bytes.get(at) != Some(&b'}') {
                    at = member(bytes, at)?.1;
                    continue;
                }
                open.pop();
                at + 1
            }
            Some(b'[') => {
                begin(&mut open, Open::Array, at)?;
                at = skip_space(bytes, at + 1);
                if bytes.get(at) != Some(&b']') {
                    continue;
                }
                open.pop();
                at + 1
            }
            Some(b'-' | b'0'..=b'9') => end_of_number(bytes, at)?.0,
            Some(b't') => end_of_word(bytes, at, "true")?,
            Some(b'f') => end_of_word(bytes, at, "false")?,
            Some(b'n') => end_of_word(bytes, at, "null")?,
            Some(_) => return broken(at, "no value begins like this"),
            None => return broken(at, "the text ends where a value should be"),
        };
        match close(bytes, at, &mut open)? {
            (after, true) => return Ok(after),
            (next, false) => at = next,
        }
    }
}

fn begin(open: &mut Vec<Open>, kind: Open, at: usize) -> Result<(), Broken> {
    // One level is the body's own.
    if open.len() + 1 >= MAX_BODY_DEPTH {
        return broken(at, "nesting deeper than 10000 levels");
    }
    open.push(kind);
    Ok(())
}

/// Close what ends behind a value. Returns where the whole value ends (true), or where the next one begins (false).
fn close(bytes: &[u8], mut at: usize, open: &mut Vec<Open>) -> Result<(usize, bool), Broken> {
    while let Some(kind) = open.last() {
        at = skip_space(bytes, at);
        match (bytes.get(at), kind) {
            (Some(b','), Open::Array) => return Ok((at + 1, false)),
            (Some(b','), Open::Object) => return member(bytes, skip_space(bytes, at + 1)).map(|(_, value)| (value, false)),
            (Some(b']'), Open::Array) | (Some(b'}'), Open::Object) => {
                open.pop();
                at += 1;
            }
            (_, Open::Array) => return broken(at, "a comma or ] is missing"),
            (_, Open::Object) => return broken(at, "a comma or } is missing"),
        }
    }
    Ok((at, true))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn input(body: &str) -> Result<Option<&str>, ReadError> {
        input_in(body.as_bytes()).map(|range| range.map(|range| &body[range]))
    }

    #[test]
    fn the_input_is_the_text_of_its_member() {
        for (body, found) in [
            (r#"{"input": {"a": [1, 2]} }"#, Some(r#"{"a": [1, 2]}"#)),
            (r#" {"other":{"input":1}, "input" : "x\"y" } "#, Some(r#""x\"y""#)),
            (r#"{"other":{"input":[{}]}}"#, None),
            ("{}", None),
            ("  ", None),
            ("", None),
        ] {
            assert_eq!(input(body), Ok(found), "{body}");
        }
    }

    #[test]
    fn it_is_found_where_opa_finds_it() {
        for (body, found) in [
            (r#"{"input":1,"input":2}"#, Some("2")),
            (r#"{"Input":5}"#, Some("5")),
            (r#"{"INPUT":5,"input":6}"#, Some("6")),
            (r#"{"\u0069nput":7}"#, Some("7")),
            ("{\"\u{131}nput\":7}", None),
            (r#"{"input":1} x"#, Some("1")),
            (r#"{"input":1}{"input":2}"#, Some("1")),
            (r#"{"input":null}"#, None),
            (r#"{"input":1,"input":null}"#, None),
            ("null", None),
        ] {
            assert_eq!(input(body), Ok(found), "{body}");
        }
    }

    #[test]
    fn what_opa_refuses_is_refused() {
        for body in ["[]", "1", "\"x\"", "{", "{input:1}", r#"{"input""#, r#"{"input":"#, r#"{"input":1"#, r#"{"input":1,}"#] {
            assert!(input(body).is_err(), "{body}");
        }
        for value in [
            "",
            "[1,]",
            "01",
            "+1",
            ".5",
            "1.",
            "1e",
            "-",
            "tru",
            "nan",
            "\"\u{1}\"",
            r#""\x""#,
            r#""\u12g4""#,
            "[1 2]",
            r#"{"a" 1}"#,
            "[}",
            "{]",
            "1 2",
            "\u{c}1",
            "\u{feff}1",
        ] {
            assert!(input(&format!("{{\"input\":{value}}}")).is_err(), "{value}");
        }
    }

    #[test]
    fn nesting_costs_no_stack_and_has_opas_limit() {
        let nested = |levels: usize| format!("{{\"input\":{}{}}}", "[".repeat(levels), "]".repeat(levels));
        assert!(input(&nested(MAX_BODY_DEPTH - 1)).is_ok());
        assert!(input(&nested(MAX_BODY_DEPTH)).is_err());
        assert!(input(&format!("{{\"input\":{}", "{\"a\":".repeat(1_000_000))).is_err());
    }

    #[test]
    fn a_document_alone_has_nothing_behind_it() {
        assert_eq!(value_in(b" {\"a\":1} "), Ok(1..8));
        assert!(value_in(b"1 2").is_err());
        assert!(value_in(b"").is_err());
    }
}
