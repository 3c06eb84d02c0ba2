"""Alerts with a real Prometheus and Alertmanager: what fires holds or reverts at once, and a message alone does nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http.client import HTTPResponse
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from sark_api.status import CriterionStatus, Phase, Verdict
from sark_cli.rollout import Rollout
from sark_e2e import binaries
from sark_e2e.alertmanager import AlertmanagerServer
from sark_e2e.applied_rollout import serves
from sark_e2e.cluster import LocalCluster
from sark_e2e.example import quick
from sark_e2e.scenario import Scenario
from sark_operator.shell.alert_receiver import PATH

pytestmark = pytest.mark.timeout(240)

TOKEN = "a token of this test"


@pytest.fixture
def scenario(cluster: LocalCluster) -> Iterator[Scenario]:
    with Scenario(cluster, prefix="alerts") as story:
        yield story


@pytest.fixture
def token_file(tmp_path: Path) -> Path:
    path = tmp_path / "token"
    path.write_text(TOKEN)
    return path


@pytest.fixture
def webhook(cluster: LocalCluster) -> str:
    """Where the operator listens for Alertmanager."""
    return f"{cluster.network.server}:{cluster.network.port()}"


@pytest.fixture
def alertmanager(cluster: LocalCluster, webhook: str, token_file: Path, tmp_path: Path) -> Iterator[AlertmanagerServer]:
    """A real Alertmanager between the session's Prometheus and the operator of this test."""
    with AlertmanagerServer(
        binaries.program("alertmanager"),
        address=cluster.prometheus.alertmanager_address,
        folder=tmp_path / "alertmanager",
        webhook=f"http://{webhook}{PATH}",
        token_file=token_file,
    ) as server:
        yield server


def alerts(rollout: Rollout) -> CriterionStatus:
    """Return what the criterion says."""
    return next(each for each in rollout.status.criteria if each.name == "alerts")


def send(webhook: str, payload: object, *, token: str = TOKEN) -> int:
    """Send what Alertmanager would, and return the status."""
    request = Request(f"http://{webhook}{PATH}", data=json.dumps(payload).encode())
    request.add_header("Authorization", f"Bearer {token}")
    try:
        answer: HTTPResponse
        with urlopen(request, timeout=10) as answer:  # noqa: S310
            return answer.status
    except HTTPError as error:
        return error.code


def test_a_firing_alert_holds_then_reverts_long_before_the_next_look(
    cluster: LocalCluster, scenario: Scenario, alertmanager: AlertmanagerServer, webhook: str, token_file: Path
):
    # Given a rollout at 50% that looks only every five minutes, and an operator that Alertmanager can wake
    fleet = scenario.fleet(replicas=1)
    operator = scenario.operator(arguments=(f"--alert-address={webhook}", f"--alert-token-file={token_file}"))
    scenario.traffic(fleet)
    rollout = scenario.apply("gateway", fleet, quick(50, 100, bake="1h"))
    rollout.bakes(50, milliseconds=2000, seconds=90)
    rollout.edit({"interval": "5m", "validFor": "20m"})
    rollout.until("an answer to the edit", lambda seen: seen.answered, seconds=30)
    group = scenario.namespace
    labels = {"sark_rollout": rollout.key, "severity": "page"}
    try:
        # When an alert about it fires, then it is held within seconds, and told why
        cluster.prometheus.rule(group, [{"alert": "GatewayOdd", "expr": "vector(1)", "labels": labels}])
        held = rollout.until("an alert in the status", lambda seen: "GatewayOdd (page)" in alerts(seen).message, seconds=60)
        assert held.status.reason == "CriterionHolds"
        assert (alerts(held).verdict, alerts(held).action, alerts(held).value) == (Verdict.BREACH, "Hold", "1")
        assert serves(held, 50)

        # And when it has ended, it is held by it no longer
        cluster.prometheus.rule(group, [{"alert": "GatewayOdd", "expr": "vector(1) > 1", "labels": labels}])
        rollout.until("no alert in the status", lambda seen: alerts(seen).verdict is Verdict.PASS, seconds=60)

        # And when one fires that says Revert, the baseline is back within seconds
        cluster.prometheus.rule(
            group, [{"alert": "GatewayBad", "expr": "vector(1)", "labels": {**labels, "sark_action": "Revert"}}]
        )
        reverted = rollout.becomes(Phase.REVERTED, seconds=60)
        assert reverted.status.revert is not None
        assert reverted.status.revert.criterion == "alerts"
        scenario.serves(fleet, 0, seconds=5)
    finally:
        cluster.prometheus.rule(group, None)
    told = [json.loads(line) for line in operator.log.read_text().splitlines() if line.startswith("{")]
    assert sum(line["event"] == "alerts received" and line["rollouts"] == 1 for line in told) >= 2


def test_a_message_that_is_not_true_changes_nothing(cluster: LocalCluster, scenario: Scenario, webhook: str, token_file: Path):
    # Given a rollout that an alert holds
    fleet = scenario.fleet(replicas=1)
    scenario.operator(arguments=(f"--alert-address={webhook}", f"--alert-token-file={token_file}"))
    scenario.traffic(fleet)
    rollout = scenario.apply("gateway", fleet, quick(50, 100, bake="20s"))
    group = scenario.namespace
    labels = {"sark_rollout": rollout.key}
    rollout.bakes(50, milliseconds=1000, seconds=90)
    try:
        cluster.prometheus.rule(group, [{"alert": "GatewayOdd", "expr": "vector(1)", "labels": labels}])
        rollout.until("an alert in the status", lambda seen: alerts(seen).verdict is Verdict.BREACH, seconds=60)

        # When someone who knows the token says again and again that it has ended, and someone else says that worse has begun
        ended = {"status": "resolved", "labels": {"alertname": "GatewayOdd", **labels}}
        worse = {"status": "firing", "labels": {"alertname": "Worse", "sark_action": "Revert", **labels}}
        for alert in (ended, worse) * 5:
            assert send(webhook, {"version": "4", "alerts": [alert]}) == 200
        assert send(webhook, {"version": "4", "alerts": [ended]}, token="guessed") == 401

        # Then it stays where it is, for what fires is asked of Prometheus
        rollout.stays("a held step at 50%", lambda seen: serves(seen, 50) and "GatewayOdd" in alerts(seen).message, seconds=10)
    finally:
        cluster.prometheus.rule(group, None)
    rollout.reaches(100, seconds=60)
