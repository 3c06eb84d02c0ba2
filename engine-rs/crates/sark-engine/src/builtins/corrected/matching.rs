//! Compiled expressions that know what a search with them may cost.
//!
//! A search takes time that grows with the text and, at the worst, with the size of the expression too. No clock looks inside of one,
//! so that it is only begun where the product of both is bounded. Between two matches the clock is looked at.

use std::{hash::Hash, sync::Arc};

use quick_cache::{Weighter, sync::Cache};
use regex::{Captures, Match, Regex, RegexBuilder};

use super::{
    super::{BuiltinError, Circumstances},
    unicode::is_paired_later,
};

/// Most bytes that an expression compiles to, at each attempt; the last is the regex crate's own limit.
const SIZES: [usize; 14] = [
    1 << 10,
    2 << 10,
    4 << 10,
    8 << 10,
    16 << 10,
    32 << 10,
    64 << 10,
    128 << 10,
    256 << 10,
    512 << 10,
    1 << 20,
    2 << 20,
    4 << 20,
    10 << 20,
];
/// What a state of an expression takes of them, at least.
const STATE_BYTES: usize = 32;
/// Most states that a search looks at, were all looked at for each byte of the text: half a second for the worst patterns that were
/// tried (`(?:.{0,300}[a-c]){3}[x-z0]` in letters without an x), and far less for nearly all.
const MAX_STEPS: usize = 1 << 30;

/// Most bytes of the patterns that are kept, by what they compile to; of those of `regex.match` and of those of `glob.match` each.
const MAX_KEPT_BYTES: u64 = 32 << 20;
/// Patterns that are kept, about.
const KEPT: usize = 1024;
/// What a pattern counts among them at most: little enough for the largest to be kept at all.
const MOST_WEIGHT: usize = 256 << 10;

/// What is compiled of a pattern, or why nothing is.
pub(super) type Compiled<E> = Result<Matcher, E>;

/// Patterns that were compiled, by what they are written as. Those that come from inputs push each other out.
pub(super) type Kept<K, E> = Cache<K, Compiled<E>, BySize>;

pub(super) fn kept<K: Key, E: Clone>() -> Kept<K, E> {
    Cache::with_weighter(KEPT, MAX_KEPT_BYTES, BySize)
}

/// What a pattern is kept by.
pub(super) trait Key: Eq + Hash {
    fn bytes(&self) -> usize;
}

impl Key for Box<str> {
    fn bytes(&self) -> usize {
        self.len()
    }
}

#[derive(Debug, Clone)]
pub(super) struct BySize;

impl<K: Key, E: Clone> Weighter<K, Compiled<E>> for BySize {
    fn weight(&self, written: &K, compiled: &Compiled<E>) -> u64 {
        let bytes = written.bytes() + compiled.as_ref().map_or(0, Matcher::weight);
        u64::try_from(bytes).unwrap_or(u64::MAX)
    }
}

/// An expression, and at most how many bytes it is.
#[derive(Debug, Clone)]
pub(super) struct Matcher {
    /// Counted, since a copy of an expression would have to warm up anew.
    regex: Arc<Regex>,
    bytes: usize,
    ignores_case: bool,
}

impl Matcher {
    pub(super) fn compile(pattern: &str) -> Result<Self, regex::Error> {
        let mut told = regex::Error::CompiledTooBig(0);
        for bytes in SIZES {
            match RegexBuilder::new(pattern).size_limit(bytes).build() {
                Ok(regex) => return Ok(Self { regex: Arc::new(regex), bytes, ignores_case: false }),
                Err(error @ regex::Error::CompiledTooBig(_)) => told = error,
                Err(error) => return Err(error),
            }
        }
        Err(told)
    }

    /// The same expression, of which `ignores_case` says whether some of it takes capital and small letters for one.
    pub(super) fn ignoring_case(self, ignores_case: bool) -> Self {
        Self { ignores_case, ..self }
    }

    /// Whether something in `text` matches. The regex crate's own test misses matches behind an empty one inside of a character,
    /// which only `\B` lets stand there.
    pub(super) fn is_match(&self, text: &str, circumstances: &Circumstances) -> Result<bool, BuiltinError> {
        self.begin(text, circumstances)?;
        let regex = &*self.regex;
        Ok(if regex.as_str().contains("\\B") { regex.find(text).is_some() } else { regex.is_match(text) })
    }

    /// The matches in `text`, each of them an error when the evaluation is late.
    pub(super) fn find_iter<'t>(
        &'t self,
        text: &'t str,
        circumstances: &'t Circumstances,
    ) -> Result<impl Iterator<Item = Result<Match<'t>, BuiltinError>>, BuiltinError> {
        self.begin(text, circumstances)?;
        Ok(self.regex.find_iter(text).map(|found| circumstances.long_work().map(|()| found)))
    }

    /// The same with their groups.
    pub(super) fn captures_iter<'t>(
        &'t self,
        text: &'t str,
        circumstances: &'t Circumstances,
    ) -> Result<impl Iterator<Item = Result<Captures<'t>, BuiltinError>>, BuiltinError> {
        self.begin(text, circumstances)?;
        Ok(self.regex.captures_iter(text).map(|found| circumstances.long_work().map(|()| found)))
    }

    /// `text` with each match replaced, groups that the replacement names included.
    pub(super) fn replace_all(&self, text: &str, by: &str, circumstances: &Circumstances) -> Result<String, BuiltinError> {
        let mut replaced = String::with_capacity(text.len());
        let mut behind = 0;
        let mut put = |found: Match<'_>, groups: Option<&Captures<'_>>| {
            replaced.push_str(text.get(behind..found.start()).unwrap_or_default());
            match groups {
                Some(groups) => groups.expand(by, &mut replaced),
                None => replaced.push_str(by),
            }
            behind = found.end();
        };
        if by.contains('$') {
            for groups in self.captures_iter(text, circumstances)? {
                let groups = groups?;
                put(groups.get_match(), Some(&groups));
            }
        } else {
            for found in self.find_iter(text, circumstances)? {
                put(found?, None);
            }
        }
        replaced.push_str(text.get(behind..).unwrap_or_default());
        Ok(replaced)
    }

    /// What it counts among those that are kept.
    fn weight(&self) -> usize {
        self.bytes.min(MOST_WEIGHT)
    }

    /// Leave a search to OPA that may take too long, or where letters are one to the regex crate that are two to Go.
    fn begin(&self, text: &str, circumstances: &Circumstances) -> Result<(), BuiltinError> {
        let steps = (self.bytes / STATE_BYTES).saturating_mul(text.len());
        if steps > MAX_STEPS {
            return Err(circumstances.leave("the pattern and the text are too long for a search here"));
        }
        if self.ignores_case && text.chars().any(is_paired_later) {
            return Err(circumstances.leave("the text has letters that the pattern's case does not tell apart as in OPA"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::Spelled;

    fn circumstances() -> Circumstances {
        Circumstances::at(0, Spelled::default())
    }

    #[test]
    fn a_replacement_is_that_of_the_regex_crate() {
        for (pattern, text, by) in [
            ("a+", "baac", "x"),
            ("(a)(b)?", "ab a b", "<$2$1>"),
            ("", "aé", "-"),
            ("b*", "abé", "$0$0"),
            ("x", "abc", "y"),
            ("a|", "baac", "$$"),
        ] {
            let matcher = Matcher::compile(pattern).unwrap();
            let expected = Regex::new(pattern).unwrap().replace_all(text, by).into_owned();
            assert_eq!(matcher.replace_all(text, by, &circumstances()), Ok(expected), "{pattern} {text} {by}");
        }
    }

    #[test]
    fn a_search_is_only_begun_where_pattern_and_text_are_not_both_long() {
        let begun = |pattern: &str, length: usize| {
            let circumstances = circumstances();
            let _ = Matcher::compile(pattern).unwrap().is_match(&"a".repeat(length), &circumstances);
            circumstances.take_left().is_none()
        };
        assert!(begun("^[a-z]+@[a-z]+[.]com$", 200_000));
        assert!(begun("(?:a?){1000}a{1000}b", 1_000));
        assert!(begun("^[\\p{L}\\p{N}_ .-]{1,64}$", 8_000));
        assert!(!begun("(?:a?){1000}a{1000}b", 2_000_000));
    }
}
