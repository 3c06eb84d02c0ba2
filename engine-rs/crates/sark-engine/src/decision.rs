//! A decision and how it is written on the wire.

use regorus::Value;

use crate::{
    body::Body,
    document::{Unwritable, write_within},
};

/// What a decision means for the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// `true`, or an object whose `allow` is `true`.
    Allow,
    /// Any other defined value.
    Deny,
    /// The path has no value for this input.
    Undefined,
}

impl Outcome {
    /// What `value` means.
    pub fn of(value: &Value) -> Self {
        match value {
            Value::Undefined => Self::Undefined,
            Value::Bool(true) => Self::Allow,
            Value::Object(_) if value["allow"] == Value::Bool(true) => Self::Allow,
            _ => Self::Deny,
        }
    }

    /// The label value.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
            Self::Undefined => "undefined",
        }
    }
}

/// Longest answer, in bytes. It is there several times: while it is written, kept, logged and sent.
const MAX_ANSWER_BYTES: usize = 64 << 20;

const PREFIX: &[u8] = b"{\"result\":";
const SUFFIX: &[u8] = b"}\n";
const UNDEFINED: &[u8] = b"{}\n";
const TRUE: &[u8] = b"{\"result\":true}\n";
const FALSE: &[u8] = b"{\"result\":false}\n";

/// A decision, kept as the body of its HTTP answer so that a cached one is sent without copying.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    body: Body,
    outcome: Outcome,
}

impl Decision {
    /// The decision of a path without a value.
    pub const fn undefined() -> Self {
        Self { body: Body::fixed(UNDEFINED), outcome: Outcome::Undefined }
    }

    /// The decision whose answer's body is `body`.
    pub(crate) const fn from_body(body: Body, outcome: Outcome) -> Self {
        Self { body, outcome }
    }

    /// The decision `result`, a JSON text, that means `outcome`.
    pub fn from_json(result: &[u8], outcome: Outcome) -> Self {
        let mut body = Vec::with_capacity(PREFIX.len() + result.len() + SUFFIX.len());
        body.extend_from_slice(PREFIX);
        body.extend_from_slice(result);
        body.extend_from_slice(SUFFIX);
        Self { body: body.into(), outcome }
    }

    pub(crate) fn from_value(value: &Value) -> Result<Self, Unwritable> {
        match value {
            Value::Undefined => return Ok(Self::undefined()),
            Value::Bool(true) => return Ok(Self::from_body(Body::fixed(TRUE), Outcome::Allow)),
            Value::Bool(false) => return Ok(Self::from_body(Body::fixed(FALSE), Outcome::Deny)),
            _ => {}
        }
        let mut body = Vec::with_capacity(64);
        body.extend_from_slice(PREFIX);
        write_within(&mut body, value, MAX_ANSWER_BYTES)?;
        body.extend_from_slice(SUFFIX);
        Ok(Self { body: body.into(), outcome: Outcome::of(value) })
    }

    /// What it means.
    pub const fn outcome(&self) -> Outcome {
        self.outcome
    }

    /// The body of the HTTP answer, newline-terminated as OPA's.
    pub const fn body(&self) -> &Body {
        &self.body
    }

    /// The value as compact JSON; None when undefined.
    pub fn result(&self) -> Option<&[u8]> {
        self.body.strip_prefix(PREFIX)?.strip_suffix(SUFFIX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decision(json: &str) -> Decision {
        Decision::from_value(&Value::from_json_str(json).unwrap()).unwrap()
    }

    #[test]
    fn only_true_and_an_object_that_allows_mean_allow() {
        for (json, outcome) in [
            ("true", Outcome::Allow),
            (r#"{"allow":true,"reason":"x"}"#, Outcome::Allow),
            ("false", Outcome::Deny),
            (r#"{"allow":"true"}"#, Outcome::Deny),
            (r#"{"allow":1}"#, Outcome::Deny),
            (r#"{"allowed":true}"#, Outcome::Deny),
            ("{}", Outcome::Deny),
            ("[true]", Outcome::Deny),
            (r#""true""#, Outcome::Deny),
            ("1", Outcome::Deny),
            ("null", Outcome::Deny),
        ] {
            assert_eq!(decision(json).outcome(), outcome, "{json}");
        }
    }

    #[test]
    fn undefined_is_an_answer_without_a_result() {
        let undefined = Decision::from_value(&Value::Undefined).unwrap();
        assert_eq!(undefined, Decision::undefined());
        assert_eq!(undefined.result(), None);
        assert_eq!(**undefined.body(), *b"{}\n");
    }

    #[test]
    fn the_result_is_the_body_without_its_envelope() {
        let allow = decision(r#"{ "b": 1, "a": [true] }"#);
        assert_eq!(allow.result(), Some(br#"{"a":[true],"b":1}"#.as_slice()));
        assert_eq!(Decision::from_json(br#"{"a":[true],"b":1}"#, Outcome::Deny), allow);
        for (json, outcome) in [("true", Outcome::Allow), ("false", Outcome::Deny), ("null", Outcome::Deny)] {
            assert_eq!(decision(json), Decision::from_json(json.as_bytes(), outcome));
        }
    }
}
