"""The watch of the flags ConfigMap against a real API server, through a link that can be cut or made to hang."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import pytest_asyncio
import yaml
from kubernetes import client

from sark_api.flags import FeatureFlags, FlagDocument
from sark_api.names import FLAGS_KEY
from sark_api.report import FlagState
from sark_e2e import chart
from sark_e2e.control_plane import ControlPlane
from sark_e2e.service_account import create_service_account
from sark_sidecar.flags import configmap
from sark_sidecar.flags.cluster import cluster_client
from sark_sidecar.flags.configmap import FlagConfigMap
from sark_sidecar.flags.following import FlagFollower
from sark_sidecar.flags.state import Origin, Share
from sark_sidecar.telemetry import Telemetry

NAME = "gateway-flags"
RULES = chart.rules("sidecar-rules", flags=NAME)


class Link:
    """A TCP forwarder to the API server that can be cut (refused and reset) or frozen (open, but nothing passes)."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._writers: set[asyncio.StreamWriter] = set()
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._server: asyncio.Server | None = None
        self.connections = 0
        self.port = 0

    async def open(self) -> None:
        self._server = await asyncio.start_server(self._serve, self._target[0], self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    def cut(self) -> None:
        assert self._server is not None
        self._server.close()
        for writer in self._writers:
            writer.transport.abort()

    def freeze(self) -> None:
        self._flowing.clear()

    def thaw(self) -> None:
        self._flowing.set()

    async def close(self) -> None:
        """Cut, and wait until nothing is open."""
        self.thaw()
        self.cut()
        await until(lambda: self.connections == 0)
        await asyncio.sleep(0.05)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        upstream_reader, upstream_writer = await asyncio.open_connection(*self._target)
        self._writers |= {writer, upstream_writer}
        self.connections += 1
        try:
            await asyncio.gather(
                self._pump(reader, upstream_writer), self._pump(upstream_reader, writer), return_exceptions=True
            )
        finally:
            for each in (writer, upstream_writer):
                self._writers.discard(each)
                each.transport.abort()
            self.connections -= 1

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65_536):
            await self._flowing.wait()
            writer.write(data)
            await writer.drain()
        writer.close()


class NoMetrics:
    def set_gauge(self, name: str, help: str, value: float) -> None:  # noqa: A002
        """Keep nothing."""

    def inc_counter(self, name: str, help: str, amount: int = 1) -> None:  # noqa: A002
        """Keep nothing."""


def document(percentage: int, revision: int) -> FlagDocument:
    return FlagDocument(
        feature_flags=FeatureFlags(rust_opa_enabled=True, rust_cache_enabled=True, rollout_percentage=percentage),
        salt="salt",
        rollout="team/gateway",
        revision=revision,
        valid_until=datetime.now(UTC) + timedelta(minutes=5) if 0 < percentage < 100 else None,
    ).sealed()


class Flags:
    """The ConfigMap, as the operator writes it."""

    def __init__(self, core: client.CoreV1Api, namespace: str) -> None:
        self._core = core
        self.namespace = namespace

    async def write(self, text: str, key: str = FLAGS_KEY) -> None:
        body = client.V1ConfigMap(metadata=client.V1ObjectMeta(name=NAME), data={key: text})
        try:
            await asyncio.to_thread(self._core.replace_namespaced_config_map, NAME, self.namespace, body)
        except client.ApiException as error:
            if error.status != 404:
                raise
            await asyncio.to_thread(self._core.create_namespaced_config_map, self.namespace, body)

    async def delete(self) -> None:
        await asyncio.to_thread(self._core.delete_namespaced_config_map, NAME, self.namespace)


@pytest.fixture
def flags(api: client.ApiClient, namespace: str) -> Flags:
    return Flags(client.CoreV1Api(api), namespace)


@pytest.fixture
def kubeconfig(api: client.ApiClient, control_plane: ControlPlane, namespace: str, tmp_path: Path) -> Path:
    """Of an account that may see this one ConfigMap and nothing else."""
    account = create_service_account(
        api, control_plane.access, namespace=namespace, name="sidecar", folder=tmp_path, rules=RULES
    )
    return account.access.kubeconfig


@pytest_asyncio.fixture
async def link(control_plane: ControlPlane) -> AsyncIterator[Link]:
    address = urlsplit(control_plane.access.server)
    opened = Link(address.hostname or "", address.port or 0)
    await opened.open()
    yield opened
    await opened.close()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Short watches, so that a dead connection is noticed within the test."""
    monkeypatch.setattr(configmap, "WATCH_SECONDS", 2)
    monkeypatch.setattr(configmap, "GRACE_SECONDS", 1.0)
    monkeypatch.setattr(configmap.random, "randrange", lambda _: 0)
    return


def point_at(kubeconfig: Path, link: Link) -> None:
    """Let the kubeconfig lead through the link."""
    members = yaml.safe_load(kubeconfig.read_text(encoding="utf-8"))
    server = members["clusters"][0]["cluster"]
    server["server"] = f"https://{urlsplit(server['server']).hostname}:{link.port}"
    kubeconfig.write_text(yaml.safe_dump(members), encoding="utf-8")


@asynccontextmanager
async def following(kubeconfig: Path, namespace: str, link: Link | None = None) -> AsyncIterator[FlagFollower]:
    if link is not None:
        point_at(kubeconfig, link)
    applied: list[Share] = []
    follower = FlagFollower(follows_api=True, apply=applied.append, telemetry=Telemetry(NoMetrics()))
    api = await cluster_client(kubeconfig)
    watch = watch_of(api, namespace, follower)
    task = asyncio.create_task(watch.run())
    try:
        yield follower
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await api.close()


def watch_of(api: object, namespace: str, follower: FlagFollower) -> FlagConfigMap:
    return FlagConfigMap(
        api,  # type: ignore[arg-type]
        namespace,
        NAME,
        on_text=lambda text: follower.receive(text, Origin.WATCH),
        on_absent=lambda reason: follower.absent(reason, Origin.WATCH),
        on_link=follower.link,
    )


async def until(condition: Callable[[], bool], seconds: float = 20) -> None:
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - what is waited for knows nothing of events
            await asyncio.sleep(0.01)


@pytest.mark.asyncio
async def test_documents_are_applied_as_they_are_written_and_broken_ones_refused(flags: Flags, kubeconfig: Path):
    async with following(kubeconfig, flags.namespace) as follower:
        # Given no ConfigMap yet
        await until(follower.answered.is_set)
        assert (follower.flags.state, follower.problem) == (
            FlagState.NONE,
            f"ConfigMap {flags.namespace}/{NAME} does not exist",
        )

        # When one is written, and written again
        await flags.write(document(5, 1).to_json())
        await until(lambda: follower.flags.share.percentage == 5)
        await flags.write(document(25, 2).to_json())
        await until(lambda: follower.flags.share.percentage == 25)
        assert (follower.flags.state, follower.problem) == (FlagState.WATCHING, "")

        # Then a half-written one and a far too large one change nothing but the count, and a missing key is only said
        await flags.write(document(50, 3).to_json()[:-20])
        await until(lambda: follower.flags.refused == 1)
        await flags.write("x", key="other")
        await until(lambda: "has no key flags.json" in follower.problem)
        await flags.write("x" * 900_000)
        await until(lambda: follower.flags.refused == 2)
        assert (follower.flags.share.percentage, follower.flags.state) == (25, FlagState.WATCHING)

        # And an older revision cannot undo the newer one
        await flags.write(document(0, 4).to_json())
        await until(lambda: follower.flags.share.revision == 4)
        await flags.write(document(100, 3).to_json())
        await until(lambda: follower.flags.ignored == 1)
        assert follower.flags.share.percentage == 0


@pytest.mark.asyncio
async def test_a_deleted_config_map_leaves_the_document_in_force_and_a_new_one_is_followed(flags: Flags, kubeconfig: Path):
    async with following(kubeconfig, flags.namespace) as follower:
        await flags.write(document(100, 1).to_json())
        await until(lambda: follower.flags.share.percentage == 100)
        await flags.delete()
        await until(lambda: "was deleted" in follower.problem)
        assert follower.flags.share.percentage == 100
        await flags.write(document(0, 2).to_json())
        await until(lambda: follower.flags.share.revision == 2)
        assert follower.problem == ""


@pytest.mark.asyncio
async def test_a_cut_link_makes_the_flags_stale_and_what_was_missed_is_caught_up(flags: Flags, kubeconfig: Path, link: Link):
    await flags.write(document(25, 1).to_json())
    async with following(kubeconfig, flags.namespace, link) as follower:
        await until(lambda: follower.flags.state is FlagState.WATCHING)

        # When the API goes away
        link.cut()
        await until(lambda: follower.flags.state is FlagState.STALE)
        assert follower.problem
        assert follower.flags.share.percentage == 25
        await flags.write(document(0, 2).to_json())

        # Then, once it is back, the flags are those written meanwhile
        await link.open()
        await until(lambda: follower.flags.share.revision == 2)
        await until(lambda: follower.flags.state is FlagState.WATCHING)


@pytest.mark.asyncio
async def test_a_connection_that_hangs_without_a_word_is_noticed(flags: Flags, kubeconfig: Path, link: Link, impatient: None):
    await flags.write(document(25, 1).to_json())
    async with following(kubeconfig, flags.namespace, link) as follower:
        await until(lambda: follower.flags.state is FlagState.WATCHING)
        link.freeze()
        await until(lambda: follower.flags.state is FlagState.STALE)
        await flags.write(document(0, 2).to_json())
        link.thaw()
        await until(lambda: follower.flags.share.revision == 2)


@pytest.mark.asyncio
async def test_a_watch_that_is_given_up_waits_for_nobodys_goodbye(flags: Flags, kubeconfig: Path, link: Link):
    await flags.write(document(25, 1).to_json())
    async with following(kubeconfig, flags.namespace, link) as follower:
        await until(lambda: follower.flags.state is FlagState.WATCHING)
        await flags.write(document(50, 2).to_json())
        await until(lambda: follower.flags.share.revision == 2)
        # Given a server that has fallen silent
        link.freeze()
    # When the watch is given up, then its connection is gone, and not only once the server has answered
    await until(lambda: link.connections == 0, seconds=5)


@pytest.mark.asyncio
async def test_one_watch_after_the_other_misses_nothing(flags: Flags, kubeconfig: Path, impatient: None):
    # Given watches that the server ends every two seconds
    await flags.write(document(5, 1).to_json())
    async with following(kubeconfig, flags.namespace) as follower:
        for revision in range(2, 14):
            await flags.write(document(5, revision).to_json())
            await until(lambda revision=revision: follower.flags.share.revision == revision)  # type: ignore[misc]
            assert follower.flags.state is FlagState.WATCHING
            await asyncio.sleep(0.4)


@pytest.mark.asyncio
async def test_an_account_without_rights_is_told_so(
    flags: Flags, api: client.ApiClient, control_plane: ControlPlane, tmp_path: Path
):
    account = create_service_account(api, control_plane.access, namespace=flags.namespace, name="nobody", folder=tmp_path)
    async with following(account.access.kubeconfig, flags.namespace) as follower:
        await until(lambda: "403" in follower.problem)
        assert not follower.answered.is_set()
