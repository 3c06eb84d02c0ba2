//! A decision as it is kept: sixteen bytes, and its body where it is not one of the common ones.

use std::sync::atomic::{AtomicU8, Ordering};

use triomphe::ThinArc;

use crate::{
    body::Body,
    decision::{Decision, Outcome},
};

/// Bodies that most decisions have; they take no memory of their own.
const COMMON: [(&[u8], Outcome); 7] = [
    (b"{}\n", Outcome::Undefined),
    (b"{\"result\":true}\n", Outcome::Allow),
    (b"{\"result\":false}\n", Outcome::Deny),
    (b"{\"result\":{\"allow\":true}}\n", Outcome::Allow),
    (b"{\"result\":{\"allow\":false}}\n", Outcome::Deny),
    (b"{\"result\":[]}\n", Outcome::Deny),
    (b"{\"result\":{}}\n", Outcome::Deny),
];

/// What an entry takes in the table: 33 bytes, and its part of the room that is free, which makes them 38 to 75.
const TABLE_BYTES: u64 = 64;
/// What a body of its own takes besides its bytes: reference count, length, rounding of the allocator.
const BODY_OVERHEAD: u64 = 24;

/// Lives of an entry that is asked for often.
pub(super) const MOST_LIVES: u8 = 3;
/// One life among the marks; what the decision means is below.
const LIFE: u8 = 1 << 4;
const MEANING: u8 = LIFE - 1;

/// A kept decision.
#[derive(Debug)]
pub(super) struct Entry {
    /// The body, unless it is a common one.
    body: Option<ThinArc<(), u8>>,
    /// When it becomes too old, in milliseconds of the cache's clock: forty bits, which are 34 years.
    expires_low: u32,
    expires_high: u8,
    /// Place in `COMMON`, or of the outcome in `OUTCOMES` when there is a body; above that the lives that it has left.
    marks: AtomicU8,
    tag: u16,
}

const OUTCOMES: [Outcome; 3] = [Outcome::Allow, Outcome::Deny, Outcome::Undefined];
const LATEST: u64 = (1 << 40) - 1;

/// A copy begins its life anew.
impl Clone for Entry {
    fn clone(&self) -> Self {
        Self { body: self.body.clone(), marks: AtomicU8::new(self.meaning()), ..*self }
    }
}

impl Entry {
    pub(super) fn new(decision: &Decision, expires: u64, tag: u16) -> Self {
        let bytes = decision.body();
        let (body, meaning) = match common(decision) {
            Some(place) => (None, place),
            None => (Some(ThinArc::from_header_and_slice((), bytes)), place(&OUTCOMES, &decision.outcome())),
        };
        let [a, b, c, d, high, ..] = expires.min(LATEST).to_le_bytes();
        let marks = AtomicU8::new(meaning & MEANING);
        Self { body, expires_low: u32::from_le_bytes([a, b, c, d]), expires_high: high, marks, tag }
    }

    /// The decision; None only if the entry were inconsistent.
    pub(super) fn decision(&self) -> Option<Decision> {
        let meaning = usize::from(self.meaning());
        match &self.body {
            Some(body) => Some(Decision::from_body(Body::lent(body), *OUTCOMES.get(meaning)?)),
            None => COMMON.get(meaning).map(|(body, outcome)| Decision::from_body(Body::fixed(body), *outcome)),
        }
    }

    fn meaning(&self) -> u8 {
        self.marks.load(Ordering::Relaxed) & MEANING
    }

    /// It was asked for.
    pub(super) fn gain_life(&self) {
        let marks = self.marks.load(Ordering::Relaxed);
        if marks < MOST_LIVES * LIFE {
            // Two readers at once may count as one: an entry is no less wanted for that.
            self.marks.store(marks + LIFE, Ordering::Relaxed);
        }
    }

    /// Lives that are left when one is lost; None when there was none.
    pub(super) fn lose_life(&mut self) -> Option<u8> {
        let marks = self.marks.get_mut();
        *marks = marks.checked_sub(LIFE)?;
        Some(*marks / LIFE)
    }

    pub(super) fn is_fresh(&self, now: u64) -> bool {
        now < self.expires()
    }

    /// When it becomes too old.
    pub(super) fn expires(&self) -> u64 {
        u64::from(self.expires_high) << 32 | u64::from(self.expires_low)
    }

    pub(super) const fn tag(&self) -> u16 {
        self.tag
    }

    /// Bytes it takes.
    pub(super) fn weight(&self) -> u64 {
        TABLE_BYTES + self.body.as_ref().map_or(0, |body| body.slice.len() as u64 + BODY_OVERHEAD)
    }

    /// Bytes the decision would take, without making an entry of it.
    pub(super) fn weight_of(decision: &Decision) -> u64 {
        TABLE_BYTES + common(decision).map_or(decision.body().len() as u64 + BODY_OVERHEAD, |_| 0)
    }
}

/// Fewest bytes an entry takes.
pub(super) const LEAST_WEIGHT: u64 = TABLE_BYTES;

fn common(decision: &Decision) -> Option<u8> {
    let at = COMMON.iter().position(|(body, outcome)| *outcome == decision.outcome() && *body == &**decision.body())?;
    u8::try_from(at).ok()
}

fn place<T: PartialEq>(among: &[T], wanted: &T) -> u8 {
    among.iter().position(|it| it == wanted).and_then(|at| u8::try_from(at).ok()).unwrap_or(u8::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_sixteen_bytes() {
        assert_eq!(size_of::<Entry>(), 16);
    }

    #[test]
    fn a_decision_comes_back_as_it_was() {
        let bodies = COMMON.iter().map(|(body, _)| *body).chain([b"{\"result\":{\"reason\":\"x\"}}\n".as_slice()]);
        for body in bodies {
            for outcome in OUTCOMES {
                let decision = Decision::from_body(Body::from(body.to_vec()), outcome);
                let entry = Entry::new(&decision, 1 << 36, 7);
                assert_eq!(entry.decision(), Some(decision.clone()));
                assert_eq!(entry.weight(), Entry::weight_of(&decision));
            }
        }
    }

    #[test]
    fn lives_come_and_go_and_leave_the_meaning_alone() {
        for (body, outcome) in COMMON {
            let decision = Decision::from_body(Body::fixed(body), outcome);
            let mut entry = Entry::new(&decision, 1, 0);
            (0..10).for_each(|_| entry.gain_life());
            assert_eq!(entry.clone().lose_life(), None);
            let left: Vec<_> = std::iter::from_fn(|| entry.lose_life()).collect();
            assert_eq!(left, (0..MOST_LIVES).rev().collect::<Vec<_>>());
            assert_eq!(entry.decision(), Some(decision));
        }
    }

    #[test]
    fn an_entry_is_fresh_until_its_time() {
        let entry = |expires| Entry::new(&Decision::undefined(), expires, 0);
        for expires in [1, 1 << 31, 1 << 32, (1 << 32) + 1, LATEST] {
            assert!(entry(expires).is_fresh(expires - 1), "{expires}");
            assert!(!entry(expires).is_fresh(expires), "{expires}");
        }
        assert!(!entry(u64::MAX).is_fresh(LATEST), "what cannot be written down expires early, never late");
    }
}
