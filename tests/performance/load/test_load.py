"""Every scenario of the report on both arms, by the open loop; the report's own three by Locust too."""

from __future__ import annotations

import pytest

from sark_e2e.performance import load
from sark_e2e.performance.scenarios import IN_LOCUST, SCENARIOS
from sark_e2e.performance.stand import ARMS, Stand
from sark_e2e.performance.suite import Suite


@pytest.mark.parametrize("arm", ARMS)
@pytest.mark.parametrize("name", SCENARIOS)
def test_open_loop(suite: Suite, stand: Stand, name: str, arm: str):
    load.open_loop(suite, stand, SCENARIOS[name], arm)


@pytest.mark.parametrize("arm", ARMS)
@pytest.mark.parametrize("name", IN_LOCUST)
def test_locust(suite: Suite, stand: Stand, name: str, arm: str):
    load.locust(suite, stand, SCENARIOS[name], arm)
