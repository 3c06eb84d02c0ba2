"""A realistic mix of questions: a few busy users and many quiet ones, tenants of very different size, mostly harmless tools."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeVar

TENANTS: Final = {"acme": 50, "globex": 25, "initech": 15, "umbrella": 7, "hooli": 3}
"""Tenants by their share of users, in percent."""

ROLES: Final = {
    ("developer",): 45,
    ("analyst",): 20,
    ("service",): 15,
    ("viewer",): 10,
    ("developer", "team_lead"): 8,
    ("platform_admin",): 2,
}
"""Role sets by their share of users, in percent."""

TOOLS: Final = {
    "search_documents": 34,
    "read_ticket": 22,
    "list_repositories": 14,
    "create_ticket": 10,
    "query_warehouse": 8,
    "open_pull_request": 6,
    "send_mail": 3,
    "deploy_service": 2,
    "rotate_credentials": 1,
}
"""Tools by their share of calls, in percent."""

ACTIONS: Final = {"invoke": 85, "discover": 15}
FOREIGN_TENANT_SHARE: Final = 0.02
"""Calls that name a tool of another tenant: a mistake, or an attempt."""

PATH: Final = "/v1/data/mcp/gateway/decision"


@dataclass(frozen=True)
class User:
    """Somebody who asks; the same number is always the same person."""

    id: str
    tenant: str
    roles: tuple[str, ...]


class Mix:
    """Draws questions. Two mixes with the same seed draw the same ones."""

    def __init__(self, *, users: int = 5_000, seed: int = 0) -> None:
        if users < 1:
            raise ValueError(f"users is {users}; a mix needs at least one")
        self._random = random.Random(seed)
        self._users = users

    def user(self, number: int) -> User:
        """Return user `number`."""
        own = random.Random(number)
        return User(f"user-{number:05d}", _draw(own, TENANTS), _draw(own, ROLES))

    def question(self) -> dict[str, Any]:
        """Return the body of one request: `{"input": ...}`."""
        # Pareto: a fifth of the users ask most of the questions.
        number = int(self._users * self._random.random() ** 3)
        user = self.user(number)
        foreign = self._random.random() < FOREIGN_TENANT_SHARE
        tenant = _draw(self._random, TENANTS) if foreign else user.tenant
        tool = _draw(self._random, TOOLS)
        return {
            "input": {
                "user": {"id": user.id, "tenant": user.tenant, "roles": list(user.roles)},
                "action": _draw(self._random, ACTIONS),
                "tool": {"name": tool, "tenant": tenant},
                "parameters": {"query": f"{tool}-{self._random.randrange(8)}", "token": "not-a-real-token"},
            }
        }


_T = TypeVar("_T")


def _draw(source: random.Random, weights: Mapping[_T, int]) -> _T:
    return source.choices(list(weights), weights=list(weights.values()))[0]
