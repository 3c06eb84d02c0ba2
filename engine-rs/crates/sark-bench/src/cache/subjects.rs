//! The caches that are compared, behind one set of operations on numbered keys.

use std::{
    hash::{BuildHasherDefault, Hash, Hasher},
    hint::black_box,
    sync::Arc,
    time::Duration,
};

use sark_engine::{CacheKey, CacheLimits, Decision, DecisionCache, Outcome, Scope, Spelling};
use serde::{Deserialize, Serialize};

const TTL: Duration = Duration::from_secs(600);
/// Different bodies that decisions are made of.
const BODIES: usize = 1024;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Kind {
    /// The decision cache; every body is its own.
    Sark,
    /// The decision cache when all decisions are `true`.
    SarkCommon,
    QuickCache,
    Moka,
    DashMap,
}

impl Kind {
    pub(super) const ALL: [Self; 5] = [Self::Sark, Self::SarkCommon, Self::QuickCache, Self::Moka, Self::DashMap];

    pub(super) const fn label(self) -> &'static str {
        match self {
            Self::Sark => "DecisionCache",
            Self::SarkCommon => "DecisionCache, all `true`",
            Self::QuickCache => "quick_cache, no TTL",
            Self::Moka => "moka, TTL",
            Self::DashMap => "DashMap, unbounded, no TTL",
        }
    }

    pub(super) const fn is_bounded(self) -> bool {
        !matches!(self, Self::DashMap)
    }

    /// A cache for `capacity` entries that knows `keys` keys.
    pub(super) fn make(self, capacity: usize, keys: usize) -> Result<Box<dyn Subject>, String> {
        Ok(match self {
            Self::Sark => Box::new(Decisions::new(capacity, keys, (0..BODIES).map(decision).collect())?),
            Self::SarkCommon => Box::new(Decisions::new(capacity, keys, vec![Decision::from_json(b"true", Outcome::Allow)])?),
            Self::QuickCache => {
                let capacity_weight = capacity as u64;
                let cache = quick_cache::sync::Cache::with(
                    capacity,
                    capacity_weight,
                    quick_cache::UnitWeighter,
                    BuildHasherDefault::default(),
                    quick_cache::sync::DefaultLifecycle::default(),
                );
                Box::new(Others { cache, keys: Key::many(keys), bodies: bodies() })
            }
            Self::Moka => {
                let builder = moka::sync::Cache::builder().max_capacity(capacity as u64).time_to_live(TTL);
                Box::new(Others {
                    cache: builder.build_with_hasher(BuildHasherDefault::default()),
                    keys: Key::many(keys),
                    bodies: bodies(),
                })
            }
            Self::DashMap => {
                let cache = dashmap::DashMap::with_hasher(BuildHasherDefault::default());
                Box::new(Others { cache, keys: Key::many(keys), bodies: bodies() })
            }
        })
    }
}

/// Operations on the key of a number.
pub(super) trait Subject: Sync {
    /// Take the room for all entries, if the cache takes it beforehand. Comes before everything else.
    fn reserve(&mut self) -> Result<(), String> {
        Ok(())
    }

    /// Whether the key was found. What was found is dropped again.
    fn get(&self, key: usize) -> bool;
    fn set(&self, key: usize);
    fn delete(&self, key: usize);
}

fn decision(number: usize) -> Decision {
    Decision::from_json(format!("{{\"allow\":true,\"n\":{number}}}").as_bytes(), Outcome::Allow)
}

/// The decision cache.
struct Decisions {
    cache: DecisionCache,
    capacity: usize,
    keys: Vec<CacheKey>,
    answers: Vec<Decision>,
}

impl Decisions {
    fn new(capacity: usize, keys: usize, answers: Vec<Decision>) -> Result<Self, String> {
        let scope = Scope { revision: [1; 16], generation: 0 };
        // Any cache's keys will do, and this one takes next to nothing.
        let maker = Self::cache(1)?;
        let keys = (0..keys).map(|key| maker.key(&scope, "authz/decision", Spelling::Input(&key.to_le_bytes()))).collect();
        Ok(Self { cache: maker, capacity, keys, answers })
    }

    fn cache(max_entries: usize) -> Result<DecisionCache, String> {
        let limits = CacheLimits { max_entries, max_bytes: max_entries as u64 * 256, ttl: TTL };
        DecisionCache::new(limits).map_err(|error| error.to_string())
    }
}

impl Subject for Decisions {
    fn reserve(&mut self) -> Result<(), String> {
        self.cache = Self::cache(self.capacity)?;
        Ok(())
    }

    fn get(&self, key: usize) -> bool {
        self.keys.get(key).is_some_and(|key| black_box(self.cache.get(key)).is_some())
    }

    fn set(&self, key: usize) {
        if let (Some(slot), Some(decision)) = (self.keys.get(key), self.answers.get(key % self.answers.len())) {
            self.cache.insert(*slot, decision);
        }
    }

    fn delete(&self, key: usize) {
        if let Some(key) = self.keys.get(key) {
            black_box(self.cache.remove(key));
        }
    }
}

/// A key of 128 even bits, as the decision cache's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Key(u64, u64);

impl Key {
    fn many(count: usize) -> Vec<Self> {
        let mut random = fastrand::Rng::with_seed(7);
        (0..count).map(|_| Self(random.u64(..), random.u64(..))).collect()
    }
}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.0);
    }
}

#[derive(Debug, Default, Clone, Copy)]
struct Identity(u64);

impl Hasher for Identity {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = number;
    }
}

type Build = BuildHasherDefault<Identity>;
type Body = Arc<[u8]>;

fn bodies() -> Vec<Vec<u8>> {
    (0..BODIES).map(|number| decision(number).body().to_vec()).collect()
}

/// What the other caches have in common.
trait Store: Sync {
    fn find(&self, key: &Key) -> Option<Body>;
    fn put(&self, key: Key, body: Body);
    fn forget(&self, key: &Key);
}

struct Others<S> {
    cache: S,
    keys: Vec<Key>,
    bodies: Vec<Vec<u8>>,
}

impl<S: Store> Subject for Others<S> {
    fn get(&self, key: usize) -> bool {
        self.keys.get(key).is_some_and(|key| black_box(self.cache.find(key)).is_some())
    }

    fn set(&self, key: usize) {
        if let (Some(slot), Some(body)) = (self.keys.get(key), self.bodies.get(key % self.bodies.len())) {
            self.cache.put(*slot, Arc::from(body.as_slice()));
        }
    }

    fn delete(&self, key: usize) {
        if let Some(key) = self.keys.get(key) {
            self.cache.forget(key);
        }
    }
}

impl Store for quick_cache::sync::Cache<Key, Body, quick_cache::UnitWeighter, Build> {
    fn find(&self, key: &Key) -> Option<Body> {
        self.get(key)
    }

    fn put(&self, key: Key, body: Body) {
        self.insert(key, body);
    }

    fn forget(&self, key: &Key) {
        self.remove(key);
    }
}

impl Store for moka::sync::Cache<Key, Body, Build> {
    fn find(&self, key: &Key) -> Option<Body> {
        self.get(key)
    }

    fn put(&self, key: Key, body: Body) {
        self.insert(key, body);
    }

    fn forget(&self, key: &Key) {
        self.invalidate(key);
    }
}

impl Store for dashmap::DashMap<Key, Body, Build> {
    fn find(&self, key: &Key) -> Option<Body> {
        self.get(key).map(|body| Arc::clone(&body))
    }

    fn put(&self, key: Key, body: Body) {
        self.insert(key, body);
    }

    fn forget(&self, key: &Key) {
        self.remove(key);
    }
}
