//! A count that one thread writes: it takes no locked instruction, of which a decision had a dozen.

use std::sync::atomic::{AtomicU64, Ordering};

/// One thread adds, and whoever holds a lock for it takes over what was added.
#[derive(Debug, Default)]
pub(super) struct Alone {
    count: AtomicU64,
    /// What of it was taken over.
    taken: AtomicU64,
}

impl Alone {
    /// Add, on the thread that it belongs to.
    pub(super) fn add(&self, number: u64) {
        self.count.store(self.count.load(Ordering::Relaxed).wrapping_add(number), Ordering::Relaxed);
    }

    /// What was added since this was asked last; one may ask at a time.
    pub(super) fn take(&self) -> u64 {
        let count = self.count.load(Ordering::Relaxed);
        count.wrapping_sub(self.taken.swap(count, Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, thread};

    use super::*;

    #[test]
    fn what_is_added_is_taken_once() {
        let alone = Alone::default();
        assert_eq!(alone.take(), 0);
        alone.add(2);
        alone.add(1);
        assert_eq!((alone.take(), alone.take()), (3, 0));
        alone.add(u64::MAX);
        alone.add(2);
        assert_eq!(alone.take(), 1);
    }

    #[test]
    fn nothing_is_lost_while_another_thread_takes() {
        const COUNT: u64 = 100_000;
        let alone = Arc::new(Alone::default());
        let writer = thread::spawn({
            let alone = Arc::clone(&alone);
            move || (0..COUNT).for_each(|_| alone.add(1))
        });
        let mut taken = 0;
        while !writer.is_finished() {
            taken += alone.take();
        }
        writer.join().unwrap();
        assert_eq!(taken + alone.take(), COUNT);
    }
}
