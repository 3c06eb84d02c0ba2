//! Time as the cache sees it: milliseconds since the clock was made.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use rustix::time::{ClockId, Timespec, clock_gettime};

/// Tells decisions' ages.
#[derive(Debug, Clone)]
pub struct Clock(Source);

#[derive(Debug, Clone)]
enum Source {
    System {
        began: Instant,
        /// What the coarse clock showed then.
        coarse: Timespec,
    },
    Manual(Arc<AtomicU64>),
}

impl Clock {
    /// The machine's monotonic clock.
    pub fn system() -> Self {
        Self(Source::System { began: Instant::now(), coarse: coarse() })
    }

    /// A clock that stands still until its hand is moved: for tests.
    pub fn manual() -> (Self, ClockHand) {
        let millis = Arc::default();
        (Self(Source::Manual(Arc::clone(&millis))), ClockHand(millis))
    }

    /// Whole milliseconds since the clock was made.
    pub(crate) fn millis(&self) -> u64 {
        match &self.0 {
            Source::System { .. } => self.millis_at(Instant::now()),
            Source::Manual(millis) => millis.load(Ordering::Relaxed),
        }
    }

    /// As [`Self::millis`] at `moment`, for who has read the machine's clock already. A manual clock shows what it shows.
    pub(crate) fn millis_at(&self, moment: Instant) -> u64 {
        match &self.0 {
            Source::System { began, .. } => millis(moment.saturating_duration_since(*began)),
            Source::Manual(millis) => millis.load(Ordering::Relaxed),
        }
    }

    /// Whether `time` is still to come. Far from it a look at the coarse clock tells, which takes a fifth of the time: it is
    /// behind by the tick of the system (1 to 10 ms), never by [`NEAR`]. So nothing is taken for young longer than it is.
    pub(crate) fn is_before(&self, time: u64) -> bool {
        self.about_millis().saturating_add(NEAR) < time || self.millis() < time
    }

    /// As [`Self::millis`], less or more by some ticks.
    fn about_millis(&self) -> u64 {
        match &self.0 {
            Source::System { coarse: began, .. } => {
                let now = coarse();
                let seconds = now.tv_sec.saturating_sub(began.tv_sec).saturating_mul(1_000);
                let millis = seconds.saturating_add((now.tv_nsec - began.tv_nsec) / 1_000_000);
                u64::try_from(millis).unwrap_or_default()
            }
            Source::Manual(millis) => millis.load(Ordering::Relaxed),
        }
    }
}

/// Moves a manual clock.
#[derive(Debug)]
pub struct ClockHand(Arc<AtomicU64>);

impl ClockHand {
    /// Let `time` pass, in whole milliseconds.
    pub fn advance(&self, time: Duration) {
        self.0.fetch_add(millis(time), Ordering::Relaxed);
    }
}

/// Milliseconds before a time from which on the exact clock is asked. The coarse one lags behind by a tick, and by as long as a
/// virtual processor that counts the ticks stands still.
const NEAR: u64 = 1_000;

/// The system's monotonic clock as it was at its last tick.
fn coarse() -> Timespec {
    clock_gettime(ClockId::MonotonicCoarse)
}

/// Whole milliseconds of `time`.
pub(crate) fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn a_time_has_come_exactly_when_the_exact_clock_says_so() {
        let clock = Clock::system();
        let now = clock.millis();
        assert!(clock.is_before(now + 600_000), "ten minutes are not over, however busy the machine is");
        assert!(!clock.is_before(now));
        assert!(!clock.is_before(0));
        // Near its time the coarse clock, which may be late, is not believed.
        for _ in 0..20 {
            let due = clock.millis() + 3;
            while clock.is_before(due) {
                assert!(clock.millis() <= due + 1 || !clock.is_before(due));
            }
            assert!(clock.millis() >= due);
        }
    }

    #[test]
    fn the_coarse_clock_is_close_enough_to_the_exact_one() {
        let clock = Clock::system();
        for _ in 0..50 {
            let (before, about, after) = (clock.millis(), clock.about_millis(), clock.millis());
            assert!(about <= after + NEAR / 2 && about + NEAR / 2 >= before, "{before} {about} {after}");
            thread::sleep(Duration::from_millis(1));
        }
    }

    #[test]
    fn a_clock_that_is_moved_by_hand_is_before_a_time_until_it_is_there() {
        let (clock, hand) = Clock::manual();
        for due in [1, NEAR, NEAR + 1, 5 * NEAR] {
            hand.advance(Duration::from_millis(due - 1 - clock.millis()));
            assert!(clock.is_before(due), "{due}");
            hand.advance(Duration::from_millis(1));
            assert!(!clock.is_before(due), "{due}");
        }
    }
}
