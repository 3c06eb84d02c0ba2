"""Whether the embedded engine may decide: shut while nobody knows that it has what OPA has.

With the gate shut every subject is on baseline, whatever share is in force, and the new arm's cache answers nobody.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

import structlog

from sark_sidecar.flags.state import Share

log = structlog.get_logger()


class GateGauge(Protocol):
    """Where it is shown."""

    def engine_set_aside(self, is_aside: bool) -> None:
        """Show whether the engine is set aside."""


class EngineGate:
    """Between the flags in force and the data plane."""

    def __init__(self, set_flags: Callable[[Share], None], gauge: GateGauge) -> None:
        """`set_flags` tells the data plane how requests are assigned."""
        self._set_flags = set_flags
        self._gauge = gauge
        self._share: Share | None = None
        self.reason = ""
        """Why it is shut; empty when it is open."""

    def apply(self, share: Share) -> None:
        """Take note of the share that the flags give."""
        self._share = share
        self._tell()

    def shut(self, reason: str) -> None:
        """Let the engine decide nothing until `open`."""
        if reason == self.reason:
            return
        log.warning("the embedded engine is set aside; baseline answers everybody", reason=reason)
        was_open, self.reason = not self.reason, reason
        if was_open:
            self._tell()

    def open(self) -> None:
        """Let the engine decide again."""
        if not self.reason:
            return
        log.info("the embedded engine decides again", was_set_aside=self.reason)
        self.reason = ""
        self._tell()

    def _tell(self) -> None:
        self._gauge.engine_set_aside(bool(self.reason))
        if self._share is not None:
            self._set_flags(replace(self._share, rust_opa=False, rust_cache=False) if self.reason else self._share)
