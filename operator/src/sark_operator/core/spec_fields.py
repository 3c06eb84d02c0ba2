"""The fields of a spec as flat text: what an edit is told by, and what of it the status keeps.

The status keeps what differs from the defaults, so that neither a field that a newer operator knows nor a default that it
changed looks like an edit. It keeps little: a long text is there as its digest, and beyond `MAX_KEPT` whole sections are.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from typing import Final

from pydantic_core import PydanticUndefined

from sark_api.duration import format_duration
from sark_api.model import ApiModel
from sark_api.spec import CustomCriterion, SarkRolloutSpec, Step, Window

MAX_KEPT: Final = 1024
"""Most characters of JSON that the status keeps of a spec, sections that were made digests aside."""
LONGEST: Final = 64
"""Most characters of a text that is kept as it is."""
DIGEST: Final = "sha256:"
_OTHERWISE_TOLD: Final = ("target", "request")
"""Fields whose edits are refused, or always have a reason of their own."""
_OVERHEAD: Final = 6
"""Characters that JSON puts around a name and its text."""


@dataclass(frozen=True, slots=True)
class Leaf:
    """One field that holds no others."""

    text: str
    default: str | None = None
    """What the field says where nobody wrote it; None where it must be written, or is an entry of a list."""


def leaves(spec: SarkRolloutSpec) -> dict[str, Leaf]:
    """Return the fields of `spec` by path, as in criteria.errorRate.limitBasisPoints or steps[25%].bake.

    An entry of a list has a leaf of its own without text, which says that it is there.
    """
    found: dict[str, Leaf] = {}
    for attribute, name, default in _members(SarkRolloutSpec):
        if attribute not in _OTHERWISE_TOLD:
            found.update(_below(name, getattr(spec, attribute), default))
    found["prometheus.address"] = Leaf(spec.prometheus.public_address())
    return found


def kept(fields: Mapping[str, Leaf]) -> dict[str, str]:
    """Return what the status keeps of `fields`: sections that have no room are kept as their digest, the longest first."""
    written = {path: abridged(leaf.text) for path, leaf in fields.items() if leaf.text != leaf.default}
    sections: dict[str, list[str]] = defaultdict(list)
    for path in written:
        sections[section(path)].append(path)
    sizes = {name: sum(_OVERHEAD + len(path) + len(written[path]) for path in paths) for name, paths in sections.items()}
    for name in sorted(sizes, key=lambda name: (-sizes[name], name)):
        if sum(sizes.values()) <= MAX_KEPT or sections[name] == [name]:
            continue
        for path in sections[name]:
            del written[path]
        written[name] = section_digest(name, fields)
        sizes[name] = _OVERHEAD + len(name) + len(written[name])
    return written


def section(path: str) -> str:
    """Return the part of the spec that `path` belongs to: a field of it, and of the criteria each."""
    parts = path.split("[", maxsplit=1)[0].split(".")
    return ".".join(parts[:2] if parts[0] == "criteria" else parts[:1])


def section_digest(name: str, fields: Mapping[str, Leaf]) -> str:
    """Return the digest of what is written in a section."""
    written = [
        f"{path}={leaf.text}" for path, leaf in sorted(fields.items()) if section(path) == name and leaf.text != leaf.default
    ]
    return _digest("\n".join(written))


def abridged(text: str) -> str:
    """Return `text`, or its digest where it is long."""
    return text if len(text) <= LONGEST else _digest(text)


def _digest(text: str) -> str:
    return DIGEST + hashlib.sha256(text.encode("utf-8", "backslashreplace")).hexdigest()[:16]


@cache
def _members(kind: type[ApiModel]) -> tuple[tuple[str, str, object], ...]:
    """Return the members of a model: attribute, name on the wire, default."""
    return tuple((name, info.alias or name, info.default) for name, info in kind.model_fields.items())


def _below(path: str, value: object, default: object) -> Iterator[tuple[str, Leaf]]:
    if isinstance(value, ApiModel):
        yield from _inside(path, value)
    elif isinstance(value, list):
        for number, entry in enumerate(value, start=1):
            yield from _entry(path, number, entry)
    elif default != [] and not (path == "steps" and value is None):
        yield path, Leaf(_text(value), None if default is PydanticUndefined else _text(default))


def _inside(path: str, model: ApiModel, key: str = "") -> Iterator[tuple[str, Leaf]]:
    for attribute, name, default in _members(type(model)):
        if attribute != key:
            yield from _below(f"{path}.{name}", getattr(model, attribute), default)


def _entry(path: str, number: int, entry: object) -> Iterator[tuple[str, Leaf]]:
    """Yield an entry of a list: it is known by its share or its name, and a window by its place."""
    match entry:
        case Step():
            place, key = f"{path}[{entry.percent}%]", "percent"
        case CustomCriterion():
            place, key = f"{path}[{entry.name}]", "name"
        case Window():
            days = ", ".join(entry.days)
            yield f"{path}[{number}]", Leaf(f"{days} {entry.start}-{entry.end} {entry.time_zone}")
            return
        case _:
            raise TypeError(f"{path}: entries of {type(entry).__name__} have no name")
    yield place, Leaf("")
    yield from _inside(place, entry, key)


def _text(value: object) -> str:
    if value is None:
        return "none"
    if isinstance(value, timedelta):
        return format_duration(value)
    if isinstance(value, Mapping):
        return ", ".join(f"{name}={text}" for name, text in sorted(value.items()))
    return str(value)
