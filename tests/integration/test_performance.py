"""The gate against regressions on real servers: a Rust arm that was slowed down makes it fail, and says where."""

from __future__ import annotations

from pathlib import Path

import pytest

from sark_e2e import run_folder
from sark_e2e.bench.load_generator import Floor, build
from sark_e2e.performance import gate, machine, open_loop, stand
from sark_e2e.performance.stand import PYTHON, RUST
from sark_e2e.progress import silent

pytestmark = pytest.mark.timeout(900)  # the load generator may have to be built


@pytest.fixture(scope="module")
def client() -> Path:
    return build(silent)


def test_a_deliberate_slowdown_is_a_regression(client: Path, tmp_path: Path):
    # Given both arms, and a baseline measured of them
    folder = run_folder.create("gate-test")
    with (
        stand.running(folder, silent, faults=True) as running,
        Floor(client, network=running.network, folder=folder, report=silent) as floor,
    ):

        def measured() -> dict[str, float]:
            return gate.measure(running, client, floor, rounds=1, seconds=1.0, report=silent)

        gate.write(measured(), tmp_path / "baseline.json")
        baseline = gate.read(tmp_path / "baseline.json")

        # When every request of the Rust arm takes 20 ms longer
        running.sidecars[RUST].inject(latency_ms=20)
        slow = gate.compare(baseline, measured())

        # Then the gate says so of that arm's decisions a second
        assert {row.name for row in slow if not row.passes} >= {"rust hit: decisions a second", "rust miss: decisions a second"}
        assert "REGRESSION: lower is worse" in gate.table(slow)
        running.sidecars[RUST].inject()

        # And an open loop on both arms gives the policy's decisions, each compared with OPA's
        for arm in (RUST, PYTHON):
            asked = running.asked["mixed"]
            seen = open_loop.run(
                client,
                url=running.url(arm, asked.path),
                bodies=asked.bodies,
                answers=asked.answers,
                rate=50,
                connections=8,
                seconds=2,
                ramp=1,
            )
            assert seen.asked == 75
            assert sum(seen.answers_each_second) == seen.answers


def test_the_machine_is_described_without_a_gap():
    found = machine.Observer().environment()
    assert found.cores >= 1
    assert all(found.versions[name] not in {"", "unknown"} for name in ("python", "opa", "redis-server", "prometheus", "rust"))
