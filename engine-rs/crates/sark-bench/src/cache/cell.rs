//! One measurement: one cache, one size, one number of threads, in a process of its own.

use std::{
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
    thread,
};

use serde::{Deserialize, Serialize};

use super::{
    subjects::{Kind, Subject},
    timing::{Stopwatch, Timing, clock_reading},
};
use crate::memory::Memory;

/// Timed operations per kind, over all threads.
const OPERATIONS: usize = 600_000;

/// What the cache goes through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Load {
    /// Room for a tenth more than there is: nothing has to leave.
    Steady,
    /// Twice as many keys as there is room for, asked evenly: every other question misses, and each set pushes one out.
    Churn,
    /// Four times as many keys as there is room for, of which few are asked much more often than the rest.
    Skewed,
}

impl Load {
    pub(super) const ALL: [Self; 3] = [Self::Steady, Self::Churn, Self::Skewed];
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Plan {
    pub(super) cache: Kind,
    pub(super) load: Load,
    pub(super) entries: usize,
    pub(super) threads: usize,
}

/// What was measured.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Cell {
    #[serde(flatten)]
    pub plan: Plan,
    /// What reading the clock takes; it is subtracted.
    pub clock_reading_ns: u32,
    pub timings: Vec<Timing>,
    /// Memory of the cache when full, in MB of 10^6 bytes.
    pub resident_mb: f64,
    /// Part of the questions that were answered.
    pub hits: f64,
}

impl Cell {
    /// Of every number, the median of `cells`.
    pub(super) fn median(cells: &[Self]) -> Option<Self> {
        let middle = |value: &dyn Fn(&Self) -> f64| {
            let mut values: Vec<f64> = cells.iter().map(value).collect();
            values.sort_by(f64::total_cmp);
            values.get(values.len() / 2).copied().unwrap_or_default()
        };
        let mut result = cells.first()?.clone();
        for (place, timing) in result.timings.iter_mut().enumerate() {
            let of = |value: fn(&Timing) -> f64| middle(&|cell: &Self| cell.timings.get(place).map_or(0.0, value));
            timing.mean = of(|timing| timing.mean);
            timing.p50 = of(|timing| timing.p50);
            timing.p95 = of(|timing| timing.p95);
            timing.p99 = of(|timing| timing.p99);
        }
        result.resident_mb = middle(&|cell| cell.resident_mb);
        result.hits = middle(&|cell| cell.hits);
        Some(result)
    }
}

/// Measure in this process.
pub(super) fn measure(plan: Plan) -> Result<Cell, String> {
    let reading = clock_reading();
    let (capacity, keys) = match plan.load {
        Load::Steady => (plan.entries + plan.entries / 10, plan.entries),
        Load::Churn => (plan.entries, 2 * plan.entries),
        Load::Skewed => (plan.entries, 4 * plan.entries),
    };
    let mut subject = plan.cache.make(capacity, keys)?;
    let watches = (0..plan.threads).map(|_| Mutex::new(Stopwatch::new(reading, keys))).collect();
    // The keys and the watches do not count as the cache's memory.
    let empty = Memory::of_this_process()?.now;
    subject.reserve()?;
    let run = Run { empty, phases: AtomicU64::new(1), subject: subject.as_ref(), threads: plan.threads, keys, reading };
    let measured = match plan.load {
        Load::Steady => run.steady(watches)?,
        Load::Churn => run.churn(|random, keys| random.usize(..keys))?,
        Load::Skewed => run.churn(skewed)?,
    };
    Ok(Cell {
        plan,
        clock_reading_ns: reading,
        timings: measured.timings,
        resident_mb: measured.resident_mb,
        hits: measured.hits,
    })
}

struct Measured {
    timings: Vec<Timing>,
    resident_mb: f64,
    hits: f64,
}

struct Run<'s> {
    subject: &'s dyn Subject,
    threads: usize,
    keys: usize,
    reading: u32,
    /// Resident bytes before there was a cache.
    empty: u64,
    phases: AtomicU64,
}

impl Run<'_> {
    fn steady(&self, watches: Vec<Mutex<Stopwatch>>) -> Result<Measured, String> {
        let share = OPERATIONS / self.threads;
        let timed = |random: &mut fastrand::Rng, operation: &dyn Fn(usize)| {
            let mut watch = Stopwatch::new(self.reading, share);
            for _ in 0..share {
                let key = random.usize(..self.keys);
                watch.time(|| operation(key));
            }
            watch
        };
        self.on_threads(|thread, _| {
            let Some(Ok(mut watch)) = watches.get(thread).map(Mutex::lock) else { return };
            for key in (thread..self.keys).step_by(self.threads) {
                watch.time(|| self.subject.set(key));
            }
        });
        let resident_mb = megabytes(Memory::of_this_process()?.now.saturating_sub(self.empty));
        let fill = Timing::of("SET new", watches.into_iter().filter_map(|watch| watch.into_inner().ok()).collect());
        let found = (0..self.keys).filter(|key| self.subject.get(*key)).count();
        let get = self.on_threads(|_, random| timed(random, &|key| self.look_up(key)));
        let set = self.on_threads(|_, random| timed(random, &|key| self.subject.set(key)));
        let delete = self.on_threads(|thread, random| {
            // Each key once, in no order.
            let mut own: Vec<usize> = (thread..self.keys).step_by(self.threads).collect();
            random.shuffle(&mut own);
            own.truncate(share);
            let mut watch = Stopwatch::new(self.reading, own.len());
            for key in own {
                watch.time(|| self.subject.delete(key));
            }
            watch
        });
        let timings = vec![Timing::of("GET", get), fill, Timing::of("SET again", set), Timing::of("DELETE", delete)];
        Ok(Measured { timings, resident_mb, hits: ratio(found, self.keys) })
    }

    fn churn(&self, choose: impl Fn(&mut fastrand::Rng, usize) -> usize + Sync) -> Result<Measured, String> {
        // Every key was asked twice on average before anything is timed.
        self.on_threads(|_, random| {
            for _ in 0..2 * self.keys / self.threads {
                let key = choose(random, self.keys);
                if !self.subject.get(key) {
                    self.subject.set(key);
                }
            }
        });
        let resident_mb = megabytes(Memory::of_this_process()?.now.saturating_sub(self.empty));
        let share = OPERATIONS / self.threads;
        let watches = self.on_threads(|_, random| {
            let (mut get, mut set) = (Stopwatch::new(self.reading, share), Stopwatch::new(self.reading, share));
            let mut hits = 0;
            for _ in 0..share {
                let key = choose(random, self.keys);
                if get.time(|| self.subject.get(key)) {
                    hits += 1;
                } else {
                    set.time(|| self.subject.set(key));
                }
            }
            (get, set, hits)
        });
        let (mut gets, mut sets, mut hits) = (Vec::new(), Vec::new(), 0);
        for (get, set, found) in watches {
            gets.push(get);
            sets.push(set);
            hits += found;
        }
        let timings = vec![Timing::of("GET", gets), Timing::of("SET new", sets)];
        Ok(Measured { timings, resident_mb, hits: ratio(hits, share * self.threads) })
    }

    fn look_up(&self, key: usize) {
        self.subject.get(key);
    }

    fn on_threads<T: Send>(&self, work: impl Fn(usize, &mut fastrand::Rng) -> T + Sync) -> Vec<T> {
        let work = &work;
        thread::scope(|scope| {
            let threads: Vec<_> = (0..self.threads)
                .map(|number| {
                    // Another phase asks in another order.
                    let seed = self.phases.fetch_add(1, Ordering::Relaxed);
                    scope.spawn(move || work(number, &mut fastrand::Rng::with_seed(seed)))
                })
                .collect();
            threads.into_iter().filter_map(|thread| thread.join().ok()).collect()
        })
    }
}

/// A hundredth of the keys gets about a third of the questions.
#[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn skewed(random: &mut fastrand::Rng, keys: usize) -> usize {
    ((random.f64().powi(4) * keys as f64) as usize).min(keys - 1)
}

#[expect(clippy::cast_precision_loss)]
fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

#[expect(clippy::cast_precision_loss)]
fn ratio(part: usize, whole: usize) -> f64 {
    part as f64 / whole.max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_cache_answers_nearly_everything_and_a_churning_one_about_half() {
        for cache in Kind::ALL {
            let plan = |load| Plan { cache, load, entries: 2_000, threads: 2 };
            let steady = measure(plan(Load::Steady)).unwrap();
            assert!(steady.hits > 0.95, "{cache:?}: {}", steady.hits);
            assert_eq!(steady.timings.len(), 4);
            if cache.is_bounded() {
                let churn = measure(plan(Load::Churn)).unwrap();
                assert!((0.3..0.7).contains(&churn.hits), "{cache:?}: {}", churn.hits);
            }
        }
    }

    #[test]
    fn the_median_is_taken_number_by_number() {
        let cell = |mean: f64, resident_mb: f64| Cell {
            plan: Plan { cache: Kind::Sark, load: Load::Steady, entries: 1, threads: 1 },
            clock_reading_ns: 0,
            timings: vec![Timing { operation: "GET".into(), count: 1, mean, p50: 0.0, p95: 0.0, p99: 0.0 }],
            resident_mb,
            hits: 1.0,
        };
        let median = Cell::median(&[cell(1.0, 9.0), cell(3.0, 7.0), cell(2.0, 8.0)]).unwrap();
        assert_eq!((median.timings[0].mean, median.resident_mb), (2.0, 8.0));
        assert!(Cell::median(&[]).is_none());
    }
}
