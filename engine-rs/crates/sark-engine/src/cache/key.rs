//! Keys: keyed 128-bit hashes, so that nobody outside can choose inputs that collide.

use std::hash::{Hash, Hasher};

use siphasher::sip128::{Hasher128, SipHasher24};

use super::canonical::{Sink, write_canonical};
use crate::document::Document;

/// What decisions of a path depend on besides the input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scope {
    /// Revision of everything an evaluation of the path may read or run.
    pub revision: [u8; 16],
    /// Number of the policies that serve; it grows with every replacement.
    pub generation: u64,
}

/// Key of a question: hash of the revision it depends on, its path and its input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CacheKey {
    pub(super) slot: Slot,
    pub(super) generation: u64,
}

/// Where a decision is kept. The tag tells which revision it depends on, and only serves to sweep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Slot {
    pub(super) digest: Digest,
    pub(super) tag: u16,
}

/// 128 bits, in halves: a `u128` would be aligned to 16 bytes and waste eight in each entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Digest(u64, u64);

impl Digest {
    #[cfg(test)]
    pub(super) const fn from_halves(low: u64, high: u64) -> Self {
        Self(low, high)
    }

    pub(super) const fn low(self) -> u64 {
        self.0
    }

    pub(super) const fn high(self) -> u64 {
        self.1
    }
}

impl Hash for Digest {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.0);
    }
}

/// The digest is a keyed hash already: hashing it again would gain nothing.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Identity(u64);

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

/// Tag of entries that depend on `revision`. Two revisions may share one, which only keeps entries longer than needed.
pub(super) const fn tag_of(revision: &[u8; 16]) -> u16 {
    let [first, second, ..] = *revision;
    u16::from_le_bytes([first, second])
}

/// How the input of a question is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spelling<'a> {
    /// There is none.
    Absent,
    /// Its JSON text.
    Input(&'a [u8]),
    /// The body of a request, of which the input is a member.
    Body(&'a [u8]),
}

impl<'a> From<Option<&'a [u8]>> for Spelling<'a> {
    fn from(input: Option<&'a [u8]>) -> Self {
        input.map_or(Self::Absent, Self::Input)
    }
}

/// What is hashed: each kind has its own beginning, so that no input equals another's canonical form, nor a body an input.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Absent = 1,
    Input = 2,
    Canonical = 3,
    Body = 4,
    Object = 5,
}

/// Makes keys. Each part is preceded by its length, so no two questions share what is hashed.
#[derive(Debug)]
pub(super) struct KeyMaker {
    secret: [u8; 16],
}

impl KeyMaker {
    pub(super) fn new() -> Result<Self, getrandom::Error> {
        let mut secret = [0; 16];
        getrandom::fill(&mut secret)?;
        Ok(Self { secret })
    }

    /// Key of an input as it was spelled.
    pub(super) fn key(&self, scope: &Scope, path: &str, spelling: Spelling<'_>) -> CacheKey {
        let (kind, bytes) = match spelling {
            Spelling::Absent => (Kind::Absent, &[][..]),
            Spelling::Input(text) => (Kind::Input, text),
            Spelling::Body(text) => (Kind::Body, text),
        };
        let mut hasher = self.begin(kind, scope, path);
        hasher.write_u64(bytes.len() as u64);
        hasher.write(bytes);
        finish(&hasher, scope)
    }

    /// Key of an input's canonical form: equal for equal values of which the same numbers are spelled otherwise.
    pub(super) fn canonical_key(&self, scope: &Scope, path: &str, input: &Document) -> Option<CacheKey> {
        self.key_of(Kind::Canonical, scope, path, input)
    }

    /// Key of an input that came without a spelling: as [`Self::canonical_key`], and another one.
    pub(super) fn object_key(&self, scope: &Scope, path: &str, input: &Document) -> Option<CacheKey> {
        self.key_of(Kind::Object, scope, path, input)
    }

    fn key_of(&self, kind: Kind, scope: &Scope, path: &str, input: &Document) -> Option<CacheKey> {
        let mut hasher = self.begin(kind, scope, path);
        write_canonical(&input.value, &mut hasher);
        let worths = input.spelled.worths()?;
        hasher.write_u64(worths.len() as u64);
        worths.for_each(|number| write_canonical(number, &mut hasher));
        Some(finish(&hasher, scope))
    }

    fn begin(&self, kind: Kind, scope: &Scope, path: &str) -> SipHasher24 {
        let mut hasher = SipHasher24::new_with_key(&self.secret);
        hasher.write(&scope.revision);
        hasher.write_u64((kind as u64) << 56 | path.len() as u64);
        hasher.write(path.as_bytes());
        hasher
    }
}

impl Sink for SipHasher24 {
    fn put(&mut self, bytes: &[u8]) {
        self.write(bytes);
    }
}

fn finish(hasher: &SipHasher24, scope: &Scope) -> CacheKey {
    let hash = hasher.finish128();
    let slot = Slot { digest: Digest(hash.h1, hash.h2), tag: tag_of(&scope.revision) };
    CacheKey { slot, generation: scope.generation }
}
