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
        """Take note of the share that the flags give, once the data plane has taken it."""
        self._tell(share, is_shut=bool(self.reason))
        self._share = share

    def shut(self, reason: str) -> None:
        """Let the engine decide nothing until `open`. If the data plane does not take it, the next call tries again."""
        if reason == self.reason:
            return
        log.warning("the embedded engine is set aside; baseline answers everybody", reason=reason)
        if not self.reason:
            self._tell(self._share, is_shut=True)
        self.reason = reason

    def open(self) -> None:
        """Let the engine decide again."""
        if not self.reason:
            return
        self._tell(self._share, is_shut=False)
        log.info("the embedded engine decides again", was_set_aside=self.reason)
        self.reason = ""

    def _tell(self, share: Share | None, *, is_shut: bool) -> None:
        if share is not None:
            self._set_flags(replace(share, rust_opa=False, rust_cache=False) if is_shut else share)
        self._gauge.engine_set_aside(is_shut)
