//! Which arm serves a subject: sticky, nested, and the same in every language.
//!
//! `bucket = murmur3_x86_32(utf8(salt + ":" + subject), seed 0) * 10_000 >> 32`; new arm iff `bucket < percentage * 100`.

/// Number of buckets; one bucket is one basis point of the subjects.
pub const BUCKETS: u32 = 10_000;

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

    proptest! {
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
