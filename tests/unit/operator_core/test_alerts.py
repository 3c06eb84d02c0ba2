"""Alerts that fire elsewhere: whose they are, what each does, and what a rollout makes of them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sark_api.spec import Action, Alerts
from sark_api.status import Phase, Verdict
from sark_e2e.simulated_target import SimulatedTarget
from sark_operator.core.alerts import AlertIndex, FiringAlert, FiringAlerts, is_about
from sark_operator.core.observation import Missing
from sark_operator.core.verdicts.alerts import judge_alerts

KEY = "shop/gateway"


def alert(name: str = "GatewaySlow", **labels: str) -> FiringAlert:
    return FiringAlert.of({"alertname": name, "sark_rollout": KEY, **labels})


@pytest.mark.parametrize(
    ("labels", "match", "ours"),
    [
        ({"sark_rollout": KEY}, {}, True),
        ({"sark_rollout": "shop/other"}, {}, False),
        ({"namespace": "shop"}, {}, False),
        ({"namespace": "shop", "team": "authz"}, {"namespace": "shop"}, True),
        ({"namespace": "shop"}, {"namespace": "shop", "team": "authz"}, False),
        ({"sark_rollout": "shop/other", "namespace": "shop"}, {"namespace": "shop"}, True),
        ({}, {"team": ""}, False),
        ({}, {}, False),
    ],
)
def test_whose_an_alert_is(labels: dict[str, str], match: dict[str, str], ours: bool) -> None:
    settings = Alerts(match_labels=match)
    assert is_about(KEY, settings, labels) is ours
    others = [FiringAlert.of({"alertname": "Other", **dict.fromkeys(labels, "x")})]
    assert (FiringAlert.of(labels) in FiringAlerts([*others, FiringAlert.of(labels)]).about(KEY, settings)) is ours


def test_each_finds_its_own_among_many() -> None:
    # Given alerts of several rollouts and teams
    alerts = [
        FiringAlert.of({"alertname": "A", "sark_rollout": KEY, "team": "authz"}),
        FiringAlert.of({"alertname": "B", "team": "authz", "region": "eu"}),
        FiringAlert.of({"alertname": "C", "team": "authz", "region": "us"}),
        FiringAlert.of({"alertname": "D", "sark_rollout": "shop/other", "team": "shop", "region": "eu"}),
        FiringAlert.of({"alertname": "E", "sark_rollout": KEY}),
    ]

    def about(**match: str) -> str:
        return "".join(
            each.label("alertname") for each in FiringAlerts(reversed(alerts)).about(KEY, Alerts(match_labels=match))
        )

    # When a rollout asks for its own, then those that name it are found, and those that carry all it asks for, each once
    assert about() == "AE"
    assert about(team="authz") == "ABCE"
    assert about(team="authz", region="eu") == "ABE"
    assert about(region="eu") == "ABDE"
    assert about(region="mars") == "AE"


LABELS = st.dictionaries(st.sampled_from(["sark_rollout", "team", "region"]), st.sampled_from(["", "a", "b"]))


@given(st.lists(LABELS, max_size=5), LABELS, st.sampled_from(["a", "b"]))
def test_an_index_says_of_whom_there_is_an_alert(alerts: list[dict[str, str]], match: dict[str, str], rollout: str) -> None:
    settings = Alerts(match_labels=match)
    assert AlertIndex(alerts).concerns(rollout, settings) is any(is_about(rollout, settings, labels) for labels in alerts)


@pytest.mark.parametrize(
    ("alerts", "verdict", "action", "sentence"),
    [
        ((), Verdict.PASS, Action.HOLD, "alerts no alert about this rollout fires"),
        ((alert(),), Verdict.BREACH, Action.HOLD, "alerts 1 alert fires: GatewaySlow"),
        (
            (alert(sark_action="revert", severity="page"),),
            Verdict.BREACH,
            Action.REVERT,
            "alerts 1 alert fires: GatewaySlow (page)",
        ),
        ((alert(sark_action="Warn"),), Verdict.BREACH, Action.WARN, "alerts 1 alert fires: GatewaySlow"),
        ((alert(sark_action="explode"),), Verdict.BREACH, Action.HOLD, "alerts 1 alert fires: GatewaySlow"),
        (
            (alert("A", sark_action="Warn"), alert("B"), alert("C", sark_action="Revert")),
            Verdict.BREACH,
            Action.REVERT,
            "alerts 3 alerts fire: C, B, A",
        ),
        (
            tuple(alert(f"A{n}") for n in range(7)),
            Verdict.BREACH,
            Action.HOLD,
            "alerts 7 alerts fire: A0, A1, A2, A3, A4 and 2 more",
        ),
        (
            Missing("MetricsTimeout", "Prometheus did not answer"),
            Verdict.UNKNOWN,
            Action.HOLD,
            "alerts Unknown: Prometheus did not answer",
        ),
    ],
)
def test_the_gravest_of_the_alerts_decides(
    alerts: tuple[FiringAlert, ...] | Missing, verdict: Verdict, action: Action, sentence: str
) -> None:
    status = judge_alerts(Alerts(), alerts, "ALERTS")
    assert (status.verdict, status.action, status.message, status.query) == (verdict, action, sentence, "ALERTS")


def test_an_alert_of_any_length_fits_into_the_status() -> None:
    status = judge_alerts(Alerts(), tuple(alert("x" * 5000, severity="y" * 5000, n=str(n)) for n in range(9)))
    assert len(status.message) <= 1024


def firing(target: SimulatedTarget, *alerts: FiringAlert | Missing) -> None:
    target.alerts = (
        alerts[0] if alerts and isinstance(alerts[0], Missing) else tuple(a for a in alerts if isinstance(a, FiringAlert))
    )


def test_a_firing_alert_holds_and_the_end_of_it_lets_go(baking: SimulatedTarget) -> None:
    # Given a step that is being proven, when an alert fires, then the bake stands still and the status names it
    firing(baking, alert())
    baking.tick(1)
    assert baking.status.reason == "CriterionHolds"
    assert "GatewaySlow" in baking.status.message
    assert baking.status.bake is not None
    proven = baking.status.bake.proven_milliseconds
    baking.run(20)
    assert (baking.percent, baking.status.bake.proven_milliseconds) == (25, proven)

    # And when it has ended, the rollout goes on
    firing(baking)
    baking.run(30)
    assert baking.percent > 25


def test_an_alert_that_says_so_reverts_at_once(baking: SimulatedTarget) -> None:
    firing(baking, alert(sark_action="Revert"))
    baking.tick(1)
    assert baking.percent == 0
    assert baking.status.revert is not None
    assert (baking.status.revert.reason, baking.status.revert.criterion) == ("CriterionBreached", "alerts")


def test_an_alert_that_only_warns_stops_nothing(baking: SimulatedTarget) -> None:
    firing(baking, alert(sark_action="Warn"))
    baking.run(30)
    assert baking.percent > 25


def test_a_rollout_does_not_start_into_an_alert(target: SimulatedTarget) -> None:
    firing(target, alert())
    target.run(20)
    assert (target.status.phase, target.status.reason) == (Phase.PENDING, "CriterionHolds")


def test_alerts_that_cannot_be_read_hold_and_are_no_blindness(baking: SimulatedTarget) -> None:
    firing(baking, Missing("MetricsRefused", "ALERTS cannot be read"))
    baking.run(120)
    assert baking.percent == 25
    assert baking.status.blind_since is None
    assert baking.status.reason == "MetricsUnavailable"


def test_alerts_only_to_be_shown_may_be_unreadable(baking: SimulatedTarget) -> None:
    baking.spec = baking.spec.model_copy(
        update={"criteria": baking.spec.criteria.model_copy(update={"alerts": Alerts(action=Action.WARN)})}
    )
    firing(baking, Missing("MetricsRefused", "ALERTS cannot be read"))
    baking.run(30)
    assert baking.percent > 25
