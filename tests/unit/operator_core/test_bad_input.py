from __future__ import annotations

from math import inf, nan

import pytest

from sark_api.names import ARM_BASELINE, ARM_NEW
from sark_api.reasons import MAX_SENTENCE
from sark_api.spec import Action
from sark_api.status import Condition, ConditionStatus
from sark_e2e.simulated_target import SimulatedSidecar, SimulatedTarget, arm
from sark_operator.core.observation import ArmWindow, Histogram, Missing

LONG = "x" * 100_000


def condition(target: SimulatedTarget, name: str) -> Condition:
    return next(each for each in target.status.conditions if each.type == name)


def break_input(target: SimulatedTarget, what: str) -> None:
    match what:
        case "rival":
            target.rival = "shop/other"
        case "no config map":
            target.lose_config_map()
        case "config map away":
            target.flags = Missing("Whatever the shell says", "GET configmaps: 503")
        case "no pods":
            target.sidecars.clear()
        case "pods away":
            target.pods_missing = Missing("", "GET pods: 500")
        case "metrics away":
            target.arms = Missing("MetricsUnreachable", "http://prometheus:9090 did not answer in 5s")
        case "memory away":
            target.growth = Missing("MetricsQueryRefused", "parse error at char 3")


TROUBLES = {
    "rival": ("TargetTaken", "The target is held by shop/other: wait until it has ended"),
    "no config map": ("FlagsConfigMapMissing", "ConfigMap gateway-flags does not exist in namespace shop: create an empty one"),
    "config map away": ("FlagsUnavailable", "The flags ConfigMap could not be read: GET configmaps: 503"),
    "no pods": ("NoReadyPods", "No ready pod in namespace shop carries the labels app=gateway: correct"),
    "pods away": ("PodsUnavailable", "The target's pods could not be listed: GET pods: 500"),
    "metrics away": ("MetricsUnavailable", "Metrics could not be read: http://prometheus:9090 did not answer in 5s"),
    "memory away": ("MetricsUnavailable", "Metrics could not be read: parse error at char 3"),
}


@pytest.mark.parametrize("what", TROUBLES)
def test_bad_input_is_a_condition_with_one_clear_sentence_and_never_a_start(target: SimulatedTarget, what: str) -> None:
    break_input(target, what)

    target.run(20)

    ready, (reason, sentence) = condition(target, "Ready"), TROUBLES[what]
    assert (ready.status, ready.reason, target.written) == (ConditionStatus.FALSE, reason, [])
    assert ready.message.startswith(sentence)
    assert (target.status.reason, target.status.message) == (ready.reason, ready.message)
    assert condition(target, "Progressing").status is ConditionStatus.FALSE


@pytest.mark.parametrize("what", TROUBLES)
def test_bad_input_on_the_way_freezes_the_bake_and_never_advances(baking: SimulatedTarget, what: str) -> None:
    assert baking.status.bake is not None
    before = baking.status.bake.proven_milliseconds
    break_input(baking, what)

    baking.run(50)

    assert baking.status.bake is not None
    assert baking.status.step is not None
    assert (baking.status.bake.proven_milliseconds, baking.status.step.percent) == (before, 25)
    assert condition(baking, "Ready").reason == TROUBLES[what][0]


@pytest.mark.parametrize("requests", [nan, inf, -inf, -1.0, 0.0, 1e300])
@pytest.mark.parametrize("errors", [nan, inf, -1.0, 1e300])
def test_nonsense_numbers_never_crash_and_never_advance(baking: SimulatedTarget, requests: float, errors: float) -> None:
    nonsense = ArmWindow(requests, errors, Histogram((0.1, inf), (requests, errors)))
    baking.arms = {ARM_NEW: nonsense, ARM_BASELINE: nonsense}

    baking.run(30)

    assert baking.status.step is not None
    assert baking.status.step.percent == 25


def test_texts_of_any_length_are_cut(baking: SimulatedTarget) -> None:
    baking.rival = baking.sidecars["gw-0"].policy = LONG
    baking.arms = Missing(LONG, LONG)
    baking.custom = {"a": Missing(LONG, LONG)}
    baking.sidecars[LONG] = SimulatedSidecar(reachable=False)
    baking.put(None, error=LONG)

    baking.tick(1)

    assert all(len(each.message) <= MAX_SENTENCE for each in baking.status.conditions)


def test_a_policy_revision_of_any_length_is_cut_in_the_history(target: SimulatedTarget) -> None:
    for sidecar in target.sidecars.values():
        sidecar.policy = sidecar.baseline_policy = LONG

    target.run(3)

    assert len(target.status.history[0].policy_revision) == 64


def test_a_missing_metric_that_only_warns_blocks_nothing(target: SimulatedTarget) -> None:
    memory = target.spec.criteria.memory_growth.model_copy(update={"action": Action.WARN})
    target.spec = target.spec.model_copy(update={"criteria": target.spec.criteria.model_copy(update={"memory_growth": memory})})
    target.growth = Missing("MetricsQueryRefused", "no such series")
    target.arms = {ARM_NEW: arm(), ARM_BASELINE: arm()}

    target.run_to(10)

    assert condition(target, "Ready").status is ConditionStatus.TRUE
    assert condition(target, "MetricsAvailable").status is ConditionStatus.FALSE
