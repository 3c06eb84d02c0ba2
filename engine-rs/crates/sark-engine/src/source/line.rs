//! Parts in a line: two threads parse them, and one of the two sees them in order.

use std::collections::BTreeMap;

use parking_lot::{Condvar, Mutex};

/// Work on items `0..count` that is begun in order, by whoever has time, and wanted in order by one.
///
/// `D` is what becomes of an item.
#[derive(Debug)]
pub(super) struct Line<D> {
    state: Mutex<State<D>>,
    changed: Condvar,
    count: usize,
    /// How many items may have been begun and not been wanted yet.
    ahead: usize,
}

#[derive(Debug)]
struct State<D> {
    /// The next item that nobody has begun.
    next: usize,
    /// How many have been handed over.
    handed: usize,
    done: BTreeMap<usize, D>,
    is_over: bool,
}

impl<D> Line<D> {
    pub(super) const fn new(count: usize, ahead: usize) -> Self {
        let state = State { next: 0, handed: 0, done: BTreeMap::new(), is_over: false };
        Self { state: Mutex::new(state), changed: Condvar::new(), count, ahead }
    }

    /// Do items, until there are none left or nobody wants more. For the thread that does nothing else.
    pub(super) fn help(&self, work: impl Fn(usize) -> D) {
        while let Some(item) = self.begin() {
            self.end(item, work(item));
        }
    }

    /// The next item in order. While another thread is at it, this one works ahead.
    pub(super) fn next(&self, work: impl Fn(usize) -> D) -> Option<D> {
        let mut state = self.state.lock();
        let wanted = state.handed;
        if wanted >= self.count {
            return None;
        }
        loop {
            if let Some(done) = state.done.remove(&wanted) {
                state.handed += 1;
                drop(state);
                self.changed.notify_all();
                return Some(done);
            }
            match self.take(&mut state) {
                Some(item) => {
                    drop(state);
                    let done = work(item);
                    state = self.state.lock();
                    state.done.insert(item, done);
                }
                None => self.changed.wait(&mut state),
            }
        }
    }

    /// Nobody wants more.
    pub(super) fn close(&self) {
        self.state.lock().is_over = true;
        self.changed.notify_all();
    }

    /// Wait for an item that may be begun.
    fn begin(&self) -> Option<usize> {
        let mut state = self.state.lock();
        loop {
            if state.is_over || state.next >= self.count {
                return None;
            }
            if let Some(item) = self.take(&mut state) {
                return Some(item);
            }
            self.changed.wait(&mut state);
        }
    }

    fn take(&self, state: &mut State<D>) -> Option<usize> {
        let item = state.next;
        (item < self.count && item < state.handed + self.ahead).then(|| {
            state.next += 1;
            item
        })
    }

    fn end(&self, item: usize, done: D) {
        self.state.lock().done.insert(item, done);
        self.changed.notify_all();
    }
}

/// Closes a line when its owner leaves, however that is.
#[derive(Debug)]
pub(super) struct Closing<'l, D>(pub &'l Line<D>);

impl<D> Drop for Closing<'_, D> {
    fn drop(&mut self) {
        self.0.close();
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::{
        sync::{
            Arc,
            atomic::{AtomicUsize, Ordering},
        },
        thread,
        time::Duration,
    };

    use super::*;

    const COUNT: usize = 40;

    /// What arrives, with a helper that is as slow as given and an owner that is.
    fn seen(helper: Duration, owner: Duration, upto: usize) -> Vec<usize> {
        let line = Line::new(COUNT, 3);
        let begun = AtomicUsize::new(0);
        let work = |slow: Duration| {
            let begun = &begun;
            move |item: usize| {
                begun.fetch_add(1, Ordering::Relaxed);
                thread::sleep(slow);
                item
            }
        };
        let seen = thread::scope(|scope| {
            let _closing = Closing(&line);
            scope.spawn(|| line.help(work(helper)));
            std::iter::from_fn(|| line.next(work(owner))).take(upto).collect()
        });
        // Then nothing is done twice, and no more ahead than is allowed.
        assert!(begun.load(Ordering::Relaxed) <= upto.min(COUNT) + 3);
        seen
    }

    #[test]
    fn items_arrive_in_order_whoever_is_slow() {
        let (slow, quick) = (Duration::from_micros(300), Duration::ZERO);
        let all: Vec<usize> = (0..COUNT).collect();
        for (helper, owner) in [(slow, quick), (quick, slow), (quick, quick), (slow, slow)] {
            assert_eq!(seen(helper, owner, COUNT), all);
        }
    }

    #[test]
    fn whoever_wants_no_more_ends_the_helper() {
        assert_eq!(seen(Duration::ZERO, Duration::ZERO, 2), [0, 1]);
    }

    #[test]
    fn without_a_helper_the_owner_does_everything() {
        let line = Line::new(3, 2);
        let all: Vec<usize> = std::iter::from_fn(|| line.next(|item| item * 10)).collect();
        assert_eq!(all, [0, 10, 20]);
    }

    #[test]
    fn work_that_waits_for_the_helper_is_woken() {
        // Given a helper that has begun the only item
        let line = Arc::new(Line::new(1, 1));
        let (began, has_begun) = std::sync::mpsc::channel();
        let helper = Arc::clone(&line);
        let thread = thread::spawn(move || {
            helper.help(|item| {
                began.send(()).unwrap();
                thread::sleep(Duration::from_millis(20));
                item
            });
        });
        has_begun.recv().unwrap();
        // When the owner wants it
        // Then it gets what the helper made
        assert_eq!(line.next(|_| usize::MAX), Some(0));
        assert_eq!(line.next(|_| usize::MAX), None);
        thread.join().unwrap();
    }
}
