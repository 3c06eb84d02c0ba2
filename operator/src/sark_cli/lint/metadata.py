"""The metadata of an object: what the API server wants of every object's, whatever its kind."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from sark_api.names import KIND

from .finding import Finding, Level, Path
from .wording import near, shown

_LABEL: Final = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_NAME: Final = re.compile(rf"{_LABEL}(\.{_LABEL})*")
_NAMESPACE: Final = re.compile(_LABEL)
_WORD: Final = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?")
_LONGEST_NAME: Final = 253
_LONGEST_WORD: Final = 63
_FIELDS: Final = frozenset(
    (
        *("name", "namespace", "labels", "annotations", "generateName", "finalizers", "ownerReferences", "uid"),
        *("resourceVersion", "generation", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds"),
        *("selfLink", "managedFields"),
    )
)


def check_metadata(metadata: Any) -> Iterator[Finding]:
    """Yield what the API server would refuse of it."""
    if metadata is not None and not isinstance(metadata, dict):
        yield _error((), f"metadata is {shown(metadata)}: write a mapping of fields")
        return
    members = metadata or {}
    name, namespace = members.get("name"), members.get("namespace")
    if name is None or name == "":
        yield _error(("name",), f"metadata.name is missing: give the {KIND} a name")
    elif not _fits(name, _NAME, _LONGEST_NAME):
        yield _error(
            ("name",),
            f"name is {shown(name)}: write small letters, digits, - and ., with a letter or digit at both ends of each part, "
            f"and at most {_LONGEST_NAME} characters",
        )
    if namespace not in (None, "") and not _fits(namespace, _NAMESPACE, _LONGEST_WORD):
        yield _error(
            ("namespace",),
            f"namespace is {shown(namespace)}: write small letters, digits and -, with a letter or digit at both ends, and at "
            f"most {_LONGEST_WORD} characters",
        )
    yield from _texts("labels", members.get("labels"))
    yield from _texts("annotations", members.get("annotations"))
    for member in members:
        if member not in _FIELDS:
            yield _error((str(member),), f"unknown field {member}{near(str(member), _FIELDS)}")


def _texts(field: str, texts: Any) -> Iterator[Finding]:
    """Yield what is wrong with labels or annotations: both are text by key, and a label's text is short."""
    if texts is None:
        return
    if not isinstance(texts, dict):
        yield _error((field,), f"{field} is {shown(texts)}: write a mapping of names to texts")
        return
    for key, text in texts.items():
        path = (field, str(key))
        if not _is_key(str(key) if field == "labels" else str(key).lower()):
            yield _error(
                path,
                f"{shown(key)} is no key of {field}: write letters, digits, -, _ and ., at most {_LONGEST_WORD}, with or "
                "without a domain and / before them",
            )
        if text is not None and not isinstance(text, str):
            yield _error(
                path, f"{key} is {shown(text)}: write text; put quotes around what looks like a number or like yes or no"
            )
        elif field == "labels" and text and not _fits(text, _WORD, _LONGEST_WORD):
            yield _error(
                path,
                f"{key} is {shown(text)}: write letters, digits, -, _ and ., with a letter or digit at both ends, and at most "
                f"{_LONGEST_WORD} characters",
            )


def _is_key(key: str) -> bool:
    domain, slash, name = key.rpartition("/")
    return bool(name) and _fits(name, _WORD, _LONGEST_WORD) and (not slash or _fits(domain, _NAME, _LONGEST_NAME))


def _fits(text: Any, form: re.Pattern[str], longest: int) -> bool:
    return isinstance(text, str) and len(text) <= longest and form.fullmatch(text) is not None


def _error(path: Path, message: str) -> Finding:
    return Finding(Level.ERROR, ("metadata", *path), message)
