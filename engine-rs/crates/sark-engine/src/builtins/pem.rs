//! The first block of a PEM text, by the rules of Go's decoder: what is no block is skipped, headers are allowed.

use super::base64;

const BEGIN: &[u8] = b"-----BEGIN ";
const END: &[u8] = b"\n-----END ";
const DASHES: &[u8] = b"-----";

pub(super) struct Block<'a> {
    pub label: &'a [u8],
    pub content: Vec<u8>,
    /// What follows the line of the block's end.
    pub rest: &'a [u8],
}

pub(super) fn first_block(text: &[u8]) -> Option<Block<'_>> {
    let mut from = 0;
    loop {
        // The first end and the last beginning before it: a beginning without an end is skipped.
        let end = from + position(text.get(from..)?, END)?;
        let after = end + END.len();
        let begin = last_position(text.get(from..end)?, BEGIN).map(|at| from + at);
        if let Some(begin) = begin.filter(|at| *at == from || text.get(at - 1) == Some(&b'\n'))
            && let Some(block) = block(text, begin, end)
        {
            return Some(block);
        }
        from = after;
    }
}

/// The block whose `BEGIN` and `END` are at these places, if it is well formed.
fn block(text: &[u8], begin: usize, end: usize) -> Option<Block<'_>> {
    let (first_line, mut rest) = line(text.get(begin + BEGIN.len()..)?);
    let label = first_line.strip_suffix(DASHES)?;
    loop {
        let (header, next) = line(rest);
        if !header.contains(&b':') {
            break;
        }
        rest = next;
        // Headers that go on behind the end, as lines of the next blocks may be read, make no block.
        if text.len() - rest.len() > end {
            return None;
        }
    }
    let start = text.len() - rest.len();
    if rest.is_empty() {
        return None;
    }
    let (closing, _) = line(text.get(end + END.len()..)?.strip_prefix(label)?.strip_prefix(DASHES)?);
    if !closing.is_empty() {
        return None;
    }
    let body: Vec<u8> = text.get(start..end).unwrap_or_default().iter().copied().filter(|it| !b" \t".contains(it)).collect();
    let (_, rest) = line(text.get(end + END.len() - 1..)?);
    Some(Block { label, content: base64::standard(&body)?, rest })
}

/// The first line without its break and trailing blanks, and what follows.
fn line(text: &[u8]) -> (&[u8], &[u8]) {
    let (mut line, rest) = match text.iter().position(|byte| *byte == b'\n') {
        Some(at) => {
            let (line, rest) = text.split_at(at);
            (line.strip_suffix(b"\r").unwrap_or(line), rest.get(1..).unwrap_or_default())
        }
        None => (text, &[][..]),
    };
    while let Some(shorter) = line.strip_suffix(b" ").or_else(|| line.strip_suffix(b"\t")) {
        line = shorter;
    }
    (line, rest)
}

fn position(text: &[u8], pattern: &[u8]) -> Option<usize> {
    text.windows(pattern.len()).position(|window| window == pattern)
}

fn last_position(text: &[u8], pattern: &[u8]) -> Option<usize> {
    text.windows(pattern.len()).rposition(|window| window == pattern)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<(String, String, String)> {
        let lossy = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        first_block(text.as_bytes()).map(|block| (lossy(block.label), lossy(&block.content), lossy(block.rest)))
    }

    fn found(label: &str, content: &str, rest: &str) -> Option<(String, String, String)> {
        Some((label, content, rest)).map(|(label, content, rest)| (label.into(), content.into(), rest.into()))
    }

    #[test]
    fn a_block_is_its_label_and_content() {
        assert_eq!(read("-----BEGIN A B-----\nYWJj\n-----END A B-----\n"), found("A B", "abc", ""));
        assert_eq!(read("-----BEGIN A-----\r\nYW\r\nJj \r\n-----END A-----"), found("A", "abc", ""));
        assert_eq!(read("-----BEGIN A-----\n-----END A-----\nmore"), found("A", "", "more"));
    }

    #[test]
    fn what_is_around_blocks_is_skipped_or_left() {
        assert_eq!(read("text\n-----BEGIN A-----\nYQ==\n-----END A-----\nrest\n"), found("A", "a", "rest\n"));
        assert_eq!(read("-----BEGIN X-----\n-----BEGIN A-----\nK: v\n\nYQ==\n-----END A-----"), found("A", "a", ""));
        let damaged_first = "-----BEGIN A-----\n*\n-----END A-----\n-----BEGIN B-----\nYg==\n-----END B-----\n";
        assert_eq!(read(damaged_first), found("B", "b", ""));
    }

    #[test]
    fn headers_are_read_no_further_than_to_the_end_of_their_block() {
        let text = "-----BEGIN A-----\n-----END :\n".repeat(40_000);
        assert_eq!(read(&text), None);
        assert_eq!(read("-----BEGIN A-----\nK: v\n-----END A-----\nL: w\n"), None);
    }

    #[test]
    fn what_is_no_block_is_none() {
        for text in [
            "",
            "{}",
            "-----BEGIN A-----\nYQ==",
            "-----BEGIN A-----\nYQ==\n-----END B-----\n",
            "-----BEGIN A-----\nYQ==\n-----END A----- x\n",
            " -----BEGIN A-----\nYQ==\n-----END A-----\n",
            "-----BEGIN A-----\nYQ\n-----END A-----\n",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
