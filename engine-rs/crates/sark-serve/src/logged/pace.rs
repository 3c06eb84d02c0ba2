//! At most so many events a second.

use std::time::Instant;

use crate::options::ConfigurationError;

/// A bucket of places that fills at an even pace; it holds one second's worth.
#[derive(Debug)]
pub(super) struct Pace {
    per_second: f64,
    places: f64,
    filled_at: Instant,
}

impl Pace {
    pub(super) fn new(per_second: f64) -> Result<Self, ConfigurationError> {
        if !(per_second.is_finite() && per_second > 0.0) {
            return Err(ConfigurationError(format!("max_per_second must be more than zero, not {per_second}")));
        }
        Ok(Self { per_second, places: per_second.max(1.0), filled_at: Instant::now() })
    }

    /// Whether another event may be kept now.
    pub(super) fn admits(&mut self) -> bool {
        self.admits_at(Instant::now())
    }

    fn admits_at(&mut self, now: Instant) -> bool {
        let gained = now.saturating_duration_since(self.filled_at).as_secs_f64() * self.per_second;
        self.filled_at = now;
        self.places = (self.places + gained).min(self.per_second.max(1.0));
        if self.places < 1.0 {
            return false;
        }
        self.places -= 1.0;
        true
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_second_lets_in_what_is_allowed_and_no_more() {
        let mut pace = Pace::new(10.0).unwrap();
        let begin = pace.filled_at;
        let admitted =
            |pace: &mut Pace, after: u64| (0..50).filter(|_| pace.admits_at(begin + Duration::from_millis(after))).count();
        assert_eq!(admitted(&mut pace, 0), 10);
        assert_eq!(admitted(&mut pace, 500), 5);
        assert_eq!(admitted(&mut pace, 60_000), 10);
    }

    #[test]
    fn a_pace_that_is_none_is_refused() {
        for wrong in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert!(Pace::new(wrong).is_err());
        }
        assert!(Pace::new(0.5).unwrap().admits());
    }
}
