//! What an answer looks like: OPA's warning, version 0 of its API, indentation, compression. None of it changes a decision.

use std::{borrow::Cow, collections::BTreeMap};

use sark_engine::{Body, DecisionPath};
use serde_json::value::RawValue;

use crate::{
    compression,
    indenting::indented,
    reply::{Problem, Reply, status},
};

const WARNING: &[u8] = br#""warning":{"code":"api_usage_warning","message":"'input' key missing from the request"}}"#;

/// Which version of the Data API a question came by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Version {
    /// The body is the input, and the answer is the result.
    V0,
    /// Both are members of an object.
    V1,
}

/// How an answer is to look.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Look {
    pub version: Version,
    pub pretty: bool,
    /// The question had no input.
    pub warns: bool,
    pub packs: bool,
}

impl Look {
    /// As decisions are.
    pub(crate) const PLAIN: Self = Self { version: Version::V1, pretty: false, warns: false, packs: false };

    /// Make the answer to a question about `path` look so.
    pub(crate) fn dress(self, reply: Reply, path: &DecisionPath) -> Reply {
        let mut reply = if reply.status == status::OK { self.dress_decision(reply, path) } else { reply };
        if self.packs
            && let Some(packed) = compression::pack(&reply.body)
        {
            reply.body = packed.into();
            reply.lines = "Content-Type: application/json\r\nContent-Encoding: gzip\r\nVary: Accept-Encoding\r\n".into();
        }
        reply
    }

    /// Whether an answer looks so already.
    pub(crate) fn is_worn_by(self, reply: &Reply) -> bool {
        let packs = self.packs && compression::is_worth_packing(&reply.body);
        self.version == Version::V1 && !self.pretty && !self.warns && !packs
    }

    fn dress_decision(self, mut reply: Reply, path: &DecisionPath) -> Reply {
        if self.version == Version::V0 {
            match bare(&reply.body) {
                Ok(Some(body)) => reply.body = body,
                Ok(None) => return undefined(path),
                Err(()) => return Problem::internal("the decision is not one in OPA's shape").reply(),
            }
        }
        if self.warns {
            reply.body = warned(&reply.body);
        }
        if self.pretty
            && let Some(lines) = indented(&reply.body)
        {
            reply.body = lines.into();
        }
        reply
    }
}

/// The result alone; None when there is none.
fn bare(body: &[u8]) -> Result<Option<Body>, ()> {
    // An optional member would take a null for none.
    let members: BTreeMap<String, &RawValue> = serde_json::from_slice(body).map_err(|_| ())?;
    Ok(members.get("result").map(|result| [result.get().as_bytes(), b"\n"].concat().into()))
}

/// With the warning as the last member. A body that is no object stays as it is.
fn warned(body: &Body) -> Body {
    let Some(open) = body.trim_ascii_end().strip_suffix(b"}").filter(|open| open.starts_with(b"{")) else {
        return body.clone();
    };
    let comma: &[u8] = if open.trim_ascii_end() == b"{" { b"" } else { b"," };
    [open, comma, WARNING, b"\n"].concat().into()
}

fn undefined(path: &DecisionPath) -> Reply {
    let message = format!("document missing or undefined: {}", reference(path));
    Problem::new(status::NOT_FOUND, "undefined_document", message).reply()
}

/// The path as Rego writes it.
fn reference(path: &DecisionPath) -> String {
    let mut text = String::from("data");
    for segment in path.segments() {
        let is_name = segment.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
            && !segment.bytes().next().is_some_and(|byte| byte.is_ascii_digit());
        let part: Cow<'_, str> = match segment.parse::<i64>() {
            Ok(index) => format!("[{index}]").into(),
            Err(_) if is_name => format!(".{segment}").into(),
            Err(_) => format!("[{segment:?}]").into(),
        };
        text.push_str(&part);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Look = Look::PLAIN;

    fn dressed(look: Look, body: &'static str) -> (u16, String) {
        let path = DecisionPath::parse("a/b c/0").unwrap();
        let reply = look.dress(Reply::json(status::OK, Body::fixed(body.as_bytes())), &path);
        (reply.status, String::from_utf8_lossy(&reply.body).into_owned())
    }

    #[test]
    fn version_0_has_the_result_alone_or_a_404() {
        let v0 = Look { version: Version::V0, ..PLAIN };
        assert_eq!(dressed(v0, "{\"result\":12345678901234567890.10}\n"), (200, "12345678901234567890.10\n".into()));
        assert_eq!(dressed(v0, "{\"result\":null}\n"), (200, "null\n".into()));
        let (status, body) = dressed(v0, "{}\n");
        assert_eq!(status, 404);
        assert!(body.contains("undefined_document") && body.contains(r#"data.a[\"b c\"][0]"#), "{body}");
        assert_eq!(dressed(v0, "rubbish").0, 500);
        assert_eq!(dressed(v0, "[]").0, 500);
    }

    #[test]
    fn a_warning_is_the_last_member() {
        let warns = Look { warns: true, ..PLAIN };
        let warning = std::str::from_utf8(WARNING).unwrap();
        assert_eq!(dressed(warns, "{}\n").1, format!("{{{warning}\n"));
        assert_eq!(dressed(warns, "{\"result\":{\"a\":{}}}\n").1, format!("{{\"result\":{{\"a\":{{}}}},{warning}\n"));
    }

    #[test]
    fn errors_are_left_as_they_are() {
        let everything = Look { version: Version::V0, pretty: true, warns: true, packs: true };
        let reply = Problem::internal("x").reply();
        assert_eq!(everything.dress(reply.clone(), &DecisionPath::parse("a").unwrap()), reply);
    }

    #[test]
    fn a_long_answer_is_packed_and_says_so() {
        let path = DecisionPath::parse("a").unwrap();
        let body = Body::from(format!("{{\"result\":\"{}\"}}\n", "x".repeat(2000)).into_bytes());
        let reply = Look { packs: true, ..PLAIN }.dress(Reply::json(status::OK, body.clone()), &path);
        assert!(reply.lines.contains("Content-Encoding: gzip"));
        assert_eq!(compression::unpack(&reply.body, 10_000).as_deref(), Ok(&*body));
    }
}
