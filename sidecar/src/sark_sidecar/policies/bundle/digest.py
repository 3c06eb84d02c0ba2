"""The digest of a bundle's file as OPA computes it.

Of a structured file (data, manifest) it is that of its content: white space and the order of keys do not count, but the
spelling of a number and of an escaped character is always the same. Of any other file it is that of its bytes.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import orjson

from sark_sidecar.policies.plain_yaml import PlainYamlError, load_plain_yaml
from sark_sidecar.policies.sources import PolicySourceError

STRUCTURED = frozenset({"data.json", "data.yaml", "data.yml", ".manifest"})
HASHES = {
    "SHA-224": "sha224",
    "SHA-256": "sha256",
    "SHA-384": "sha384",
    "SHA-512": "sha512",
    "SHA-512-224": "sha512_224",
    "SHA-512-256": "sha512_256",
}
"""Names in signatures to those of hashlib. OPA knows MD5 and SHA-1 too; two files with the same such digest can be made."""
_MAX_INTEGER = 2**64
_MIN_INTEGER = -(2**63)
_PLAIN_FROM, _PLAIN_BELOW = 1e-6, 1e21
_LEADING_ZERO = re.compile(r"e-0([0-9])$")
_UNPAIRED = re.compile("[\ud800-\udfff]")
_ESCAPED = re.compile('["\\\\\x00-\x1f\u2028\u2029]')
_SHORT_ESCAPES = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def file_digest(name: str, content: bytes, algorithm: str) -> str:
    """Return the digest of the file `name` in hex.

    Raises:
        PolicySourceError: the algorithm is not accepted, or the file is not structured although its name says so.
    """
    if algorithm not in HASHES:
        raise PolicySourceError(f"{name} is signed by its {algorithm[:30]!r} digest; accepted are {', '.join(HASHES)}")
    hasher = hashlib.new(HASHES[algorithm])
    if name.rpartition("/")[2] in STRUCTURED:
        try:
            _write(_document(content), hasher.update)
        except (ValueError, RecursionError) as error:
            raise PolicySourceError(f"{name} is neither JSON nor YAML: {error}") from error
    else:
        hasher.update(content)
    return hasher.hexdigest()


class _Number(str):
    """A number as it is spelled in the digest."""

    __slots__ = ()


def _document(content: bytes) -> Any:
    text = content.decode("utf-8", "replace").removeprefix("\ufeff")
    try:
        return json.loads(text, parse_int=_Number, parse_float=_Number, parse_constant=_refuse)
    except ValueError:
        try:
            return _from_yaml(load_plain_yaml(text))
        except PlainYamlError as error:
            raise ValueError(str(error)) from error


def _refuse(name: str) -> Any:
    raise ValueError(f"{name} is no number in JSON")


def _from_yaml(value: Any) -> Any:
    """Spell the numbers of a YAML document as OPA does on its way from YAML to JSON."""
    if isinstance(value, dict):
        return {key: _from_yaml(below) for key, below in value.items()}
    if isinstance(value, list):
        return [_from_yaml(item) for item in value]
    if value is None or isinstance(value, bool | str):
        return value
    return _Number(_spelled(orjson.dumps(value).decode()))


def _spelled(number: str) -> str:
    if number.lstrip("-").isdigit() and _MIN_INTEGER <= int(number) < _MAX_INTEGER:
        return str(int(number))
    real = float(number)
    if real == 0 or _PLAIN_FROM <= abs(real) < _PLAIN_BELOW:
        plain = format(Decimal(repr(real)), "f")
        return plain.removesuffix(".0")
    return _LEADING_ZERO.sub(r"e-\1", repr(real))


def _write(value: Any, write: Callable[[bytes], None]) -> None:
    for part in _parts(value):
        write(part.encode())


def _parts(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        yield "{"
        for index, key in enumerate(sorted(value, key=_sort_key)):
            yield f"{',' if index else ''}{_text(key)}:"
            yield from _parts(value[key])
        yield "}"
    elif isinstance(value, list):
        yield "["
        for index, item in enumerate(value):
            yield "," if index else ""
            yield from _parts(item)
        yield "]"
    elif isinstance(value, _Number):
        yield str(value)
    elif isinstance(value, str):
        yield _text(value)
    else:
        yield {None: "null", True: "true", False: "false"}[value]


def _sort_key(key: str) -> bytes:
    return _whole(key).encode()


def _text(text: str) -> str:
    return '"' + _ESCAPED.sub(_escape, _whole(text)) + '"'


def _whole(text: str) -> str:
    """Half a surrogate pair is no character: OPA reads it as the replacement character."""
    return _UNPAIRED.sub("\ufffd", text)


def _escape(found: re.Match[str]) -> str:
    character = found.group()
    return _SHORT_ESCAPES.get(character) or f"\\u{ord(character):04x}"
