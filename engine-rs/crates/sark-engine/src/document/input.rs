//! An input on its way to whoever evaluates it.

use std::ops::Range;

use super::{Document, parse_input, reader::read_front, scan::skip_space};
use crate::error::EvaluationError;

/// An input: its JSON text, and its value where somebody has read that already.
#[derive(Debug)]
pub struct Input<'t> {
    text: Option<&'t [u8]>,
    document: Option<Document>,
}

impl<'t> Input<'t> {
    /// The input of this text; None is no input.
    pub const fn of(text: Option<&'t [u8]>) -> Self {
        Self { text, document: None }
    }

    /// As [`Self::of`], with what `text` was read as, if it was.
    pub const fn read_before(text: Option<&'t [u8]>, document: Option<Document>) -> Self {
        Self { text, document }
    }

    /// Where the input stands in `body`, and its value, found in one pass over a body that is nothing but `{"input": ...}` with an
    /// object, an array or a string. None of any other body, and when something is wrong: then [`super::input_in`] has the say.
    pub fn in_plain_body(body: &[u8]) -> Option<(Range<usize>, Document)> {
        const BEGINNING: &str = "{\"input\":";
        let text = std::str::from_utf8(body).ok()?;
        let start = skip_space(body, BEGINNING.len());
        if !text.starts_with(BEGINNING) || !matches!(body.get(start), Some(b'{' | b'[' | b'"')) {
            return None;
        }
        let (document, end) = read_front(text, start)?;
        // What follows the body's closing brace is not looked at.
        (body.get(skip_space(body, end)) == Some(&b'}')).then_some((start..end, document))
    }

    /// Bytes of the text.
    pub(crate) fn length(&self) -> usize {
        self.text.map_or(0, <[u8]>::len)
    }

    /// Its value; undefined when there is none.
    pub(crate) fn read(self) -> Result<Document, EvaluationError> {
        match self.document {
            Some(document) => Ok(document),
            None => parse_input(self.text),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::document::input_in;

    /// What a body gives when it is read in two passes.
    fn in_two(body: &[u8]) -> Option<(Range<usize>, Document)> {
        let place = input_in(body).ok()??;
        let document = parse_input(body.get(place.clone())).ok()?;
        Some((place, document))
    }

    #[test]
    fn a_plain_body_is_read_in_one_pass() {
        for body in [
            r#"{"input":{"a":[1.0,2]}}"#,
            r#"{"input": [null] } x"#,
            r#"{"input":"\u0061"}"#,
            "{\"input\":\n{}\t}{\"input\":1}",
        ] {
            let found = Input::in_plain_body(body.as_bytes());
            assert!(found.is_some(), "{body}");
            assert_eq!(found, in_two(body.as_bytes()), "{body}");
        }
    }

    #[test]
    fn any_other_body_is_left_to_who_knows_them_all() {
        for body in [
            "",
            "{}",
            " {\"input\":{}}",
            "{ \"input\":{}}",
            r#"{"input" :{}}"#,
            r#"{"Input":{}}"#,
            r#"{"input":null}"#,
            r#"{"input":1}"#,
            r#"{"input":{},"input":{"a":1}}"#,
            r#"{"input":{},"x":1}"#,
            r#"{"input":{}"#,
            r#"{"input":{"a":1e-999}}"#,
            r#"{"input":[1,]}"#,
            r#"["input",{}]"#,
        ] {
            assert_eq!(Input::in_plain_body(body.as_bytes()), None, "{body}");
        }
        assert_eq!(Input::in_plain_body(b"{\"input\":\"\xff\"}"), None);
        let deep = format!("{{\"input\":{}{}}}", "[".repeat(1_000), "]".repeat(1_000));
        assert_eq!(Input::in_plain_body(deep.as_bytes()), None);
    }

    proptest! {
        #[test]
        fn one_pass_finds_what_two_do_or_nothing(
            front in r#"[ ]?\{ ?"(input|Input|x)" ?: ?"#,
            value in r#"([\[\]{}:, ]|"a"|"b\\n"|"input"|-|[0-9]{1,3}|\.|e|true|null){0,10}"#,
            behind in r#"[ ]?(\}|,"input":\{\}\}|,"x":1\})?[ x}]{0,2}"#,
        ) {
            let body = format!("{front}{value}{behind}");
            let found = Input::in_plain_body(body.as_bytes());
            prop_assert!(found.is_none() || found == in_two(body.as_bytes()), "{body}");
        }
    }
}
