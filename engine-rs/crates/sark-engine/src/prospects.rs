//! What is known of each decision path under one set of policies, worked out once per path.

use std::{
    cmp::Reverse,
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use quick_cache::sync::Cache;

use crate::{
    cache::{KeyMaker, Scope, Stem},
    dependencies::{Place, revision_of_path},
    document::{Projection, View},
    path::DecisionPath,
    policies::Policies,
};

/// Most paths remembered; a fleet asks for a handful.
const MAX_PATHS: usize = 1024;
/// What may be done for the paths of small policies, too, before these serve, in bytes hashed: a tenth of a second or so.
const LITTLE: u64 = 32 << 20;
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
    /// Paths of rules, packages and data.
    known: Cache<DecisionPath, Arc<Prospect>>,
    /// Paths that lead nowhere of their own. There are as many as anybody cares to ask: they take no room from the others.
    strays: Cache<DecisionPath, Arc<Prospect>>,
    /// Working one out may read much data: who asks for the same one waits for it, and nobody else.
    grounds: Cache<Place, Arc<Ground>>,
}

/// What is known of a place, whichever path leads there.
#[derive(Debug)]
struct Ground {
    /// None: answers must not be kept.
    revision: Option<[u8; 16]>,
    is_supported: bool,
    /// What an evaluation can see of its input.
    projection: Projection,
}

/// What is known of a path.
#[derive(Debug)]
pub(crate) struct Prospect {
    policies: u64,
    /// None: answers must not be kept.
    kept: Option<Kept>,
    is_supported: bool,
    ground: Arc<Ground>,
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
        Self {
            number,
            generation,
            keys,
            always_seen,
            known: Cache::new(MAX_PATHS),
            strays: Cache::new(MAX_PATHS),
            grounds: Cache::new(MAX_PATHS),
        }
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
        if let Some(known) = self.known.get(path).or_else(|| self.strays.get(path)) {
            return known;
        }
        let place = policies.place(path);
        let ground = self.ground(&place, policies);
        let kept = ground.revision.map(|revision| {
            let scope = Scope { revision: revision_of_path(revision, path.joined()), generation: self.generation };
            Kept { revision: scope.revision, stem: self.keys.stem(&scope, path.joined()) }
        });
        let prospect = Arc::new(Prospect {
            policies: self.number,
            kept,
            is_supported: ground.is_supported && !policies.is_odd(path.segments()),
            ground,
            mean: AtomicU64::new(0),
            evaluations: AtomicU64::new(0),
        });
        let paths = if place.reached.is(path.segments()) { &self.known } else { &self.strays };
        paths.insert(path.clone(), Arc::clone(&prospect));
        prospect
    }

    fn ground(&self, place: &Place, policies: &Policies) -> Arc<Ground> {
        let worked_out = || {
            let path = place.reached.example();
            Ok::<_, Infallible>(Arc::new(Ground {
                revision: policies.is_cacheable_at(&path).then(|| policies.revision_at(place)),
                is_supported: policies.is_supported_at(&path),
                projection: policies.projection(&path, &self.always_seen),
            }))
        };
        match self.grounds.get_or_insert_with(place, worked_out) {
            Ok(ground) => ground,
            Err(never) => match never {},
        }
    }

    /// Work out, before anybody waits for it, what is to be known of the places that were asked for under `before`. Returns the
    /// revisions of paths that remain.
    ///
    /// Other policies serve until it is done. What was asked may make it longer, and no longer than `policies` allow: what is left then
    /// is worked out when it is asked for, and decisions about it are forgotten.
    pub(crate) fn take_over(&self, before: &Self, policies: &Policies) -> Vec<[u8; 16]> {
        let mut asked: Vec<_> = before.known.iter().collect();
        asked.sort_by_key(|(_, old)| Reverse(old.evaluations.load(Ordering::Relaxed)));
        let end = policies.effort().saturating_add(allowance(policies));
        let mut remaining = Vec::new();
        for (path, old) in asked.into_iter().chain(before.strays.iter()) {
            if policies.effort() >= end {
                break;
            }
            let ground = self.ground(&policies.place(&path), policies);
            let new = ground.revision.map(|revision| revision_of_path(revision, path.joined()));
            remaining.extend(new.filter(|new| old.revision() == Some(*new)));
        }
        remaining
    }
}

/// What may be done for the paths of other policies before these serve, in bytes hashed.
fn allowance(policies: &Policies) -> u64 {
    LITTLE + policies.memory_bytes() as u64
}

impl Prospect {
    /// Whether it belongs to the prospects of this number.
    pub(crate) const fn is_of(&self, number: u64) -> bool {
        self.policies == number
    }

    /// Number of the prospects that it belongs to.
    pub(crate) const fn number(&self) -> u64 {
        self.policies
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
    pub(crate) fn view(&self) -> View<'_> {
        View { projection: &self.ground.projection, whole: false }
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
    use quick_cache::sync::GuardResult;

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
            ground: Arc::new(Ground { revision: None, is_supported: true, projection: Projection::Whole }),
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

    const RULES: &str =
        "package authz\nallow if data.users[input.user].admin\nother if data.users[input.user].team\nlate if time.now_ns() > 0";

    fn with_users(source: &str, users: usize, teams: &str) -> Policies {
        let members: Vec<_> = (0..users).map(|number| format!("\"user{number}\": {{\"admin\": true}}")).collect();
        let data = format!("{{\"teams\": {teams}, \"users\": {{{}}}}}", members.join(","));
        Policies::compile(vec![Module { name: "p.rego".into(), source: source.into() }], data.as_bytes()).unwrap()
    }

    fn prospects(generation: u64) -> Prospects {
        Prospects::new(generation, KeyMaker::new().unwrap(), Vec::new())
    }

    fn ask(prospects: &Prospects, policies: &Policies, path: &str) -> Option<[u8; 16]> {
        prospects.of(&DecisionPath::parse(path).unwrap(), policies, Prospect::revision)
    }

    #[test]
    fn any_number_of_spellings_costs_one_look_at_the_data() {
        for path in [
            "authz/allow/x{}",
            "authz/other/x{}/y{}",
            "users/{}",
            "users/1{}.5/x",
            "authz/{}",
            "x{}",
            "users/nobody{}",
            "authz/late/{}",
        ] {
            // given policies of which a rule, and a path of the kind, were asked for
            let (policies, prospects) = (with_users(RULES, 1_000, "1"), prospects(0));
            let spelled = |number: usize| path.replace("{}", &number.to_string());
            ask(&prospects, &policies, "authz/allow");
            ask(&prospects, &policies, &spelled(0));
            let (before, places) = (policies.effort(), prospects.grounds.len());
            // when a thousand more of the kind are, then nothing is hashed for them, nor remembered as a place of its own
            (1..1_000).for_each(|number| _ = ask(&prospects, &policies, &spelled(number)));
            assert_eq!((policies.effort(), prospects.grounds.len()), (before, places), "{path}");
        }
    }

    #[test]
    fn rules_that_read_the_same_data_share_its_hash() {
        // given policies of which one rule that reads much data was asked for
        let (policies, prospects) = (with_users(RULES, 1_000, "1"), prospects(0));
        ask(&prospects, &policies, "authz/allow");
        let once = policies.effort();
        assert!(once > 20_000, "{once}");
        // when another one that reads it is, with others below it, then the data is not hashed again
        for path in ["authz/other", "authz", "authz/allow/x", "users"] {
            ask(&prospects, &policies, path);
        }
        assert!(policies.effort() - once < once / 4, "{} {once}", policies.effort());
    }

    #[test]
    fn each_path_has_a_revision_of_its_own_and_shares_what_is_behind_it() {
        let (policies, prospects) = (with_users(RULES, 10, "1"), prospects(0));
        let of = |path| ask(&prospects, &policies, path);
        assert_ne!(of("authz/allow/x"), of("authz/allow/y"));
        assert_eq!(of("authz/allow/x"), Some(policies.dependency_revision(&DecisionPath::parse("authz/allow/x").unwrap())));
        assert_eq!(of("authz/late/x"), None);
    }

    #[test]
    fn a_path_that_was_never_asked_for_is_answered_while_another_is_worked_out() {
        // given a place that a thread is working out
        let (policies, prospects) = (with_users(RULES, 10, "1"), prospects(0));
        ask(&prospects, &policies, "authz/other");
        let place = policies.place(&DecisionPath::parse("authz/allow").unwrap());
        let at_work = prospects.grounds.get_value_or_guard(&place, None);
        assert!(matches!(at_work, GuardResult::Guard(_)));
        // when others are asked for, known ones and new ones, then nobody waits
        for path in ["authz/other", "authz/other/x", "teams", "nowhere"] {
            assert!(ask(&prospects, &policies, path).is_some(), "{path}");
        }
    }

    #[test]
    fn what_was_asked_for_makes_a_replacement_take_no_longer_than_the_policies_allow() {
        // given policies of which the same rule was asked for once, and in a thousand spellings
        let (old, new) = (with_users(RULES, 1_000, "1"), with_users(RULES, 1_000, "2"));
        let (once, often) = (prospects(0), prospects(0));
        ask(&once, &old, "authz/allow");
        (0..1_000).for_each(|number| _ = ask(&often, &old, &format!("authz/allow/x{number}")));
        let effort = |before: &Prospects| {
            let began = new.effort();
            prospects(1).take_over(before, &new);
            new.effort() - began
        };
        // when they are replaced, then that takes as long
        let (first, second) = (effort(&once), effort(&often));
        assert!(second <= first, "{first} {second}");
        assert!(first > 20_000);
        assert_eq!(once.take_over(&prospects(0), &old), Vec::<[u8; 16]>::new());
    }

    #[test]
    fn what_may_be_done_before_policies_serve_has_an_end() {
        // given policies with many rules, each of which reaches many others, all asked for
        let all = |generation: u64| {
            let rules = |body: &str| (0..600).map(|number| format!("r{number} if {body}\n")).collect::<Vec<_>>().concat();
            let sources = [format!("package p\n{}", rules("data.q[input.x]")), format!("package q\n{}", rules("input.y"))];
            let modules = sources.map(|source| Module { name: "p.rego".into(), source });
            Policies::compile(modules.into(), format!("{{\"x\": {generation}}}").as_bytes()).unwrap()
        };
        let (old, new, before) = (all(0), all(1), prospects(0));
        (0..600).for_each(|number| _ = ask(&before, &old, &format!("p/r{number}")));
        // when they are replaced, then no more is done than the policies allow, and the last path that was begun
        let taken = prospects(1).take_over(&before, &new).len();
        let one = old.effort() / 600;
        assert!(new.effort() < allowance(&new) + 2 * one, "{} {}", new.effort(), allowance(&new));
        assert!((1..600).contains(&taken), "{taken}");
    }

    #[test]
    fn paths_that_nobody_asked_for_since_the_last_replacement_are_not_carried_on() {
        // given policies that were replaced twice, with two paths asked for before and one between
        let all = [1, 2, 3].map(|teams| with_users(RULES, 10, &teams.to_string()));
        let [first, second, third] = [0, 1, 2].map(prospects);
        ask(&first, &all[0], "authz/allow");
        ask(&first, &all[0], "authz/other/x");
        assert_eq!(second.take_over(&first, &all[1]).len(), 2);
        let asked = ask(&second, &all[1], "authz/allow");
        // when what remains is told, then it is that one
        assert_eq!(third.take_over(&second, &all[2]), asked.into_iter().collect::<Vec<_>>());
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
