"""When a candidate may take the Lease over."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest
from kubernetes.aio.client.models import V1Lease, V1LeaseSpec, V1ObjectMeta

from sark_operator.shell import leadership as module
from sark_operator.shell.leadership import Leadership
from sark_operator.shell.lease import Lease
from sark_operator.shell.settings import parse_settings
from sark_operator.shell.telemetry import Telemetry

RENEWED = datetime(2026, 1, 1, tzinfo=UTC)
SECONDS = 15


@dataclass
class Store:
    """Stands for the API server: a Lease of somebody else, touched or renewed at each look."""

    touched: bool
    renewed: bool
    looks: int = 0
    what = "Lease sark/operator"

    async def read(self) -> Lease:
        self.looks += 1
        at = RENEWED + timedelta(seconds=self.looks if self.renewed else 0)
        version = str(self.looks if self.touched or self.renewed else 1)
        return Lease(
            V1Lease(
                metadata=V1ObjectMeta(name="operator", uid="u", resource_version=version),
                spec=V1LeaseSpec(holder_identity="dead", lease_duration_seconds=SECONDS, renew_time=at),
            )
        )

    async def replace(self, lease: Lease) -> Lease:
        return lease


class Clock:
    """One that goes on by two seconds whenever it is looked at."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self) -> datetime:
        return RENEWED + timedelta(days=1)

    def monotonic(self) -> float:
        self.seconds += 2
        return self.seconds


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("touched", "renewed", "taken"),
    [(False, False, True), (True, False, True), (False, True, False)],
    ids=["a dead holder", "a dead holder, and somebody who annotates the Lease", "a live holder"],
)
async def test_a_lease_is_taken_over_when_its_holder_has_been_silent(
    monkeypatch: pytest.MonkeyPatch, touched: bool, renewed: bool, taken: bool
) -> None:
    store = Store(touched=touched, renewed=renewed)
    monkeypatch.setattr(module, "LeaseStore", lambda *_, **__: store)
    settings = parse_settings(["--namespace", "shop", "--lease-namespace", "sark"], {})
    subject = Leadership(cast("Any", None), settings, Clock(), Telemetry(), end_process=lambda _: None)

    tries = [await subject._tried() for _ in range(20)]

    assert any(tries) is taken
    if taken:
        assert tries.index(True) >= SECONDS // 2 - 1


class UnreadLog:
    """A log that takes nothing, as a full pipe that nobody reads, until it is over."""

    def __init__(self) -> None:
        self.tried = threading.Event()
        self.over = threading.Event()

    def error(self, *_: object, **__: object) -> None:
        self.tried.set()
        self.over.wait(20)


def test_a_process_that_must_end_ends_although_nobody_reads_its_log(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a process whose Lease has run out, and a log that takes nothing
    log, ended = UnreadLog(), list[int]()
    monkeypatch.setattr(module, "_log", log)
    monkeypatch.setattr(module, "LAST_WORD_SECONDS", 0.05)
    settings = parse_settings(["--namespace", "shop", "--lease-namespace", "sark"], {})
    subject = Leadership(cast("Any", None), settings, Clock(), Telemetry(), end_process=ended.append)

    # When it is ended
    ending = threading.Thread(target=subject._end)
    ending.start()
    ending.join(10)

    # Then it does not wait for its last word
    assert log.tried.wait(10)
    assert ended == [module.LEASE_LOST_STATUS]
    log.over.set()


def test_a_process_that_must_end_ends_where_no_thread_can_be_started(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a process that has as many threads as it may
    ended: list[int] = []
    settings = parse_settings(["--namespace=shop", "--lease-namespace=shop"], {})
    subject = Leadership(cast("Any", None), settings, Clock(), Telemetry(), end_process=ended.append)

    def refuses(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    # When its Lease has run out, then it has ended all the same
    monkeypatch.setattr(threading.Thread, "start", refuses)
    with pytest.raises(RuntimeError):
        subject._end()
    assert ended == [module.LEASE_LOST_STATUS]
