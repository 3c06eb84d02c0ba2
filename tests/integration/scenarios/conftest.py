"""Whole rollouts on the session's cluster: each test has a namespace, a fleet, an operator and a load of its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from sark_e2e.cluster import LocalCluster
from sark_e2e.scenario import Scenario

_HERE = Path(__file__).parent
_TIMEOUT_SECONDS = 240


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test below this folder as a scenario, and give it time for a whole rollout."""
    for item in items:
        if _HERE in item.path.parents:
            item.add_marker(pytest.mark.scenario)
            item.add_marker(pytest.mark.timeout(_TIMEOUT_SECONDS))


def each(cases: Mapping[str, object], *, long: str) -> list[Any]:
    """Return every case as a parameter of a test under its name; the one called `long` is for `make scenarios`."""
    return [pytest.param(case, id=name, marks=[pytest.mark.long] if name == long else []) for name, case in cases.items()]


@pytest.fixture
def scenario(cluster: LocalCluster) -> Iterator[Scenario]:
    """An empty namespace, and the verbs to tell a story in it."""
    with Scenario(cluster) as story:
        yield story
