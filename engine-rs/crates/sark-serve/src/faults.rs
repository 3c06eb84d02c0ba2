//! Faults injected on purpose into requests of the new arm. Off unless whoever embeds the server turns them on.

use std::time::{Duration, SystemTime};

use parking_lot::Mutex;

/// What to inject.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Faults {
    /// Delay of every request.
    pub latency: Duration,
    /// Share of requests that fail, 0 to 1.
    pub error_ratio: f64,
    /// Share of evaluations that panic, 0 to 1. It holds for all engines of the process.
    pub panic_ratio: f64,
}

impl Faults {
    fn is_off(self) -> bool {
        self.latency.is_zero() && self.error_ratio <= 0.0
    }
}

/// The faults in force, and when the first one struck.
#[derive(Debug, Default)]
pub(crate) struct FaultInjector {
    state: Mutex<State>,
    /// So that requests pay one relaxed load while faults are off.
    active: std::sync::atomic::AtomicBool,
}

#[derive(Debug, Default)]
struct State {
    faults: Faults,
    first: Option<SystemTime>,
}

/// What one request suffers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Strike {
    pub delay: Duration,
    pub fails: bool,
}

impl FaultInjector {
    /// Change the faults; turning them on anew forgets when the last ones struck first.
    pub(crate) fn set(&self, faults: Faults) {
        let mut state = self.state.lock();
        if state.faults.is_off() {
            state.first = None;
        }
        state.faults = faults;
        self.active.store(!faults.is_off(), std::sync::atomic::Ordering::Relaxed);
    }

    pub(crate) fn first(&self) -> Option<SystemTime> {
        self.state.lock().first
    }

    /// Whether any are in force.
    pub(crate) fn are_on(&self) -> bool {
        self.active.load(std::sync::atomic::Ordering::Relaxed)
    }

    /// The fault of the next request of the new arm, if any.
    pub(crate) fn strike(&self) -> Option<Strike> {
        if !self.are_on() {
            return None;
        }
        let mut state = self.state.lock();
        let strike = Strike { delay: state.faults.latency, fails: fastrand::f64() < state.faults.error_ratio };
        if strike.delay.is_zero() && !strike.fails {
            return None;
        }
        state.first.get_or_insert_with(SystemTime::now);
        Some(strike)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_strike_is_remembered_until_faults_are_turned_on_anew() {
        let injector = FaultInjector::default();
        assert_eq!(injector.strike(), None);
        injector.set(Faults { error_ratio: 1.0, ..Faults::default() });
        assert_eq!(injector.first(), None);
        assert_eq!(injector.strike(), Some(Strike { delay: Duration::ZERO, fails: true }));
        let first = injector.first();
        assert!(first.is_some());
        injector.set(Faults::default());
        assert_eq!(injector.strike(), None);
        assert_eq!(injector.first(), first);
        injector.set(Faults { latency: Duration::from_millis(1), ..Faults::default() });
        assert_eq!(injector.first(), None);
        assert_eq!(injector.strike(), Some(Strike { delay: Duration::from_millis(1), fails: false }));
    }
}
