//! From an HTTP request to a question: what is asked.

use std::{cell::OnceCell, ops::Range, rc::Rc};

use percent_encoding::percent_decode_str;
use sark_engine::{
    Spelling,
    document::{ReadError, input_in, value_in},
};

use crate::{asked::Asked, reply::Problem, wire::Request};

/// What is asked.
#[derive(Debug)]
pub(crate) struct Question<'r> {
    pub asked: Rc<Asked>,
    /// Body as received; empty for GET.
    pub body: &'r [u8],
    /// Query string without its question mark.
    pub query: &'r str,
    /// The subject that a header names.
    pub subject: Option<&'r [u8]>,
    /// The input that the query string names, checked.
    parameter: Option<Vec<u8>>,
    /// Where the input is in the body; looked for once it is needed.
    place: OnceCell<Result<Option<Range<usize>>, Problem>>,
}

/// Parameters that change how an answer looks but not what is decided.
const COSMETIC: [&str; 6] = ["input", "pretty", "metrics", "instrument", "provenance", "explain"];

impl<'r> Question<'r> {
    /// Read and check what a request asks of `asked`.
    pub(crate) fn read(request: &Request<'r>, asked: Rc<Asked>) -> Result<Self, Problem> {
        let head = &request.head;
        if head.is_encoded {
            return Err(Problem::invalid("the body must not be compressed: send it without Content-Encoding"));
        }
        let is_get = head.method == "GET";
        let body = if is_get { &[] } else { request.body };
        let parameter = match input_parameter(head.query)? {
            Some(text) if is_get => Some(checked_parameter(&text)?),
            _ => None,
        };
        Ok(Self { asked, body, query: head.query, subject: head.subject, parameter, place: OnceCell::new() })
    }

    /// The input's JSON text; None when the request has none.
    pub(crate) fn input(&self) -> Result<Option<&[u8]>, Problem> {
        if let Some(text) = &self.parameter {
            return Ok(Some(text));
        }
        let place = self.place.get_or_init(|| input_in(self.body).map_err(|error| malformed("body", &error)));
        Ok(place.clone()?.and_then(|place| self.body.get(place)))
    }

    /// How the question is written. A body that was answered before need not be read again: its answer hangs on nothing else.
    pub(crate) fn spelling(&self) -> Spelling<'_> {
        match &self.parameter {
            Some(text) => Spelling::Input(text),
            None if self.body.is_empty() => Spelling::Absent,
            None => Spelling::Body(self.body),
        }
    }

    /// The first parameter that only an OPA server understands and that could change the decision.
    pub(crate) fn foreign_parameter(&self) -> Option<&str> {
        parameters(self.query).map(|(name, _)| name).find(|name| !COSMETIC.contains(name))
    }
}

fn checked_parameter(text: &str) -> Result<Vec<u8>, Problem> {
    let place = value_in(text.as_bytes()).map_err(|error| malformed("query parameter input", &error))?;
    Ok(text.as_bytes().get(place).unwrap_or_default().to_vec())
}

fn malformed(place: &str, error: &ReadError) -> Problem {
    Problem::invalid(format!("{place} contains malformed input document: it is {error}"))
}

fn parameters(query: &str) -> impl Iterator<Item = (&str, &str)> {
    query.split('&').filter(|pair| !pair.is_empty()).map(|pair| pair.split_once('=').unwrap_or((pair, "")))
}

fn input_parameter(query: &str) -> Result<Option<String>, Problem> {
    if query.is_empty() {
        return Ok(None);
    }
    let Some((_, value)) = parameters(query).find(|(name, _)| *name == "input") else {
        return Ok(None);
    };
    let spaced = value.replace('+', " ");
    let decoded = percent_decode_str(&spaced).decode_utf8();
    decoded.map(|text| Some(text.into_owned())).map_err(|_| Problem::invalid("query parameter input is not UTF-8"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question(body: &str) -> Question<'_> {
        let asked = Rc::new(Asked::read("/p").unwrap());
        Question { asked, body: body.as_bytes(), query: "", subject: None, parameter: None, place: OnceCell::new() }
    }

    fn input(body: &str) -> Result<Option<String>, u16> {
        let question = question(body);
        let found = question.input().map_err(|problem| problem.status)?;
        Ok(found.map(|text| String::from_utf8(text.to_vec()).unwrap()))
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
    fn a_question_is_written_in_its_body_or_its_parameter() {
        assert_eq!(question("").spelling(), Spelling::Absent);
        assert_eq!(question("{\"input\":1}").spelling(), Spelling::Body(b"{\"input\":1}"));
        let asked = Question { parameter: Some(b"1".to_vec()), ..question("") };
        assert_eq!((asked.spelling(), asked.input()), (Spelling::Input(b"1"), Ok(Some(b"1".as_slice()))));
    }

    #[test]
    fn an_input_parameter_is_decoded() {
        assert_eq!(input_parameter("pretty&input=%7B%22a%22%3A+1%7D"), Ok(Some(r#"{"a": 1}"#.into())));
        assert_eq!(input_parameter("pretty=true"), Ok(None));
    }
}
