"""Taking many rollouts back: all are asked at once, and whatever is odd about one, the others go back and are told."""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Callable, Iterator
from copy import deepcopy
from typing import Any

import pytest

from sark_cli import restoration
from sark_cli.__main__ import main
from sark_cli.connection import Connection
from sark_cli.exit_code import ExitCode
from sark_cli.failure import CommandError, StaleError, UnavailableError

Body = Callable[[str], dict[str, Any]]
AWAY = UnavailableError("cannot change it: the API server cannot be reached")


class Server:
    """An API server with rollouts; `takes_back` are those that an operator takes back as soon as it is asked."""

    def __init__(self, baking: dict[str, Any], reverted: dict[str, Any], names: list[str]) -> None:
        self.bodies = {name: _named(baking, name) for name in names}
        self.reverted = reverted
        self.takes_back: set[str] = set()
        self.odd: dict[str, Callable[[], None]] = {}
        """What happens when one is written."""
        self.looks: list[Callable[[], None]] = []
        """What happens at the next looks."""
        self.written_at_looks: list[int] = []

    @property
    def written(self) -> list[str]:
        return [name for name, body in self.bodies.items() if body["spec"].get("mode") == "Rollback"]

    def get(self, _: str, name: str) -> dict[str, Any]:
        self.all("")
        return self.bodies[name]

    def all(self, _: str) -> list[dict[str, Any]]:
        self.written_at_looks.append(len(self.written))
        if len(self.written_at_looks) > 1 and self.looks:
            self.looks.pop(0)()
        for name in self.takes_back & set(self.written):
            self.bodies[name] |= {"status": self.reverted["status"]}
        return [deepcopy(body) for body in self.bodies.values()]

    def patch(self, _: str, name: str, change: list[dict[str, Any]]) -> dict[str, Any]:
        self.odd.get(name, lambda: None)()
        assert change[-1] == {"op": "add", "path": "/spec/mode", "value": "Rollback"}
        self.bodies[name]["spec"]["mode"] = "Rollback"
        return deepcopy(self.bodies[name])


def _named(body: dict[str, Any], name: str) -> dict[str, Any]:
    return {**body, "spec": dict(body["spec"]), "metadata": {**body["metadata"], "name": name, "uid": name}}


def _raising(*errors: BaseException) -> Callable[[], None]:
    """Return what raises these, one after the other, and then nothing more."""
    left = list(errors)

    def go() -> None:
        if left:
            raise left.pop(0)

    return go


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, body: Body) -> Server:
    """Forty rollouts that bake."""
    made = Server(body("baking"), body("reverted"), [f"gateway-{number:02}" for number in range(40)])
    monkeypatch.setattr("sark_cli.commands.rollback.connect", lambda _: Connection(None, "shop", "https://kubernetes"))
    monkeypatch.setattr("sark_cli.commands.rollback.Rollouts", lambda _: made)
    monkeypatch.setattr(restoration, "POLL_SECONDS", 0.01)
    monkeypatch.setattr(restoration, "LEAST_WRITING_SECONDS", 0.2)
    return made


@pytest.fixture
def roll_back(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, dict[str, dict[str, Any]]]]:
    """Run `rollback` for a program, and return its exit status and what it told of each."""

    def run(*arguments: str) -> tuple[int, dict[str, dict[str, Any]]]:
        code = main(["rollback", *arguments, "--yes", "--ask", "none", "-o", "json"])
        return code, {each["name"].removeprefix("shop/"): each for each in json.loads(capsys.readouterr().out)}

    return run


def test_all_are_asked_before_any_is_waited_for(server: Server, roll_back: Callable[..., Any]):
    # Given an operator that does not work
    code, told = roll_back("--all", "--timeout", "1s")

    # Then every one was written when the first was looked after, and that is what is told
    assert server.written_at_looks[:2] == [0, 40]
    assert code == ExitCode.TIMED_OUT
    assert all(each["asked"] and not each["restored"] for each in told.values())
    assert all("written; not done within 1 s" in each["problem"] for each in told.values())


def test_one_the_api_server_does_not_take_is_asked_again_and_holds_up_no_other(server: Server, roll_back: Callable[..., Any]):
    # Given one that is not taken at first, more than are asked at once that never are, and one that is refused
    server.takes_back = set(server.bodies)
    server.odd["gateway-00"] = _raising(AWAY)
    stubborn = [f"gateway-{number:02}" for number in range(1, 19)]
    server.odd |= {name: _raising(*[AWAY] * 10_000) for name in stubborn}
    server.odd["gateway-39"] = _raising(CommandError("cannot change it: you may not"))

    code, told = roll_back("--all", "--timeout", "3s")

    # Then the others went back, and of these it is said that they were not asked
    assert code == ExitCode.FAILED
    assert {name for name, each in told.items() if not each["restored"]} == {*stubborn, "gateway-39"}
    assert told["gateway-01"]["problem"] == "NOT asked to go back: cannot change it: the API server cannot be reached"
    assert told["gateway-39"]["problem"] == "NOT asked to go back: cannot change it: you may not"
    assert not told["gateway-01"]["asked"]


def test_a_rollback_is_written_although_nobody_waits_for_the_answer(server: Server, roll_back: Callable[..., Any]):
    server.odd["gateway-00"] = _raising(AWAY, AWAY)
    code, told = roll_back("gateway-00", "--timeout", "0")
    assert (code, told["gateway-00"]["asked"]) == (ExitCode.DONE, True)
    assert server.written == ["gateway-00"]


def test_what_is_written_and_cannot_be_read_is_told_to_be_so(server: Server, roll_back: Callable[..., Any]):
    server.odd["gateway-00"] = lambda: server.bodies["gateway-00"].update(status={"phase": "Levitating"})
    for timeout in ("0", "1s"):
        code, told = roll_back("--all", "--timeout", timeout)
        each = told["gateway-00"]
        assert (code == ExitCode.DONE, each["asked"], each["restored"]) == (False, True, False)
        assert "written; " in each["problem"]
        server.bodies["gateway-00"]["status"] = server.bodies["gateway-01"]["status"]
        server.bodies["gateway-00"]["spec"]["mode"] = "Auto"


def test_an_api_server_that_is_away_for_a_moment_ends_no_wait(server: Server, roll_back: Callable[..., Any]):
    server.takes_back = set(server.bodies)
    server.looks = [_raising(AWAY), _raising(KeyError("items"))]
    code, told = roll_back("--all", "--timeout", "20s")
    assert code == ExitCode.DONE
    assert all(each["restored"] for each in told.values())


def test_one_that_stays_away_is_told_with_what_is_written(server: Server, roll_back: Callable[..., Any]):
    server.looks = [_raising(*[AWAY] * 10_000)] * 10_000
    code, told = roll_back("--all", "--timeout", "1s")
    assert code == ExitCode.TIMED_OUT
    assert "written; not seen to be done within 1 s: cannot change it" in told["gateway-07"]["problem"]


def test_whatever_is_odd_about_one_the_others_go_back(server: Server, roll_back: Callable[..., Any]):
    # Given one whose write does what nobody thought of, one that cannot be read from the start, and one that is deleted
    server.takes_back = set(server.bodies)
    server.odd["gateway-01"] = _raising(RecursionError("too deep"))
    server.bodies["gateway-02"]["status"] = {"phase": "Levitating"}
    server.odd["gateway-02"] = _raising(AWAY)
    server.looks = [lambda: server.bodies.pop("gateway-03") and None]

    code, told = roll_back("--all", "--timeout", "20s")

    assert code == ExitCode.FAILED
    assert {name for name, each in told.items() if not each["restored"]} == {"gateway-01", "gateway-02", "gateway-03"}
    assert told["gateway-01"]["problem"] == "NOT asked to go back: RecursionError: too deep"
    # Then also the one that cannot be read is asked: going back needs no reading
    assert told["gateway-02"]["problem"].startswith("asked to go back, and what comes of it cannot be seen: cannot read")
    assert told["gateway-02"]["asked"]
    assert "gateway-02" in server.written
    assert told["gateway-03"]["problem"].startswith("it was deleted meanwhile")


def test_one_that_others_write_too_is_asked_until_it_is_written(server: Server, roll_back: Callable[..., Any]):
    server.takes_back = set(server.bodies)
    server.odd["gateway-00"] = _raising(*[StaleError("cannot change it: it was changed meanwhile")] * 10)

    code, told = roll_back("gateway-00", "--timeout", "20s")

    assert (code, told["gateway-00"]["restored"]) == (ExitCode.DONE, True)


def test_one_that_somebody_else_takes_on_again_is_told_to_be_so(server: Server, roll_back: Callable[..., Any]):
    server.looks = [lambda: server.bodies["gateway-00"]["spec"].update(mode="Auto")]

    code, told = roll_back("gateway-00", "--timeout", "20s")

    assert code == ExitCode.FAILED
    assert told["gateway-00"]["problem"] == "asked to go back, and somebody else has set its mode to Auto since"


def test_one_that_cannot_be_read_is_asked_by_its_name_too(server: Server, roll_back: Callable[..., Any]):
    server.bodies["gateway-02"]["status"] = {"phase": "Levitating"}

    code, told = roll_back("gateway-02", "--timeout", "1s")

    assert code == ExitCode.FAILED
    assert server.written == ["gateway-02"]
    assert told["gateway-02"]["asked"]


def test_ctrl_c_while_waiting_tells_what_has_come_of_each(server: Server, capsys: pytest.CaptureFixture[str]):
    server.takes_back = {"gateway-00"}
    server.looks = [lambda: None, _raising(KeyboardInterrupt())]
    code = main(["rollback", "--all", "--yes", "--ask", "none"])
    said = capsys.readouterr().out
    assert code == ExitCode.INTERRUPTED
    assert "shop/gateway-00: at the baseline." in said
    assert "shop/gateway-01: NOT restored: asked to go back; interrupted before it was seen to be at the baseline" in said
    assert "1 of 40 rollouts done, 39 not: 39 asked to go back, 0 not asked" in said


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Have Ctrl-C do what it does in a terminal, whoever runs the tests."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_ctrl_c_while_asking_tells_asked_from_not_asked_and_does_not_hang(server: Server, roll_back: Callable[..., Any]):
    # Given an API server that hangs after three, and a person who does not want to wait for it
    asked, release, lock = iter(range(100)), threading.Event(), threading.Lock()

    def hang_after_three() -> None:
        with lock:
            number = next(asked)
        if number == 12:
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
        if number > 2:
            release.wait(60)

    server.odd = dict.fromkeys(server.bodies, hang_after_three)
    server.odd["gateway-00"] = _raising(CommandError("cannot change it: you may not"))
    try:
        code, told = roll_back("--all")
    finally:
        release.set()

    assert code == ExitCode.INTERRUPTED
    assert told["gateway-00"]["problem"] == "NOT asked to go back: cannot change it: you may not"
    said = [each["problem"] for each in told.values()]
    assert sum(each["asked"] for each in told.values()) == 3
    assert sum("asked to go back; interrupted before" in each for each in said) == 3
    assert sum("not known whether it is written" in each for each in said) >= 10
    assert sum("NOT asked to go back: interrupted" in each for each in said) >= 20
