//! The tokens of a glob.

use super::super::BuiltinError;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Repeat {
    Once,
    Plus,
    Star,
}

/// What stands at one place of a matching string.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Class {
    Character(char),
    Any,
    /// Ranges of code points, sorted and apart from each other.
    Ranges(Vec<(u32, u32)>),
}

#[derive(Debug, Clone)]
pub(super) struct Token {
    class: Class,
    pub repeat: Repeat,
}

impl Token {
    /// Whether some character fits both, repetition aside. OPA lets `.` and an empty class meet.
    pub(super) fn meets(&self, other: &Self) -> bool {
        match (&self.class, &other.class) {
            (Class::Any, _) | (_, Class::Any) => true,
            (Class::Character(left), Class::Character(right)) => left == right,
            (Class::Character(one), Class::Ranges(ranges)) | (Class::Ranges(ranges), Class::Character(one)) => {
                ranges.iter().any(|(low, high)| (*low..=*high).contains(&u32::from(*one)))
            }
            (Class::Ranges(left), Class::Ranges(right)) => overlap(left, right),
        }
    }

    /// How much there is to look at.
    pub(super) fn size(&self) -> usize {
        if let Class::Ranges(ranges) = &self.class { ranges.len().max(1) } else { 1 }
    }
}

/// Whether two lists of ranges, both sorted, have something in common.
fn overlap(mut left: &[(u32, u32)], mut right: &[(u32, u32)]) -> bool {
    while let (Some(((low, high), left_rest)), Some(((other_low, other_high), right_rest))) =
        (left.split_first(), right.split_first())
    {
        if high < other_low {
            left = left_rest;
        } else if other_high < low {
            right = right_rest;
        } else {
            return true;
        }
    }
    false
}

/// The tokens of `glob`; repeated tokens of one class that follow each other are one.
pub(super) fn read(glob: &str) -> Result<Vec<Token>, BuiltinError> {
    let mut reader = Reader { rest: glob.chars() };
    let mut tokens: Vec<Token> = Vec::new();
    while let Some((character, is_escaped)) = reader.next()? {
        let class = match character {
            _ if is_escaped => Class::Character(character),
            '.' => Class::Any,
            '[' => reader.class()?,
            ']' => return Err(refused("set-close ']' with no preceding '['")),
            '+' | '*' => return Err(refused("a flag must be preceded by a non-flag")),
            plain => Class::Character(plain),
        };
        let repeat = reader.repeat();
        match tokens.last_mut() {
            Some(last) if last.repeat != Repeat::Once && repeat != Repeat::Once && last.class == class => {
                if repeat == Repeat::Plus {
                    last.repeat = Repeat::Plus;
                }
            }
            _ => tokens.push(Token { class, repeat }),
        }
    }
    Ok(tokens)
}

fn refused(reason: &str) -> BuiltinError {
    BuiltinError(format!("the glob is invalid: {reason}"))
}

struct Reader<'a> {
    rest: std::str::Chars<'a>,
}

impl Reader<'_> {
    /// The next character, and whether a backslash escapes it.
    fn next(&mut self) -> Result<Option<(char, bool)>, BuiltinError> {
        match self.rest.next() {
            None => Ok(None),
            Some('\\') => {
                self.rest.next().map(|escaped| Some((escaped, true))).ok_or_else(|| refused("it ends with a backslash"))
            }
            Some(character) => Ok(Some((character, false))),
        }
    }

    fn repeat(&mut self) -> Repeat {
        let mut ahead = self.rest.clone();
        let repeat = match ahead.next() {
            Some('+') => Repeat::Plus,
            Some('*') => Repeat::Star,
            _ => return Repeat::Once,
        };
        self.rest = ahead;
        repeat
    }

    /// The class whose `[` is read.
    fn class(&mut self) -> Result<Class, BuiltinError> {
        let mut ranges = Vec::new();
        let mut previous = None;
        while let Some((character, is_escaped)) = self.next()? {
            match character {
                ']' if !is_escaped => return Ok(Class::Ranges(joined(ranges))),
                '-' if !is_escaped => {
                    let low = previous.take().ok_or_else(|| refused("a range has no beginning"))?;
                    let high = match self.next()? {
                        Some((']' | '-', false)) | None => return Err(refused("a range has no end")),
                        Some((high, _)) if high < low => return Err(refused("a range is out of order")),
                        Some((high, _)) => high,
                    };
                    ranges.push((u32::from(low), u32::from(high)));
                }
                plain => {
                    ranges.push((u32::from(plain), u32::from(plain)));
                    previous = Some(plain);
                }
            }
        }
        Err(refused("found '[' without matching ']'"))
    }
}

/// Sorted, and joined where they touch: classes with the same characters are equal.
fn joined(mut ranges: Vec<(u32, u32)>) -> Vec<(u32, u32)> {
    ranges.sort_unstable();
    let mut joined: Vec<(u32, u32)> = Vec::with_capacity(ranges.len());
    for (low, high) in ranges {
        match joined.last_mut() {
            Some((_, end)) if low <= end.saturating_add(1) => *end = high.max(*end),
            _ => joined.push((low, high)),
        }
    }
    joined
}
