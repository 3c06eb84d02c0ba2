//! From an HTTP request to a question: what is asked.

use std::{
    cell::{OnceCell, RefCell},
    ops::Range,
    rc::Rc,
    sync::Arc,
};

use bytes::Bytes;
use sark_engine::{
    Engine, Input, Spelling,
    document::{Projected, ReadError, input_in, value_in},
};

use crate::{asked::Asked, reply::Problem};

/// What is asked.
#[derive(Debug)]
pub(crate) struct Question<'r> {
    pub asked: Rc<Asked>,
    /// Body in the shape of version 1, `{"input": ...}`; empty when there is none.
    pub body: &'r [u8],
    /// The subject that a header names.
    pub subject: Option<&'r [u8]>,
    /// Address of the client, when somebody wants to know it.
    pub asker: Option<&'r Arc<str>>,
    /// Where the input is in the body; looked for once it is needed.
    place: OnceCell<Result<Option<Range<usize>>, Problem>>,
    /// What was read of the input, until somebody takes it.
    projected: RefCell<Option<Projected>>,
}

impl<'r> Question<'r> {
    /// What `body` asks of `asked`.
    pub(crate) const fn new(asked: Rc<Asked>, body: &'r [u8], subject: Option<&'r [u8]>) -> Self {
        Self { asked, body, subject, asker: None, place: OnceCell::new(), projected: RefCell::new(None) }
    }

    /// The question as the client at this address asks it.
    pub(crate) fn asked_by(self, asker: Option<&'r Arc<str>>) -> Self {
        Self { asker, ..self }
    }

    /// The input's JSON text; None when the request has none.
    pub(crate) fn input(&self) -> Result<Option<&[u8]>, Problem> {
        let place = self.place.get_or_init(|| input_in(self.body).map_err(|error| malformed("body", &error)));
        Ok(place.clone()?.and_then(|place| self.body.get(place)))
    }

    /// As [`Self::input`], for who is about to evaluate it in `engine`: it is read on the way, where that takes one pass less.
    pub(crate) fn input_to_evaluate(&self, engine: &Engine) -> Result<Option<&[u8]>, Problem> {
        if self.place.get().is_none()
            && let Some((place, projected)) = engine.read_plain_body(&self.asked.path, self.body)
        {
            self.projected.replace(Some(projected));
            // Nobody was there before.
            let _ = self.place.set(Ok(Some(place)));
        }
        self.input()
    }

    /// The input at this place for its evaluation.
    pub(crate) fn to_evaluate<'t>(&self, text: Option<&'t [u8]>) -> Input<'t> {
        Input::read_before(text, self.projected.take())
    }

    /// Whether there is no input. Most bodies show at their beginning that there is one, and need not be read for it.
    pub(crate) fn lacks_input(&self) -> Result<bool, Problem> {
        if begins_with_input(self.body) {
            return Ok(false);
        }
        Ok(self.input()?.is_none())
    }

    /// The body for whoever answers in our place: the input as it was found here, so that no second reader finds another one.
    pub(crate) fn handed_over(&self) -> Bytes {
        match self.input() {
            Ok(Some(input)) => [b"{\"input\":", input, b"}"].concat().into(),
            Ok(None) => Bytes::new(),
            // Whoever asks has looked before; what is no question is refused there too.
            Err(_) => Bytes::copy_from_slice(self.body),
        }
    }

    /// How the question is written. A body that was answered before need not be read again: its answer hangs on nothing else.
    pub(crate) fn spelling(&self) -> Spelling<'_> {
        if self.body.is_empty() { Spelling::Absent } else { Spelling::Body(self.body) }
    }
}

/// Whether a body shows at its beginning that it has an input; without that it may have one all the same.
pub(crate) fn begins_with_input(body: &[u8]) -> bool {
    let begins = body.strip_prefix(b"{\"input\":").map(<[u8]>::trim_ascii_start);
    begins.is_some_and(|value| matches!(value.first(), Some(b'{' | b'[' | b'"')))
}

/// The body of version 1 whose input is the document `text`, that stood in `place`.
pub(crate) fn body_around(text: &[u8], place: &str) -> Result<Vec<u8>, Problem> {
    let at = value_in(text).map_err(|error| malformed(place, &error))?;
    Ok([b"{\"input\":", text.get(at).unwrap_or_default(), b"}"].concat())
}

/// `text` without what JSON takes for space around it, of which a form feed is no part.
pub(crate) fn trimmed(text: &[u8]) -> &[u8] {
    let is_text = |byte: &u8| !matches!(byte, b' ' | b'\t' | b'\n' | b'\r');
    let begin = text.iter().position(is_text).unwrap_or(text.len());
    let end = text.iter().rposition(is_text).map_or(begin, |at| at + 1);
    text.get(begin..end).unwrap_or_default()
}

fn malformed(place: &str, error: &ReadError) -> Problem {
    Problem::invalid(format!("{place} contains malformed input document: it is {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question(body: &str) -> Question<'_> {
        let asked = Rc::new(Asked::read("/p").unwrap());
        Question::new(asked, body.as_bytes(), None)
    }

    fn input(body: &str) -> Result<Option<String>, u16> {
        let question = question(body);
        let found = question.input().map_err(|problem| problem.status)?;
        Ok(found.map(|text| String::from_utf8(text.to_vec()).unwrap()))
    }

    #[test]
    fn space_around_a_document_is_what_json_takes_for_it() {
        for (text, rest) in [("", ""), (" \t\r\n", ""), (" 1 ", "1"), ("\x0c1", "\x0c1"), ("\n[1, 2]\x0b ", "[1, 2]\x0b")] {
            assert_eq!(trimmed(text.as_bytes()), rest.as_bytes(), "{text:?}");
        }
    }

    #[test]
    fn the_input_is_the_text_of_its_member() {
        assert_eq!(input(r#"{"input": {"a": [1, 2]} }"#), Ok(Some(r#"{"a": [1, 2]}"#.into())));
        assert_eq!(input(r#"{"other":1,"input":[null]}"#), Ok(Some("[null]".into())));
        assert_eq!(input(r#" {"other":{"input":1}}"#), Ok(None));
    }

    #[test]
    fn a_null_input_is_none_as_for_opas_server() {
        assert_eq!(input(r#"{"input":null}"#), Ok(None));
        assert_eq!(input(" "), Ok(None));
    }

    #[test]
    fn what_is_no_json_object_is_refused() {
        for body in ["[]", "1", r#"{"input":1"#, r#"["a"]"#, r#"{"input":tru}"#] {
            assert_eq!(input(body), Err(400), "{body}");
        }
    }

    #[test]
    fn a_question_is_written_in_its_body() {
        assert_eq!(question("").spelling(), Spelling::Absent);
        assert_eq!(question("{\"input\":1}").spelling(), Spelling::Body(b"{\"input\":1}"));
    }

    #[test]
    fn a_question_is_handed_over_as_its_input_alone() {
        for (body, handed) in [
            (r#" {"other":1, "Input":2, "\u0069nput" : {"a": [1e1]} } "#, r#"{"input":{"a": [1e1]}}"#),
            (r#"{"input":null}"#, ""),
            (r#"{"other":1}"#, ""),
            ("", ""),
        ] {
            assert_eq!(question(body).handed_over(), handed.as_bytes(), "{body}");
        }
    }

    #[test]
    fn a_question_without_input_is_told_apart() {
        for (body, lacks) in
            [("", true), ("{}", true), ("{\"input\":null}", true), ("{\"input\": {}}", false), ("{\"input\":1}", false)]
        {
            assert_eq!(question(body).lacks_input(), Ok(lacks), "{body}");
        }
    }

    #[test]
    fn a_document_becomes_the_input_of_a_body() {
        assert_eq!(body_around(b" [1] ", "parameter"), Ok(b"{\"input\":[1]}".to_vec()));
        for text in ["", "{", "1 2", "{\"a\":1}}"] {
            assert_eq!(body_around(text.as_bytes(), "parameter").unwrap_err().status, 400, "{text}");
        }
    }
}
