//! Deadlines of connections, kept by one clock a thread: a request sets a number and arms no timer.

use std::{
    cell::{Cell, Ref, RefCell},
    rc::{Rc, Weak},
    task::{Context, Waker},
    time::{Duration, Instant, SystemTime},
};

use crate::opening::Opening;

const SHORTEST_TICK: Duration = Duration::from_millis(5);
const LONGEST_TICK: Duration = Duration::from_millis(100);
/// A deadline is kept this much more exactly than it is long.
const TICKS_A_DEADLINE: u32 = 8;

/// The clock of one thread. It is as exact as its tick.
pub(crate) struct Clock {
    begun: Instant,
    tick: Duration,
    now: Cell<Duration>,
    opening: RefCell<Opening>,
    second: Cell<u64>,
    watches: RefCell<Vec<Weak<Watch>>>,
}

/// The deadline of one connection, and who waits for it.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    due: Cell<Option<Duration>>,
    late: Cell<bool>,
    waker: RefCell<Option<Waker>>,
}

impl Clock {
    /// A clock exact enough for `shortest`, the shortest limit it is asked to keep.
    pub(crate) fn new(shortest: Duration) -> Self {
        let clock = Self {
            begun: Instant::now(),
            tick: (shortest / TICKS_A_DEADLINE).clamp(SHORTEST_TICK, LONGEST_TICK),
            now: Cell::default(),
            opening: RefCell::new(Opening::at(SystemTime::now())),
            second: Cell::new(u64::MAX),
            watches: RefCell::default(),
        };
        clock.advance();
        clock
    }

    /// Tick for ever, and say each time how late it was.
    pub(crate) async fn run(self: Rc<Self>, late: impl Fn(Duration)) {
        loop {
            let before = self.now.get();
            tokio::time::sleep(self.tick).await;
            self.advance();
            late(self.now.get().saturating_sub(before).saturating_sub(self.tick));
        }
    }

    /// A watch that is told when it is late. It is forgotten when it is dropped.
    pub(crate) fn watch(&self) -> Rc<Watch> {
        let watch = Rc::new(Watch::default());
        self.watches.borrow_mut().push(Rc::downgrade(&watch));
        watch
    }

    /// Make `watch` late after `limit`, never before.
    pub(crate) fn arm(&self, watch: &Watch, limit: Duration) {
        watch.late.set(false);
        watch.due.set(self.now.get().checked_add(limit.saturating_add(self.tick)));
    }

    /// Let everybody who waits look around.
    pub(crate) fn wake_all(&self) {
        for watch in self.watches.borrow().iter().filter_map(Weak::upgrade) {
            watch.wake();
        }
    }

    /// What answers begin with now.
    pub(crate) fn opening(&self) -> Ref<'_, Opening> {
        self.opening.borrow()
    }

    fn advance(&self) {
        let now = self.begun.elapsed();
        self.now.set(now);
        let today = SystemTime::now();
        let second = today.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
        if self.second.replace(second) != second {
            *self.opening.borrow_mut() = Opening::at(today);
        }
        self.watches.borrow_mut().retain(|watch| {
            let alive = watch.upgrade();
            if let Some(watch) = &alive {
                watch.check(now);
            }
            alive.is_some()
        });
    }
}

impl Watch {
    /// Forget the deadline.
    pub(crate) fn disarm(&self) {
        self.due.set(None);
        self.late.set(false);
    }

    pub(crate) fn is_late(&self) -> bool {
        self.late.get()
    }

    /// Wake whoever polls when the deadline passes.
    pub(crate) fn register(&self, context: &Context<'_>) {
        let mut waker = self.waker.borrow_mut();
        match waker.as_ref() {
            Some(known) if known.will_wake(context.waker()) => {}
            _ => *waker = Some(context.waker().clone()),
        }
    }

    fn check(&self, now: Duration) {
        if self.due.get().is_some_and(|due| due <= now) {
            self.due.set(None);
            self.late.set(true);
            self.wake();
        }
    }

    fn wake(&self) {
        if let Some(waker) = self.waker.borrow().as_ref() {
            waker.wake_by_ref();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_watch_is_late_after_its_limit_and_not_before() {
        let clock = Clock::new(Duration::from_millis(40));
        let watch = clock.watch();
        let armed = Instant::now();
        clock.arm(&watch, Duration::from_millis(40));
        while !watch.is_late() {
            std::thread::sleep(Duration::from_millis(1));
            clock.advance();
        }
        assert!(armed.elapsed() >= Duration::from_millis(40));
        clock.arm(&watch, Duration::from_secs(60));
        clock.advance();
        assert!(!watch.is_late());
    }

    #[test]
    fn a_clock_tells_how_long_its_thread_did_not_come_to_it() {
        // Given: a thread with a clock, and a task that keeps it busy for four ticks
        let clock = Rc::new(Clock::new(Duration::ZERO));
        let busy = SHORTEST_TICK * 4;
        let told = Rc::new(Cell::new(Duration::ZERO));
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build_local(tokio::runtime::LocalOptions::default())
            .unwrap();
        // When
        runtime.block_on(async {
            let latest = Rc::clone(&told);
            tokio::task::spawn_local(Rc::clone(&clock).run(move |late| latest.set(latest.get().max(late))));
            tokio::task::yield_now().await;
            std::thread::sleep(busy);
            tokio::time::sleep(SHORTEST_TICK).await;
        });
        // Then: it came late by all of it but its own tick
        assert!(told.get() >= busy / 2, "{:?} of {busy:?}", told.get());
    }

    #[test]
    fn a_watch_that_is_disarmed_or_dropped_is_left_alone() {
        let clock = Clock::new(Duration::ZERO);
        let (kept, dropped) = (clock.watch(), clock.watch());
        clock.arm(&kept, Duration::ZERO);
        kept.disarm();
        drop(dropped);
        std::thread::sleep(SHORTEST_TICK * 2);
        clock.advance();
        assert!(!kept.is_late());
        assert_eq!(clock.watches.borrow().len(), 1);
    }
}
