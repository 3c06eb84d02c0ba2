"""Policies as text: modules, the base document, and how files of data become one document."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sark_sidecar.exact_json import JsonError, loads_unique

from .plain_yaml import PlainYamlError, load_plain_yaml

MAX_DEPTH = 16
"""Most folders above a file."""
YAML_ENDINGS = (".yaml", ".yml")


class PolicySourceError(ValueError):
    """A set of policies cannot be served; the message names the file and says why."""


@dataclass(frozen=True, slots=True)
class PolicySources:
    """What was found."""

    modules: tuple[tuple[str, str], ...]
    """Pairs of (path below the source's root, source), sorted."""
    data: dict[str, Any]
    """The base document."""
    digest: str
    """SHA-256 over all paths and contents: equal means unchanged."""


def policy_sources(contents: Mapping[str, bytes]) -> PolicySources:
    """Return the modules (`*.rego`) and the documents (everything else) among `contents`, whose keys are paths.

    Raises:
        PolicySourceError: there is no module, one is not UTF-8, or the data is not understood.
    """
    modules = tuple(sorted((name, _text(name, raw)) for name, raw in contents.items() if name.endswith(".rego")))
    if not modules:
        raise PolicySourceError("it holds no *.rego file")
    data: dict[str, Any] = {}
    for name, raw in contents.items():
        if not name.endswith(".rego"):
            _graft(data, name, _document(name, raw))
    return PolicySources(modules=modules, data=data, digest=_digest(contents))


def _text(name: str, raw: bytes) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise PolicySourceError(f"{name} is not UTF-8 (byte {error.start})") from error


def _document(name: str, raw: bytes) -> Any:
    text = _text(name, raw)
    try:
        return load_plain_yaml(text) if name.endswith(YAML_ENDINGS) else loads_unique(text)
    except PlainYamlError as error:
        raise PolicySourceError(f"{name}: {error}") from error
    except JsonError as error:
        raise PolicySourceError(f"{name} is not JSON: {error}") from error


def _graft(data: dict[str, Any], name: str, document: Any) -> None:
    """Lay a file's document over `data`, at the place its folders name."""
    tree = document
    for step in reversed(name.split("/")[:-1]):
        tree = {step: tree}
    if not isinstance(tree, dict):
        raise PolicySourceError(f"{name} must hold an object at its top")
    try:
        _merge(data, tree, name)
    except RecursionError as error:
        raise PolicySourceError(f"{name} nests too deeply") from error


def _merge(place: dict[str, Any], document: dict[str, Any], name: str) -> None:
    for key, value in document.items():
        if key not in place:
            place[key] = value
        elif isinstance(place[key], dict) and isinstance(value, dict):
            _merge(place[key], value, name)
        else:
            raise PolicySourceError(f"{name}: {key} has a value already, from another file")


def _digest(contents: Mapping[str, bytes]) -> str:
    hasher = hashlib.sha256()
    for name, raw in sorted(contents.items()):
        for part in (name.encode("utf-8", "surrogateescape"), raw):
            hasher.update(len(part).to_bytes(8, "big"))
            hasher.update(part)
    return hasher.hexdigest()
