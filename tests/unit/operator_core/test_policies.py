from __future__ import annotations

from sark_api.status import BaselineOnlyPath, PolicyStatus
from sark_e2e.simulated_target import SimulatedTarget
from sark_operator.core.observation import PodReport
from sark_operator.core.policies import policy_status

REMOTE = ("authz/remote", "the engine does not have the builtin http.send")


def test_the_status_says_which_paths_stay_on_baseline_and_why(target: SimulatedTarget) -> None:
    for sidecar in target.sidecars.values():
        sidecar.baseline_only = (REMOTE,)

    target.run_to(5)

    assert target.status.policies == PolicyStatus(
        revision="policy-1", baseline_only_count=1, baseline_only=[BaselineOnlyPath(path=REMOTE[0], reason=REMOTE[1])]
    )


def test_sidecars_that_cannot_be_asked_leave_it_as_it_was(target: SimulatedTarget) -> None:
    target.run_to(5)
    known = target.status.policies
    assert known == PolicyStatus(revision="policy-1")

    for sidecar in target.sidecars.values():
        sidecar.reachable = False
    target.tick(1)

    assert target.status.policies == known


def test_it_goes_when_the_policies_no_longer_need_it(target: SimulatedTarget) -> None:
    for sidecar in target.sidecars.values():
        sidecar.baseline_only = (REMOTE,)
    target.run_to(5)

    for sidecar in target.sidecars.values():
        sidecar.baseline_only, sidecar.policy, sidecar.baseline_policy = (), "policy-2", "policy-2"
    target.tick(1)

    assert target.status.policies == PolicyStatus(revision="policy-2")


def test_the_commonest_policies_count_and_of_their_sidecars_the_one_that_leaves_most() -> None:
    pods = [
        PodReport("a", policy_revision="new", baseline_only_count=9, baseline_only=(("x", "y"),)),
        PodReport("b", policy_revision="old", baseline_only_count=1, baseline_only=(REMOTE,)),
        PodReport("c", policy_revision="old"),
        PodReport("d", error="GET /flags: connection refused"),
    ]
    for order in (pods, pods[::-1]):
        status = policy_status(order)
        assert status is not None
        assert (status.revision, status.baseline_only_count, [path.path for path in status.baseline_only]) == (
            "old",
            1,
            [REMOTE[0]],
        )


def test_nobody_who_answered_is_no_status() -> None:
    assert policy_status([]) is None
    assert policy_status([PodReport("a", error="GET /flags: connection refused")]) is None


def test_whatever_a_sidecar_says_the_status_keeps_its_bounds() -> None:
    paths = tuple((f"{number}" * 500, "r" * 500) for number in range(10, 50))
    status = policy_status([PodReport("a", policy_revision="p" * 100, baseline_only_count=40, baseline_only=paths)])
    assert status is not None
    assert (len(status.revision), len(status.baseline_only), status.baseline_only_count) == (64, 20, 40)
    assert {(len(path.path), len(path.reason)) for path in status.baseline_only} == {(256, 256)}
