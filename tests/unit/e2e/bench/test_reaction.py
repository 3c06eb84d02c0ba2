"""The way back is cut into legs that add up, from things seen outside the operator."""

from __future__ import annotations

import pytest

from sark_api.flags import FeatureFlags, FlagDocument
from sark_api.names import FLAGS_KEY
from sark_e2e.bench.failure import BenchError
from sark_e2e.bench.legs import LEGS, Instants, legs
from sark_e2e.bench.sightings import Sighting, asks_for_zero, new_arm

FIRST = Instants(injected=100.0, first_bad=100.1, visible=101.1, decided=102.0, written=102.1, restored=102.15)
SECOND = Instants(injected=200.0, first_bad=200.2, visible=203.2, decided=203.2, written=203.3, restored=203.4)


def test_legs_are_in_milliseconds_for_each_repetition():
    found = {leg.title: [round(value) for value in leg.milliseconds] for leg in legs([FIRST, SECOND])}

    assert found["fault switched on -> first bad request"] == [100, 200]
    assert found["first bad request -> breach visible in Prometheus"] == [1000, 3000]
    assert found["breach visible in Prometheus -> revert decided"] == [900, 0]
    assert found["revert decided -> flag written"] == [100, 100]
    assert found["flag written -> last sidecar on baseline"] == [50, 100]


def test_the_last_leg_is_the_whole_way_from_the_first_bad_request():
    *parts, whole = legs([FIRST, SECOND])

    summed = [sum(leg.milliseconds[at] for leg in parts[1:]) for at in range(2)]
    assert whole.milliseconds == pytest.approx(summed)
    assert len(LEGS) == len(parts) + 1


def test_a_leg_has_its_median_and_its_worst():
    whole = legs([FIRST, SECOND, FIRST])[-1]

    assert round(whole.median) == 2050
    assert round(whole.worst) == 3200


def series(rollout: str, arm: str, result: str, value: str) -> dict[str, object]:
    return {"metric": {"sark_rollout": rollout, "implementation": arm, "result": result}, "value": [0, value]}


def test_only_the_rollouts_own_new_arm_is_counted():
    window = new_arm(
        [
            series("shop/a", "rust", "allow", "80"),
            series("shop/a", "rust", "error", "20"),
            series("shop/a", "python", "error", "5"),
            series("shop/b", "rust", "error", "7"),
        ],
        "shop/a",
    )

    assert (window.requests, window.errors) == (100, 20)


def test_an_arm_without_series_served_nothing():
    assert new_arm([], "shop/a").requests == 0


def document(percent: int) -> str:
    flags = FeatureFlags(rust_opa_enabled=percent > 0, rust_cache_enabled=percent > 0, rollout_percentage=percent)
    return FlagDocument(feature_flags=flags, salt="s", rollout="shop/a", revision=3).to_json()


def test_only_a_valid_document_asks_for_zero():
    assert asks_for_zero({FLAGS_KEY: document(0)})
    assert not asks_for_zero({FLAGS_KEY: document(50)})
    assert not asks_for_zero({FLAGS_KEY: document(0).replace("s", "t")})
    assert not asks_for_zero({})


class Third(Sighting):
    """Is there at the third look; the second one fails."""

    looks = 0

    def look(self) -> float | None:
        self.looks += 1
        if self.looks == 2:
            raise OSError("away")
        return 42.0 if self.looks == 3 else None


class Never(Sighting):
    """Is never there."""

    def look(self) -> float | None:
        raise OSError("connection refused")


def test_a_look_that_fails_does_not_end_the_watch():
    with Third("a breach") as sighting:
        assert sighting.at(seconds=10) == 42.0


def test_what_is_not_seen_in_time_is_told_with_the_last_problem():
    with (
        Never("a breach") as sighting,
        pytest.raises(BenchError, match=r"a breach: not seen within 0 s \(connection refused\)"),
    ):
        sighting.at(seconds=0.2)
