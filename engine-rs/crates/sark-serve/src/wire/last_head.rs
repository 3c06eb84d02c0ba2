//! The last head of a connection. A client that stays mostly sends the same one again, but for the length of the body, and bytes
//! that were read once need not be read anew: what a head says hangs on nothing but its bytes.

use std::ops::Range;

use super::head::{Head, HeadRule, Length, number};

/// Longest head remembered, in bytes.
const MAX_BYTES: usize = 1 << 10;
/// So many heads in a row that did not come again, then none is remembered any more: this client's differ.
const PATIENCE: u8 = 8;

/// The last head of a connection, if it is remembered.
#[derive(Debug, Default)]
pub(super) struct LastHead {
    /// Empty when there is none.
    text: String,
    /// Its end, behind the length of the body.
    behind: String,
    /// All of it but the texts.
    rest: Head<'static>,
    places: Places,
    in_vain: u8,
}

/// Where the texts are.
#[derive(Debug, Default)]
struct Places {
    method: Range<usize>,
    path: Range<usize>,
    query: Range<usize>,
    encoding: Range<usize>,
    content_type: Range<usize>,
    accept_encoding: Range<usize>,
    if_none_match: Range<usize>,
    subject: Option<Range<usize>>,
    authorization: Option<Range<usize>>,
    content_length: Range<usize>,
}

impl LastHead {
    /// Whether `bytes` begin with it, or with one that says another length of the body in as many digits: then it is that one.
    pub(super) fn begins(&mut self, bytes: &[u8], rule: &HeadRule) -> bool {
        let begins =
            !self.text.is_empty() && (bytes.starts_with(self.text.as_bytes()) || self.take_length(bytes, rule).is_some());
        if begins {
            self.in_vain = 0;
        }
        begins
    }

    // Apart from what the same head again costs.
    #[inline(never)]
    fn take_length(&mut self, bytes: &[u8], rule: &HeadRule) -> Option<()> {
        let place = self.places.content_length.clone();
        let (digits, rest) = bytes.strip_prefix(self.text.as_bytes().get(..place.start)?)?.split_at_checked(place.len())?;
        if digits.is_empty() || !rest.starts_with(self.behind.as_bytes()) || !digits.iter().all(u8::is_ascii_digit) {
            return None;
        }
        // One that is too large is refused by who reads the head.
        let length = number(digits).filter(|length| *length <= rule.max_body_bytes)?;
        let digits = std::str::from_utf8(digits).ok()?;
        self.text.truncate(place.start);
        self.text.push_str(digits);
        self.text.push_str(&self.behind);
        self.rest.length = Length::Sized(length);
        Some(())
    }

    /// The head itself.
    pub(super) fn head(&self) -> Head<'_> {
        let text = |place: &Range<usize>| self.text.get(place.clone()).unwrap_or_default();
        let bytes = |place: &Range<usize>| text(place).as_bytes();
        let places = &self.places;
        Head {
            method: text(&places.method),
            path: text(&places.path),
            query: text(&places.query),
            encoding: bytes(&places.encoding),
            content_type: bytes(&places.content_type),
            accept_encoding: bytes(&places.accept_encoding),
            if_none_match: bytes(&places.if_none_match),
            subject: places.subject.as_ref().map(bytes),
            authorization: places.authorization.as_ref().map(bytes),
            ..self.rest
        }
    }

    /// Remember `head`, which `bytes` begin with.
    pub(super) fn note(&mut self, bytes: &[u8], head: &Head<'_>) {
        if head.size > MAX_BYTES || self.in_vain >= PATIENCE {
            self.text.clear();
            return;
        }
        self.in_vain += 1;
        let remembered =
            bytes.get(..head.size).and_then(|bytes| Some((std::str::from_utf8(bytes).ok()?, Places::of(head, bytes)?)));
        self.text.clear();
        if let Some((text, places)) = remembered {
            self.text.push_str(text);
            self.behind.clear();
            self.behind.push_str(text.get(places.content_length.end..).unwrap_or_default());
            self.places = places;
            self.rest = head.without_texts();
        }
    }
}

impl Places {
    /// None when a text is not in the bytes.
    fn of(head: &Head<'_>, bytes: &[u8]) -> Option<Self> {
        let place = |part: &[u8]| place(part, bytes);
        let some_place = |part: Option<&[u8]>| part.map_or(Some(None), |part| place(part).map(Some));
        Some(Self {
            method: place(head.method.as_bytes())?,
            path: place(head.path.as_bytes())?,
            query: place(head.query.as_bytes())?,
            encoding: place(head.encoding)?,
            content_type: place(head.content_type)?,
            accept_encoding: place(head.accept_encoding)?,
            if_none_match: place(head.if_none_match)?,
            subject: some_place(head.subject)?,
            authorization: some_place(head.authorization)?,
            content_length: place(head.content_length)?,
        })
    }
}

/// Where `part` lies in `whole`, of which it is a piece.
fn place(part: &[u8], whole: &[u8]) -> Option<Range<usize>> {
    if part.is_empty() {
        return Some(0..0);
    }
    let start = part.as_ptr().addr().checked_sub(whole.as_ptr().addr())?;
    let place = start..start.checked_add(part.len())?;
    (whole.get(place.clone()) == Some(part)).then_some(place)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{super::head::HeadRule, *};

    fn rule() -> HeadRule {
        HeadRule { max_bytes: 2048, max_body_bytes: 100, subject: Some("x-subject".into()) }
    }

    /// As `head` is remembered: where the length is written is nobody's business any more.
    fn remembered<'b>(head: &Head<'b>) -> Head<'b> {
        Head { content_length: b"", ..*head }
    }

    /// As the bytes are read, and as they are remembered.
    fn noted(last: &mut LastHead, text: &[u8]) -> bool {
        let head = rule().read(text).unwrap().unwrap();
        last.note(text, &head);
        let begins = last.begins(text, &rule());
        assert!(!begins || last.head() == remembered(&head), "{:?} is not {head:?}", last.head());
        begins
    }

    #[test]
    fn a_head_that_comes_again_says_what_it_said() {
        let text = b"POST /v1/data/a?pretty HTTP/1.1\r\nHost: x\r\nContent-Length: 7\r\nContent-Type: a/b\r\nContent-Encoding: gzip\r\nIf-None-Match: *\r\nX-Subject: alice\r\nAuthorization:\r\nExpect: 100-continue\r\n\r\n{\"a\":1}";
        let mut last = LastHead::default();
        assert!(!last.begins(text, &rule()));
        assert!(noted(&mut last, text));
        assert_eq!(last.head().subject, Some(b"alice".as_slice()));
        assert_eq!(last.head().authorization, Some(b"".as_slice()));
        for cut in 0..last.text.len() {
            assert!(!last.begins(&text[..cut], &rule()), "{cut}");
        }
    }

    #[test]
    fn a_head_that_differs_in_one_byte_is_another() {
        let text = b"POST /v1/data/a HTTP/1.1\r\nX-Subject: alice\r\nContent-Length: 17\r\n\r\n";
        let length = text.iter().position(|byte| *byte == b'7').unwrap();
        let mut last = LastHead::default();
        assert!(noted(&mut last, text));
        for place in (0..text.len()).filter(|place| *place != length && *place + 1 != length) {
            let mut other = text.to_vec();
            other[place] ^= 1;
            assert!(!last.begins(&other, &rule()), "{place}");
        }
    }

    #[test]
    fn another_length_is_the_same_head_otherwise_and_stays_until_the_next() {
        let text = |length: &str| format!("POST /a HTTP/1.1\r\nContent-Length: {length}\r\nX-Subject: alice\r\n\r\n");
        let mut last = LastHead::default();
        assert!(noted(&mut last, text("17").as_bytes()));
        for length in ["18", "00", "99", "17", "17"] {
            let other = text(length);
            assert!(last.begins(other.as_bytes(), &rule()), "{length}");
            assert_eq!(last.head(), remembered(&rule().read(other.as_bytes()).unwrap().unwrap()));
        }
        for length in ["1", "170", "1a", "-1", "+1", " 1", "1 ", "1\r", "\u{661}"] {
            assert!(!last.begins(text(length).as_bytes(), &rule()), "{length}");
        }
    }

    #[test]
    fn a_length_that_is_too_large_is_left_to_who_refuses_it() {
        let mut last = LastHead::default();
        let text = |length: &str| format!("POST / HTTP/1.1\r\nContent-Length: {length}\r\n\r\n").into_bytes();
        assert!(noted(&mut last, &text("099")));
        assert!(last.begins(&text("100"), &rule()) && !last.begins(&text("101"), &rule()));
        assert!(noted(&mut last, &text("000000000000000000000007")));
        assert!(!last.begins(&text("999999999999999999999999"), &rule()));
    }

    #[test]
    fn a_subject_that_is_the_length_is_the_new_one() {
        let rule = HeadRule { subject: Some("content-length".into()), ..rule() };
        let text = |length: u8| format!("POST / HTTP/1.1\r\nContent-Length: {length}\r\n\r\n").into_bytes();
        let (first, second) = (text(17), text(18));
        let mut last = LastHead::default();
        last.note(&first, &rule.read(&first).unwrap().unwrap());
        assert!(last.begins(&second, &rule));
        assert_eq!(last.head().subject, Some(b"18".as_slice()));
    }

    #[test]
    fn what_cannot_be_found_again_is_not_remembered() {
        let mut last = LastHead::default();
        assert!(noted(&mut last, b"GET /a HTTP/1.1\r\n\r\n"));
        for text in [
            // The path is not in it.
            b"GET http://h HTTP/1.1\r\n\r\n".to_vec(),
            b"GET /a HTTP/1.1\r\nA: \xff\r\n\r\n".to_vec(),
            format!("GET /a HTTP/1.1\r\nA: {}\r\n\r\n", "x".repeat(MAX_BYTES)).into_bytes(),
        ] {
            assert!(!noted(&mut last, &text), "{}", text.escape_ascii());
            assert!(noted(&mut last, b"GET /a HTTP/1.1\r\n\r\n"), "the next one is");
        }
    }

    #[test]
    fn heads_that_never_come_again_are_soon_left_alone() {
        let mut last = LastHead::default();
        for number in 0..20 {
            let text = format!("GET /{number} HTTP/1.1\r\n\r\n");
            let head = rule().read(text.as_bytes()).unwrap().unwrap();
            last.note(text.as_bytes(), &head);
            assert_eq!(last.text.is_empty(), number >= PATIENCE.into(), "{number}");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_remembered_is_what_would_be_read(
            heads in proptest::collection::vec("(GET|POST) (http://h)?/[a-b]{0,3}([?][a-b]{0,2})?(#a)? HTTP/1.[01]\r\n((Content-Length: [0-9]{1,2}|(X-Subject|Authorization|Content-Type): ?[a-b]{0,2}|Connection: (close|keep-alive)|Expect: 100-continue)\r\n){0,3}\r\n[a-b]{0,3}", 1..12),
        ) {
            let mut last = LastHead::default();
            for text in heads {
                let read = rule().read(text.as_bytes());
                if last.begins(text.as_bytes(), &rule()) {
                    prop_assert_eq!(Ok(Some(last.head())), read.map(|head| head.as_ref().map(remembered)));
                } else if let Ok(Some(head)) = read {
                    last.note(text.as_bytes(), &head);
                }
            }
        }
    }
}
