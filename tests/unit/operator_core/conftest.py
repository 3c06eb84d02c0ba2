from __future__ import annotations

import pytest

from sark_e2e.simulated_target import SimulatedTarget


@pytest.fixture
def target() -> SimulatedTarget:
    """A healthy target of three sidecars on which nothing has happened yet."""
    return SimulatedTarget()


@pytest.fixture
def baking(target: SimulatedTarget) -> SimulatedTarget:
    """The same, confirmed at 25 % with three seconds of proof."""
    target.run_to(25)
    target.run(3)
    return target


@pytest.fixture
def completed(target: SimulatedTarget) -> SimulatedTarget:
    """The same, completed at 100 % a second ago."""
    target.run_to(100)
    while target.status.completed_at is None:
        target.tick(1)
    target.tick(1)
    return target
