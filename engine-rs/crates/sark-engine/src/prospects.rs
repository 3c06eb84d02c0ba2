//! What is known of each decision path under one set of policies, worked out once per path.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use parking_lot::Mutex;
use quick_cache::sync::Cache;

use crate::{
    cache::{KeyMaker, Scope, Stem},
    document::{Projection, View},
    path::DecisionPath,
    policies::Policies,
};

/// Most paths remembered; a fleet asks for a handful.
const MAX_PATHS: usize = 1024;
/// Evaluations of a path before it is known how long they take.
const FEW: u64 = 64;
/// An evaluation that takes less is not worth a look for another spelling of its input, which would cost a fifth of that and mostly
/// find nothing: so much for any input, and so much for each byte of it.
const WORTH: Duration = Duration::from_micros(2);
const WORTH_A_BYTE: Duration = Duration::from_nanos(8);
/// Nanoseconds from which a mean can grow again.
const LEAST: u64 = 1_000;

/// What is known of the paths that were asked for.
#[derive(Debug)]
pub(crate) struct Prospects {
    /// No other policies of this process have it.
    number: u64,
    generation: u64,
    keys: KeyMaker,
    /// Paths of the input that are looked at whatever is asked.
    always_seen: Vec<Vec<String>>,
    known: Cache<DecisionPath, Arc<Prospect>>,
    /// Working one out may read much data: a single thread at a time does.
    working: Mutex<()>,
}

/// What is known of a path.
#[derive(Debug)]
pub(crate) struct Prospect {
    policies: u64,
    /// None: answers must not be kept.
    kept: Option<Kept>,
    is_supported: bool,
    /// What an evaluation can see of its input.
    projection: Projection,
    /// Mean time of its evaluations in nanoseconds, the last ones counting most.
    mean: AtomicU64,
    evaluations: AtomicU64,
}

/// How answers are kept.
#[derive(Debug)]
struct Kept {
    revision: [u8; 16],
    stem: Stem,
}

impl Prospects {
    /// For the policies numbered `generation` of their engine, whose cache's keys are made by `keys`. Beside what policies look at,
    /// somebody looks at the parts `always_seen` of each input.
    pub(crate) fn new(generation: u64, keys: KeyMaker, always_seen: Vec<Vec<String>>) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        Self { number, generation, keys, always_seen, known: Cache::new(MAX_PATHS), working: Mutex::default() }
    }

    pub(crate) const fn generation(&self) -> u64 {
        self.generation
    }

    /// No other prospects of this process have it.
    pub(crate) const fn number(&self) -> u64 {
        self.number
    }

    /// What is known of `path` under `policies`, shown to `see`. The path itself remembers it.
    pub(crate) fn of<T>(&self, path: &DecisionPath, policies: &Policies, see: impl FnOnce(&Prospect) -> T) -> T {
        if let Some(prospect) = path.remembered().load().as_deref()
            && prospect.is_of(self.number)
        {
            return see(prospect);
        }
        let prospect = self.worked_out(path, policies);
        path.remembered().store(Some(Arc::clone(&prospect)));
        see(&prospect)
    }

    fn worked_out(&self, path: &DecisionPath, policies: &Policies) -> Arc<Prospect> {
        if let Some(known) = self.known.get(path) {
            return known;
        }
        let _alone = self.working.lock();
        if let Some(known) = self.known.get(path) {
            return known;
        }
        let kept = policies.is_cacheable(path).then(|| {
            let scope = Scope { revision: policies.dependency_revision(path), generation: self.generation };
            Kept { revision: scope.revision, stem: self.keys.stem(&scope, path.joined()) }
        });
        let prospect = Arc::new(Prospect {
            policies: self.number,
            kept,
            is_supported: policies.is_supported(path),
            projection: policies.projection(path, &self.always_seen),
            mean: AtomicU64::new(0),
            evaluations: AtomicU64::new(0),
        });
        self.known.insert(path.clone(), Arc::clone(&prospect));
        prospect
    }

    /// Work out, before anybody waits for it, what is to be known of the paths known to `before`. Returns the revisions that
    /// remain.
    pub(crate) fn take_over(&self, before: &Self, policies: &Policies) -> Vec<[u8; 16]> {
        let remaining = before.known.iter().filter_map(|(path, old)| {
            let new = self.worked_out(&path, policies).revision()?;
            (old.revision()? == new).then_some(new)
        });
        remaining.collect()
    }
}

impl Prospect {
    /// Whether it belongs to the prospects of this number.
    pub(crate) const fn is_of(&self, number: u64) -> bool {
        self.policies == number
    }

    /// What the keys of its decisions begin with; None when they must not be kept.
    pub(crate) fn stem(&self) -> Option<&Stem> {
        self.kept.as_ref().map(|kept| &kept.stem)
    }

    fn revision(&self) -> Option<[u8; 16]> {
        self.kept.as_ref().map(|kept| kept.revision)
    }

    /// Whether the engine can evaluate it.
    pub(crate) const fn is_supported(&self) -> bool {
        self.is_supported
    }

    /// What to read of an input for its evaluation: what that can see.
    pub(crate) const fn view(&self) -> View<'_> {
        View { projection: &self.projection, whole: false }
    }

    /// As [`Self::view`], of an input of `length` bytes: the whole of it where another spelling may be looked for.
    pub(crate) fn view_to_keep(&self, length: usize) -> View<'_> {
        View { whole: self.is_worth_a_look(length), ..self.view() }
    }

    /// Whether to look for another spelling of an input of `length` bytes before it is evaluated.
    pub(crate) fn is_worth_a_look(&self, length: usize) -> bool {
        let worth = u128::from(self.mean.load(Ordering::Relaxed));
        self.evaluations.load(Ordering::Relaxed) < FEW || worth >= WORTH.as_nanos() + WORTH_A_BYTE.as_nanos() * length as u128
    }

    /// An evaluation took so long. Threads that say so at the same time may overwrite each other: it is a mean.
    pub(crate) fn took(&self, time: Duration) {
        let time = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        let (count, mean) = (self.evaluations.load(Ordering::Relaxed), self.mean.load(Ordering::Relaxed));
        // An evaluation that the system interrupts may seem to take a thousand times as long: it counts as four at most.
        let new = if count == 0 { time } else { mean - mean / 8 + time.min(mean.saturating_mul(4).max(LEAST)) / 8 };
        // Most evaluations of a path take about as long, and what is not written does not take the line from other threads.
        if count < FEW {
            self.evaluations.store(count + 1, Ordering::Relaxed);
        }
        if new.abs_diff(mean) > mean / 16 {
            self.mean.store(new, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policies::Module;

    fn policies(source: &str) -> Policies {
        Policies::compile(vec![Module { name: "p.rego".into(), source: source.into() }], b"{}").unwrap()
    }

    fn prospect() -> Prospect {
        Prospect {
            policies: 0,
            kept: None,
            is_supported: true,
            projection: Projection::Whole,
            mean: AtomicU64::new(0),
            evaluations: AtomicU64::new(0),
        }
    }

    #[test]
    fn a_path_remembers_only_what_the_policies_that_are_asked_about_say() {
        let (path, clock) = (DecisionPath::parse("p/v").unwrap(), "package p\nv := time.now_ns()");
        let (constant, changing) = (policies("package p\nv := 1"), policies(clock));
        let keys = KeyMaker::new().unwrap();
        let (first, second) = (Prospects::new(0, keys, Vec::new()), Prospects::new(0, keys, Vec::new()));
        for _ in 0..3 {
            assert!(first.of(&path, &constant, |prospect| prospect.stem().is_some()));
            assert!(second.of(&path, &changing, |prospect| prospect.stem().is_none()));
        }
    }

    #[test]
    fn other_spellings_are_looked_for_until_evaluations_are_known_to_be_cheap() {
        let cheap = prospect();
        for _ in 0..FEW {
            assert!(cheap.is_worth_a_look(10));
            cheap.took(Duration::from_micros(1));
        }
        assert!(!cheap.is_worth_a_look(10));
        (0..100).for_each(|_| cheap.took(Duration::from_micros(50)));
        assert!(cheap.is_worth_a_look(10));
        assert!(!cheap.is_worth_a_look(1 << 20));
    }

    #[test]
    fn an_evaluation_of_any_length_is_taken_in() {
        let prospect = prospect();
        for time in [Duration::MAX, Duration::ZERO, Duration::MAX, Duration::from_nanos(1)] {
            prospect.took(time);
        }
        (0..1_000).for_each(|_| prospect.took(Duration::ZERO));
        assert!(!prospect.is_worth_a_look(0));
    }
}
