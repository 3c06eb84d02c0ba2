"""Questions about the simple policy, drawn from one seed: the same on every machine."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any, Final

from sark_e2e.program import ROOT

POLICIES: Final[Path] = ROOT / "tests" / "performance" / "policies" / "simple"

_ROLES: Final = ("viewer", "developer", "admin", "auditor")
_KINDS: Final = ("search", "read", "write", "deploy")


def question(draw: random.Random, mark: str) -> dict[str, Any]:
    """Return one input of about 230 bytes; `mark` stands in a member that the policy does not look at."""
    kind = draw.choice(_KINDS)
    return {
        "user": {
            "id": f"user-{draw.randrange(1000):03}",
            "roles": draw.sample(_ROLES, 2),
            "suspended": draw.random() < 0.05,
        },
        "action": draw.choice(("call", "call", "call", "describe")),
        "tool": {"name": f"{kind}_documents", "kind": kind, "sensitivity": draw.randrange(1, 5)},
        "request": mark,
        "agent": {"name": f"assistant-{draw.randrange(20):02}", "version": "2.1.0"},
    }
