"""Which arm serves a subject: sticky, nested, and the same in every language.

    bucket = murmur3_x86_32(utf8(salt + ":" + subject), seed 0) * 10_000 >> 32
    new arm iff bucket < percentage * 100

The rule is the one flagd's `fractional` operator applies to the string `salt:subject`, so any OpenFeature provider that follows
`flagd.json` puts a subject in the same arm as our sidecars do. Because only the threshold moves, the subjects at 5 % are among
those at 10 %, and so on; going back to 0 % takes every one of them out.
"""

from __future__ import annotations

import mmh3

BUCKETS = 10_000
"""The number of buckets; one bucket is one basis point of the subjects."""


def bucket(salt: str, subject: str) -> int:
    """Return the bucket of `subject`, 0 to 9,999, under the rollout's `salt`."""
    digest = mmh3.hash(f"{salt}:{subject}".encode(), seed=0, signed=False)
    return (digest * BUCKETS) >> 32


def in_new_arm(salt: str, subject: str, percentage: int) -> bool:
    """Return whether `subject` belongs to the new arm at `percentage` (0 to 100)."""
    return bucket(salt, subject) < percentage * (BUCKETS // 100)
