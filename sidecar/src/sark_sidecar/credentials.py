"""Certificates and tokens in files: used from the start, and renewed when the files change. Bad ones replace no good ones."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

import structlog
from cryptography import x509

from sark_api.instant import format_precise_instant
from sark_sidecar.bearer import TokenError
from sark_sidecar.nudge import Nudge
from sark_sidecar.unforeseen import unforeseen
from sark_sidecar.whole_file import read_whole

log = structlog.get_logger()
LOOK_SECONDS = 5.0
_MAX_BYTES = 1_048_576


class CredentialError(Exception):
    """What the files hold cannot be used; the message names the setting and never what is secret."""


Use = Callable[[Mapping[str, bytes]], Awaitable[None]]
"""Puts the contents of the files, by setting, to use. Raises ValueError (ssl.SSLError is one), OSError or TokenError."""


class CredentialCounter(Protocol):
    """Where failures are counted."""

    def credentials_refused(self) -> None:
        """Count contents that were refused."""

    def credentials_stale(self, stale: bool) -> None:
        """Show whether what the files hold is not what is in use."""

    def certificate_left(self, listener: str, seconds: float) -> None:
        """Show how long the certificate of `data` or `admin` is valid from now on; negative when it no longer is."""


@dataclass(slots=True)
class Credential:
    """What one listener needs from a few files."""

    name: str
    """The section of the settings, as in `data.tls`."""
    files: Mapping[str, Path]
    """By the last part of their settings."""
    use: Use
    certificate: str = ""
    """Which of the files is the listener's certificate; empty: none is."""
    expires: datetime | None = None
    """When the certificate in use ends, or one of those above it that the file holds; None without one."""
    since: datetime | None = None
    """Since when what is in use is so."""
    problem: str = ""
    """Why what the files hold is not in use; empty when it is."""
    tried: bytes = field(default=b"", repr=False)
    """Digest of what was tried last."""

    async def look(self) -> bool:
        """Read the files and use what is new; False when nothing is.

        Raises:
            CredentialError: it cannot be used. It is not tried again before it changes.
        """
        contents = await asyncio.to_thread(self._read)
        digest = hashlib.sha256(b"".join(hashlib.sha256(content).digest() for content in contents.values())).digest()
        if digest == self.tried:
            return False
        self.tried = digest
        try:
            await self.use(contents)
        except (ValueError, OSError, TokenError) as error:
            raise CredentialError(f"{self.name}: {error}") from error
        except Exception as error:
            log.exception("credentials broke their reader", setting=self.name)
            raise CredentialError(f"{self.name}: {unforeseen(error)}") from error
        self.since, self.problem = datetime.now(UTC), ""
        self.expires = certificate_end(contents[self.certificate]) if self.certificate else None
        return True

    def _read(self) -> dict[str, bytes]:
        contents = {}
        for setting, path in self.files.items():
            try:
                raw = read_whole(path, _MAX_BYTES)
            except (OSError, ValueError) as error:
                reason = getattr(error, "strerror", None) or error
                self.tried = b""
                raise CredentialError(f"{self.name} {setting} {path}: {reason}") from error
            if raw is None or len(raw) > _MAX_BYTES:
                self.tried = b""
                reason = "there is no such file" if raw is None else f"it has more than {_MAX_BYTES} bytes"
                raise CredentialError(f"{self.name} {setting} {path}: {reason}")
            contents[setting] = raw
        return contents


class Credentials:
    """All of one sidecar."""

    def __init__(self) -> None:
        """Know none yet."""
        self._all: list[Credential] = []
        self.nudge = Nudge()
        """Makes it look at once."""

    async def begin(self, credential: Credential) -> None:
        """Use what the files hold now, and follow them from now on.

        Raises:
            CredentialError: it cannot be used.
        """
        await credential.look()
        self._all.append(credential)

    async def follow(self, counter: CredentialCounter) -> None:
        """Look again and again until cancelled."""
        while True:
            self._show_ends(counter)
            await self.nudge.cut(asyncio.sleep(LOOK_SECONDS))
            for credential in self._all:
                await self._look(credential, counter)
            counter.credentials_stale(any(credential.problem for credential in self._all))

    def status(self) -> dict[str, Any]:
        """Return the part of the status page."""
        return {
            credential.name: {
                "since": format_precise_instant(credential.since) if credential.since else None,
                "problem": credential.problem,
                **_validity(credential.expires),
            }
            for credential in self._all
        }

    def _show_ends(self, counter: CredentialCounter) -> None:
        for credential in self._all:
            if credential.expires is not None:
                listener = credential.name.partition(".")[0]
                counter.certificate_left(listener, (credential.expires - datetime.now(UTC)).total_seconds())

    @staticmethod
    async def _look(credential: Credential, counter: CredentialCounter) -> None:
        try:
            if await credential.look():
                log.info("credentials renewed", setting=credential.name)
        except CredentialError as error:
            if str(error) != credential.problem:
                counter.credentials_refused()
                log.error("credentials not renewed; the last good ones are in use", reason=str(error))  # noqa: TRY400
            credential.problem = str(error)


def certificate_end(pem: bytes) -> datetime | None:
    """Return when the first of the certificates in `pem` is no longer valid: clients refuse a chain with one that is not.

    None when it cannot be told: the listener's own library has taken them, and its word counts.
    """
    try:
        return min(certificate.not_valid_after_utc for certificate in x509.load_pem_x509_certificates(pem))
    except Exception:  # noqa: BLE001 - a certificate of an odd version or with an odd date raises what it likes
        return None


def _validity(expires: datetime | None) -> dict[str, Any]:
    if expires is None:
        return {}
    return {
        "expires": format_precise_instant(expires),
        "seconds_left": round((expires - datetime.now(UTC)).total_seconds()),
    }
