"""Where an operator serves. The Lease says it, so that the leader of another installation is told from a replica."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from sark_api.names import GROUP

ANNOTATION: Final = f"{GROUP}/serves"
"""Annotation of the Lease. It names the holder too: one of an older version leaves what its predecessor wrote."""
_LONGEST: Final = 100_000
"""More is not written: all annotations of an object together may have 256 KiB, and a Lease that is refused leads nobody."""
_NAMED: Final = 5


@dataclass(frozen=True, slots=True)
class Scope:
    """What one operator is told to serve."""

    namespaces: tuple[str, ...]
    """In order; without any it is the whole cluster."""

    @classmethod
    def of(cls, namespaces: Iterable[str]) -> Scope:
        """Return the scope of whoever serves these `namespaces`, or every one where there are none."""
        return cls(tuple(sorted(set(namespaces))))

    @classmethod
    def told(cls, annotations: Mapping[str, str] | None, holder: str) -> Scope | None:
        """Return what the `holder` of a Lease says it serves; None where it does not say, or not so that one understands."""
        try:
            said = json.loads((annotations or {})[ANNOTATION])
            names = said["namespaces"]
            understood = said["holder"] == holder and isinstance(names, list)
            return cls.of(map(str, names)) if understood else None
        except (LookupError, ValueError, TypeError, RecursionError):
            return None

    def annotations(self, holder: str) -> dict[str, str]:
        """Return what `holder` writes on its Lease; nothing where it serves too many to name."""
        text = json.dumps({"holder": holder, "namespaces": self.namespaces}, separators=(",", ":"))
        return {ANNOTATION: text} if len(text) <= _LONGEST else {}

    def __str__(self) -> str:
        if not self.namespaces:
            return "every namespace"
        shown = ", ".join(self.namespaces[:_NAMED])
        more = len(self.namespaces) - _NAMED
        return f"{shown} and {more} more" if more > 0 else shown
