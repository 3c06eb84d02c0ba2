"""Edits of the spec in the middle of a rollout, for the record: who loosened the limit, when, from what to what.

What the spec said at the last evaluation stands in the status, so an edit is recorded in the same write that takes note of it,
and never twice. Nothing is decided here: whatever an edit leads to, the other steps do.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from sark_api import reasons
from sark_api.reasons import shorten

from .history import Transition
from .lifecycle import wanted_percent
from .spec_fields import DIGEST, LONGEST, Leaf, abridged, kept, leaves, section, section_digest
from .tick import USER, Tick

_MOST: Final = 640
"""Most characters of a sentence that names edits: an event holds 1,024 bytes."""
_STEERING: Final = ("mode", "attempt")
"""Fields by which a rollout is steered and not planned."""
_UNTOLD: Final = "what they were is not known"
_FIRST: Final = ("criteria", "rollback")
"""What is named first: a long list is cut at its end."""


@dataclass(frozen=True, slots=True)
class Edit:
    """One field that says something else than at the last evaluation."""

    path: str
    text: str
    """From what to what, as in 100 -> 500."""


def spec_edits(tick: Tick) -> tuple[Edit, ...]:
    """Take note of what the spec says, and return what was edited since the last evaluation.

    Only a new generation brings an edit. While there is none nothing is compared, which would be a tenth of a whole tick.
    """
    before = tick.before.evaluated_spec
    if before is not None and tick.before.observed_generation == tick.identity.generation:
        tick.change(evaluated_spec=before)
        return ()
    fields = leaves(tick.spec)
    tick.change(evaluated_spec=kept(fields))
    found = _differences(before, fields) if before is not None else ()
    return tuple(sorted(found, key=lambda edit: edit.path.split(".", maxsplit=1)[0] not in _FIRST))


def told(tick: Tick, edits: Sequence[Edit]) -> str:
    """Return the edits as a clause, with who made them where that is known."""
    if not edits:
        return _UNTOLD
    text, more = "", len(edits)
    for edit in edits:
        longer = f"{text}; {edit.path}: {edit.text}" if text else f"{edit.path}: {edit.text}"
        if len(longer) > _MOST:
            break
        text, more = longer, more - 1
    rest = f"; and {more} more" if more else ""
    # Whoever only steers is not the one that `edited_by` names.
    known = tick.identity.edited_by and any(edit.path not in _STEERING for edit in edits)
    via = f"; via {tick.identity.edited_by}" if known else ""
    return f"{text}{rest}{via}"


def record_spec_edits(tick: Tick, edits: Sequence[Edit]) -> None:
    """Record edits that no other transition of this tick tells, before what came of them."""
    if not edits:
        return
    percent = wanted_percent(tick.before)
    message = reasons.SPEC_EDITED.sentence(percent=percent, edits=told(tick, edits))
    tick.transitions.insert(0, Transition(reasons.SPEC_EDITED, USER, percent, percent, message))


def _differences(before: Mapping[str, str], fields: Mapping[str, Leaf]) -> Iterator[Edit]:
    folded = [path for path, text in before.items() if path not in fields and path == section(path) and text.startswith(DIGEST)]
    for name in folded:
        if section_digest(name, fields) != before[name]:
            yield Edit(name, "edited; it was too long to keep from what")
    for path, leaf in fields.items():
        if section(path) in folded or (_entry(path) != path and _entry(path) not in before):
            continue
        yield from _changed(path, before.get(path, leaf.default), leaf, fields)
    for path in before:
        if path.endswith("]") and path not in fields and section(path) not in folded:
            yield Edit(path, f"removed ({before[path] or _says(path, before)})")


def _changed(path: str, was: str | None, leaf: Leaf, fields: Mapping[str, Leaf]) -> Iterator[Edit]:
    """Yield the change of one field, or the entry that is new with what it says."""
    now = shorten(leaf.text, LONGEST)
    if was is None and path.endswith("]"):
        written = {name: shorten(each.text, LONGEST) for name, each in fields.items() if each.text != each.default}
        yield Edit(path, f"added ({now or _says(path, written)})")
    elif was is not None and was != abridged(leaf.text):
        yield Edit(path, f"edited, now {now}" if was.startswith(DIGEST) else f"{was or 'nothing'} -> {now or 'nothing'}")


def _says(path: str, written: Mapping[str, str]) -> str:
    """Return what is written in an entry of a list."""
    inside = [f"{name[len(path) + 1 :]} {text}" for name, text in written.items() if name.startswith(f"{path}.")]
    return ", ".join(inside) or "as by default"


def _entry(path: str) -> str:
    """Return the entry of a list that `path` is in or is; `path` itself where it is in none."""
    head, bracket, _ = path.partition("]")
    return head + bracket if bracket else path
