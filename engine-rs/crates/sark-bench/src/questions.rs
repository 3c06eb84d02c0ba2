//! The questions asked: request bytes made once, so that the client spends its time on the wire.

use std::{
    path::Path,
    time::{SystemTime, UNIX_EPOCH},
};

use crate::arguments::Target;

/// In a body this is replaced by a number that no other request has, also not one of a later run.
const MARK: &[u8] = b"################";
const MAX_FILE_BYTES: usize = 64 * 1024 * 1024;

pub(crate) struct Questions {
    requests: Vec<Request>,
    next: usize,
    number: u64,
}

struct Request {
    bytes: Vec<u8>,
    mark: Option<usize>,
}

impl Questions {
    /// Read one JSON body a line.
    pub(crate) fn read(file: &Path, target: &Target) -> Result<Self, String> {
        let text = std::fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
        if text.len() > MAX_FILE_BYTES {
            return Err(format!("{} has {} bytes; at most {MAX_FILE_BYTES} are read", file.display(), text.len()));
        }
        Self::new(&text, target).ok_or_else(|| format!("{} has no line with a body", file.display()))
    }

    fn new(text: &str, target: &Target) -> Option<Self> {
        let lines = text.lines().filter(|line| !line.trim().is_empty());
        let requests: Vec<Request> = lines.map(|body| Request::new(body, target)).collect();
        // Microseconds since 1970 have 16 digits and grow faster than anyone asks.
        let micros = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_micros();
        (!requests.is_empty()).then_some(Self { requests, next: 0, number: u64::try_from(micros).unwrap_or_default() })
    }

    /// The bytes of the next request; after the last body comes the first again.
    pub(crate) fn next(&mut self) -> &[u8] {
        let at = self.next;
        self.next = if at + 1 < self.requests.len() { at + 1 } else { 0 };
        let Some(request) = self.requests.get_mut(at) else { return &[] };
        if let Some(mark) = request.mark {
            self.number += 1;
            let digits = format!("{:016}", self.number);
            for (byte, digit) in request.bytes.iter_mut().skip(mark).zip(digits.bytes()) {
                *byte = digit;
            }
        }
        &request.bytes
    }
}

impl Request {
    fn new(body: &str, target: &Target) -> Self {
        let Target { authority, path } = target;
        let head = format!("POST {path} HTTP/1.1\r\nHost: {authority}\r\nContent-Type: application/json\r\n");
        let bytes = format!("{head}Content-Length: {}\r\n\r\n{body}", body.len()).into_bytes();
        let mark = bytes.windows(MARK.len()).position(|window| window == MARK);
        Self { bytes, mark }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn questions(text: &str) -> Option<Questions> {
        Questions::new(text, &Target { authority: "127.0.0.1:80".to_owned(), path: "/v1/data/a".to_owned() })
    }

    #[test]
    fn bodies_take_turns() {
        let mut questions = questions("{\"input\":1}\n\n{\"input\":2}\n").unwrap();
        let asked: Vec<u8> = (0..4).map(|_| *questions.next().iter().rev().nth(1).unwrap()).collect();
        assert_eq!(asked, b"1212");
    }

    #[test]
    fn a_request_is_a_message_with_its_body() {
        let mut questions = questions("{\"input\":1}").unwrap();
        let request = crate::message::first(questions.next()).unwrap().unwrap();
        assert!(request.head.starts_with(b"POST /v1/data/a HTTP/1.1\r\nHost: 127.0.0.1:80\r\n"));
        assert_eq!(request.body, b"{\"input\":1}");
    }

    #[test]
    fn a_marked_body_is_never_asked_twice() {
        let mut questions = questions("{\"input\":\"a-################\"}\n{\"input\":\"a-################\"}").unwrap();
        let asked: HashSet<Vec<u8>> = (0..1000).map(|_| questions.next().to_vec()).collect();
        assert_eq!(asked.len(), 1000);
        assert!(asked.iter().all(|request| !request.contains(&b'#')));
    }

    #[test]
    fn a_file_without_bodies_asks_nothing() {
        assert!(questions("\n \n").is_none());
    }
}
