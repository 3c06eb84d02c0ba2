//! Time as the cache sees it: milliseconds since the clock was made.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

/// Tells decisions' ages.
#[derive(Debug, Clone)]
pub struct Clock(Source);

#[derive(Debug, Clone)]
enum Source {
    System(Instant),
    Manual(Arc<AtomicU64>),
}

impl Clock {
    /// The machine's monotonic clock.
    pub fn system() -> Self {
        Self(Source::System(Instant::now()))
    }

    /// A clock that stands still until its hand is moved: for tests.
    pub fn manual() -> (Self, ClockHand) {
        let millis = Arc::default();
        (Self(Source::Manual(Arc::clone(&millis))), ClockHand(millis))
    }

    /// Whole milliseconds since the clock was made.
    pub(crate) fn millis(&self) -> u64 {
        match &self.0 {
            Source::System(began) => millis(began.elapsed()),
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

/// Whole milliseconds of `time`.
pub(crate) fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
