"""Putting the parts that take writes together."""

from __future__ import annotations

from sark_engine import Engine

from sark_sidecar.opa.client import OpaServer
from sark_sidecar.opa.view import OpaView
from sark_sidecar.policies.embedded import EmbeddedPolicies
from sark_sidecar.settings import Settings

from .documents import WrittenData
from .gate import EngineGate
from .writer import Upstream, WriteCounter, Writer


def written_data(
    settings: Settings, opa: OpaServer, engine: Engine, policies: EmbeddedPolicies, gate: EngineGate
) -> WrittenData | None:
    """Return the follower of what clients write; None when nothing can be written. Until it has seen OPA the gate is shut."""
    writes = settings.writes
    if not writes.documents:
        return None
    gate.shut("OPA has not told yet what clients wrote")
    return WrittenData(
        writes.documents,
        max_bytes=writes.max_bytes,
        server=opa,
        lay_over=lambda documents: policies.lay_over(engine, documents),
        gate=gate,
    )


def writer_of(
    settings: Settings, upstream: Upstream, view: OpaView, data: WrittenData, *, gate: EngineGate, counter: WriteCounter
) -> Writer:
    """Return who takes writes of these documents."""
    return Writer(
        settings.writes, upstream=upstream, view=view, data=data, gate=gate, counter=counter, patience=settings.opa.timeout
    )
