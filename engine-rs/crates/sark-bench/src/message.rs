//! Just enough HTTP/1.1: where a message with a Content-Length ends, and what an answer's status and body are.

const MAX_HEAD_BYTES: usize = 16 * 1024;
const MAX_BODY_BYTES: usize = 1024 * 1024;
const HEAD_END: &[u8] = b"\r\n\r\n";

/// A message that has arrived completely.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Message<'a> {
    pub head: &'a [u8],
    pub body: &'a [u8],
}

impl Message<'_> {
    pub(crate) fn length(&self) -> usize {
        self.head.len() + self.body.len()
    }

    /// Whether its status is 200.
    pub(crate) fn is_ok(&self) -> bool {
        self.head.starts_with(b"HTTP/1.1 200 ")
    }

    /// Whether it is a decision: status 200 and a member `result`.
    pub(crate) fn is_decision(&self) -> bool {
        self.is_ok() && find(self.body, b"\"result\"").is_some()
    }
}

/// The first message in `bytes`; None while part of it is still on its way.
pub(crate) fn first(bytes: &[u8]) -> Result<Option<Message<'_>>, String> {
    let Some(end) = find(bytes, HEAD_END) else {
        return if bytes.len() > MAX_HEAD_BYTES {
            Err(format!("the head is longer than {MAX_HEAD_BYTES} bytes"))
        } else {
            Ok(None)
        };
    };
    let (head, rest) = bytes.split_at(end + HEAD_END.len());
    let length = content_length(head)?;
    Ok(rest.get(..length).map(|body| Message { head, body }))
}

fn content_length(head: &[u8]) -> Result<usize, String> {
    let mut lines = head.split(|byte| *byte == b'\n');
    let value = lines.find_map(|line| {
        let (name, value) = line.split_at_checked(b"content-length:".len())?;
        name.eq_ignore_ascii_case(b"content-length:").then_some(value)
    });
    let text = value.ok_or("a message without Content-Length")?;
    let text = std::str::from_utf8(text).unwrap_or_default().trim();
    match text.parse() {
        Ok(length) if length <= MAX_BODY_BYTES => Ok(length),
        _ => Err(format!("Content-Length is {text:?}; at most {MAX_BODY_BYTES} is read")),
    }
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 15\r\n\r\n{\"result\":true}";

    #[test]
    fn a_message_is_complete_with_its_last_byte() {
        for length in 0..ANSWER.len() {
            assert_eq!(first(&ANSWER[..length]), Ok(None), "{length}");
        }
        let message = first(ANSWER).unwrap().unwrap();
        assert_eq!(message.body, b"{\"result\":true}");
        assert_eq!(message.length(), ANSWER.len());
    }

    #[test]
    fn what_follows_a_message_is_not_part_of_it() {
        let twice = [ANSWER, ANSWER].concat();
        assert_eq!(first(&twice).unwrap().unwrap().length(), ANSWER.len());
    }

    #[test]
    fn only_200_with_a_result_is_a_decision() {
        let decides = |text: &str| first(text.as_bytes()).unwrap().unwrap().is_decision();
        assert!(first(ANSWER).unwrap().unwrap().is_decision());
        assert!(!decides("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"));
        assert!(!decides("HTTP/1.1 500 Internal Server Error\r\nContent-Length: 15\r\n\r\n{\"result\":true}"));
    }

    #[test]
    fn a_message_without_a_readable_length_is_an_error() {
        for head in [
            "HTTP/1.1 200 OK\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
            "a\r\nContent-Length: 99999999\r\n\r\n",
        ] {
            assert!(first(head.as_bytes()).is_err(), "{head:?}");
        }
        assert!(first(&vec![b'a'; MAX_HEAD_BYTES + 1]).is_err());
    }
}
