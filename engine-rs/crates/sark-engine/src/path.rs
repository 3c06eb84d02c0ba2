//! A decision path: `authz/allow` as in `/v1/data/authz/allow`.

use std::hash::{Hash, Hasher};

use arc_swap::ArcSwapOption;

use crate::{error::PathError, prospects::Prospect};

/// Most segments a path may have; the engine itself stops at 32 components, the leading `data` included.
const MAX_SEGMENTS: usize = 31;
/// Longest segment, in bytes.
const MAX_SEGMENT_BYTES: usize = 256;

/// A checked path of at most 31 segments. Nothing of it reaches the Rego parser unquoted.
///
/// Keep it to ask again: it remembers what the policies that were asked last say about it.
#[derive(Debug)]
pub struct DecisionPath {
    segments: Vec<String>,
    joined: String,
    remembered: ArcSwapOption<Prospect>,
}

impl Clone for DecisionPath {
    fn clone(&self) -> Self {
        Self { segments: self.segments.clone(), joined: self.joined.clone(), remembered: ArcSwapOption::empty() }
    }
}

impl PartialEq for DecisionPath {
    fn eq(&self, other: &Self) -> bool {
        self.segments == other.segments
    }
}

impl Eq for DecisionPath {}

impl Hash for DecisionPath {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.segments.hash(state);
    }
}

impl DecisionPath {
    /// Split `authz/allow` at its slashes; empty segments are skipped, as OPA does.
    pub fn parse(path: &str) -> Result<Self, PathError> {
        Self::from_segments(path.split('/').filter(|segment| !segment.is_empty()).map(str::to_owned).collect())
    }

    /// A path of segments that are already decoded.
    pub fn from_segments(segments: Vec<String>) -> Result<Self, PathError> {
        if segments.len() > MAX_SEGMENTS {
            return Err(PathError(format!("the path has {} segments; at most {MAX_SEGMENTS} are allowed", segments.len())));
        }
        segments.iter().try_for_each(|segment| check_segment(segment))?;
        Ok(Self { joined: segments.join("/"), segments, remembered: ArcSwapOption::empty() })
    }

    /// The decoded segments.
    pub fn segments(&self) -> &[String] {
        &self.segments
    }

    /// The segments joined by slashes; unambiguous, because no segment contains one.
    pub fn joined(&self) -> &str {
        &self.joined
    }

    pub(crate) const fn remembered(&self) -> &ArcSwapOption<Prospect> {
        &self.remembered
    }
}

fn check_segment(segment: &str) -> Result<(), PathError> {
    if segment.len() > MAX_SEGMENT_BYTES {
        return Err(PathError(format!("a path segment has {} bytes; at most {MAX_SEGMENT_BYTES} are allowed", segment.len())));
    }
    // OPA quotes a byte order mark as it is, and then cannot parse its own query.
    if segment.is_empty() || segment.chars().any(|c| c.is_control() || matches!(c, '/' | '"' | '\\' | '`' | '\u{feff}')) {
        return Err(PathError(format!(
            "the path segment {segment:?} is empty or contains a slash, quote, backslash, control character or byte order mark"
        )));
    }
    Ok(())
}

/// OPA reads a segment that is an integer as an index.
pub(crate) fn index_of(segment: &str) -> Option<i64> {
    segment.parse().ok()
}

/// Whether OPA takes `segment` for a number and it is written otherwise than that.
pub(crate) fn is_odd_index(segment: &str) -> bool {
    let digits = segment.strip_prefix(['+', '-']).unwrap_or(segment);
    let (whole, zeros) = digits.split_once('.').unwrap_or((digits, ""));
    let is_number =
        !digits.is_empty() && whole.bytes().all(|digit| digit.is_ascii_digit()) && zeros.bytes().all(|digit| digit == b'0');
    is_number && index_of(segment).is_none_or(|index| index.to_string() != segment)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_segments_are_skipped_and_no_other_is_changed() {
        for (path, joined) in
            [("authz/allow", "authz/allow"), ("//authz//allow/", "authz/allow"), ("x;allow/ä", "x;allow/ä"), ("", "")]
        {
            assert_eq!(DecisionPath::parse(path).unwrap().joined(), joined, "{path}");
        }
    }

    #[test]
    fn a_number_that_is_written_otherwise_is_told_from_one_and_from_a_name() {
        for odd in ["00", "+1", "-0", "1.0", "1.", ".", ".0", "01", "99999999999999999999"] {
            assert!(is_odd_index(odd), "{odd}");
        }
        for plain in ["0", "1", "-1", "a", "1a", "1.5", "", "+", "-", "1..0", "0x1", "9223372036854775807"] {
            assert!(!is_odd_index(plain), "{plain}");
        }
    }

    #[test]
    fn what_could_end_a_quoted_segment_is_refused() {
        for path in ["a\"b", "a\\b", "a`b", "a\nb", "a\0b", "a\x7fb"] {
            assert!(DecisionPath::parse(path).is_err(), "{path:?}");
        }
        assert!(DecisionPath::from_segments(vec!["a/b".into()]).is_err());
        assert!(DecisionPath::parse(&"a/".repeat(32)).is_err());
        assert!(DecisionPath::parse(&"a".repeat(257)).is_err());
    }

    #[test]
    fn a_byte_order_mark_is_refused_wherever_it_stands_and_no_other_character_beyond_ascii() {
        for path in ["\u{feff}", "a/\u{feff}b", "a/b\u{feff}"] {
            assert!(DecisionPath::parse(path).is_err(), "{path:?}");
        }
        for path in ["\u{200b}", "\u{2028}", "\u{fffd}", "\u{fffe}", "\u{ffff}", "\u{e0001}", "\u{10ffff}"] {
            assert_eq!(DecisionPath::parse(path).unwrap().joined(), path, "{path:?}");
        }
    }
}
