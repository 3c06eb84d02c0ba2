"""Which rules the embedded engine answers for, and which stay on baseline at every share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import structlog
from sark_engine import Policies

from sark_api.reasons import shorten
from sark_api.report import MAX_BASELINE_ONLY, MAX_PATH, MAX_REASON, BaselineOnly

log = structlog.get_logger()
MAX_SHOWN = 1000
"""Most paths in one answer of the admin port."""


@dataclass(frozen=True, slots=True)
class PolicyVerdicts:
    """What was found when the policies were loaded."""

    rules: int
    """Rules that have a value of their own."""
    left: Mapping[str, tuple[str, ...]]
    """Path, as in `authz/allow`, of each rule that the engine leaves to baseline, to the reasons."""

    @classmethod
    def of(cls, policies: Policies) -> PolicyVerdicts:
        """Ask `policies` about every rule. Takes time when there are many."""
        verdicts = policies.verdicts()
        return cls(
            rules=len(verdicts),
            left={path: verdict.reasons for path, verdict in verdicts.items() if verdict.served_by != "rust"},
        )

    def reported(self) -> tuple[BaselineOnly, ...]:
        """Return the first of those left to baseline as the operator is told of them."""
        return tuple(
            BaselineOnly(path=shorten(path, MAX_PATH), reason=shorten("; ".join(reasons), MAX_REASON))
            for path, reasons in list(self.left.items())[:MAX_BASELINE_ONLY]
        )

    def shown(self) -> dict[str, Any]:
        """Return the answer's part on the admin port."""
        return {
            "rules": self.rules,
            "served_by_rust": self.rules - len(self.left),
            "baseline_only": [{"path": path, "reasons": reasons} for path, reasons in list(self.left.items())[:MAX_SHOWN]],
            "baseline_only_count": len(self.left),
        }

    def warn(self) -> None:
        """Log the rules that are left to baseline, the first of them by name."""
        for path, reasons in list(self.left.items())[:MAX_BASELINE_ONLY]:
            log.warning("path is served by baseline", path=path, reasons=reasons)
        if len(self.left) > MAX_BASELINE_ONLY:
            log.warning("more paths are served by baseline; /policies on the admin port lists them", count=len(self.left))
