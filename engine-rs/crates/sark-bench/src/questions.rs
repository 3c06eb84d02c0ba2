//! The questions asked: request bytes made once, so that the client spends its time on the wire.

use std::{
    path::Path,
    time::{SystemTime, UNIX_EPOCH},
};

use crate::{
    answers::{Answer, Expected},
    arguments::{LoadOptions, Target},
};

/// In a body this is replaced by a number that no other request has, also not one of a later run.
pub(crate) const MARK: &[u8] = b"################";
const MAX_FILE_BYTES: usize = 64 * 1024 * 1024;

pub(crate) struct Questions {
    requests: Vec<Request>,
    next: usize,
    number: u64,
}

struct Request {
    bytes: Vec<u8>,
    mark: Option<usize>,
    answer: Option<Answer>,
}

/// Which question was asked last on a connection.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Asked {
    at: usize,
    digits: [u8; MARK.len()],
}

impl Questions {
    /// Read the bodies, and the answers if there are any.
    pub(crate) fn read(options: &LoadOptions) -> Result<Self, String> {
        let bodies = read(&options.bodies)?;
        let answers = options.answers.as_deref().map(read).transpose()?;
        Self::new(&bodies, answers.as_deref(), &options.target)
    }

    fn new(bodies: &str, answers: Option<&str>, target: &Target) -> Result<Self, String> {
        let mut requests: Vec<Request> = lines(bodies).map(|body| Request::new(body, target)).collect();
        if requests.is_empty() {
            return Err("the file of bodies has no line with a body".to_owned());
        }
        if let Some(answers) = answers {
            let count = lines(answers).count();
            if count != requests.len() {
                return Err(format!("there are {} bodies and {count} answers; each body needs its answer", requests.len()));
            }
            for (request, answer) in requests.iter_mut().zip(lines(answers)) {
                request.answer = Some(Answer::new(answer));
            }
        }
        // Microseconds since 1970 have 16 digits and grow faster than anyone asks.
        let micros = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_micros();
        Ok(Self { requests, next: 0, number: u64::try_from(micros).unwrap_or_default() })
    }

    /// The bytes of the next request; after the last body comes the first again.
    pub(crate) fn next(&mut self) -> (&[u8], Asked) {
        let mut asked = Asked { at: self.next, ..Asked::default() };
        self.next = if asked.at + 1 < self.requests.len() { asked.at + 1 } else { 0 };
        let Some(request) = self.requests.get_mut(asked.at) else { return (&[], asked) };
        if let Some(mark) = request.mark {
            self.number += 1;
            let mut rest = self.number;
            for digit in asked.digits.iter_mut().rev() {
                *digit = b'0' + u8::try_from(rest % 10).unwrap_or_default();
                rest /= 10;
            }
            if let Some(place) = request.bytes.get_mut(mark..mark + MARK.len()) {
                place.copy_from_slice(&asked.digits);
            }
        }
        (&request.bytes, asked)
    }

    /// The right answer to a question; None when any decision will do.
    pub(crate) fn expected<'a>(&'a self, asked: &'a Asked) -> Option<Expected<'a>> {
        let answer = self.requests.get(asked.at)?.answer.as_ref()?;
        Some(answer.with(&asked.digits))
    }
}

fn read(file: &Path) -> Result<String, String> {
    let text = std::fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
    if text.len() > MAX_FILE_BYTES {
        return Err(format!("{} has {} bytes; at most {MAX_FILE_BYTES} are read", file.display(), text.len()));
    }
    Ok(text)
}

fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter(|line| !line.trim().is_empty())
}

impl Request {
    fn new(body: &str, target: &Target) -> Self {
        let Target { authority, path } = target;
        let head = format!("POST {path} HTTP/1.1\r\nHost: {authority}\r\nContent-Type: application/json\r\n");
        let bytes = format!("{head}Content-Length: {}\r\n\r\n{body}", body.len()).into_bytes();
        let mark = bytes.windows(MARK.len()).position(|window| window == MARK);
        Self { bytes, mark, answer: None }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn questions(bodies: &str, answers: Option<&str>) -> Result<Questions, String> {
        let target = Target { authority: "127.0.0.1:80".to_owned(), path: "/v1/data/a".to_owned() };
        Questions::new(bodies, answers, &target)
    }

    #[test]
    fn bodies_take_turns() {
        let mut questions = questions("{\"input\":1}\n\n{\"input\":2}\n", None).unwrap();
        let asked: Vec<u8> = (0..4).map(|_| *questions.next().0.iter().rev().nth(1).unwrap()).collect();
        assert_eq!(asked, b"1212");
    }

    #[test]
    fn a_request_is_a_message_with_its_body() {
        let mut questions = questions("{\"input\":1}", None).unwrap();
        let request = crate::message::first(questions.next().0).unwrap().unwrap();
        assert!(request.head.starts_with(b"POST /v1/data/a HTTP/1.1\r\nHost: 127.0.0.1:80\r\n"));
        assert_eq!(request.body, b"{\"input\":1}");
    }

    #[test]
    fn a_marked_body_is_never_asked_twice() {
        let bodies = "{\"input\":\"a-################\"}\n{\"input\":\"a-################\"}";
        let mut questions = questions(bodies, None).unwrap();
        let asked: HashSet<Vec<u8>> = (0..1000).map(|_| questions.next().0.to_vec()).collect();
        assert_eq!(asked.len(), 1000);
        assert!(asked.iter().all(|request| !request.contains(&b'#')));
    }

    #[test]
    fn each_question_has_its_own_answer() {
        let mut questions =
            questions("{\"input\":1}\n{\"input\":\"################\"}", Some("1\n\"################\"")).unwrap();
        let (_, first) = questions.next();
        let (request, second) = questions.next();
        let echoed = crate::message::first(request).unwrap().unwrap().body[9..27].to_vec();
        assert!(questions.expected(&first).unwrap().is(b"1"));
        assert!(questions.expected(&second).unwrap().is(&echoed), "{}", String::from_utf8_lossy(&echoed));
        assert!(!questions.expected(&second).unwrap().is(b"1"));
    }

    #[test]
    fn files_that_do_not_fit_together_are_refused() {
        assert!(questions("\n \n", None).is_err());
        let message = questions("{}\n{}", Some("1")).err().unwrap();
        assert!(message.contains("2 bodies and 1 answers"), "{message}");
    }
}
