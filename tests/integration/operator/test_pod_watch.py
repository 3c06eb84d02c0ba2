"""Pods followed on a real API server: the watch shows what a list would, and nobody believes it when it has broken off."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest
import pytest_asyncio
from kubernetes import client

from sark_e2e.control_plane import ControlPlane
from sark_e2e.loopback import LoopbackNetwork
from sark_e2e.pod import PodAddress, create_pod, set_status
from sark_operator.shell.api import UnavailableError
from sark_operator.shell.clock import SystemClock
from sark_operator.shell.cluster import KubernetesCluster
from sark_operator.shell.connection import load_configuration, open_client
from sark_operator.shell.pod_watch import PodWatch
from sark_operator.shell.settings import parse_settings
from sark_operator.shell.telemetry import Telemetry

from .test_cluster import Leading

pytestmark = pytest.mark.asyncio
LABELS = {"app": "shop"}
PATIENCE_SECONDS = 30.0


class Counting(KubernetesCluster):
    """The door, which counts how often it was asked for the pods of one target."""

    asked = 0

    async def ready_pods(self, *question: object) -> Sequence[object]:  # type: ignore[override]
        self.asked += 1
        return await super().ready_pods(*question)  # type: ignore[arg-type]


@pytest_asyncio.fixture
async def door(crd: ControlPlane) -> AsyncIterator[Counting]:
    settings = parse_settings([f"--kubeconfig={crd.kubeconfig}", "--all-namespaces"], {})
    async with open_client(await load_configuration(settings)) as opened:
        yield Counting(opened, Telemetry(), Leading(), instance="operator-1")


@pytest_asyncio.fixture
async def watch(door: Counting) -> AsyncIterator[PodWatch]:
    followed = PodWatch(door, SystemClock())
    yield followed
    await followed.close()


def create(api: client.ApiClient, namespace: str, name: str, address: str, *, ready: bool = True) -> PodAddress:
    pod = PodAddress(namespace, name, address)
    create_pod(api, pod, labels=LABELS)
    set_status(api, pod, ready=ready, restarts=0)
    return pod


async def shown(watch: PodWatch, namespace: str, names: list[str]) -> None:
    """Wait until the watch shows these pods."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while [pod.name for pod in await watch.ready_pods(namespace, LABELS)] != names:  # noqa: ASYNC110 - a server is waited for
            await asyncio.sleep(0.05)


async def followed(watch: PodWatch, door: Counting, namespace: str) -> None:
    """Wait until a question no longer reaches the API server."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            before = door.asked
            await watch.ready_pods(namespace, LABELS)
            if door.asked == before:
                return
            await asyncio.sleep(0.05)


async def test_pods_that_come_change_and_go_are_seen_without_a_question(
    watch: PodWatch, door: Counting, api: client.ApiClient, namespace: str, network: LoopbackNetwork
):
    # Given a namespace with a pod, whose watch is open
    first = create(api, namespace, "a", network.pod())
    await followed(watch, door, namespace)
    asked = door.asked

    # When one comes, one stops being ready, and one is deleted
    create(api, namespace, "b", network.pod())
    await shown(watch, namespace, ["a", "b"])
    set_status(api, first, ready=False, restarts=0)
    await shown(watch, namespace, ["b"])
    client.CoreV1Api(api).delete_namespaced_pod("b", namespace, grace_period_seconds=0)
    await shown(watch, namespace, [])

    # Then nobody was asked for it
    assert door.asked == asked


async def test_a_server_that_does_not_end_its_watch_has_fallen_silent(door: Counting, namespace: str):
    _, version = await door.all_pods(namespace)
    with pytest.raises(UnavailableError, match="has fallen silent"):  # noqa: PT012 - the context itself is what is tested
        async with door.pod_events(namespace, version, seconds=3600, patience=-3599.0) as events:
            async for _ in events:
                pass
