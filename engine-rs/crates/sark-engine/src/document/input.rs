//! An input on its way to whoever evaluates it.

use std::ops::Range;

use super::{Document, Projection, parse_some, reader::read_front, scan::skip_space};
use crate::error::EvaluationError;

/// An input: its JSON text, and its value where somebody has read that already.
#[derive(Debug)]
pub struct Input<'t> {
    text: Option<&'t [u8]>,
    projected: Option<Projected>,
}

/// What was read of an input.
#[derive(Debug, PartialEq, Eq)]
pub struct Projected {
    document: Document,
    /// Number of the prospects that said what is seen of it; None when it is all there.
    seen_by: Option<u64>,
}

/// What to read of an input.
#[derive(Debug, Clone, Copy)]
pub(crate) struct View<'p> {
    pub projection: &'p Projection,
    /// Number of the prospects that the projection belongs to.
    pub number: u64,
}

impl<'t> Input<'t> {
    /// The input of this text; None is no input.
    pub const fn of(text: Option<&'t [u8]>) -> Self {
        Self { text, projected: None }
    }

    /// An input without a text.
    pub(crate) const fn of_value(document: Document) -> Self {
        Self { text: None, projected: Some(Projected { document, seen_by: None }) }
    }

    /// As [`Self::of`], with what was read of `text`, if it was.
    pub const fn read_before(text: Option<&'t [u8]>, projected: Option<Projected>) -> Self {
        Self { text, projected }
    }

    /// Where the input stands in `body`, and its value, found in one pass over a body that is nothing but `{"input": ...}` with an
    /// object, an array or a string. None of any other body, and when something is wrong: then [`super::input_in`] has the say.
    pub(crate) fn in_plain_body(body: &[u8], view: View<'_>) -> Option<(Range<usize>, Projected)> {
        const BEGINNING: &str = "{\"input\":";
        let text = std::str::from_utf8(body).ok()?;
        let start = skip_space(body, BEGINNING.len());
        if !text.starts_with(BEGINNING) || !matches!(body.get(start), Some(b'{' | b'[' | b'"')) {
            return None;
        }
        let (document, end) = read_front(text, start, view.projection)?;
        // What follows the body's closing brace is not looked at.
        (body.get(skip_space(body, end)) == Some(&b'}')).then(|| (start..end, view.of(document)))
    }

    /// Bytes of the text.
    pub(crate) fn length(&self) -> usize {
        self.text.map_or(0, <[u8]>::len)
    }

    /// What is to be seen of its value, undefined when there is none, and whether that is all of it. What was read before for
    /// somebody who sees something else is read anew.
    pub(crate) fn read(self, view: View<'_>) -> Result<(Document, bool), EvaluationError> {
        let projected = match self.projected {
            Some(projected) if projected.seen_by.is_none_or(|number| number == view.number) => projected,
            _ => view.of(parse_some(self.text, view.projection)?),
        };
        Ok((projected.document, projected.seen_by.is_none()))
    }
}

impl View<'_> {
    const fn of(self, document: Document) -> Projected {
        Projected { document, seen_by: if self.projection.is_whole() { None } else { Some(self.number) } }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use regorus::Value;

    use super::*;
    use crate::document::{input_in, parse_input};

    const WHOLE: View<'_> = View { projection: &Projection::Whole, number: 0 };

    fn in_plain_body(body: &[u8]) -> Option<(Range<usize>, Projected)> {
        Input::in_plain_body(body, WHOLE)
    }

    /// What a body gives when it is read in two passes.
    fn in_two(body: &[u8]) -> Option<(Range<usize>, Projected)> {
        let place = input_in(body).ok()??;
        let document = parse_input(body.get(place.clone())).ok()?;
        Some((place, WHOLE.of(document)))
    }

    #[test]
    fn a_plain_body_is_read_in_one_pass() {
        for body in [
            r#"{"input":{"a":[1.0,2]}}"#,
            r#"{"input": [null] } x"#,
            r#"{"input":"\u0061"}"#,
            "{\"input\":\n{}\t}{\"input\":1}",
        ] {
            let found = in_plain_body(body.as_bytes());
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
            assert_eq!(in_plain_body(body.as_bytes()), None, "{body}");
        }
        assert_eq!(in_plain_body(b"{\"input\":\"\xff\"}"), None);
        let deep = format!("{{\"input\":{}{}}}", "[".repeat(1_000), "]".repeat(1_000));
        assert_eq!(in_plain_body(deep.as_bytes()), None);
    }

    #[test]
    fn what_was_read_for_others_is_read_anew() {
        let (text, projection) = (br#"{"a":1,"b":2}"#, |name| Projection::of([[name]]));
        let (for_a, for_b) = (projection("a"), projection("b"));
        let [a, b] = [(&for_a, 1), (&for_b, 2)].map(|(projection, number)| View { projection, number });
        let read_for_a = |view| {
            let before = a.of(parse_some(Some(text), a.projection).unwrap());
            let (document, is_whole) = Input::read_before(Some(text), Some(before)).read(view).unwrap();
            (document.value["a"].clone(), document.value["b"].clone(), is_whole)
        };
        let (absent, number) = (Value::Undefined, |number: u64| Value::from(number));

        assert_eq!(read_for_a(a), (number(1), absent.clone(), false));
        assert_eq!(read_for_a(b), (absent, number(2), false));
        assert_eq!(read_for_a(WHOLE), (number(1), number(2), true));
    }

    proptest! {
        #[test]
        fn one_pass_finds_what_two_do_or_nothing(
            front in r#"[ ]?\{ ?"(input|Input|x)" ?: ?"#,
            value in r#"([\[\]{}:, ]|"a"|"b\\n"|"input"|-|[0-9]{1,3}|\.|e|true|null){0,10}"#,
            behind in r#"[ ]?(\}|,"input":\{\}\}|,"x":1\})?[ x}]{0,2}"#,
        ) {
            let body = format!("{front}{value}{behind}");
            let found = in_plain_body(body.as_bytes());
            prop_assert!(found.is_none() || found == in_two(body.as_bytes()), "{body}");
        }
    }
}
