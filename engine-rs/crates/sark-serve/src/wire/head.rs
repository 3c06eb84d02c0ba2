//! The head of a request: everything before its body.

use std::mem::MaybeUninit;

use httparse::{Error, Header, Status};

use crate::reply::{Problem, status};

const MAX_HEADERS: usize = 100;

/// What a head may be, and what is looked for in it.
#[derive(Debug, Clone)]
pub(crate) struct HeadRule {
    pub max_bytes: usize,
    pub max_body_bytes: usize,
    /// Header that names the subject, in lower case.
    pub subject: Option<String>,
}

/// How the end of the body is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Length {
    Sized(usize),
    Chunked,
}

impl Default for Length {
    fn default() -> Self {
        Self::Sized(0)
    }
}

/// A complete head.
#[derive(Debug, Default, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools)] // each is what one header says
pub(crate) struct Head<'b> {
    pub method: &'b str,
    /// Path without its query string.
    pub path: &'b str,
    /// Query string without its question mark.
    pub query: &'b str,
    pub length: Length,
    /// The client wants to ask again on this connection.
    pub keep_alive: bool,
    /// HTTP/1.0: a connection that stays must be told so.
    pub is_old: bool,
    pub expects_continue: bool,
    /// How the body is packed; empty when it is itself.
    pub encoding: &'b [u8],
    pub content_type: &'b [u8],
    pub accept_encoding: &'b [u8],
    pub if_none_match: &'b [u8],
    pub subject: Option<&'b [u8]>,
    pub authorization: Option<&'b [u8]>,
    /// The length of the body as it is written; empty when it is not, and in a head that is remembered.
    pub content_length: &'b [u8],
    /// Bytes of the head.
    pub size: usize,
}

impl Head<'_> {
    /// What it says in numbers and switches alone.
    pub(super) fn without_texts(&self) -> Head<'static> {
        Head {
            length: self.length,
            keep_alive: self.keep_alive,
            is_old: self.is_old,
            expects_continue: self.expects_continue,
            size: self.size,
            ..Head::default()
        }
    }
}

impl HeadRule {
    /// The head at the start of `bytes`; None while part of it is missing.
    pub(crate) fn read<'b>(&self, bytes: &'b [u8]) -> Result<Option<Head<'b>>, Problem> {
        let mut headers: [MaybeUninit<Header<'_>>; MAX_HEADERS] = [const { MaybeUninit::uninit() }; MAX_HEADERS];
        let mut request = httparse::Request::new(&mut []);
        let size = match request.parse_with_uninit_headers(bytes, &mut headers) {
            Ok(Status::Complete(size)) if size <= self.max_bytes => size,
            Ok(Status::Partial) if bytes.len() <= self.max_bytes => return Ok(None),
            Ok(_) => return Err(self.too_large()),
            Err(Error::TooManyHeaders) => return Err(too_many()),
            Err(error) => return Err(malformed(&format!("{error}"))),
        };
        let (method, target) = (request.method.unwrap_or_default(), request.path.unwrap_or_default());
        if target.contains('#') {
            return Err(malformed("its target has a #, which is never sent: write %23"));
        }
        let (path, query) = split(target);
        let is_old = request.version == Some(0);
        let mut found = Found::default();
        for header in request.headers.iter() {
            found.note(header, self)?;
        }
        Ok(Some(Head {
            method,
            path,
            query,
            length: found.length(is_old, self)?,
            keep_alive: !found.close && (!is_old || found.keep_alive),
            is_old,
            expects_continue: found.expects_continue && !is_old,
            encoding: found.encoding.filter(|coding| !coding.eq_ignore_ascii_case(b"identity")).unwrap_or_default(),
            content_type: found.content_type.unwrap_or_default(),
            accept_encoding: found.accept_encoding.unwrap_or_default(),
            if_none_match: found.if_none_match.unwrap_or_default(),
            subject: found.subject,
            authorization: found.authorization,
            content_length: found.written_length,
            size,
        }))
    }

    pub(crate) fn too_large(&self) -> Problem {
        let message = format!("the request's head is larger than {} bytes", self.max_bytes);
        Problem::new(status::HEAD_TOO_LARGE, "invalid_parameter", message)
    }

    pub(crate) fn body_too_large(&self) -> Problem {
        let message = format!("the body is larger than {} bytes", self.max_body_bytes);
        Problem::new(status::TOO_LARGE, "invalid_parameter", message)
    }
}

fn too_many() -> Problem {
    let message = format!("the request has more than {MAX_HEADERS} headers");
    Problem::new(status::HEAD_TOO_LARGE, "invalid_parameter", message)
}

pub(super) fn malformed(reason: &str) -> Problem {
    // Where the next request begins is not known any more.
    Problem::invalid(format!("this is not an HTTP/1.1 request: {reason}")).closing()
}

/// What the headers say.
#[derive(Default)]
#[allow(clippy::struct_excessive_bools)] // as in Head
struct Found<'b> {
    content_length: Option<usize>,
    written_length: &'b [u8],
    chunked: bool,
    close: bool,
    keep_alive: bool,
    expects_continue: bool,
    encoding: Option<&'b [u8]>,
    content_type: Option<&'b [u8]>,
    accept_encoding: Option<&'b [u8]>,
    if_none_match: Option<&'b [u8]>,
    subject: Option<&'b [u8]>,
    authorization: Option<&'b [u8]>,
}

impl<'b> Found<'b> {
    fn note(&mut self, header: &Header<'b>, rule: &HeadRule) -> Result<(), Problem> {
        let is = |name: &str| header.name.eq_ignore_ascii_case(name);
        // Of a header that is there twice OPA sees the first.
        let first = |place: &mut Option<&'b [u8]>| {
            place.get_or_insert(header.value);
        };
        // Most names are told apart by their length alone.
        match header.name.len() {
            6 if is("expect") => self.expects_continue = header.value.eq_ignore_ascii_case(b"100-continue"),
            10 if is("connection") => self.connection(header.value),
            12 if is("content-type") => first(&mut self.content_type),
            13 if is("authorization") && self.authorization.replace(header.value).is_some() => {
                return Err(malformed("it has more than one Authorization"));
            }
            13 if is("if-none-match") => first(&mut self.if_none_match),
            14 if is("content-length") => {
                let length = content_length(header.value, rule)?;
                if self.content_length.replace(length).is_some() {
                    return Err(malformed("it has more than one Content-Length"));
                }
                self.written_length = header.value;
            }
            15 if is("accept-encoding") => first(&mut self.accept_encoding),
            16 if is("content-encoding") => first(&mut self.encoding),
            17 if is("transfer-encoding") => {
                if self.chunked || !header.value.eq_ignore_ascii_case(b"chunked") {
                    return Err(malformed("the only transfer coding understood is chunked, once"));
                }
                self.chunked = true;
            }
            _ => {}
        }
        if let Some(name) = &rule.subject
            && self.subject.is_none()
            && is(name)
        {
            self.subject = Some(header.value).filter(|value| !value.is_empty());
        }
        Ok(())
    }

    fn connection(&mut self, value: &[u8]) {
        for token in value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii) {
            self.close |= token.eq_ignore_ascii_case(b"close");
            self.keep_alive |= token.eq_ignore_ascii_case(b"keep-alive");
        }
    }

    fn length(&self, is_old: bool, rule: &HeadRule) -> Result<Length, Problem> {
        match (self.content_length, self.chunked) {
            (Some(_), true) => Err(malformed("it has both a Content-Length and chunks")),
            (None, true) if is_old => Err(malformed("HTTP/1.0 has no chunks")),
            (None, true) => Ok(Length::Chunked),
            (Some(length), false) if length > rule.max_body_bytes => Err(rule.body_too_large()),
            (length, false) => Ok(Length::Sized(length.unwrap_or_default())),
        }
    }
}

fn content_length(value: &[u8], rule: &HeadRule) -> Result<usize, Problem> {
    if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
        return Err(malformed("its Content-Length is not a number"));
    }
    number(value).ok_or_else(|| rule.body_too_large())
}

/// The number that digits say; None when it does not fit.
pub(super) fn number(digits: &[u8]) -> Option<usize> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// Path and query string of a target in origin form, or in the absolute form that is sent to proxies.
fn split(target: &str) -> (&str, &str) {
    let absolute = if target.starts_with('/') { None } else { target.split_once("://") };
    let origin = match absolute {
        // What stands behind the first of both is no authority any more, whatever slashes are in a query.
        Some(("http" | "https", rest)) => rest.find(['/', '?']).and_then(|at| rest.get(at..)).unwrap_or_default(),
        _ => target,
    };
    let (path, query) = origin.split_once('?').unwrap_or((origin, ""));
    let is_absolute = matches!(absolute, Some(("http" | "https", _)));
    (if is_absolute && path.is_empty() { "/" } else { path }, query)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule() -> HeadRule {
        HeadRule { max_bytes: 1024, max_body_bytes: 100, subject: Some("x-subject".into()) }
    }

    fn refused(head: &str) -> u16 {
        rule().read(head.as_bytes()).unwrap_err().status
    }

    fn read(head: &str) -> Head<'_> {
        rule().read(head.as_bytes()).unwrap().unwrap()
    }

    #[test]
    fn what_matters_is_found_in_a_head() {
        let text = "POST /v1/data/a?pretty HTTP/1.1\r\nHost: x\r\nContent-Length: 7\r\nContent-Type: a/b\r\nContent-Encoding: gzip\r\nIf-None-Match: *\r\nX-Subject: alice\r\nExpect: 100-continue\r\n\r\n";
        let expected = Head {
            method: "POST",
            path: "/v1/data/a",
            query: "pretty",
            length: Length::Sized(7),
            keep_alive: true,
            is_old: false,
            expects_continue: true,
            encoding: b"gzip",
            content_type: b"a/b",
            accept_encoding: b"",
            if_none_match: b"*",
            subject: Some(b"alice"),
            authorization: None,
            content_length: b"7",
            size: text.len(),
        };
        assert_eq!(read(text), expected);
        for cut in 0..text.len() {
            assert_eq!(rule().read(&text.as_bytes()[..cut]), Ok(None), "{cut}");
        }
    }

    #[test]
    fn a_subject_is_named_without_the_space_around_it_and_an_empty_one_is_none() {
        for (value, named) in [("", None), (" \t ", None), ("\talice b ", Some("alice b")), ("\r\nX-Subject: bob", Some("bob"))]
        {
            let text = format!("GET / HTTP/1.1\r\nX-Subject: {value}\r\n\r\n");
            assert_eq!(read(&text).subject, named.map(str::as_bytes), "{value:?}");
        }
    }

    #[test]
    fn a_connection_stays_unless_it_is_told_or_is_old() {
        for (text, stays) in [
            ("GET / HTTP/1.1\r\n\r\n", true),
            ("GET / HTTP/1.1\r\nConnection: TE, Close\r\n\r\n", false),
            ("GET / HTTP/1.0\r\n\r\n", false),
            ("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", true),
        ] {
            assert_eq!(read(text).keep_alive, stays, "{text:?}");
        }
    }

    #[test]
    fn a_target_has_a_path_in_both_forms() {
        for (target, parts) in [
            ("/a/b?c=d?e", ("/a/b", "c=d?e")),
            ("http://h:1/a?b", ("/a", "b")),
            ("http://h", ("/", "")),
            ("http://h?a/v1/data/b", ("/", "a/v1/data/b")),
            ("http://h?", ("/", "")),
            ("/a://b", ("/a://b", "")),
            ("?a://b", ("", "a://b")),
        ] {
            assert_eq!(split(target), parts, "{target}");
        }
    }

    #[test]
    fn of_a_header_that_is_there_twice_the_first_counts() {
        let head = read(
            "POST / HTTP/1.1\r\nContent-Type: a/b\r\ncontent-type: c/d\r\nContent-Encoding: identity\r\nContent-Encoding: gzip\r\n\r\n",
        );
        assert_eq!((head.content_type, head.encoding), (b"a/b".as_slice(), b"".as_slice()));
    }

    #[test]
    fn a_target_with_a_fragment_is_refused() {
        for target in ["/a#f", "/a?b=#&strict-builtin-errors", "http://h/a#"] {
            assert_eq!(refused(&format!("GET {target} HTTP/1.1\r\nHost: x\r\n\r\n")), 400, "{target}");
        }
    }

    #[test]
    fn whatever_two_readers_could_read_differently_is_refused() {
        for lines in [
            "Content-Length: 1\r\nContent-Length: 1",
            "Content-Length: 1\r\nTransfer-Encoding: chunked",
            "Transfer-Encoding: gzip, chunked",
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
            "Transfer-Encoding: identity",
            "Content-Length: +1",
            "Content-Length: 1, 1",
            "Content-Length: 0x1",
            "Content-Length:",
            "Authorization: Bearer a\r\nauthorization: Bearer b",
            "Content-Length : 1",
            "A: b\r\n folded",
            "A\0: b",
        ] {
            assert_eq!(refused(&format!("POST / HTTP/1.1\r\n{lines}\r\n\r\n")), 400, "{lines:?}");
        }
        for text in [
            "GET /\r\n\r\n",
            "GET / HTTP/2.0\r\n\r\n",
            "\x16\x03\x01\r\n\r\n",
            "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n",
        ] {
            assert_eq!(refused(text), 400, "{text:?}");
        }
    }

    #[test]
    fn what_is_too_large_is_refused_before_it_is_read() {
        assert_eq!(refused("POST / HTTP/1.1\r\nContent-Length: 101\r\n\r\n"), 413);
        assert_eq!(refused("POST / HTTP/1.1\r\nContent-Length: 99999999999999999999999\r\n\r\n"), 413);
        assert_eq!(refused(&format!("GET / HTTP/1.1\r\nA: {}\r\n\r\n", "x".repeat(1024))), 431);
        assert_eq!(refused(&format!("GET / HTTP/1.1\r\nA: {}", "x".repeat(1024))), 431);
        let roomy = HeadRule { max_bytes: 1 << 20, ..rule() };
        let many = format!("GET / HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(MAX_HEADERS + 1));
        assert_eq!(roomy.read(many.as_bytes()).unwrap_err().status, 431);
    }
}
