"""The data of the complex policy and questions about it, drawn from one seed: the same on every machine.

`python -m sark_e2e.bench.engine.tenancy` writes the data file anew.
"""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any, Final

from sark_e2e.program import ROOT

POLICIES: Final = ROOT / "tests" / "performance" / "policies" / "complex"
DATA: Final = POLICIES / "data.json"

TENANTS: Final = ("acme", "birch", "cobalt", "delta", "ember", "fjord", "granite", "harbor", "iris", "juniper")
_AREAS: Final = ("finance", "legal", "people", "sales", "support", "research", "build", "media")
_LEVELS: Final = ("viewer", "editor", "manager", "auditor", "owner")
_CLASSIFICATIONS: Final = {"public": 0, "internal": 1, "confidential": 2, "restricted": 3, "secret": 4}
_GRANTED: Final = {
    "viewer": ("list", "read"),
    "editor": ("create", "update"),
    "manager": ("delete", "share"),
    "auditor": ("export",),
    "owner": ("*",),
}
_ASKED: Final = ("read", "read", "read", "list", "update", "create", "share", "export", "delete")
_USERS: Final = 60
_GROUPS: Final = 12
_BINDINGS: Final = 16
"""Of each tenant."""
_HOUR: Final = 3600 * 10**9
_DAY: Final = 24 * _HOUR
_NOW: Final = 1_780_272_000 * 10**9
"""The first of June 2026 in nanoseconds; questions are asked in the week that follows."""
_SEED: Final = 20


def data() -> dict[str, Any]:
    """Return the base document: 10 tenants, 41 roles that inherit from each other, 160 bindings."""
    draw = random.Random(_SEED)
    return {
        "classifications": _CLASSIFICATIONS,
        "tenants": {name: _tenant(number, draw) for number, name in enumerate(TENANTS)},
        "roles": _roles(),
        "bindings": {name: [_binding(draw) for _ in range(_BINDINGS)] for name in TENANTS},
    }


def text() -> str:
    """Return the data file: one line for each tenant, role and tenant's bindings."""
    sections = []
    for name, section in data().items():
        lines = ",\n".join(
            f"    {json.dumps(key)}: {json.dumps(value, separators=(',', ':'))}" for key, value in section.items()
        )
        sections.append(f"  {json.dumps(name)}: {{\n{lines}\n  }}")
    return "{\n" + ",\n".join(sections) + "\n}\n"


def _tenant(number: int, draw: random.Random) -> dict[str, Any]:
    other = TENANTS[(number + 1) % len(TENANTS)]
    return {
        "state": "suspended" if number == len(TENANTS) - 1 else "active",
        "plan": draw.choice(("free", "team", "enterprise")),
        "networks": [f"10.{number}.0.0/16", f"192.168.{number * 16}.0/20", f"2001:db8:{number}::/48"],
        "hours": {"from": draw.choice((5, 6, 7)), "to": draw.choice((20, 21, 22))},
        "limits": {"rows": draw.choice((100, 200, 500)), "hidden": ["secret_*", "*_token", "salary"]},
        "shares": [{"tenant": other, "resource": f"{draw.choice(_AREAS)}/shared/*"}],
    }


def _roles() -> dict[str, Any]:
    """Each area has a ladder of roles in which the higher inherits the lower; `staff` sees the public part of all."""
    roles: dict[str, Any] = {
        "staff": {"clearance": 1, "inherits": [], "grants": [{"actions": ["read"], "resource": "*/public/*"}]}
    }
    for area in _AREAS:
        for rank, level in enumerate(_LEVELS):
            below = f"{area}-{_LEVELS[rank - 1]}" if rank else "staff"
            roles[f"{area}-{level}"] = {
                "clearance": min(rank + 1, 4),
                "inherits": [below],
                "grants": [{"actions": _GRANTED[level], "resource": f"{area}/**"}],
            }
    return roles


def _binding(draw: random.Random) -> dict[str, Any]:
    to_group = draw.random() < 0.4
    principal = f"group:g{draw.randrange(_GROUPS)}" if to_group else f"user:u{draw.randrange(_USERS)}"
    level = draw.choice((*_LEVELS, "viewer", "editor"))
    binding = {"principal": principal, "role": f"{draw.choice(_AREAS)}-{level}"}
    ends = draw.random()
    if ends < 0.2:
        return {**binding, "until": _NOW + (-30 if ends < 0.1 else 365) * _DAY}
    return binding


def question(draw: random.Random, mark: str) -> dict[str, Any]:
    """Return one input; `mark` stands in a parameter that every answer of allow carries back."""
    tenant = draw.choice(TENANTS[:-1]) if draw.random() < 0.95 else draw.choice((TENANTS[-1], "nobody"))
    number = TENANTS.index(tenant) if tenant in TENANTS else 99
    binding = draw.choice(data_bindings(tenant))
    kind, _, principal = binding["principal"].partition(":")
    area = binding["role"].rpartition("-")[0] if draw.random() < 0.85 else draw.choice(_AREAS)
    return {
        "user": {
            "id": principal if kind == "user" else f"u{draw.randrange(_USERS)}",
            "groups": [principal] if kind == "group" else [f"g{draw.randrange(_GROUPS)}"],
        },
        "tenant": tenant,
        "action": draw.choice(_ASKED),
        "resource": {
            "path": f"{area}/{draw.choice(('public', 'shared', 'drafts'))}/report-{draw.randrange(100)}",
            "tenant": draw.choice(TENANTS) if draw.random() < 0.08 else tenant,
            "classification": draw.choice(("public", "internal", "internal", "confidential", "restricted")),
        },
        "context": {
            "ip": f"10.{number}.{draw.randrange(256)}.{draw.randrange(1, 255)}" if draw.random() < 0.93 else "203.0.113.9",
            "time": _NOW + draw.randrange(7) * _DAY + int(draw.triangular(0, 24, 13) * _HOUR),
            "mfa": draw.random() < 0.8,
            "session": f"{draw.getrandbits(64):016x}",
        },
        "parameters": {"query": mark, "rows": draw.choice((50, 1000)), "columns": ["title", "owner", "salary"]},
    }


def data_bindings(tenant: str) -> list[dict[str, Any]]:
    """Return the bindings of `tenant`; of the first one when there is no such tenant."""
    return _ALL_BINDINGS.get(tenant, _ALL_BINDINGS[TENANTS[0]])


_ALL_BINDINGS: Final[dict[str, list[dict[str, Any]]]] = data()["bindings"]


def main() -> None:
    """Write the data file."""
    DATA.write_text(text(), encoding="utf-8")
    print(f"{Path(DATA).relative_to(ROOT)}: {len(text())} bytes")


if __name__ == "__main__":
    main()
