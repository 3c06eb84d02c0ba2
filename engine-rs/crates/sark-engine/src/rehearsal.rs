//! Panics on purpose: what a bug in the evaluator would do to whoever embeds it can be seen without one.

use std::{
    panic::panic_any,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

const WHOLE: u64 = 1_000_000;
/// While evaluating.
static EVALUATING: Share = Share::new();
/// While an answer is written.
static ANSWERING: Share = Share::new();

/// Which share of all work panics.
struct Share {
    /// So many of a million; 0 but while somebody rehearses.
    panics: AtomicU64,
    count: AtomicU64,
}

impl Share {
    const fn new() -> Self {
        Self { panics: AtomicU64::new(0), count: AtomicU64::new(0) }
    }

    fn set(&self, ratio: f64) {
        // Whole millionths of a number from 0 to 1.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
        let share = (ratio.clamp(0.0, 1.0) * WHOLE as f64) as u64;
        self.panics.store(share, Relaxed);
    }

    fn panic_in_turn(&self) {
        let share = self.panics.load(Relaxed);
        if share > 0 && is_turn(self.count.fetch_add(1, Relaxed) % WHOLE, share) {
            // The one panic in the library that is meant; whoever evaluates contains it, as it would contain a bug's.
            #[allow(clippy::panic)]
            panic_any("a rehearsed panic");
        }
    }
}

/// Let a share of all evaluations of this process panic, 0 to 1. Zero ends it.
pub fn rehearse_panics(ratio: f64) {
    EVALUATING.set(ratio);
}

/// As [`rehearse_panics`], after the evaluation, when its answer is written.
pub fn rehearse_panics_at_answers(ratio: f64) {
    ANSWERING.set(ratio);
}

/// Panic if it is the turn of this evaluation.
pub(crate) fn panic_if_rehearsed() {
    EVALUATING.panic_in_turn();
}

/// Panic if it is the turn of this answer.
pub(crate) fn panic_at_answer_if_rehearsed() {
    ANSWERING.panic_in_turn();
}

/// Whether the evaluation with this number, below a million, is one of the share; they are spread evenly.
fn is_turn(number: u64, share: u64) -> bool {
    number * share / WHOLE != (number + 1) * share / WHOLE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_exact_and_spread_evenly() {
        for share in [0, 1, 250_000, 999_999, WHOLE] {
            let turns = (0..WHOLE).filter(|number| is_turn(*number, share)).count();
            assert_eq!(turns as u64, share);
        }
        assert_eq!((0..8).filter(|number| is_turn(*number, WHOLE / 4)).count(), 2);
    }
}
