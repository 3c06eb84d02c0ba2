//! Which arm serves a subject: sticky, nested, and the same in every language.
//!
//! `bucket = murmur3_x86_32(utf8(salt + ":" + subject), seed 0) * 10_000 >> 32`; new arm iff `bucket < percentage * 100`.

use md5::{Digest, Md5};

/// Number of buckets; one bucket is one basis point of the subjects.
pub const BUCKETS: u32 = 10_000;

/// Feature whose name is hashed for a fleet that comes from SARK.
pub const SARK_FEATURE: &str = "rust_opa";

/// How subjects are assigned.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Rule {
    /// Ours, which is flagd's too.
    #[default]
    Murmur3,
    /// SARK's, for a fleet that comes from it: whoever was in its new arm stays there. The salt plays no part.
    SarkMd5,
}

impl Rule {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Murmur3, Self::SarkMd5];

    /// Its name in the configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Murmur3 => "murmur3",
            Self::SarkMd5 => "sark-md5",
        }
    }

    /// The rule of this name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|rule| rule.as_str() == text)
    }

    /// Whether `subject` belongs to the new arm at `percentage` (0 to 100).
    pub fn in_new_arm(self, salt: &str, subject: &[u8], percentage: u8) -> bool {
        match self {
            Self::Murmur3 => in_new_arm(salt, subject, percentage),
            Self::SarkMd5 => sark_bucket(SARK_FEATURE, subject) < u32::from(percentage),
        }
    }
}

/// SARK's bucket of `subject`, 0 to 99: MD5 of `feature:subject` modulo 100.
pub fn sark_bucket(feature: &str, subject: &[u8]) -> u32 {
    let digest = Md5::new().chain_update(feature).chain_update(b":").chain_update(subject).finalize();
    let number = u128::from_be_bytes(digest.into());
    u32::try_from(number % 100).unwrap_or(99)
}

/// Bucket of `subject`, 0 to 9,999, under the rollout's `salt`.
pub fn bucket(salt: &str, subject: &[u8]) -> u32 {
    let mut text = Vec::with_capacity(salt.len() + 1 + subject.len());
    text.extend_from_slice(salt.as_bytes());
    text.push(b':');
    text.extend_from_slice(subject);
    let scaled = (u64::from(murmur3_x86_32(&text)) * u64::from(BUCKETS)) >> 32;
    u32::try_from(scaled).unwrap_or(BUCKETS - 1)
}

/// Whether `subject` belongs to the new arm at `percentage` (0 to 100).
pub fn in_new_arm(salt: &str, subject: &[u8], percentage: u8) -> bool {
    percentage > 0 && bucket(salt, subject) < u32::from(percentage) * (BUCKETS / 100)
}

const C1: u32 = 0xcc9e_2d51;
const C2: u32 = 0x1b87_3593;

/// MurmurHash3, 32-bit result, x86 variant, seed 0.
fn murmur3_x86_32(bytes: &[u8]) -> u32 {
    let mut hash = 0_u32;
    let mut blocks = bytes.chunks_exact(4);
    for block in &mut blocks {
        hash ^= scramble(little_endian(block));
        hash = hash.rotate_left(13).wrapping_mul(5).wrapping_add(0xe654_6b64);
    }
    let tail = blocks.remainder();
    if !tail.is_empty() {
        hash ^= scramble(little_endian(tail));
    }
    // The length is part of the hash modulo 2^32, by the algorithm's definition.
    #[allow(clippy::cast_possible_truncation)]
    let length = bytes.len() as u32;
    finalize(hash ^ length)
}

const fn scramble(block: u32) -> u32 {
    block.wrapping_mul(C1).rotate_left(15).wrapping_mul(C2)
}

const fn finalize(mut hash: u32) -> u32 {
    hash = (hash ^ (hash >> 16)).wrapping_mul(0x85eb_ca6b);
    hash = (hash ^ (hash >> 13)).wrapping_mul(0xc2b2_ae35);
    hash ^ (hash >> 16)
}

fn little_endian(bytes: &[u8]) -> u32 {
    bytes.iter().rev().fold(0, |word, byte| (word << 8) | u32::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn hash_matches_the_reference_vectors_of_murmur3() {
        for (text, expected) in [
            ("", 0),
            ("a", 0x3c25_69b2),
            ("ab", 0x9bbf_d75f),
            ("abc", 0xb3dd_93fa),
            ("abcd", 0x43ed_676a),
            ("Hello, world!", 0xc036_3e43),
            ("The quick brown fox jumps over the lazy dog", 0x2e4f_f723),
        ] {
            assert_eq!(murmur3_x86_32(text.as_bytes()), expected, "{text:?}");
        }
    }

    /// `int(hashlib.md5(f"{feature}:{user}".encode()).hexdigest(), 16) % 100`. At SARK every request of an agent has the
    /// subject `unknown`, whose buckets are known to be 14 and 82.
    #[test]
    fn compatibility_hash_matches_vectors_of_its_rule() {
        for (feature, subject, expected) in [
            ("rust_opa", "unknown", 14),
            ("rust_cache", "unknown", 82),
            ("rust_opa", "", 24),
            ("rust_opa", "alice", 99),
            ("rust_opa", "user-00001", 16),
            ("rust_opa", "üser-☃", 22),
            ("rust_opa", "7", 84),
            ("rust_cache", "alice", 56),
        ] {
            assert_eq!(sark_bucket(feature, subject.as_bytes()), expected, "{feature}:{subject}");
        }
    }

    proptest! {
        #[test]
        fn the_compatibility_rule_is_nested_too_and_knows_no_salt(one in ".{0,20}", other in ".{0,20}", subject in ".{0,60}", share in 0_u8..100) {
            let rule = Rule::SarkMd5;
            let inside = rule.in_new_arm(&one, subject.as_bytes(), share);
            prop_assert_eq!(inside, rule.in_new_arm(&other, subject.as_bytes(), share));
            prop_assert!(!inside || rule.in_new_arm(&one, subject.as_bytes(), share + 1));
            prop_assert!(!rule.in_new_arm(&one, subject.as_bytes(), 0));
            prop_assert!(rule.in_new_arm(&one, subject.as_bytes(), 100));
        }

        #[test]
        fn a_larger_share_contains_the_smaller_one(salt in ".{0,40}", subject in ".{0,60}", share in 0_u8..100) {
            if in_new_arm(&salt, subject.as_bytes(), share) {
                prop_assert!(in_new_arm(&salt, subject.as_bytes(), share + 1));
            }
        }

        #[test]
        fn nobody_at_zero_and_everybody_at_a_hundred(salt in ".{0,40}", subject in ".{0,60}") {
            prop_assert!(!in_new_arm(&salt, subject.as_bytes(), 0));
            prop_assert!(in_new_arm(&salt, subject.as_bytes(), 100));
            prop_assert!(bucket(&salt, subject.as_bytes()) < BUCKETS);
        }
    }
}
