"""Puts the shadow together from a running sidecar's parts."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack

from sark_engine import Engine, Server

from sark_sidecar.opa.client import OpaServer
from sark_sidecar.opa.view import OpaView
from sark_sidecar.policies.embedded import EmbeddedPolicies
from sark_sidecar.settings import Settings

from .findings import Findings
from .follower import Shadow
from .judgement import Judge, Policies
from .pace import Pace
from .redaction import Redactor, parse_pointer
from .sides import EngineSide, OpaSide


async def open_shadow(
    stack: AsyncExitStack,
    settings: Settings,
    *,
    server: Server,
    engine: Engine,
    policies: EmbeddedPolicies,
    view: OpaView,
    sample: Callable[[], int],
) -> Shadow:
    """Return the shadow, whose connections and threads `stack` closes. It shares none of them with requests."""
    chosen = settings.shadow
    opa_settings = settings.opa.model_copy(update={"timeout": chosen.timeout, "max_connections": chosen.concurrency})
    opa = await stack.enter_async_context(OpaServer(opa_settings, max_decision_bytes=settings.limits.max_decision_bytes))
    threads = ThreadPoolExecutor(1, thread_name_prefix="shadow")
    stack.callback(threads.shutdown, wait=False, cancel_futures=True)
    known = Policies(
        engine=lambda: policies.policies.revision,
        opa=lambda: view.revision,
        is_deterministic=lambda path: _is_deterministic(view, path),
        look_again=view.looked_anew,
    )
    findings = Findings(
        server,
        inputs=Redactor([parse_pointer(text) for text in chosen.show_input]),
        decisions=Redactor([parse_pointer(text) for text in chosen.show_decision]),
    )
    return Shadow(
        server,
        Judge(EngineSide(engine, threads), OpaSide(opa), known),
        findings,
        concurrency=chosen.concurrency,
        pace=Pace(chosen.max_per_second),
        sample=sample,
    )


def _is_deterministic(view: OpaView, path: str) -> bool:
    known = view.known
    return known is not None and known.graph.is_deterministic(tuple(segment for segment in path.split("/") if segment))
