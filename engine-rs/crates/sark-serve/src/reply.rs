//! Answers on the wire, in OPA's shapes.

use sark_engine::Body;
use serde::Serialize;

use crate::opening::Opening;

/// Status codes.
pub(crate) mod status {
    pub(crate) const OK: u16 = 200;
    pub(crate) const NO_CONTENT: u16 = 204;
    pub(crate) const MIXED: u16 = 207;
    pub(crate) const NOT_MODIFIED: u16 = 304;
    pub(crate) const BAD_REQUEST: u16 = 400;
    pub(crate) const UNAUTHORIZED: u16 = 401;
    pub(crate) const FORBIDDEN: u16 = 403;
    pub(crate) const NOT_FOUND: u16 = 404;
    pub(crate) const METHOD_NOT_ALLOWED: u16 = 405;
    pub(crate) const TOO_SLOW: u16 = 408;
    pub(crate) const TOO_LARGE: u16 = 413;
    pub(crate) const HEAD_TOO_LARGE: u16 = 431;
    pub(crate) const INTERNAL: u16 = 500;
    pub(crate) const UNAVAILABLE: u16 = 503;
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reply {
    pub status: u16,
    pub body: Body,
    /// Value of the Cache-Control header; empty for none.
    pub cache_control: String,
    /// Header lines instead of the Content-Type of JSON; empty for none.
    pub lines: String,
    /// The connection cannot be used again, whatever the client wishes.
    pub closes: bool,
}

/// How an answer is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Delivery {
    /// It is the last one on its connection.
    pub is_last: bool,
    /// The client speaks HTTP/1.0 and must be told when the connection stays.
    pub is_old: bool,
    /// Answer of HEAD: the length is told and the body left out.
    pub without_body: bool,
}

/// A refusal or failure, as OPA words it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    pub status: u16,
    pub code: &'static str,
    pub message: String,
    closes: bool,
    /// Value of the Allow header; empty for none.
    allow: &'static str,
}

#[derive(Serialize)]
struct ErrorBody<'a> {
    code: &'a str,
    message: &'a str,
}

impl Problem {
    pub(crate) fn new(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        // The rest of such a request is not read: where the next one begins is not known.
        let closes = matches!(status, status::TOO_LARGE | status::TOO_SLOW | status::HEAD_TOO_LARGE);
        Self { status, code, message: message.into(), closes, allow: "" }
    }

    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(status::BAD_REQUEST, "invalid_parameter", message)
    }

    pub(crate) fn internal(message: impl Into<String>) -> Self {
        Self::new(status::INTERNAL, "internal_error", message)
    }

    pub(crate) fn unavailable(message: impl Into<String>) -> Self {
        Self::new(status::UNAVAILABLE, "internal_error", message)
    }

    /// As OPA words it when its authorization policy is against a request.
    pub(crate) fn unauthorized() -> Self {
        Self::new(status::UNAUTHORIZED, "unauthorized", "request rejected by administrative policy")
    }

    /// As it is, on a connection that cannot be used again.
    pub(crate) fn closing(self) -> Self {
        Self { closes: true, ..self }
    }

    /// As it is, of a request that was read to its end.
    pub(crate) fn staying(self) -> Self {
        Self { closes: false, ..self }
    }

    /// With the methods that are taken instead.
    pub(crate) fn allowing(self, allow: &'static str) -> Self {
        Self { allow, ..self }
    }

    pub(crate) fn reply(&self) -> Reply {
        let body = ErrorBody { code: self.code, message: &self.message };
        let mut text = serde_json::to_vec_pretty(&body).unwrap_or_default();
        text.push(b'\n');
        let lines = match self.allow {
            "" if self.status == status::UNAUTHORIZED => {
                String::from("Content-Type: application/json\r\nWWW-Authenticate: Bearer\r\n")
            }
            "" => String::new(),
            allow => format!("Content-Type: application/json\r\nAllow: {allow}\r\n"),
        };
        Reply { closes: self.closes, lines, ..Reply::json(self.status, text.into()) }
    }
}

impl Reply {
    pub(crate) const fn json(status: u16, body: Body) -> Self {
        Self { status, body, cache_control: String::new(), lines: String::new(), closes: false }
    }

    /// Answer of `GET /health`.
    pub(crate) const fn healthy() -> Self {
        Self::json(status::OK, Body::fixed(b"{}\n"))
    }

    /// Write head and body behind what is in `out` already, so that both are sent at once.
    pub(crate) fn write(&self, out: &mut Vec<u8>, opening: &Opening, delivery: Delivery) {
        // These have no body, whatever they say of its length.
        let is_bare = matches!(self.status, status::NO_CONTENT | status::NOT_MODIFIED);
        if self.status == status::OK && self.lines.is_empty() {
            out.extend_from_slice(opening.text());
        } else {
            self.write_opening(out, opening.date(), is_bare);
        }
        if !is_bare {
            out.extend_from_slice(itoa::Buffer::new().format(self.body.len()).as_bytes());
            out.extend_from_slice(b"\r\n");
        }
        if !self.cache_control.is_empty() {
            out.extend_from_slice(b"Cache-Control: ");
            out.extend_from_slice(self.cache_control.as_bytes());
            out.extend_from_slice(b"\r\n");
        }
        if self.status == status::UNAVAILABLE {
            out.extend_from_slice(b"Retry-After: 1\r\n");
        }
        if delivery.is_last {
            out.extend_from_slice(b"Connection: close\r\n");
        } else if delivery.is_old {
            out.extend_from_slice(b"Connection: keep-alive\r\n");
        }
        out.extend_from_slice(b"\r\n");
        if !delivery.without_body && !is_bare {
            out.extend_from_slice(&self.body);
        }
    }

    /// Everything up to the length, and its name where there is one.
    fn write_opening(&self, out: &mut Vec<u8>, date: &str, is_bare: bool) {
        out.extend_from_slice(b"HTTP/1.1 ");
        out.extend_from_slice(itoa::Buffer::new().format(self.status).as_bytes());
        out.push(b' ');
        out.extend_from_slice(reason(self.status).as_bytes());
        out.extend_from_slice(b"\r\n");
        if !self.lines.is_empty() {
            out.extend_from_slice(self.lines.as_bytes());
        } else if !is_bare {
            out.extend_from_slice(b"Content-Type: application/json\r\n");
        }
        out.extend_from_slice(b"Date: ");
        out.extend_from_slice(date.as_bytes());
        out.extend_from_slice(b"\r\n");
        if !is_bare {
            out.extend_from_slice(b"Content-Length: ");
        }
    }

    /// With these headers instead of the Content-Type of JSON; without any, as it is.
    pub(crate) fn with_headers(mut self, headers: &[(String, String)]) -> Self {
        self.lines = header_lines(headers);
        self
    }

    /// With this Cache-Control header, unless it could end the header early.
    pub(crate) fn with_cache_control(mut self, value: String) -> Self {
        if is_header_value(&value) {
            self.cache_control = value;
        }
        self
    }
}

/// Headers that are the data plane's own to write.
const OWN_HEADERS: [&str; 5] = ["connection", "content-length", "date", "keep-alive", "transfer-encoding"];

fn is_header_value(value: &str) -> bool {
    value.bytes().all(|byte| byte == b'\t' || (b' '..=b'~').contains(&byte))
}

/// Lines of the headers that may be written; those that could end a line early are left out.
fn header_lines(headers: &[(String, String)]) -> String {
    let mut lines = String::new();
    for (name, value) in headers {
        let is_own = OWN_HEADERS.iter().any(|own| name.eq_ignore_ascii_case(own));
        let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        if is_name && !is_own && is_header_value(value) {
            lines.push_str(name);
            lines.push_str(": ");
            lines.push_str(value);
            lines.push_str("\r\n");
        }
    }
    lines
}

const fn reason(code: u16) -> &'static str {
    match code {
        status::OK => "OK",
        status::BAD_REQUEST => "Bad Request",
        status::MIXED => "Multi-Status",
        status::NO_CONTENT => "No Content",
        status::NOT_MODIFIED => "Not Modified",
        status::UNAUTHORIZED => "Unauthorized",
        status::FORBIDDEN => "Forbidden",
        status::NOT_FOUND => "Not Found",
        status::METHOD_NOT_ALLOWED => "Method Not Allowed",
        status::TOO_SLOW => "Request Timeout",
        status::TOO_LARGE => "Content Too Large",
        status::HEAD_TOO_LARGE => "Request Header Fields Too Large",
        status::INTERNAL => "Internal Server Error",
        502 => "Bad Gateway",
        status::UNAVAILABLE => "Service Unavailable",
        504 => "Gateway Timeout",
        // The phrase may be empty, and nobody reads it.
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::*;

    const STAYS: Delivery = Delivery { is_last: false, is_old: false, without_body: false };

    fn written(reply: &Reply, delivery: Delivery) -> String {
        let mut out = Vec::new();
        let then = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
        reply.write(&mut out, &Opening::at(then), delivery);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn an_answer_is_one_run_of_bytes() {
        let expected = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nContent-Length: 3\r\n\r\n{}\n";
        assert_eq!(written(&Reply::healthy(), STAYS), expected);
        let head = written(&Reply::healthy(), Delivery { without_body: true, ..STAYS });
        assert_eq!(head, expected.strip_suffix("{}\n").unwrap());
    }

    #[test]
    fn the_client_is_told_what_becomes_of_the_connection() {
        assert!(written(&Reply::healthy(), Delivery { is_last: true, ..STAYS }).contains("\r\nConnection: close\r\n"));
        assert!(written(&Reply::healthy(), Delivery { is_old: true, ..STAYS }).contains("\r\nConnection: keep-alive\r\n"));
        assert!(!written(&Reply::healthy(), STAYS).contains("Connection"));
    }

    #[test]
    fn a_problem_is_worded_as_by_opa() {
        let reply = Problem::unavailable("busy").reply();
        assert_eq!(*reply.body, *b"{\n  \"code\": \"internal_error\",\n  \"message\": \"busy\"\n}\n");
        assert!(written(&reply, STAYS).starts_with("HTTP/1.1 503 Service Unavailable\r\n"));
        assert!(written(&reply, STAYS).contains("\r\nRetry-After: 1\r\n"));
    }

    #[test]
    fn headers_of_an_answer_cannot_add_or_replace_the_data_planes() {
        let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let headers = [
            header("Content-Type", "text/plain"),
            header("A\r\nB", "x"),
            header("C", "x\r\nD: y"),
            header("content-Length", "9"),
            header("Transfer-Encoding", "chunked"),
        ];
        let text = written(&Reply::healthy().with_headers(&headers), STAYS);
        assert!(text.contains("\r\nContent-Type: text/plain\r\nDate: "), "{text}");
        assert_eq!(text.matches("ontent-").count(), 2, "{text}");
        assert!(!text.contains("chunked") && !text.contains("D: y"), "{text}");
    }

    #[test]
    fn an_answer_that_has_no_body_tells_no_length() {
        for code in [status::NO_CONTENT, status::NOT_MODIFIED] {
            let text = written(&Reply::json(code, Body::fixed(b"{}")), STAYS);
            assert!(text.starts_with(&format!("HTTP/1.1 {code} ")), "{text}");
            assert!(text.ends_with("\r\n\r\n") && !text.contains("Content-"), "{text}");
        }
    }

    #[test]
    fn a_value_cannot_add_a_header() {
        let reply = Reply::healthy().with_cache_control("no-store\r\nSet-Cookie: a=b".into());
        assert!(!written(&reply, STAYS).contains("Cookie"));
        let reply = Reply::healthy().with_cache_control("no-store".into());
        assert!(written(&reply, STAYS).contains("\r\nCache-Control: no-store\r\n"));
    }
}
