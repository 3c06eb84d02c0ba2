"""What the steering commands print, character by character, with the operator's own core at the other end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from sark_api.names import API_VERSION, KIND
from sark_api.spec import Approval, SarkRolloutSpec, Step
from sark_api.status import Phase
from sark_cli.__main__ import main
from sark_cli.connection import Connection
from sark_cli.exit_code import ExitCode
from sark_cli.failure import CommandError
from sark_cli.sidecars import Answer
from sark_e2e.simulated_target import SimulatedTarget

Golden = Callable[[str, str], None]


class Desk:
    """An API server with rollouts at which an operator works: a second passes, and it ticks, before each look."""

    def __init__(self, *targets: SimulatedTarget) -> None:
        self.targets = {target.identity.name: target for target in targets}

    def get(self, namespace: str, name: str) -> dict[str, Any]:
        if name not in self.targets:
            raise CommandError(f"there is no SarkRollout {name} in namespace {namespace}", ExitCode.NOT_FOUND)
        self.targets[name].tick(1)
        return _body(self.targets[name])

    def all(self, namespace: str) -> list[dict[str, Any]]:
        return [self.get(namespace, name) for name in self.targets]

    def patch(self, namespace: str, name: str, change: list[dict[str, Any]]) -> dict[str, Any]:
        target = self.targets[name]
        assert namespace == target.identity.namespace
        spec = target.spec.to_wire()
        for each in change:
            if each["op"] == "add":
                spec[each["path"].removeprefix("/spec/")] = each["value"]
        target.spec = SarkRolloutSpec.model_validate(spec)
        identity = target.identity
        target.identity = replace(identity, generation=identity.generation + 1, requested_by="sark-rollout-cli")
        return _body(target)


def _body(target: SimulatedTarget) -> dict[str, Any]:
    identity = target.identity
    metadata = {
        "namespace": identity.namespace,
        "name": identity.name,
        "uid": identity.uid,
        "generation": identity.generation,
        "resourceVersion": "1",
    }
    body = {"apiVersion": API_VERSION, "kind": KIND, "metadata": metadata, "spec": target.spec.to_wire()}
    return body | ({"status": target.status.to_wire()} if target.status.conditions else {})


@pytest.fixture
def target() -> SimulatedTarget:
    """A rollout that bakes at 5%; its next step needs an approval."""
    steps = [Step(percent=percent, bake=timedelta(minutes=10)) for percent in (5, 25, 50, 100)]
    steps[1] = steps[1].model_copy(update={"approval": Approval.REQUIRED})
    made = SimulatedTarget()
    made.ask(steps=steps)
    made.run_to(5)
    made.run(20)
    return made


@pytest.fixture
def told(target: SimulatedTarget, telling: Callable[[SimulatedTarget], Callable[..., str]]) -> Callable[..., str]:
    """Run commands one after another, and return them with what they print, as a person would see it."""
    return telling(target)


@pytest.fixture
def telling(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[[SimulatedTarget], Callable[..., str]]:
    """Return what runs commands on a target of the test's own."""
    desk = Desk()
    sidecars = [Answer("gateway-0", 7, 0, "shop/gateway"), Answer("gateway-1", problem="connection refused")]
    for module in ("steer", "rollback"):
        monkeypatch.setattr(f"sark_cli.commands.{module}.connect", lambda _: Connection(None, "shop", "https://kubernetes"))
        monkeypatch.setattr(f"sark_cli.commands.{module}.Rollouts", lambda _: desk)
    monkeypatch.setattr("sark_cli.commands.rollback.ask_sidecars", lambda *_, **__: sidecars)
    for module in ("waiting", "restoration"):
        monkeypatch.setattr(f"sark_cli.{module}.POLL_SECONDS", 0)

    def run(*commands: str) -> str:
        lines: list[str] = []
        for command in commands:
            code = main(command.split())
            said = capsys.readouterr()
            lines += [f"> sark-rollout {command}", *said.out.splitlines(), *said.err.splitlines(), f"[{code}]", ""]
        return "\n".join(lines)

    def sit_down(target: SimulatedTarget) -> Callable[..., str]:
        desk.targets[target.identity.name] = target
        return run

    return sit_down


def test_pause_and_resume(told: Callable[..., str], golden: Golden):
    golden("pause-resume.txt", told("pause gateway", "pause gateway", "resume gateway", "resume gateway"))


def test_requests(told: Callable[..., str], golden: Golden):
    commands = (
        "promote gateway --by ann",
        "approve gateway --by ann",
        "skip gateway --to 100 --by ann",
        "skip gateway --to 30",
        "approve gateway --percent 100",
        "promote gateway --timeout 0 --by ann",
    )
    golden("requests.txt", told(*commands))


def test_a_request_the_operator_refuses(told: Callable[..., str], target: SimulatedTarget, golden: Golden):
    # Given a rollout that goes back between the look and the answer
    tick = target.tick

    def revert_instead(*arguments: Any, **options: Any) -> Any:
        if target.spec.request is not None and target.status.request is None:
            target.put(target.document.model_copy(update={"revision": 99}).sealed() if target.document else None)
            target.growth = 90_000.0
        return tick(*arguments, **options)

    target.tick = revert_instead  # type: ignore[method-assign]
    golden("request-refused.txt", told("promote gateway --by ann"))


def test_rollback_and_retry(told: Callable[..., str], golden: Golden):
    commands = (
        "rollback gateway",
        "retry gateway",
        "rollback gateway --yes",
        "rollback gateway --yes --ask none",
        "rollback --all --yes",
        "retry gateway",
        "rollback",
    )
    golden("rollback-retry.txt", told(*commands))


def test_a_rollback_before_the_first_step(telling: Callable[[SimulatedTarget], Callable[..., str]], golden: Golden):
    # Given a rollout that has yet to begin, because another one holds its target
    target = SimulatedTarget(rival="shop/other")
    target.tick(1)
    commands = (
        "rollback --all --yes --ask none",
        "pause gateway",
        "retry gateway",
        "resume gateway",
        "rollback gateway --yes --ask none -o json",
    )
    golden("rollback-pending.txt", telling(target)(*commands))


def test_a_rollback_of_a_new_attempt_waits_for_the_way_back(told: Callable[..., str], target: SimulatedTarget):
    # Given a completed rollout whose next attempt is asked for, and a sidecar that does not hear of 0%
    target.ask(steps=[Step(percent=percent, bake=timedelta(seconds=15)) for percent in (50, 100)])
    target.run_to(100)
    target.run(30)
    assert target.status.phase is Phase.COMPLETED
    target.sidecars["gw-1"].following = False
    target.ask(attempt=2)
    target.run(3)
    assert target.status.phase is Phase.PENDING

    # Then it is not said to be at the baseline while that one serves all
    text = told("rollback gateway --yes --ask none --timeout 1s")
    assert "NOT restored: shop/gateway: written; not done within 1 s; it is Pending" in text
    target.sidecars["gw-1"].following = True
    assert "at the baseline" in told("rollback gateway --yes --ask none --timeout 1m")


def test_a_rollback_that_a_sidecar_contradicts_is_not_done(
    told: Callable[..., str], monkeypatch: pytest.MonkeyPatch, golden: Golden
):
    # Given a sidecar that serves a share, although the operator says that all have confirmed 0%
    serving = Answer("gateway-1", 1, 5, "shop/gateway")
    answers = [Answer("gateway-0", 7, 0, "shop/gateway"), serving, Answer("gateway-2", 9, 50, "shop/other")]
    monkeypatch.setattr("sark_cli.commands.rollback.ask_sidecars", lambda *_, **__: answers)
    golden("rollback-contradicted.txt", told("rollback gateway --yes"))
    assert '"restored": false' in told("rollback gateway --yes -o json")


def test_nothing_to_roll_back_is_an_empty_list_for_programs(told: Callable[..., str]):
    assert told("rollback gateway --yes").endswith("[0]\n")
    assert told("rollback --all --yes -o json") == "> sark-rollout rollback --all --yes -o json\n[]\n[0]\n"


@pytest.mark.parametrize("data_format", ["json", "yaml"])
def test_rollback_for_programs(data_format: str, told: Callable[..., str], golden: Golden):
    golden(f"rollback-{data_format}.txt", told(f"rollback gateway --yes -o {data_format}"))


def test_a_rollback_that_does_not_come_to_its_end(told: Callable[..., str], target: SimulatedTarget, golden: Golden):
    # Its share holds for longer than the wait, however often is asked meanwhile.
    target.ask(valid_for=timedelta(hours=24))
    target.run(3)
    target.sidecars["gw-1"].following = False
    golden("rollback-unfinished.txt", told("rollback gateway --yes --timeout 1s"))
