//! The right answer to a question, and whether an answer says the same.

use std::fmt;

use serde_json::Value;

use crate::questions::MARK;

/// The body of the right answer, around the place where the question's own number comes back.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    before: Vec<u8>,
    after: Option<Vec<u8>>,
}

impl Answer {
    /// An answer whose mark, if any, stands for the number of the question.
    pub(crate) fn new(body: &str) -> Self {
        let body = body.trim();
        let mark = std::str::from_utf8(MARK).unwrap_or_default();
        match body.split_once(mark) {
            None => Self { before: body.into(), after: None },
            Some((before, after)) => Self { before: before.into(), after: Some(after.into()) },
        }
    }

    /// The answer to the question with these digits.
    pub(crate) fn with<'a>(&'a self, digits: &'a [u8]) -> Expected<'a> {
        Expected { answer: self, digits }
    }
}

/// The right answer to one question.
pub(crate) struct Expected<'a> {
    answer: &'a Answer,
    digits: &'a [u8],
}

impl Expected<'_> {
    /// Whether `body` says the same. Equal bytes are the usual case; else both are read as JSON.
    pub(crate) fn is(&self, body: &[u8]) -> bool {
        let body = body.trim_ascii_end();
        let same_bytes = match &self.answer.after {
            None => body == self.answer.before,
            Some(after) => {
                let rest = body.strip_prefix(self.answer.before.as_slice());
                let rest = rest.and_then(|rest| rest.strip_prefix(self.digits));
                rest == Some(after)
            }
        };
        same_bytes || same_json(body, &self.bytes())
    }

    fn bytes(&self) -> Vec<u8> {
        match &self.answer.after {
            None => self.answer.before.clone(),
            Some(after) => [&self.answer.before, self.digits, after].concat(),
        }
    }
}

impl fmt::Display for Expected<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.bytes()))
    }
}

fn same_json(one: &[u8], other: &[u8]) -> bool {
    match (serde_json::from_slice::<Value>(one), serde_json::from_slice::<Value>(other)) {
        (Ok(one), Ok(other)) => one == other,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_right_when_it_says_the_same() {
        let answer = Answer::new(r#"{"result":{"allow":true,"rows":2}}"#);
        let expected = answer.with(b"");
        assert!(expected.is(b"{\"result\":{\"allow\":true,\"rows\":2}}\n"));
        assert!(expected.is(br#"{ "result": {"rows": 2, "allow": true} }"#));
        assert!(!expected.is(br#"{"result":{"allow":false,"rows":2}}"#));
        assert!(!expected.is(b"{}"));
        assert!(!expected.is(b""));
    }

    #[test]
    fn the_mark_stands_for_the_questions_own_number() {
        let answer = Answer::new(r#"{"result":"a-################"}"#);
        let expected = answer.with(b"0000000000000042");
        assert!(expected.is(br#"{"result":"a-0000000000000042"}"#));
        assert!(!expected.is(br#"{"result":"a-0000000000000041"}"#));
        assert_eq!(expected.to_string(), r#"{"result":"a-0000000000000042"}"#);
    }
}
