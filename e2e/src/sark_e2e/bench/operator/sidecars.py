"""Many simulated sidecars in one thread: they follow the real ConfigMaps, answer the operator, and are scraped as one target.

Each rollout has a port of its own on every pod address, so that thousands of pods fit into one loopback network.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Final, Self

from aiohttp import web
from kubernetes.aio import client, watch

from sark_api.flags import FlagDocument
from sark_api.names import FLAGS_KEY
from sark_api.report import FLAGS_PATH, FlagReport, FlagState
from sark_sidecar.flags.cluster import cluster_client

from .exposition import Pods

POLICY: Final = "bench"
_START_SECONDS: Final = 60.0


class Sidecars:
    """The sidecars of many rollouts. A context manager; everything of it runs in a thread of its own."""

    def __init__(self, ports: Mapping[str, int], hosts: Sequence[str], scrape: tuple[str, int], kubeconfig: Any) -> None:
        """Answer for the rollouts in `ports` (by namespace/name) on all `hosts`; Prometheus scrapes at `scrape`."""
        self.pods = {key: Pods(key) for key in ports}
        self.seen: dict[str, dict[int, float]] = {key: {} for key in ports}
        """By rollout: when each share was first seen in the ConfigMap, monotonic."""
        self.asked = 0
        """How often the operator asked one of them."""
        self._ports, self._hosts, self._scrape, self._kubeconfig = ports, hosts, scrape, kubeconfig
        self._scraped = time.monotonic()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), name="sidecars", daemon=True)

    def fail(self, keys: Sequence[str]) -> None:
        """Let every request of the new arm fail from now on."""
        for key in keys:
            self.pods[key].failing = True

    def __enter__(self) -> Self:
        self._thread.start()
        if not self._ready.wait(_START_SECONDS):
            raise TimeoutError("the simulated sidecars did not start")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join(_START_SECONDS)

    async def _serve(self) -> None:
        self._loop, self._end = asyncio.get_running_loop(), asyncio.Event()
        runner = web.AppRunner(self._application(), access_log=None)
        await runner.setup()
        for port in self._ports.values():
            for host in self._hosts:
                await web.TCPSite(runner, host, port).start()
        await web.TCPSite(runner, *self._scrape).start()
        follower = asyncio.create_task(self._follow())
        self._ready.set()
        await self._end.wait()
        follower.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await follower
        await runner.cleanup()

    def _application(self) -> web.Application:
        by_port = {port: key for key, port in self._ports.items()}

        async def flags(request: web.Request) -> web.Response:
            self.asked += 1
            name = request.transport.get_extra_info("sockname") if request.transport else ("", 0)
            return web.Response(text=self._report(by_port[name[1]]), content_type="application/json")

        async def metrics(_: web.Request) -> web.Response:
            return web.Response(body=self._metrics(), headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"})

        app = web.Application()
        app.add_routes([web.get(FLAGS_PATH, flags), web.get("/metrics", metrics)])
        return app

    def _metrics(self) -> bytes:
        now = time.monotonic()
        seconds, self._scraped = now - self._scraped, now
        body = "".join(pods.text(seconds) for pods in self.pods.values()).encode()
        for pods in self.pods.values():
            if pods.bad and pods.failed_at is None:
                pods.failed_at = time.monotonic()
        return body

    def _report(self, key: str) -> str:
        document = self.pods[key].document
        report = FlagReport(
            state=FlagState.WATCHING if document else FlagState.NONE,
            revision=document.revision if document else 0,
            percentage=document.percentage if document else 0,
            sha256=document.sha256 if document else "",
            rollout=document.rollout if document else "",
            since=datetime.now(UTC),
            policy_revision=POLICY,
            baseline_policy_revision=POLICY,
        )
        return report.model_dump_json()

    async def _follow(self) -> None:
        """Take over every flag document of every ConfigMap, by one watch over all namespaces."""
        async with await cluster_client(self._kubeconfig) as api:
            core = client.CoreV1Api(api)
            while True:
                with contextlib.suppress(client.ApiException, OSError, TimeoutError):
                    async with watch.Watch() as stream:  # type: ignore[no-untyped-call]
                        async for event in stream.stream(core.list_config_map_for_all_namespaces, timeout_seconds=300):
                            self._take(event["object"])
                await asyncio.sleep(0.1)

    def _take(self, config_map: Any) -> None:
        data = config_map.data or {}
        if FLAGS_KEY not in data:
            return
        document = FlagDocument.model_validate(json.loads(data[FLAGS_KEY]))
        pods = self.pods.get(document.rollout)
        if pods is not None and (pods.document is None or document.revision > pods.document.revision):
            pods.document = document
            self.seen[document.rollout].setdefault(document.percentage, time.monotonic())
