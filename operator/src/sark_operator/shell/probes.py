"""One port for the kubelet and for Prometheus: /healthz, /readyz and /metrics."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from aiohttp import web
from prometheus_client import CollectorRegistry, exposition

from sark_operator.shell.settings import Address

Complaints = Callable[[], Sequence[str]]
"""Returns what is wrong, one sentence each; empty when nothing is."""


class ProbeServer:
    """Answers probes from the loop that does the work, so that a blocked loop does not look healthy."""

    def __init__(self, address: Address, registry: CollectorRegistry, sick: Complaints, not_ready: Complaints) -> None:
        self._address = address
        self._registry = registry
        self._sick = sick
        self._not_ready = not_ready
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        """Listen. Raises `OSError` when the address cannot be had."""
        application = web.Application(client_max_size=1024)
        application.add_routes(
            [
                web.get("/healthz", self._health),
                web.get("/readyz", self._readiness),
                web.get("/metrics", self._metrics),
            ]
        )
        self._runner = web.AppRunner(application, access_log=None, keepalive_timeout=30)
        await self._runner.setup()
        site = web.TCPSite(self._runner, self._address.host, self._address.port, shutdown_timeout=1)
        await site.start()

    async def stop(self) -> None:
        """Stop listening."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _health(self, _request: web.Request) -> web.Response:
        return _answer(self._sick())

    async def _readiness(self, _request: web.Request) -> web.Response:
        return _answer(self._not_ready())

    async def _metrics(self, _request: web.Request) -> web.Response:
        body = exposition.generate_latest(self._registry)
        return web.Response(body=body, headers={"Content-Type": exposition.CONTENT_TYPE_LATEST})


def _answer(complaints: Sequence[str]) -> web.Response:
    if not complaints:
        return web.Response(text="ok\n")
    return web.Response(status=503, text="".join(f"{complaint}\n" for complaint in complaints))
