from __future__ import annotations

from math import isnan

import pytest

from sark_operator.shell.answers import finite, latency_by_arm, samples


def vector(*buckets: tuple[str, str, str]) -> list[dict[str, object]]:
    """A latency answer of Prometheus: (rollout, le, count) each."""
    return [
        {"metric": {"sark_rollout": rollout, "implementation": "rust", "le": le}, "value": [1.0, count]}
        for rollout, le, count in buckets
    ]


@pytest.mark.parametrize("bad", [("shop/bad", "abc", "1"), ("shop/bad", "0.1", "1"), ("shop/bad", "+Inf", "NaN")])
def test_one_rollouts_bad_histogram_is_its_own_fault_only(bad: tuple[str, str, str]) -> None:
    # Given an answer in which one rollout's histogram cannot be reckoned with
    answer = vector(bad, ("shop/good", "0.1", "3"), ("shop/good", "+Inf", "4"))
    # When it is read
    read = latency_by_arm(samples(answer))
    # Then that one is not finite, and the other one is whole
    assert not finite([], read["shop/bad"].values())
    assert isnan(read["shop/bad"]["rust"].total)
    assert read["shop/good"]["rust"].counts == (3.0, 4.0)
