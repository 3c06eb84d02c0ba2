//! Keys: keyed 128-bit hashes, so that nobody outside can choose inputs that collide.

use std::{
    fmt,
    hash::{Hash, Hasher},
};

use siphasher::sip128::{Hash128, Hasher128, SipHasher24};

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

/// What tells digests of questions that somebody else decides.
const BY_ANOTHER: u64 = 0x5a5a_5a5a_5a5a_5a5a;

impl CacheKey {
    /// Key of the same question, decided by somebody else than the engine: neither finds what the other has decided.
    #[must_use]
    pub const fn by_another(self) -> Self {
        let Digest(low, high) = self.slot.digest;
        Self { slot: Slot { digest: Digest(low ^ BY_ANOTHER, high), tag: self.slot.tag }, generation: self.generation }
    }
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
#[derive(Clone, Copy)]
pub(crate) struct KeyMaker {
    secret: [u8; 16],
}

/// What all keys of a path begin with under one scope, hashed once: revision, path, and zeros up to a whole word, so that what
/// follows is hashed as it lies in memory.
#[derive(Clone, Copy)]
pub(crate) struct Stem {
    hashed: SipHasher24,
    generation: u64,
    tag: u16,
}

/// The secret stays out of what is printed.
impl fmt::Debug for KeyMaker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyMaker").finish_non_exhaustive()
    }
}

/// As the key maker: the state of the hash tells the secret.
impl fmt::Debug for Stem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stem").field("generation", &self.generation).field("tag", &self.tag).finish_non_exhaustive()
    }
}

/// Bytes that the hash takes at a time.
const WORD: usize = 8;

impl KeyMaker {
    pub(crate) fn new() -> Result<Self, getrandom::Error> {
        let mut secret = [0; 16];
        getrandom::fill(&mut secret)?;
        Ok(Self { secret })
    }

    /// What keys of `path` begin with under `scope`.
    pub(crate) fn stem(&self, scope: &Scope, path: &str) -> Stem {
        let mut hashed = SipHasher24::new_with_key(&self.secret);
        hashed.write(&scope.revision);
        hashed.write_u64(path.len() as u64);
        hashed.write(path.as_bytes());
        let padding = path.len().next_multiple_of(WORD) - path.len();
        hashed.write([0; WORD].get(..padding).unwrap_or_default());
        Stem { hashed, generation: scope.generation, tag: tag_of(&scope.revision) }
    }
}

impl Stem {
    /// Key of an input as it was spelled.
    pub(crate) fn key(&self, spelling: Spelling<'_>) -> CacheKey {
        let (kind, bytes) = match spelling {
            Spelling::Absent => (Kind::Absent, &[][..]),
            Spelling::Input(text) => (Kind::Input, text),
            Spelling::Body(text) => (Kind::Body, text),
        };
        self.finish(self.begin(kind, bytes.len()).hash(bytes))
    }

    /// Key of a question by what its input means, and by which of its numbers are spelled otherwise; None when these are too many.
    ///
    /// Inputs that agree on both are answered alike: no answer depends on how the numbers so noted are spelled, and all others
    /// are spelled in one way.
    pub(crate) fn canonical_key(&self, input: &Document) -> Option<CacheKey> {
        self.key_of(Kind::Canonical, input)
    }

    /// Key of a question whose input came without a spelling: as [`Self::canonical_key`], and another one.
    pub(crate) fn object_key(&self, input: &Document) -> Option<CacheKey> {
        self.key_of(Kind::Object, input)
    }

    fn key_of(&self, kind: Kind, input: &Document) -> Option<CacheKey> {
        let mut hasher = self.begin(kind, 0);
        write_canonical(&input.value, &mut hasher);
        let worths = input.spelled.worths()?;
        hasher.write_u64(worths.len() as u64);
        worths.for_each(|number| write_canonical(number, &mut hasher));
        Some(self.finish(hasher.finish128()))
    }

    fn begin(&self, kind: Kind, length: usize) -> SipHasher24 {
        let mut hasher = self.hashed;
        hasher.write_u64((kind as u64) << 56 | length as u64);
        hasher
    }

    fn finish(&self, hash: Hash128) -> CacheKey {
        CacheKey { slot: Slot { digest: Digest(hash.h1, hash.h2), tag: self.tag }, generation: self.generation }
    }
}

impl Sink for SipHasher24 {
    fn put(&mut self, bytes: &[u8]) {
        self.write(bytes);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SCOPE: Scope = Scope { revision: *b"0123456789abcdef", generation: 3 };
    const SECRET: [u8; 16] = [9; 16];

    /// All that is hashed, in one piece.
    fn written(path: &str, kind: u64, bytes: &[u8]) -> Vec<u8> {
        let mut all = SCOPE.revision.to_vec();
        all.extend_from_slice(&(path.len() as u64).to_le_bytes());
        all.extend_from_slice(path.as_bytes());
        all.resize(all.len().next_multiple_of(8), 0);
        all.extend_from_slice(&(kind << 56 | bytes.len() as u64).to_le_bytes());
        all.extend_from_slice(bytes);
        all
    }

    fn hashed(all: &[u8]) -> Digest {
        let mut hasher = SipHasher24::new_with_key(&SECRET);
        hasher.write(all);
        let hash = hasher.finish128();
        Digest(hash.h1, hash.h2)
    }

    #[test]
    fn the_secret_is_not_printed() {
        let keys = KeyMaker { secret: SECRET };
        assert_eq!(format!("{keys:?}"), "KeyMaker { .. }");
        assert_eq!(format!("{:?}", keys.stem(&SCOPE, "p")), "Stem { generation: 3, tag: 12592, .. }");
    }

    #[test]
    fn a_path_that_ends_in_zeros_is_not_one_that_was_filled_up() {
        let keys = KeyMaker { secret: SECRET };
        let all: Vec<_> = ["", "\0", "p", "p\0", "p\0\0\0\0\0\0\0", "p\0\0\0\0\0\0\0\0"]
            .map(|path| keys.stem(&SCOPE, path).key(Spelling::Absent).slot.digest)
            .to_vec();
        for (place, one) in all.iter().enumerate() {
            assert!(!all.iter().skip(place + 1).any(|other| one == other), "{place}");
        }
    }

    #[test]
    fn a_question_that_another_decides_has_another_key_of_the_same_scope() {
        let key = KeyMaker { secret: SECRET }.stem(&SCOPE, "p").key(Spelling::Absent);
        let other = key.by_another();
        assert_ne!(other.slot.digest, key.slot.digest);
        assert_eq!((other.slot.tag, other.generation), (key.slot.tag, key.generation));
    }

    proptest! {
        #[test]
        fn a_key_is_the_hash_of_everything_whatever_was_hashed_beforehand(path in "[a-z/]{0,40}", bytes: Vec<u8>, others: Vec<u8>) {
            let stem = KeyMaker { secret: SECRET }.stem(&SCOPE, &path);
            // A stem is used again and again, and nothing of one question may stay in it.
            let _ = stem.key(Spelling::Body(&others));
            for (spelling, kind, bytes) in [
                (Spelling::Absent, 1, &[][..]),
                (Spelling::Input(&bytes), 2, &bytes),
                (Spelling::Body(&bytes), 4, &bytes),
            ] {
                let key = stem.key(spelling);
                prop_assert_eq!(key.slot.digest, hashed(&written(&path, kind, bytes)));
                prop_assert_eq!((key.slot.tag, key.generation), (tag_of(&SCOPE.revision), 3));
            }
        }
    }
}
