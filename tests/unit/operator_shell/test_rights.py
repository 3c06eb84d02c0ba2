"""Which namespaces can be served, as the API server says again and again."""

from __future__ import annotations

import asyncio

import pytest

from sark_operator.shell import rights as module
from sark_operator.shell.api import NotServedError, RefusedError, UnavailableError
from sark_operator.shell.rights import Rights
from sark_operator.shell.telemetry import Telemetry

pytestmark = pytest.mark.asyncio


class Source:
    """Stands for the API server: it raises what is said of a namespace."""

    def __init__(self) -> None:
        self.errors: dict[str, Exception] = {}
        self.asked: list[str] = []

    async def check_rollouts(self, namespace: str) -> None:
        self.asked.append(namespace)
        if namespace in self.errors:
            raise self.errors[namespace]


class Place:
    """The rights in shop and billing, and what is told of them."""

    def __init__(self, *namespaces: str) -> None:
        self.source, self.telemetry = Source(), Telemetry()
        self.rights = Rights(self.source, namespaces, self.telemetry)

    async def begin(self) -> None:
        await asyncio.wait_for(self.rights.begin(asyncio.Event()), 10)

    def unserved(self, namespace: str) -> float | None:
        return self.telemetry.registry.get_sample_value("sark_operator_unserved", {"sark_namespace": namespace})


async def test_one_namespace_that_is_refused_is_told_of_and_the_other_counts():
    place = Place("shop", "billing")
    place.source.errors["billing"] = RefusedError("forbidden")

    await place.begin()

    assert place.rights.missing == ""
    assert place.rights.refusals() == ["namespace billing is not served: forbidden"]
    assert (place.unserved("shop"), place.unserved("billing")) == (0, 1)


async def test_nothing_can_be_served_where_all_is_refused():
    place = Place("shop", "billing")
    place.source.errors = {"shop": RefusedError("forbidden"), "billing": NotServedError("not found")}

    await place.begin()

    assert place.rights.missing == "forbidden"


async def test_the_whole_cluster_is_one_place():
    place = Place()
    place.source.errors[""] = RefusedError("forbidden")

    await place.begin()

    assert place.source.asked == [""]
    assert place.rights.missing == "forbidden"
    assert place.rights.refusals() == ["the cluster is not served: forbidden"]
    assert place.unserved("*") == 1


async def test_a_server_that_is_away_is_waited_for_at_the_start(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "START_RETRY_SECONDS", 0.01)
    place = Place("shop")
    place.source.errors["shop"] = UnavailableError("away")
    beginning = asyncio.create_task(place.begin())
    while len(place.source.asked) < 3:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    assert not beginning.done()

    place.source.errors.clear()
    await beginning
    assert place.unserved("shop") == 0


async def test_what_is_lost_and_given_back_is_found_out(monkeypatch: pytest.MonkeyPatch):
    # Given two namespaces that are served
    monkeypatch.setattr(module, "RECHECK_SECONDS", 0.01)
    place = Place("shop", "billing")
    await place.begin()
    keeping = asyncio.create_task(place.rights.keep())

    async def until(unserved: float) -> None:
        async with asyncio.timeout(10):
            while place.unserved("billing") != unserved:  # noqa: ASYNC110
                await asyncio.sleep(0.01)

    try:
        # When one is lost, then it is told of; a server that is away changes nothing, and one that answers wrongly ends nothing
        place.source.errors = {"billing": RefusedError("forbidden")}
        await until(1)
        assert place.unserved("shop") == 0
        for error in (UnavailableError("away"), RuntimeError("broken")):
            place.source.errors, before = {"billing": error}, len(place.source.asked)
            while len(place.source.asked) < before + 4:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            assert place.unserved("billing") == 1

        # And when it is back, then it is served again
        place.source.errors.clear()
        await until(0)
        assert place.rights.refusals() == []
    finally:
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)
