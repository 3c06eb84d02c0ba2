"""Signatures of bundles, verified as OPA does: one JWT in `.signatures.json` that lists every file with its digest.

Stricter than OPA in three things: the token's own algorithm must be the key's, a private key is not taken for a public one, and
MD5 and SHA-1 are no digests.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import orjson
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from jwt.algorithms import Algorithm, get_default_algorithms
from jwt.exceptions import PyJWTError
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sark_sidecar.policies.sources import PolicySourceError
from sark_sidecar.settings import SigningKey, SigningSettings
from sark_sidecar.shell_pattern import file_pattern
from sark_sidecar.whole_file import read_whole

from .digest import file_digest

SIGNATURES = ".signatures.json"
_MAX_KEY_BYTES = 65_536
_Model = TypeVar("_Model", bound=BaseModel)


class _Signatures(BaseModel):
    model_config = ConfigDict(extra="ignore", strict=True)

    signatures: list[str] = []
    plugin: str = ""


class _Header(BaseModel):
    model_config = ConfigDict(extra="ignore", strict=True)

    alg: str
    kid: str = ""


class _SignedFile(BaseModel):
    model_config = ConfigDict(extra="ignore", strict=True)

    name: str
    hash: str
    algorithm: str = ""


class _Payload(BaseModel):
    model_config = ConfigDict(extra="ignore", strict=True)

    files: list[_SignedFile] = Field(default=[], max_length=100_000)
    keyid: str = ""
    scope: str = ""


def verify(files: Mapping[str, bytes], settings: SigningSettings) -> None:
    """Refuse a bundle whose files are not exactly those its signature names.

    Raises:
        PolicySourceError: the signature is missing, wrong, by another key, or about other files.
    """
    found = [name for name in files if name.rpartition("/")[2] == SIGNATURES]
    if not settings.keys:
        if found:
            raise PolicySourceError("the bundle is signed and policies.bundle.signing.keys names no key to verify it with")
        return
    if len(found) != 1:
        raise PolicySourceError(f"the bundle must hold one {SIGNATURES}; it holds {len(found)}")
    signed = {file.name: file for file in _payload(files[found[0]], settings).files}
    for name, content in files.items():
        if name == found[0]:
            continue
        entry = signed.pop(name, None)
        if any(file_pattern(pattern).fullmatch(name) for pattern in settings.exclude_files):
            continue
        if entry is None:
            raise PolicySourceError(f"{name} is not part of the bundle's signature")
        if not hmac.compare_digest(file_digest(name, content, entry.algorithm).encode(), entry.hash.lower().encode()):
            raise PolicySourceError(f"{name} is not the file that was signed: its digest differs")
    if signed:
        raise PolicySourceError(f"{min(signed)} is part of the bundle's signature and missing in the bundle")


def _payload(raw: bytes, settings: SigningSettings) -> _Payload:
    """Return what was signed, once the signature has been verified."""
    signatures = _parse(_Signatures, raw, SIGNATURES)
    if signatures.plugin not in {"", "_default"}:
        raise PolicySourceError(f"{SIGNATURES} asks for the plugin {signatures.plugin[:60]!r}; only OPA's own way is known")
    if len(signatures.signatures) != 1:
        raise PolicySourceError(f"{SIGNATURES} must hold one token; it holds {len(signatures.signatures)}")
    parts = signatures.signatures[0].split(".")
    if len(parts) != 3:  # noqa: PLR2004 - header, payload, signature
        raise PolicySourceError(f"{SIGNATURES}: its token has {len(parts)} parts; a JWT has three")
    header = _parse(_Header, _decode(parts[0]), "the header of the signature")
    payload_text = _decode(parts[1])
    # OPA takes the id from its configuration, then from the header, then from the payload, which is not verified yet.
    payload = _parse(_Payload, payload_text, "the payload of the signature")
    key_id = settings.key_id or header.kid or payload.keyid
    key = settings.keys.get(key_id)
    if key is None:
        raise PolicySourceError(f"the bundle is signed by the key {key_id[:60]!r}, which policies.bundle.signing.keys lacks")
    if header.alg != key.algorithm:
        raise PolicySourceError(f"the bundle is signed with {header.alg[:20]!r}; the key {key_id!r} is for {key.algorithm}")
    if not _is_genuine(key, f"{parts[0]}.{parts[1]}".encode(), _decode(parts[2])):
        raise PolicySourceError(f"the bundle's signature is not by the key {key_id!r}")
    scope = settings.scope or key.scope
    if payload.scope != scope:
        raise PolicySourceError(f"the bundle is signed for the scope {payload.scope[:60]!r}; wanted is {scope!r}")
    return payload


def _is_genuine(key: SigningKey, message: bytes, signature: bytes) -> bool:
    """The key is read again for each bundle, so that it can be replaced while the sidecar runs."""
    raw = _read(key.key_file)
    algorithm: Algorithm = get_default_algorithms()[key.algorithm]
    try:
        return algorithm.verify(message, algorithm.prepare_key(_public_key(key, raw)), signature)
    except (PyJWTError, UnsupportedAlgorithm, ValueError, TypeError) as error:
        raise PolicySourceError(f"{key.key_file} is no public key for {key.algorithm}: {error}") from error


def _public_key(key: SigningKey, raw: bytes) -> Any:
    if key.algorithm.startswith("HS"):
        return raw
    if b"-----BEGIN CERTIFICATE-----" in raw:
        return x509.load_pem_x509_certificate(raw).public_key()
    return load_pem_public_key(raw)


def _read(path: Path) -> bytes:
    try:
        raw = read_whole(path, _MAX_KEY_BYTES)
    except OSError as error:
        raise PolicySourceError(f"key file {path}: {error.strerror}") from error
    except ValueError as error:
        raise PolicySourceError(f"key file {error}") from error
    if not raw or len(raw) > _MAX_KEY_BYTES:
        raise PolicySourceError(f"key file {path} must be there and hold between 1 and {_MAX_KEY_BYTES} bytes")
    return raw


def _parse(model: type[_Model], raw: bytes, what: str) -> _Model:
    try:
        return model.model_validate(orjson.loads(raw))
    except (orjson.JSONDecodeError, ValidationError) as error:
        reason = str(error) if isinstance(error, orjson.JSONDecodeError) else error.errors(include_url=False)[0]["msg"]
        raise PolicySourceError(f"{what} cannot be read: {reason}") from error


def _decode(part: str) -> bytes:
    try:
        return base64.b64decode(part + "=" * (-len(part) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise PolicySourceError(f"{SIGNATURES}: its token is not base64url") from error
