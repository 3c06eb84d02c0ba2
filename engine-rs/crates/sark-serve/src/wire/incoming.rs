//! What has arrived on a connection and is not answered yet.

use std::{sync::Arc, time::Instant};

use bytes::{Buf, BytesMut};

use super::{
    chunks::Chunks,
    head::{Head, HeadRule, Length},
    last_head::LastHead,
};
use crate::reply::Problem;

/// Room made before each read. Most requests fit.
const ROOM: usize = 4 << 10;
/// Most room made at once: a length that is only promised takes no memory.
const MAX_ROOM: usize = 64 << 10;
/// A buffer that grew beyond this is given back as soon as no more than that is in it.
const KEPT: usize = 64 << 10;

/// Bytes that wait, the first unanswered request in front.
#[derive(Debug, Default)]
pub(crate) struct Incoming {
    buffer: BytesMut,
    /// The most that the buffer has had room for since it was made: it shows no longer what stands before what was answered.
    made: usize,
    last_head: LastHead,
    /// The body of the first request, when it comes in chunks.
    chunks: Option<Chunks>,
    delivery: Delivery,
}

/// Where what has arrived comes from, and when the last bytes of it came.
#[derive(Debug)]
struct Delivery {
    /// Address of the client, when somebody wants to know it.
    asker: Option<Arc<str>>,
    came: Instant,
    /// How many requests that came then were handed out.
    requests: u32,
}

impl Default for Delivery {
    fn default() -> Self {
        Self { asker: None, came: Instant::now(), requests: 0 }
    }
}

/// What is in front.
#[derive(Debug)]
pub(crate) enum Arrival<'b> {
    Request(Request<'b>),
    Missing(Missing),
}

/// A request that is complete.
#[derive(Debug)]
pub(crate) struct Request<'b> {
    pub head: Head<'b>,
    pub body: &'b [u8],
    // One pointer for all of it: a request is moved more often than anybody asks.
    delivery: &'b Delivery,
    size: usize,
}

impl Request<'_> {
    /// What to [`Incoming::consume`] once it is answered.
    pub(crate) const fn size(&self) -> usize {
        self.size
    }

    /// Address of the client, when somebody wants to know it.
    pub(crate) const fn asker(&self) -> Option<&Arc<str>> {
        self.delivery.asker.as_ref()
    }

    /// When its last byte was read. Those that came together are answered one after the other.
    pub(crate) const fn came(&self) -> Instant {
        self.delivery.came
    }

    /// Whether none that came with it is before it.
    pub(crate) const fn is_first(&self) -> bool {
        self.delivery.requests == 1
    }
}

/// What the first request still lacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Missing {
    /// Everything: nothing has arrived.
    All,
    Head,
    Body {
        expects_continue: bool,
        head: usize,
        length: Length,
    },
}

impl Incoming {
    /// What comes from the client at `asker`.
    pub(crate) fn from_client(asker: Option<Arc<str>>) -> Self {
        Self { delivery: Delivery { asker, ..Delivery::default() }, ..Self::default() }
    }

    /// What is in front.
    pub(crate) fn look(&mut self, rule: &HeadRule) -> Result<Arrival<'_>, Problem> {
        if self.buffer.is_empty() {
            return Ok(Arrival::Missing(Missing::All));
        }
        let head = if self.last_head.begins(&self.buffer, rule) {
            self.last_head.head()
        } else {
            let Some(head) = rule.read(&self.buffer)? else {
                return Ok(Arrival::Missing(Missing::Head));
            };
            self.last_head.note(&self.buffer, &head);
            head
        };
        let missing = Missing::Body { expects_continue: head.expects_continue, head: head.size, length: head.length };
        let (body, size) = match head.length {
            Length::Sized(length) => (self.buffer.get(head.size..head.size.saturating_add(length)), head.size + length),
            Length::Chunked => (self.chunks.as_ref().and_then(Chunks::body), head.size),
        };
        let Some(body) = body else {
            return Ok(Arrival::Missing(missing));
        };
        self.delivery.requests = self.delivery.requests.saturating_add(1);
        Ok(Arrival::Request(Request { head, body, delivery: &self.delivery, size }))
    }

    /// Take chunks out of what follows the head of `head` bytes; true when something was taken.
    pub(crate) fn unpack(&mut self, head: usize, rule: &HeadRule) -> Result<bool, Problem> {
        if self.buffer.len() <= head {
            return Ok(false);
        }
        let packed = self.buffer.split_off(head);
        let taken = self.chunks.get_or_insert_with(Chunks::new).take(&packed, rule)?;
        self.buffer.extend_from_slice(packed.get(taken..).unwrap_or_default());
        Ok(taken > 0)
    }

    /// Where to read more to.
    pub(crate) fn room(&mut self, missing: Missing) -> &mut BytesMut {
        let wanted = match missing {
            // Twice as much each time, up to what is promised.
            Missing::Body { head, length: Length::Sized(length), .. } => {
                (head + length).saturating_sub(self.buffer.len()).min(self.buffer.len().clamp(ROOM, MAX_ROOM))
            }
            _ => ROOM,
        };
        self.buffer.reserve(wanted.max(ROOM));
        &mut self.buffer
    }

    /// Bytes have been read just now. There is more to read only while no request is complete.
    pub(crate) fn arrived(&mut self) {
        self.delivery.came = Instant::now();
        self.delivery.requests = 0;
    }

    /// What stands in front waited for the answer before it, as if it had not been read yet: that is nobody's time. It is no
    /// first request, for which the clock would not be read again.
    pub(crate) fn begins_anew(&mut self) {
        self.delivery.came = Instant::now();
        self.delivery.requests = 1;
    }

    /// What has been read, to add to it without waiting.
    pub(crate) fn buffer(&mut self) -> &mut BytesMut {
        &mut self.buffer
    }

    /// Bytes that it takes in memory.
    pub(crate) fn taken(&mut self) -> usize {
        self.made = self.made.max(self.buffer.capacity());
        self.made + self.chunks.as_ref().map_or(0, Chunks::room)
    }

    /// Give everything back.
    pub(crate) fn forget(&mut self) {
        self.buffer = BytesMut::new();
        self.made = 0;
        self.chunks = None;
    }

    /// Whether nothing waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.buffer.is_empty()
    }

    /// Forget the first request.
    pub(crate) fn consume(&mut self, size: usize) {
        self.chunks = None;
        let rest = self.buffer.get(size..).unwrap_or_default();
        if self.made.max(self.buffer.capacity()) > KEPT && rest.len() <= KEPT {
            self.buffer = BytesMut::from(rest);
            self.made = 0;
        } else if rest.is_empty() {
            self.buffer.clear();
        } else {
            self.buffer.advance(size);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const RULE: HeadRule = HeadRule { max_bytes: 1024, max_body_bytes: 1024, subject: None };

    #[test]
    fn what_was_large_is_given_back_also_with_something_behind_it() {
        // Given a large body, and right behind it a small one
        let rule = HeadRule { max_bytes: 1024, max_body_bytes: 1 << 20, subject: None };
        let mut incoming = Incoming::default();
        let large = "x".repeat(1 << 20);
        let head = |length: usize| format!("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n");
        for text in [head(large.len()), large, head(5), "small".to_owned()] {
            incoming.buffer().extend_from_slice(text.as_bytes());
        }
        assert!(incoming.taken() > 1 << 20);

        // When the first has been answered, then the second takes no more than it needs
        for (length, most) in [(1 << 20, 1024), (5, 1024)] {
            let Arrival::Request(request) = incoming.look(&rule).unwrap() else { panic!("it is all there") };
            assert_eq!(request.body.len(), length);
            let size = request.size();
            incoming.consume(size);
            assert!(incoming.taken() <= most, "{}", incoming.taken());
        }
        assert!(incoming.is_empty());
    }

    #[test]
    fn what_stands_before_what_was_answered_is_still_taken() {
        // Given many small requests that came together, in a buffer that is not large enough to be given back
        let mut incoming = Incoming::default();
        let request = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
        incoming.buffer().extend_from_slice(request.repeat(1000).as_bytes());
        let taken = incoming.taken();
        for _ in 0..999 {
            incoming.consume(request.len());
        }
        assert_eq!(incoming.taken(), taken);
        incoming.forget();
        assert_eq!(incoming.taken(), 0);
    }

    /// Every request in `pieces`, as method and body.
    fn requests(pieces: &[&[u8]]) -> Vec<(String, Vec<u8>)> {
        let mut incoming = Incoming::default();
        let mut found = Vec::new();
        for piece in pieces {
            incoming.buffer().extend_from_slice(piece);
            loop {
                match incoming.look(&RULE).unwrap() {
                    Arrival::Request(request) => {
                        found.push((request.head.method.to_owned(), request.body.to_vec()));
                        let size = request.size();
                        incoming.consume(size);
                    }
                    Arrival::Missing(Missing::Body { head, length: Length::Chunked, .. }) => {
                        if !incoming.unpack(head, &RULE).unwrap() {
                            break;
                        }
                    }
                    Arrival::Missing(_) => break,
                }
            }
        }
        found
    }

    const SEVERAL: &[u8] = b"POST /a HTTP/1.1\r\nContent-Length: 3\r\n\r\nabcGET /b HTTP/1.1\r\n\r\n\
        PUT /c HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nde\r\n1\r\nf\r\n0\r\n\r\nDELETE /d HTTP/1.1\r\n\r\n";

    fn expected() -> Vec<(String, Vec<u8>)> {
        [("POST", "abc"), ("GET", ""), ("PUT", "def"), ("DELETE", "")].map(|(a, b)| (a.into(), b.into())).to_vec()
    }

    #[test]
    fn requests_behind_each_other_are_told_apart() {
        assert_eq!(requests(&[SEVERAL]), expected());
        let bytes: Vec<&[u8]> = SEVERAL.chunks(1).collect();
        assert_eq!(requests(&bytes), expected());
    }

    #[test]
    fn requests_that_came_together_came_at_one_time_and_one_of_them_is_the_first() {
        let mut incoming = Incoming::default();
        let mut times = Vec::new();
        for _ in 0..2 {
            // Given: two requests in one read
            incoming.buffer().extend_from_slice(&b"GET /a HTTP/1.1\r\n\r\n".repeat(2));
            incoming.arrived();
            // When: they are looked at with time between them
            for _ in 0..2 {
                let Ok(Arrival::Request(request)) = incoming.look(&RULE) else { panic!("it is complete") };
                times.push((request.came(), request.is_first()));
                let size = request.size();
                incoming.consume(size);
                std::thread::sleep(std::time::Duration::from_millis(2));
            }
        }
        // Then
        let [(first, true), (second, false), (third, true), (fourth, false)] = times[..] else { panic!("{times:?}") };
        assert!(first == second && second < third && third == fourth, "{times:?}");
    }

    #[test]
    fn a_request_begins_anew_when_the_answer_before_it_was_waited_for_and_is_no_first_one() {
        // Given: two requests in one read
        let mut incoming = Incoming::default();
        incoming.buffer().extend_from_slice(&b"GET /a HTTP/1.1\r\n\r\n".repeat(2));
        incoming.arrived();
        let mut times = Vec::new();
        for _ in 0..2 {
            let Ok(Arrival::Request(request)) = incoming.look(&RULE) else { panic!("it is complete") };
            times.push((request.came(), request.is_first()));
            let size = request.size();
            incoming.consume(size);
            // When: the answer is waited for
            std::thread::sleep(std::time::Duration::from_millis(2));
            incoming.begins_anew();
        }
        // Then
        let [(first, true), (second, false)] = times[..] else { panic!("{times:?}") };
        assert!(first < second, "{times:?}");
    }

    proptest! {
        #[test]
        fn it_does_not_matter_how_requests_are_cut_on_the_way(cuts in proptest::collection::vec(0..SEVERAL.len(), 0..12)) {
            let mut cuts = cuts;
            cuts.sort_unstable();
            let mut pieces = Vec::new();
            let mut at = 0;
            for cut in cuts.into_iter().chain([SEVERAL.len()]) {
                pieces.push(&SEVERAL[at..cut]);
                at = cut;
            }
            prop_assert_eq!(requests(&pieces), expected());
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300), head in "(GET|POST) /[a-z]{0,5} HTTP/1.[01]\r\n(Content-Length: [0-9]{1,4}\r\n|Transfer-Encoding: chunked\r\n)?\r\n") {
            let mut incoming = Incoming::default();
            incoming.buffer().extend_from_slice(head.as_bytes());
            incoming.buffer().extend_from_slice(&bytes);
            for _ in 0..4 {
                match incoming.look(&RULE) {
                    Ok(Arrival::Request(request)) => {
                        let size = request.size();
                        incoming.consume(size);
                    }
                    Ok(Arrival::Missing(Missing::Body { head, length: Length::Chunked, .. })) => {
                        let _ = incoming.unpack(head, &RULE);
                    }
                    _ => break,
                }
            }
        }
    }

    #[test]
    fn room_grows_with_what_has_arrived_and_not_with_what_is_promised() {
        let mut incoming = Incoming::default();
        let promised = Missing::Body { expects_continue: false, head: 20, length: Length::Sized(64 << 20) };
        assert!(incoming.room(promised).capacity() <= 2 * ROOM);
        incoming.buffer().resize(1 << 20, 0);
        assert!(incoming.room(promised).capacity() <= 4 << 20);
    }
}
