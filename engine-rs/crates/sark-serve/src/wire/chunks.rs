//! A body that comes in chunks.

use crate::reply::Problem;

use super::head::{HeadRule, malformed};

/// Longest line between chunks; extensions stand there, and nobody uses them.
const MAX_LINE: usize = 256;
/// Most bytes of trailers; they are skipped.
const MAX_TRAILERS: usize = 4096;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Size,
    Data(usize),
    DataEnd,
    Trailers,
    End,
}

/// Takes chunks and keeps what is in them.
#[derive(Debug)]
pub(crate) struct Chunks {
    place: Place,
    body: Vec<u8>,
    trailers: usize,
}

impl Chunks {
    pub(crate) const fn new() -> Self {
        Self { place: Place::Size, body: Vec::new(), trailers: 0 }
    }

    /// The body, when all of it is there.
    pub(crate) fn body(&self) -> Option<&[u8]> {
        (self.place == Place::End).then_some(self.body.as_slice())
    }

    /// Bytes that it takes in memory.
    pub(crate) const fn room(&self) -> usize {
        self.body.capacity()
    }

    /// Take what is complete at the start of `bytes`; how many bytes that was.
    pub(crate) fn take(&mut self, bytes: &[u8], rule: &HeadRule) -> Result<usize, Problem> {
        let mut rest = bytes;
        while self.place != Place::End {
            if let Place::Data(missing) = self.place {
                let (data, after) = rest.split_at(missing.min(rest.len()));
                if data.is_empty() {
                    break;
                }
                self.body.extend_from_slice(data);
                let missing = missing - data.len();
                self.place = if missing == 0 { Place::DataEnd } else { Place::Data(missing) };
                rest = after;
                continue;
            }
            let Some((line, after)) = split_line(rest)? else { break };
            self.line(line, rule)?;
            rest = after;
        }
        Ok(bytes.len() - rest.len())
    }

    fn line(&mut self, line: &[u8], rule: &HeadRule) -> Result<(), Problem> {
        self.place = match self.place {
            Place::Size => match size(line)? {
                0 => Place::Trailers,
                size if size > rule.max_body_bytes.saturating_sub(self.body.len()) => return Err(rule.body_too_large()),
                size => Place::Data(size),
            },
            Place::DataEnd if line.is_empty() => Place::Size,
            Place::DataEnd => return Err(malformed("a chunk is longer than its size")),
            Place::Trailers if line.is_empty() => Place::End,
            Place::Trailers => {
                self.trailers += line.len();
                if self.trailers > MAX_TRAILERS {
                    return Err(malformed("it has too many trailers"));
                }
                Place::Trailers
            }
            place @ (Place::Data(_) | Place::End) => place,
        };
        Ok(())
    }
}

/// A line, and what follows it.
type Parts<'b> = (&'b [u8], &'b [u8]);

/// The first line without its CRLF, and what follows it; None while its end is missing.
fn split_line(bytes: &[u8]) -> Result<Option<Parts<'_>>, Problem> {
    let Some(end) = bytes.iter().take(MAX_LINE + 2).position(|byte| *byte == b'\n') else {
        return if bytes.len() > MAX_LINE { Err(malformed("a line between chunks is too long")) } else { Ok(None) };
    };
    let (line, after) = bytes.split_at(end + 1);
    match line.strip_suffix(b"\r\n") {
        // Others end a line there, and would see another request.
        Some(line) if line.contains(&b'\r') => Err(malformed("a line between chunks has a CR in it")),
        Some(line) => Ok(Some((line, after))),
        None => Err(malformed("a line between chunks does not end with CRLF")),
    }
}

fn size(line: &[u8]) -> Result<usize, Problem> {
    let digits = line.split(|byte| matches!(byte, b';' | b' ' | b'\t')).next().unwrap_or_default();
    let rest = line.get(digits.len()..).unwrap_or_default().iter().find(|byte| !matches!(byte, b' ' | b'\t'));
    if rest.is_some_and(|byte| *byte != b';') {
        return Err(malformed("the size of a chunk is followed by something else"));
    }
    let text = std::str::from_utf8(digits).unwrap_or_default();
    // Without the check a sign would be read too.
    if !digits.iter().all(u8::is_ascii_hexdigit) || digits.len() > 8 {
        return Err(malformed("the size of a chunk is not a number"));
    }
    usize::from_str_radix(text, 16).map_err(|_| malformed("the size of a chunk is not a number"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const RULE: HeadRule = HeadRule { max_bytes: 1024, max_body_bytes: 100, subject: None };

    /// Body, and what is left over.
    type Fed = (Vec<u8>, Vec<u8>);

    /// What comes of `text` when it arrives in pieces that end at `cuts`, or the status.
    fn fed(text: &[u8], cuts: &[usize]) -> Result<Option<Fed>, u16> {
        let mut chunks = Chunks::new();
        let (mut waiting, mut at) = (Vec::new(), 0);
        for end in cuts.iter().copied().chain([text.len()]) {
            waiting.extend_from_slice(&text[at..end]);
            at = end;
            let used = chunks.take(&waiting, &RULE).map_err(|problem| problem.status)?;
            waiting.drain(..used);
        }
        Ok(chunks.body().map(|body| (body.to_vec(), waiting)))
    }

    #[test]
    fn a_line_that_others_could_read_differently_is_refused() {
        let fine = [&b"1;x\r\na\r\n0\r\n\r\n"[..], b"1 \t;x\r\na\r\n0\r\n\r\n", b"1 \t\r\na\r\n0\r\n\r\n"];
        for text in fine {
            assert_eq!(fed(text, &[]), Ok(Some((b"a".to_vec(), vec![]))), "{}", text.escape_ascii());
        }
        let odd = [
            &b"1\r\r\na\r\n0\r\n\r\n"[..],
            b"1;x\r\r\na\r\n0\r\n\r\n",
            b"1\x0c\r\na\r\n0\r\n\r\n",
            b"1 2\r\na\r\n0\r\n\r\n",
            b" 1\r\na\r\n0\r\n\r\n",
            b"1\r\na\r\n0\r\nx: a\rb\r\n\r\n",
        ];
        for text in odd {
            assert_eq!(fed(text, &[]), Err(400), "{}", text.escape_ascii());
        }
    }

    #[test]
    fn chunks_end_with_an_empty_one_and_what_follows_is_the_next_request() {
        let text = b"3;x=y\r\nabc\r\nA \r\n0123456789\r\n0\r\nTrailer: x\r\n\r\nGET /";
        assert_eq!(fed(text, &[]), Ok(Some((b"abc0123456789".to_vec(), b"GET /".to_vec()))));
        assert_eq!(fed(b"3\r\nab", &[]), Ok(None));
    }

    #[test]
    fn what_is_no_chunk_is_refused() {
        for text in ["\r\n", "g\r\n", "-1\r\n", "+1\r\n", "0x1\r\n", "111111111\r\n", "1\n", "1\r\nab\r\n", "1 1\r\n"] {
            assert_eq!(fed(text.as_bytes(), &[]), Err(400), "{text:?}");
        }
        assert_eq!(fed(&[b'1'; MAX_LINE + 1], &[]), Err(400));
        assert_eq!(fed(format!("0\r\n{}", "a: b\r\n".repeat(2000)).as_bytes(), &[]), Err(400));
        assert_eq!(fed(b"65\r\n", &[]), Err(413));
        assert_eq!(fed(b"64\r\n", &[]), Ok(None));
    }

    proptest! {
        #[test]
        fn it_does_not_matter_how_chunks_are_cut_on_the_way(
            parts in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 1..20), 0..5),
            cuts in proptest::collection::vec(0_usize..200, 0..8),
        ) {
            let mut text = Vec::new();
            for part in &parts {
                text.extend(format!("{:x}\r\n", part.len()).into_bytes());
                text.extend(part);
                text.extend(b"\r\n");
            }
            text.extend(b"0\r\n\r\nnext");
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(text.len())).collect();
            cuts.sort_unstable();
            prop_assert_eq!(fed(&text, &cuts), Ok(Some((parts.concat(), b"next".to_vec()))));
        }

        #[test]
        fn no_bytes_make_it_keep_more_than_it_may(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let mut chunks = Chunks::new();
            let _ = chunks.take(&bytes, &RULE);
            prop_assert!(chunks.body.len() <= RULE.max_body_bytes);
        }
    }
}
