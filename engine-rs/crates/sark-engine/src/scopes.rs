//! What decisions of each path depend on under one set of policies, worked out once per path.

use parking_lot::Mutex;
use quick_cache::sync::Cache;

use crate::{cache::Scope, path::DecisionPath, policies::Policies};

/// Most paths remembered; a fleet asks for a handful.
const MAX_PATHS: usize = 1024;

/// Scopes of the paths that were asked for.
#[derive(Debug)]
pub(crate) struct Scopes {
    generation: u64,
    /// None: answers of the path must not be kept.
    known: Cache<DecisionPath, Option<Scope>>,
    /// Working one out may read much data: a single thread at a time does.
    working: Mutex<()>,
}

impl Scopes {
    /// For the policies numbered `generation`.
    pub(crate) fn new(generation: u64) -> Self {
        Self { generation, known: Cache::new(MAX_PATHS), working: Mutex::default() }
    }

    pub(crate) const fn generation(&self) -> u64 {
        self.generation
    }

    /// The scope of `path` under `policies`; None when its answers must not be kept.
    pub(crate) fn of(&self, path: &DecisionPath, policies: &Policies) -> Option<Scope> {
        if let Some(known) = self.known.get(path) {
            return known;
        }
        let _alone = self.working.lock();
        if let Some(known) = self.known.get(path) {
            return known;
        }
        let scope = policies
            .is_cacheable(path)
            .then(|| Scope { revision: policies.dependency_revision(path), generation: self.generation });
        self.known.insert(path.clone(), scope);
        scope
    }

    /// Work out, before anybody waits for it, the scopes of the paths known to `before`. Returns the revisions that remain.
    pub(crate) fn take_over(&self, before: &Self, policies: &Policies) -> Vec<[u8; 16]> {
        let remaining = before.known.iter().filter_map(|(path, old)| {
            let new = self.of(&path, policies)?;
            (old?.revision == new.revision).then_some(new.revision)
        });
        remaining.collect()
    }
}
