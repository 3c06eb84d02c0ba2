"""The manifest of a bundle: which revision it is, and which part of `data` it may fill."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sark_sidecar.policies.sources import PolicySourceError

MANIFEST = ".manifest"
_REGO_V1 = 1
_SHOWN_ROOTS = 10


class Manifest(BaseModel):
    """The members that matter here; `metadata` and whatever else there is are passed over, as OPA does."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)

    revision: str = Field(default="", max_length=4096)
    roots: list[str] | None = Field(default=None, max_length=1000)
    wasm: list[Any] = Field(default=[], max_length=1000)
    rego_version: int | None = None
    file_rego_versions: dict[str, int] = Field(default={}, max_length=100_000)

    def segments(self) -> list[list[str]]:
        """Return the roots as paths below `data`; none given means all of it."""
        return [[step for step in root.strip("/").split("/") if step] for root in ([""] if self.roots is None else self.roots)]


def parse_manifest(raw: bytes | None) -> Manifest:
    """Return the manifest in `raw`, or the one a bundle has that brings none.

    Raises:
        PolicySourceError: it is no manifest, is written for another version of Rego, or its roots overlap.
    """
    try:
        manifest = Manifest() if raw is None else Manifest.model_validate_json(raw)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise PolicySourceError(f"{MANIFEST}: {where + ': ' if where else ''}{first['msg']}") from error
    versions = {MANIFEST: manifest.rego_version, **manifest.file_rego_versions}
    for where, version in versions.items():
        if version not in {None, _REGO_V1}:
            raise PolicySourceError(f"{where} is Rego v{version}; the embedded engine reads Rego v1: build the bundle for v1")
    _refuse_overlap(manifest.segments())
    return manifest


def check_roots(manifest: Manifest, packages: Iterable[str], data: Mapping[str, Any]) -> None:
    """Refuse what lies outside the manifest's roots; `packages` are without the leading `data.`.

    Raises:
        PolicySourceError: a package or a part of the data lies outside.
    """
    roots = manifest.segments()
    for package in packages:
        if not any(_dotted(root, package) for root in roots):
            raise PolicySourceError(f"{MANIFEST}: its roots {_shown(manifest)} do not permit package {package}")
    waiting: list[tuple[list[str], Any]] = [([], data)]
    while waiting:
        path, value = waiting.pop()
        if any(path[: len(root)] == root for root in roots):
            continue
        if not isinstance(value, Mapping) or not any(root[: len(path)] == path for root in roots):
            raise PolicySourceError(f"{MANIFEST}: its roots {_shown(manifest)} do not permit data at /{'/'.join(path)}")
        waiting.extend(([*path, key], below) for key, below in value.items())


def _dotted(root: list[str], package: str) -> bool:
    return not root or f"{package}.".startswith(".".join(root) + ".")


def _refuse_overlap(roots: list[list[str]]) -> None:
    ordered = sorted(roots)
    for one, other in pairwise(ordered):
        if other[: len(one)] == one:
            raise PolicySourceError(f"{MANIFEST}: the roots {'/'.join(one)!r} and {'/'.join(other)!r} overlap")


def _shown(manifest: Manifest) -> str:
    roots = manifest.roots or []
    more = f" and {len(roots) - _SHOWN_ROOTS} more" if len(roots) > _SHOWN_ROOTS else ""
    return f"{roots[:_SHOWN_ROOTS]}{more}"
