//! Panics on purpose: what a bug in the evaluator would do to whoever embeds it can be seen without one.

use std::{
    panic::panic_any,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

const WHOLE: u64 = 1_000_000;
/// Evaluations that panic, of a million; 0 but while somebody rehearses.
static SHARE: AtomicU64 = AtomicU64::new(0);
static COUNT: AtomicU64 = AtomicU64::new(0);

/// Let a share of all evaluations of this process panic, 0 to 1. Zero ends it.
pub fn rehearse_panics(ratio: f64) {
    // Whole millionths of a number from 0 to 1.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
    let share = (ratio.clamp(0.0, 1.0) * WHOLE as f64) as u64;
    SHARE.store(share, Relaxed);
}

/// Panic if it is the turn of this evaluation.
pub(crate) fn panic_if_rehearsed() {
    let share = SHARE.load(Relaxed);
    if share > 0 && is_turn(COUNT.fetch_add(1, Relaxed) % WHOLE, share) {
        // The one panic in the library that is meant; whoever evaluates contains it, as it would contain a bug's.
        #[allow(clippy::panic)]
        panic_any("a rehearsed panic");
    }
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
