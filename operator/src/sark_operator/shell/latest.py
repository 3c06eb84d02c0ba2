"""The status that a tick decides on, as text until there is something to decide.

An evaluation spends most of its time waiting to have observed, and where an operator of a thousand rollouts has more to do than
it can, hundreds of them wait at once. A status is six times as large as its text: 54 KiB of one that bakes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from sark_api.status import SarkRolloutStatus

TOLD: Final = frozenset({"conditions", "criteria", "evidence", "history", "ledger", "message", "next", "policies", "summary"})
"""Parts of a status that tell people, or the next decision, of what was seen: most of its text, and nothing of where it is."""

Text = bytes | msgspec.Raw
Read = Callable[[], SarkRolloutStatus]
"""Reads all of a status."""


@dataclass(frozen=True, slots=True)
class Latest:
    """A status of which only an outline is read before it is asked for."""

    outline: SarkRolloutStatus
    """The status without what it tells: enough to observe by, and to see whose it is."""
    _read: Read
    _known: Read | None = None
    """Returns what is read for others too, and need not be read twice."""
    _changed: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, text: Text, read: Read, known: Read | None = None) -> Latest:
        """Return the one in `text`, all of which `read` reads. Raises ValidationError where even its outline cannot be read."""
        return cls(_outline(text), read, known)

    def whole(self) -> SarkRolloutStatus:
        """Return all of it. Raises what its reader raises."""
        if self._changed:
            return self._read().model_copy(update=self._changed)
        return (self._known or self._read)()

    def but(self, **changed: object) -> Latest:
        """Return it with members of the outline that are known better."""
        outline = self.outline.model_copy(update=changed)
        return Latest(outline, self._read, _changed={**self._changed, **changed})


def _outline(text: Text) -> SarkRolloutStatus:
    try:
        members = msgspec.json.decode(text, type=dict[str, msgspec.Raw])
    except msgspec.DecodeError:
        return SarkRolloutStatus.model_validate_json(bytes(text))  # which says what is wrong with it
    kept = {name: part for name, part in members.items() if name not in TOLD}
    return SarkRolloutStatus.model_validate_json(msgspec.json.encode(kept))
