//! The search for a string that two globs have in common.

use std::collections::HashMap;

use super::token::{Repeat, Token};

/// Tokens that are looked at before the search gives up, counting what a class has: some tens of milliseconds.
const MAX_COMPARISONS: usize = 4_000_000;
/// Repeated tokens of one glob. The search is nested as deep as both have.
const MAX_REPEATED: usize = 400;

pub(super) fn have_common_string(left: &[Token], right: &[Token]) -> Result<bool, TooBig> {
    let Some((left, right)) = trimmed(left, right) else {
        return Ok(false);
    };
    if [left, right].iter().any(|glob| glob.iter().filter(|token| token.repeat != Repeat::Once).count() > MAX_REPEATED) {
        return Err(TooBig);
    }
    Search { comparisons: 0, tried: HashMap::new() }.plain(left, right)
}

/// The search was given up.
#[derive(Debug)]
pub(super) struct TooBig;

/// Both globs without the tokens at either end that must match one to one, or none if such tokens do not match. One of them
/// stays at each end, so that no glob becomes empty.
fn trimmed<'a>(left: &'a [Token], right: &'a [Token]) -> Option<(&'a [Token], &'a [Token])> {
    let are_single = |(a, b): &(&Token, &Token)| a.repeat == Repeat::Once && b.repeat == Repeat::Once;
    let front: Vec<_> = left.iter().zip(right).take_while(are_single).collect();
    if !front.iter().all(|(a, b)| a.meets(b)) {
        return None;
    }
    let from = front.len().saturating_sub(1);
    let (left, right) = (left.get(from..)?, right.get(from..)?);
    let back: Vec<_> = left.iter().rev().zip(right.iter().rev()).take_while(are_single).collect();
    if !back.iter().all(|(a, b)| a.meets(b)) {
        return None;
    }
    let dropped = back.len().saturating_sub(1);
    Some((left.get(..left.len() - dropped)?, right.get(..right.len() - dropped)?))
}

struct Search {
    comparisons: usize,
    /// Answers of [`Search::gobble`] by where its operands are: both are ends of one of the globs.
    tried: HashMap<(*const Token, usize, *const Token, usize), bool>,
}

impl Search {
    fn meet(&mut self, left: &Token, right: &Token) -> Result<bool, TooBig> {
        self.comparisons += left.size() + right.size();
        if self.comparisons > MAX_COMPARISONS { Err(TooBig) } else { Ok(left.meets(right)) }
    }

    fn plain(&mut self, mut left: &[Token], mut right: &[Token]) -> Result<bool, TooBig> {
        while let (Some((first, left_rest)), Some((second, right_rest))) = (left.split_first(), right.split_first()) {
            match (first.repeat, second.repeat) {
                (Repeat::Once, Repeat::Once) if !self.meet(first, second)? => return Ok(false),
                (Repeat::Once, Repeat::Once) => (left, right) = (left_rest, right_rest),
                (Repeat::Plus, _) => return self.plus(left, right),
                (Repeat::Star, _) => return self.gobble(left, right),
                (Repeat::Once, Repeat::Plus) => return self.plus(right, left),
                (Repeat::Once, Repeat::Star) => return self.gobble(right, left),
            }
        }
        Ok(left.is_empty() && right.is_empty())
    }

    /// `repeated` begins with a token of one or more.
    fn plus(&mut self, repeated: &[Token], other: &[Token]) -> Result<bool, TooBig> {
        let (Some((first, rest)), Some((second, other_rest))) = (repeated.split_first(), other.split_first()) else {
            return Ok(false);
        };
        if !self.meet(first, second)? {
            return Ok(false);
        }
        if self.gobble(repeated, other_rest)? {
            return Ok(true);
        }
        Ok(second.repeat != Repeat::Once && self.plain(rest, other)?)
    }

    /// `repeated` begins with a token that takes in tokens of `other`, until what is left of both has a string in common.
    fn gobble(&mut self, repeated: &[Token], other: &[Token]) -> Result<bool, TooBig> {
        let place = (repeated.as_ptr(), repeated.len(), other.as_ptr(), other.len());
        if let Some(found) = self.tried.get(&place) {
            return Ok(*found);
        }
        let found = self.gobbled(repeated, other)?;
        self.tried.insert(place, found);
        Ok(found)
    }

    fn gobbled(&mut self, repeated: &[Token], other: &[Token]) -> Result<bool, TooBig> {
        let Some((token, rest)) = repeated.split_first() else {
            return Ok(false);
        };
        let mut left = other;
        while let Some((first, left_rest)) = left.split_first() {
            if let Some(next) = rest.first()
                && self.meet(first, next)?
                && self.plain(rest, left)?
            {
                return Ok(true);
            }
            if !self.meet(first, token)? {
                return Ok(false);
            }
            left = left_rest;
        }
        Ok(rest.is_empty())
    }
}
