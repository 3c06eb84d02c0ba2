"""Reading one rollout for a command."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sark_operator.shell.api import UnreadableError

from .failure import CommandError
from .rollout import Rollout
from .rollouts import Rollouts


def read(rollouts: Rollouts, namespace: str, name: str) -> Rollout:
    """Return the rollout as it is now. Raises CommandError."""
    return parsed(rollouts.get(namespace, name))


def parsed(body: Mapping[str, Any]) -> Rollout:
    """Return the object as a rollout. Raises CommandError when this command cannot read it."""
    try:
        return Rollout.from_object(body)
    except UnreadableError as error:
        raise CommandError(f"cannot read the rollout: {error}") from error
