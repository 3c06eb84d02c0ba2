"""What the API server's answers mean to the operator."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from kubernetes.aio.client.exceptions import ApiException

from sark_operator.shell.api import (
    ClusterError,
    ForeignOwnerError,
    NamespaceEndingError,
    NotServedError,
    ObjectMissingError,
    RefusedError,
    StaleVersionError,
    UnavailableError,
)
from sark_operator.shell.clock import SystemClock
from sark_operator.shell.cluster import translate
from sark_operator.shell.pacer import Pacer
from sark_operator.shell.telemetry import Telemetry
from sark_operator.shell.worker import LONGEST_RETRY_SECONDS, Worker


def answer(status: int, *, headers: dict[str, str] | None = None, causes: list[dict[str, str]] | None = None) -> ApiException:
    error = ApiException(status=status, reason="no")
    error.body = json.dumps({"message": "said so", "details": {"causes": causes or []}})
    error.headers = headers
    return error


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (404, NotServedError),
        (409, StaleVersionError),
        (410, UnavailableError),
        (429, UnavailableError),
        (500, UnavailableError),
        (503, UnavailableError),
        (400, RefusedError),
        (403, RefusedError),
        (422, RefusedError),
    ],
)
def test_each_status_has_its_error(status: int, kind: type[ClusterError]):
    found = translate("read X", answer(status))
    assert type(found) is kind
    assert str(found) == f"read X: said so (HTTP {status})"


def test_an_object_that_is_gone_is_told_from_a_path_that_nobody_serves():
    # Given the answer about an object, which names it, and those of a server that does not know the kind or the path
    gone = answer(404)
    gone.body = json.dumps({"message": 'sarkrollouts.sark.dev "gateway" not found', "details": {"name": "gateway"}})
    unserved = answer(404)
    for body in (
        '{"message": "the server could not find the requested resource", "details": {}}',
        "404 page not found",
        '{"details": 1}',
    ):
        unserved.body = body

        # Then only the first means that there is no such object
        assert type(translate("x", gone)) is ObjectMissingError
        assert type(translate("x", unserved)) is NotServedError


def test_two_kinds_of_409_and_of_422_are_told_apart():
    assert isinstance(translate("x", answer(409, causes=[{"reason": "FieldManagerConflict"}])), ForeignOwnerError)
    assert isinstance(translate("x", answer(422), failed_test_is_stale=True), StaleVersionError)


def test_a_namespace_that_is_going_away_is_told_from_a_missing_right():
    assert isinstance(translate("x", answer(403, causes=[{"reason": "NamespaceTerminating"}])), NamespaceEndingError)


@pytest.mark.parametrize(
    ("header", "seconds"), [("3", 3.0), ("100000", 60.0), ("Fri, 27 Nov 2026 00:00:00 GMT", 0.0), ("-1", 0.0), ("\u0663", 0.0)]
)
def test_retry_after_is_read_and_bounded(header: str, seconds: float):
    found = translate("x", answer(429, headers={"retry-after": header}))
    assert isinstance(found, UnavailableError)
    assert found.retry_after == seconds


@pytest.mark.parametrize(
    ("asked", "least", "most"), [(0.0, 0.25, 0.5), (4.0, 4.0, 4.0), (60.0, LONGEST_RETRY_SECONDS, LONGEST_RETRY_SECONDS)]
)
def test_a_worker_leaves_the_server_alone_for_as_long_as_it_asks_within_bounds(asked: float, least: float, most: float):
    class Unlucky:
        async def tick(self, *_: str) -> None:
            raise UnavailableError("busy", retry_after=asked)

    reconciler: Any = Unlucky()
    subject = Worker("shop", "gateway", "u1", reconciler=reconciler, pacer=Pacer(0), clock=SystemClock(), telemetry=Telemetry())
    wait = asyncio.run(subject._tick())
    assert wait is not None
    assert least <= wait <= most
