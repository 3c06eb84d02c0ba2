from __future__ import annotations

import pytest

from sark_api.names import ARM_BASELINE, ARM_NEW
from sark_api.spec import Mode
from sark_api.status import ConditionStatus, Phase
from sark_e2e.simulated_target import SimulatedSidecar, SimulatedTarget, arm


def proven(target: SimulatedTarget) -> int:
    assert target.status.bake is not None
    return target.status.bake.proven_milliseconds


def converged(target: SimulatedTarget) -> ConditionStatus:
    return next(condition.status for condition in target.status.conditions if condition.type == "Converged")


def test_the_bake_waits_for_the_last_sidecar(target: SimulatedTarget) -> None:
    target.sidecars["gw-2"].following = False

    target.run(60)

    assert (target.percent, proven(target), target.status.summary.replicas) == (5, 0, "2/3")
    assert target.status.reason == "Converging"
    assert target.status.message == "Converging: 2 of 3 sidecars confirmed 5%: gw-2: has no flag document"
    assert target.status.bake is not None
    assert target.status.bake.frozen == target.status.message


def test_a_new_pod_freezes_the_bake_and_gives_it_back(baking: SimulatedTarget) -> None:
    before = proven(baking)
    baking.sidecars["gw-3"] = SimulatedSidecar(following=False)
    baking.run(20)
    assert (proven(baking), converged(baking)) == (before, ConditionStatus.FALSE)
    assert baking.status.convergence is not None
    assert baking.status.convergence.since is None

    baking.sidecars["gw-3"].following = True
    baking.deliver()
    baking.run(2)
    assert (proven(baking), baking.status.summary.replicas) == (before + 1000, "4/4")
    assert baking.status.convergence.since is not None


def test_a_sidecar_that_cannot_be_asked_is_named_with_the_reason(baking: SimulatedTarget) -> None:
    baking.sidecars["gw-1"].reachable = False

    baking.tick(1)

    assert baking.status.reason == "SidecarsUnreachable"
    assert baking.status.message == "1 of 3 sidecars could not be asked: gw-1: GET /flags: connection refused"


def test_an_expired_document_is_no_confirmation(baking: SimulatedTarget) -> None:
    for sidecar in baking.sidecars.values():
        sidecar.following = False
    baking.now = baking.now.replace(hour=15)

    baking.tick(1)

    assert "gw-0: serves 0%" in baking.status.message


def test_a_renewal_needs_no_new_confirmation(baking: SimulatedTarget) -> None:
    revision = baking.written[-1].document.revision
    baking.sidecars["gw-0"].following = False
    baking.ask(mode=Mode.PAUSED)

    while baking.written[-1].document.revision == revision:
        baking.tick(1)
    baking.tick(1)

    assert converged(baking) is ConditionStatus.TRUE


def test_a_share_that_had_to_be_written_anew_needs_a_new_confirmation(baking: SimulatedTarget) -> None:
    baking.sidecars["gw-0"].following = False
    baking.put(None, error="not JSON")

    baking.run(2)

    assert baking.status.message.endswith("gw-0: is at flag revision 3, at least 4 needed")


def test_a_baseline_that_is_a_coincidence_does_not_confirm_the_way_back(baking: SimulatedTarget) -> None:
    baking.arms = {ARM_NEW: arm(1000, 500), ARM_BASELINE: arm()}
    baking.tick(1)
    baking.sidecars["gw-1"].document = None
    baking.sidecars["gw-1"].following = False

    baking.tick(1)

    assert baking.status.phase is Phase.REVERTING
    assert "gw-1: has no flag document" in baking.status.message


@pytest.mark.parametrize(
    ("engine", "opa", "sentence"),
    [
        ("policy-2", "policy-2", "gw-1: its engine serves policy policy-2, others policy-1"),
        ("policy-1", "policy-0", "gw-1: its OPA serves policy policy-0, its engine policy-1"),
        ("policy-1", "", "gw-1: its OPA serves policy of no known revision, its engine policy-1"),
        ("", "", "gw-1: its engine serves policy of no revision, others policy-1"),
    ],
)
def test_answers_of_different_policies_are_not_compared(baking: SimulatedTarget, engine: str, opa: str, sentence: str) -> None:
    baking.sidecars["gw-1"].policy, baking.sidecars["gw-1"].baseline_policy = engine, opa

    baking.tick(1)

    assert (baking.status.reason, converged(baking)) == ("PolicyRevisionsDiffer", ConditionStatus.FALSE)
    assert sentence in baking.status.message


@pytest.mark.parametrize("trouble", ["policy", "unreachable"])
def test_nothing_starts_before_every_sidecar_answered_and_serves_one_policy(target: SimulatedTarget, trouble: str) -> None:
    if trouble == "policy":
        target.sidecars["gw-1"].policy = "policy-2"
    else:
        target.sidecars["gw-1"].reachable = False
    target.run(10)
    assert (target.written, target.status.phase) == ([], Phase.PENDING)
    assert "gw-1" in target.status.message

    target.sidecars["gw-1"] = SimulatedSidecar()
    target.run_to(5)


def test_at_most_five_laggards_are_listed(baking: SimulatedTarget) -> None:
    for number in range(20):
        baking.sidecars[f"new-{number:02}"] = SimulatedSidecar(following=False)

    baking.tick(1)

    assert baking.status.convergence is not None
    assert len(baking.status.convergence.laggards) == 5
    assert baking.status.summary.replicas == "3/23"
