"""The watch that kopf runs, as the operator starts it, and what the process says of itself."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, cast

import aiohttp
import kopf
import pytest
from aiohttp import web
from kubernetes.aio.client import Configuration

from sark_api.names import GROUP, KIND, PLURAL, VERSION
from sark_operator.shell import operator, patience
from sark_operator.shell.patience import Patience
from sark_operator.shell.probes import ProbeServer
from sark_operator.shell.rights import Rights
from sark_operator.shell.settings import Address, parse_settings
from sark_operator.shell.telemetry import Telemetry


def state_of(leadership: Any = None, crew: Any = None, rights: Any = None) -> operator._State:
    return operator._State(leadership, crew, rights, Telemetry())


@pytest.mark.asyncio
async def test_nobody_asks_the_machine_for_the_users_name(monkeypatch: pytest.MonkeyPatch):
    # Given a user without a name, as 65532 in an image is
    asked: dict[str, Any] = {}

    async def started(**arguments: Any) -> None:
        asked.update(arguments)

    monkeypatch.setattr(kopf, "operator", started)
    settings = parse_settings(["--namespace=shop", "--identity=pod-1"], {})

    # When the watch is started, then kopf is told who it is, and has no need to make a name
    await operator._watch(settings, cast("Any", None), state_of(), asyncio.Event())
    assert asked["identity"] == "pod-1"


@pytest.mark.asyncio
async def test_rollouts_that_are_overdue_make_the_process_sick_and_not_unready():
    # Given a crew of whose rollouts some are overdue, and a process that leads and watches
    class Late:
        def late(self) -> list[str]:
            return ["shop/gateway has not been evaluated for 200 s longer than planned"]

    class Leading:
        held = True
        foreign = ""

    state = state_of(Leading(), Late(), Rights(cast("Any", None), ["shop"], Telemetry()))
    state.standing_by = True
    state.watching.set()
    probes = ProbeServer(Address("127.0.0.1", 0), state.telemetry.registry, state.sick, state.not_ready, remarks=state.remarks)
    await probes.start()
    try:
        # When it is asked how it is, then it names them; its readiness is another matter
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as session:
            async with session.get(f"http://127.0.0.1:{probes.port}/healthz") as answer:
                assert (answer.status, await answer.text()) == (503, Late().late()[0] + "\n")
            async with session.get(f"http://127.0.0.1:{probes.port}/readyz") as answer:
                assert (answer.status, await answer.text()) == (200, "ok\n")
    finally:
        await probes.stop()


def test_a_process_that_is_ready_says_what_it_does_not_serve():
    class Refused:
        def refusals(self) -> list[str]:
            return ["namespace billing is not served: forbidden"]

    class StandingBy:
        foreign = "the Lease is held by another"

    state = state_of(StandingBy(), None, Refused())
    assert state.remarks() == ["namespace billing is not served: forbidden", "the Lease is held by another"]


def test_kopf_never_gives_a_request_up():
    # Given what kopf is told of pauses, when it has failed more often than its own patience lasts
    telemetry = Telemetry()
    pauses = operator._kopf_settings(telemetry).networking.error_backoffs
    assert isinstance(pauses, Patience)
    taken = [pause for pause, _ in zip(pauses, range(101), strict=False)]

    # Then it goes on at a steady pace, and each failure is counted
    assert max(taken) <= patience.LONGEST_SECONDS
    assert min(taken[len(patience.FIRST_SECONDS) :]) >= patience.LONGEST_SECONDS / 2
    assert telemetry.registry.get_sample_value("sark_operator_api_errors_total", {"verb": "watch", "error": "KopfError"}) > 99


class Crew:
    """Takes note of the rollouts that the watch shows."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def saw(self, raw: dict[str, Any]) -> None:
        self.seen.append(f"{raw['metadata']['namespace']}/{raw['metadata']['name']}")


def _resources(kind: str, plural: str) -> Callable[[web.Request], Awaitable[web.Response]]:
    """Return what answers with the one kind of a group."""

    async def answer(_: web.Request) -> web.Response:
        verbs = ["get", "list", "watch", "patch"]
        one = {"name": plural, "singularName": "", "namespaced": kind == KIND, "kind": kind, "verbs": verbs}
        return web.json_response({"resources": [one]})

    return answer


class ApiServer:
    """As much of one as kopf asks for: a rollout in each namespace, whose list may be refused and whose watch ends at once."""

    def __init__(self) -> None:
        self.refused: set[str] = set()
        self.status = 403
        """What a namespace that is refused is answered with."""
        self.refusals = 0
        self.watched = (200, '{"type": "ERROR", "object": {"code": 410}}')
        """What a watch is answered with: it has expired, and begins with a list again."""

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[Configuration]:
        application = web.Application()
        application.router.add_get("/api", self._versions)
        application.router.add_get("/apis", self._groups)
        for prefix, kind, plural in (
            ("/api/v1", "Namespace", "namespaces"),
            ("/apis/apiextensions.k8s.io/v1", "CustomResourceDefinition", "customresourcedefinitions"),
            (f"/apis/{GROUP}/{VERSION}", KIND, PLURAL),
        ):
            application.router.add_get(prefix, _resources(kind, plural))
        application.router.add_get(f"/apis/{GROUP}/{VERSION}/namespaces/{{namespace}}/{PLURAL}", self._rollouts)
        runner = web.AppRunner(application)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        configuration = Configuration()
        configuration.host = f"http://127.0.0.1:{runner.addresses[0][1]}"
        try:
            yield configuration
        finally:
            await runner.cleanup()

    async def _versions(self, _: web.Request) -> web.Response:
        return web.json_response({"versions": ["v1"]})

    async def _groups(self, _: web.Request) -> web.Response:
        found = [(GROUP, {"version": VERSION}), ("apiextensions.k8s.io", {"version": "v1"})]
        groups = [{"name": name, "versions": [version], "preferredVersion": version} for name, version in found]
        return web.json_response({"groups": groups})

    async def _rollouts(self, request: web.Request) -> web.Response:
        namespace = request.match_info["namespace"]
        if namespace in self.refused:
            self.refusals += 1
            return web.json_response({"kind": "Status", "code": self.status, "message": "no"}, status=self.status)
        if "watch" in request.query:
            return web.json_response(status=self.watched[0], text=self.watched[1])
        metadata = {"namespace": namespace, "name": "gateway", "uid": namespace, "resourceVersion": "7"}
        return web.json_response({"metadata": {"resourceVersion": "7"}, "items": [{"metadata": metadata}]})


async def ended(watch: asyncio.Task[None]) -> None:
    """Wait for the end of kopf, whose watches may need to be told more than once.

    One that begins anew in that very moment takes it for the end of what it has waited for. The operator waits a while only.
    """
    async with asyncio.timeout(30):
        while not (await asyncio.wait({watch}, timeout=1))[0]:
            for task in asyncio.all_tasks():
                if task.get_name().startswith("watcher for "):
                    task.cancel()


@pytest.mark.asyncio
@pytest.mark.parametrize("status", [401, 403, 404, 405])
async def test_a_namespace_that_is_refused_keeps_no_other_from_being_watched(monkeypatch: pytest.MonkeyPatch, status: int):
    # Given two namespaces, of which one is refused, in whatever way
    monkeypatch.setattr(patience, "FIRST_SECONDS", ())
    monkeypatch.setattr(patience, "LONGEST_SECONDS", 0.02)
    server, crew, halt = ApiServer(), Crew(), asyncio.Event()
    server.refused, server.status = {"billing"}, status
    settings = parse_settings(["--namespace=shop", "--namespace=billing", "--identity=pod-1"], {})

    async def until(reached: Any) -> None:
        async with asyncio.timeout(30):
            while not reached():
                assert not watch.done()
                await asyncio.sleep(0.01)

    async with server.serving() as configuration:
        watch = asyncio.create_task(operator._watch(settings, configuration, state_of(crew=crew), halt))
        try:
            # When it has been refused more often than kopf by itself would take, then the other one is still being watched
            await until(lambda: server.refusals > 20)
            shown = len(crew.seen)
            await until(lambda: len(crew.seen) > shown + 1)
            assert set(crew.seen) == {"shop/gateway"}

            # And when it is refused no longer, then it is watched too; and it may be refused again, in the middle
            server.refused.clear()
            await until(lambda: "billing/gateway" in crew.seen)
            server.refused, server.refusals = {"billing"}, 0
            await until(lambda: server.refusals > 20)
        finally:
            halt.set()
            await ended(watch)


def _error(code: int) -> str:
    status = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "message": "no"}
    return json.dumps({"type": "ERROR", "object": status})


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("status", "body"),
    [
        pytest.param(200, _error(500), id="a fault of the API server"),
        pytest.param(200, _error(429), id="one that has too much to do"),
        pytest.param(200, _error(403), id="a right that was taken away"),
        pytest.param(200, '{"type": "ERROR", "object": {"message": "no"}}', id="an error without a number"),
        pytest.param(200, '{"type": "ERROR"}', id="an error without an object"),
        pytest.param(200, '{"type": "ADDED", "object": {"metada', id="half a line"),
        pytest.param(200, '{"type": "ADDED", "object": {"kind": "Sark"}}', id="an object without a name"),
        pytest.param(200, "[]", id="no event"),
        pytest.param(200, "\xff", id="no text"),
        pytest.param(410, '{"kind": "Status", "code": 410}', id="expired before it began"),
    ],
)
async def test_a_watch_that_breaks_off_with_an_error_begins_anew(monkeypatch: pytest.MonkeyPatch, status: int, body: str):
    # Given an API server whose watches end with an error, whichever
    monkeypatch.setattr(patience, "FIRST_SECONDS", ())
    monkeypatch.setattr(patience, "LONGEST_SECONDS", 0.02)
    server, crew, halt = ApiServer(), Crew(), asyncio.Event()
    server.watched = (status, body)
    state = state_of(crew=crew)
    settings = parse_settings(["--namespace=shop", "--identity=pod-1"], {})

    async with server.serving() as configuration:
        watch = asyncio.create_task(operator._watch(settings, configuration, state, halt))
        try:
            # When that has happened more than once, then kopf still watches, and has listed what there is each time
            async with asyncio.timeout(30):
                while len(crew.seen) < 4:
                    assert not watch.done(), watch.exception()
                    await asyncio.sleep(0.01)
        finally:
            halt.set()
            await ended(watch)

    # And each time was counted
    labels = {"verb": "watch", "error": "StreamError"}
    assert (state.telemetry.registry.get_sample_value("sark_operator_api_errors_total", labels) or 0) >= 3
