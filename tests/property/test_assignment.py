"""Assignment to an arm: sticky, nested, fair, and the same as flagd's."""

from __future__ import annotations

import json
import math
from typing import Any

import mmh3
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sark_api.assignment import BUCKETS, bucket, in_new_arm, in_new_arm_of_sark, sark_bucket
from sark_api.flags import FeatureFlags, FlagDocument, flagd_document

salts = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
subjects = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
shares = st.integers(0, 100)
SUBJECTS = 40_000
SIGMAS = 5
"""A right share is outside this many standard deviations once in 1.7 million comparisons."""


@given(salts, subjects, shares, shares)
def test_whoever_is_in_a_smaller_share_is_in_every_larger_one(salt: str, subject: str, one: int, other: int):
    smaller, larger = sorted((one, other))
    assert in_new_arm(salt, subject, smaller) <= in_new_arm(salt, subject, larger)


@given(salts, subjects)
def test_nobody_is_in_at_0_percent_and_everybody_at_100(salt: str, subject: str):
    assert not in_new_arm(salt, subject, 0)
    assert in_new_arm(salt, subject, 100)


@given(salts, subjects, shares)
def test_a_subject_keeps_its_arm(salt: str, subject: str, percentage: int):
    assert len({in_new_arm(salt, subject, percentage) for _ in range(3)}) == 1


@given(st.integers(0, 2**32 - 1))
def test_every_bucket_is_an_equal_part_of_the_hashes(digest: int):
    # Given any hash, then its bucket is its place in the whole range to one part in 10,000, with no remainder lost
    place = (digest * BUCKETS) >> 32
    assert place / BUCKETS <= digest / 2**32 < (place + 1) / BUCKETS


def test_the_share_of_many_subjects_is_the_percentage_to_within_chance():
    for salt in ("", "8f1f3b1e-7a55-4a43-9b0e-0d7e1f2a3b4c", "ü", "salt:with:colons", "a" * 200):
        buckets = [bucket(salt, f"user-{number}") for number in range(SUBJECTS)]
        for percentage in (1, 5, 10, 25, 50, 75, 99):
            share = percentage / 100
            expected, spread = SUBJECTS * share, math.sqrt(SUBJECTS * share * (1 - share))
            observed = sum(place < percentage * 100 for place in buckets)
            assert abs(observed - expected) < SIGMAS * spread, (salt, percentage, observed)


def test_buckets_are_filled_evenly_to_one_in_ten_thousand():
    # Given 100 subjects for each bucket
    counts = [0] * BUCKETS
    for number in range(100 * BUCKETS):
        counts[bucket("even", f"user-{number}")] += 1
    # Then the chi-square statistic over all buckets is what chance gives
    chi_square = sum((count - 100) ** 2 / 100 for count in counts)
    freedom = BUCKETS - 1
    assert abs(chi_square - freedom) < SIGMAS * math.sqrt(2 * freedom)


def test_two_salts_choose_independently():
    both = sum(in_new_arm("a", f"u{n}", 50) and in_new_arm("b", f"u{n}", 50) for n in range(SUBJECTS))
    assert abs(both - SUBJECTS / 4) < SIGMAS * math.sqrt(SUBJECTS * 3 / 16)


@given(salts, subjects, shares, st.booleans(), st.booleans())
def test_a_flagd_provider_puts_the_subject_in_the_same_arm(salt: str, subject: str, percentage: int, opa: bool, cache: bool):
    # Given the flag set the operator writes beside the flag document
    flags = FeatureFlags(rust_opa_enabled=opa, rust_cache_enabled=cache, rollout_percentage=percentage)
    document = FlagDocument(feature_flags=flags, salt=salt, rollout="team/gateway", revision=1)
    flag_set = json.loads(flagd_document(document))["flags"]

    # Then evaluating its own rule, as flagd's specification says, gives what our sidecars do
    inside = in_new_arm(salt, subject, percentage)
    assert flagd_value(flag_set["rust_opa"], subject) is (opa and inside)
    assert flagd_value(flag_set["rust_cache"], subject) is (cache and inside)


def flagd_value(flag: dict[str, Any], targeting_key: str) -> bool:
    """Evaluate `fractional` over `cat`: hash, scale to the total weight, take the variant whose range it falls into."""
    rule = flag["targeting"]
    if not rule:
        return bool(flag["variants"][flag["defaultVariant"]])
    key, *distribution = rule["fractional"]
    value = "".join(targeting_key if isinstance(part, dict) else part for part in key["cat"])
    total = sum(weight for _, weight in distribution)
    place = (mmh3.hash(value.encode(), signed=False) * total) >> 32
    reached = 0
    for variant, weight in distribution:
        reached += weight
        if place < reached:
            return bool(flag["variants"][variant])
    raise AssertionError("the weights do not cover the range")


@pytest.mark.parametrize(
    ("feature", "subject", "expected"),
    [
        ("rust_opa", "unknown", 14),
        ("rust_cache", "unknown", 82),
        ("rust_opa", "", 24),
        ("rust_opa", "alice", 99),
        ("rust_opa", "user-00001", 16),
        ("rust_opa", "üser-☃", 22),
        ("rust_opa", "7", 84),
        ("rust_cache", "alice", 56),
    ],
)
def test_the_compatibility_hash_matches_vectors_of_sarks_rule(feature: str, subject: str, expected: int):
    assert sark_bucket(feature, subject) == expected


@given(subjects, shares, shares)
def test_the_compatibility_rule_is_nested_too(subject: str, one: int, other: int):
    smaller, larger = sorted((one, other))
    assert not in_new_arm_of_sark(subject, smaller) or in_new_arm_of_sark(subject, larger)
    assert not in_new_arm_of_sark(subject, 0)
    assert in_new_arm_of_sark(subject, 100)


def test_the_share_under_the_compatibility_rule_is_the_percentage_to_within_chance():
    inside = sum(in_new_arm_of_sark(f"user-{number}", 25) for number in range(SUBJECTS))
    assert abs(inside - SUBJECTS / 4) < SIGMAS * math.sqrt(SUBJECTS * 3 / 16)
