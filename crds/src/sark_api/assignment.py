"""Which arm serves a subject: sticky, nested, and the same in every language.

    bucket = murmur3_x86_32(utf8(salt + ":" + subject), seed 0) * 10_000 >> 32
    new arm iff bucket < percentage * 100

The rule is the one flagd's `fractional` operator applies to the string `salt:subject`, so any OpenFeature provider that follows
`flagd.json` puts a subject in the same arm as our sidecars do. Because only the threshold moves, the subjects at 5 % are among
those at 10 %, and so on; going back to 0 % takes every one of them out.
"""

from __future__ import annotations

import hashlib

import mmh3

BUCKETS = 10_000
"""The number of buckets; one bucket is one basis point of the subjects."""


SARK_BUCKETS = 100
SARK_FEATURE = "rust_opa"
"""The feature whose name is hashed for a fleet that comes from SARK; there each feature had buckets of its own."""


def bucket(salt: str, subject: str) -> int:
    """Return the bucket of `subject`, 0 to 9,999, under the rollout's `salt`."""
    digest = mmh3.hash(f"{salt}:{subject}".encode(), seed=0, signed=False)
    return (digest * BUCKETS) >> 32


def in_new_arm(salt: str, subject: str, percentage: int) -> bool:
    """Return whether `subject` belongs to the new arm at `percentage` (0 to 100)."""
    return bucket(salt, subject) < percentage * (BUCKETS // 100)


def sark_bucket(feature: str, subject: str) -> int:
    """Return SARK's bucket of `subject`, 0 to 99: MD5 of `feature:subject` modulo 100. No secret rests on the hash."""
    digest = hashlib.md5(f"{feature}:{subject}".encode(), usedforsecurity=False).digest()
    return int.from_bytes(digest, "big") % SARK_BUCKETS


def in_new_arm_of_sark(subject: str, percentage: int) -> bool:
    """Return whether `subject` belongs to the new arm under the compatibility rule; the salt plays no part in it."""
    return sark_bucket(SARK_FEATURE, subject) < percentage
