"""Addresses of notices as Apprise URLs, one a line in a file: a mounted Secret, for each URL holds its credentials.

    # everything
    slack://T00000000/B00000000/XXXXXXXXXXXXXXXXXXXXXXXX/#rollouts
    # what somebody had better look at
    name=on-call warnings=pagerduty://integration-key@api-key
    # of some rollouts, some things: all that is named must be so
    rollouts=shop/*,billing/gateway reasons=CriterionBreached,BaselineRestored slack://T00000000/B00000001/XXXXXXXXXXXXXXXXXXXXXXXX/#shop

A line is its name, if it has one, its conditions and then the URL, with blanks between. The name is what the status keeps the
progress of the address under, also when its URL is another one; lines without one share that of their scheme. No digest of a
URL is stored, for a secret that is short could be guessed from it.

The file is read for each notice, so it may be rotated. Nothing of it is ever logged but the number of a line.
"""

from __future__ import annotations

import hashlib
import logging
import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Final

from sark_api.reasons import REASONS
from sark_api.status import NOTIFIED_LIMIT
from sark_operator.core.notices import Notice

MAX_BYTES: Final = 64 * 1024
MAX_URLS: Final = NOTIFIED_LIMIT
_WARNINGS: Final = "warnings="
CONDITIONS: Final = ("name", "rollouts", "reasons")
"""What may stand before a URL, beside that it is told of warnings only."""
_NAME: Final = re.compile(r"[a-z0-9]([-a-z0-9.]{0,61}[a-z0-9])?")


class AddressFileError(ValueError):
    """The file cannot be used; the message says which line and not what stands there."""


@dataclass(frozen=True, slots=True)
class AppriseAddress:
    """One line of the file."""

    name: str
    label: str
    """Its name in the file, else the scheme of its URL."""
    key: str
    """Its name, else the digest of the line: the same wherever in the file it stands. It is kept in memory only."""
    service: Any
    """Apprise's plugin for the URL."""
    only_warnings: bool
    rollouts: tuple[str, ...] = ()
    """Patterns of namespace/name; none means all."""
    reasons: tuple[str, ...] = ()
    """Reasons of transitions; none means all."""

    def wants(self, rollout: str, notice: Notice) -> bool:
        """Whether it is told of this transition of `rollout` (namespace/name)."""
        return (
            (notice.warning or not self.only_warnings)
            and (not self.rollouts or any(fnmatchcase(rollout, pattern) for pattern in self.rollouts))
            and (not self.reasons or notice.entry.reason in self.reasons)
        )

    def send(self, title: str, text: str, *, warning: bool) -> bool:
        """Tell it; the plugin's own socket timeouts (4 s each, `cto` and `rto` in the URL) end what hangs."""
        return bool(self.service.notify(title=title, body=text, notify_type="warning" if warning else "info"))


class AppriseFile:
    """The file as it is whenever it is asked for; while it cannot be read, what was read before."""

    def __init__(self, path: Path) -> None:
        """Read it once.

        Raises:
            AddressFileError: it cannot be used.
        """
        self._path = path
        self._known = b""
        self._addresses: Sequence[AppriseAddress] = ()
        self._load()

    def __call__(self) -> Sequence[AppriseAddress]:
        """Return the addresses."""
        try:
            self._load()
        except AddressFileError as error:
            logging.getLogger("sark.notifier").warning("addresses of notices stay as they were: %s", error)
        return self._addresses

    def _load(self) -> None:
        try:
            with self._path.open("rb") as file:
                raw = file.read(MAX_BYTES + 1)
        except OSError as error:
            raise AddressFileError(f"{self._path} cannot be read: {(error.strerror or 'unknown error').lower()}") from error
        if raw != self._known:
            self._addresses = _addresses(self._path, raw)
            self._known = raw
            for shared in _sharing(self._addresses):
                logging.getLogger("sark.notifier").warning(
                    "%s have no names of their own: after a death each may be told again what another one was not told; "
                    "begin their lines with name=",
                    shared,
                )


def _sharing(addresses: Sequence[AppriseAddress]) -> list[str]:
    """Return the lines that share their progress, group by group, by their names in logs."""
    labels = dict.fromkeys(each.label for each in addresses)
    groups = ([each.name for each in addresses if each.label == label] for label in labels)
    return [", ".join(group) for group in groups if len(group) > 1]


def _addresses(path: Path, raw: bytes) -> Sequence[AppriseAddress]:
    if len(raw) > MAX_BYTES:
        raise AddressFileError(f"{path} is larger than {MAX_BYTES // 1024} KiB; is it the right file?")
    lines = raw.decode("utf-8", errors="replace").splitlines()
    wanted = [
        (number, line.strip())
        for number, line in enumerate(lines, start=1)
        if line.strip() and not line.lstrip().startswith("#")
    ]
    if len(wanted) > MAX_URLS:
        raise AddressFileError(f"{path} holds {len(wanted)} URLs; at most {MAX_URLS}")
    addresses = tuple(_address(path, number, line) for number, line in wanted)
    named: set[str] = set()
    for (number, _), address in zip(wanted, addresses, strict=True):
        if address.label in named:
            raise AddressFileError(f"{path}, line {number}: has the name of another line")
        if address.key == address.label:
            named.add(address.label)
    return addresses


def _address(path: Path, number: int, line: str) -> AppriseAddress:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it imports modules that are deprecated
        import apprise
    logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)  # it logs URLs, and what receivers answered
    *conditions, last = line.split()
    own, rollouts, reasons = _conditions(f"{path}, line {number}", conditions)
    url = last.removeprefix(_WARNINGS)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        service = apprise.Apprise.instantiate(url, suppress_exceptions=True)
    if service is None:
        raise AddressFileError(
            f"{path}, line {number}: not a URL that Apprise knows: write one such as json://host/path or slack://..., "
            f"or {_WARNINGS}URL for warnings alone"
        )
    name = f"line {number} ({service.service_name})"
    label = own or f"{url.partition('://')[0].lower()}://"
    key = own or hashlib.sha256(line.encode()).hexdigest()
    return AppriseAddress(name, label, key, service, last.startswith(_WARNINGS), rollouts, reasons)


def _conditions(where: str, conditions: Sequence[str]) -> tuple[str, tuple[str, ...], tuple[str, ...]]:
    """Return the name, the patterns of rollouts and the reasons that stand before a URL."""
    found: dict[str, tuple[str, ...]] = dict.fromkeys(CONDITIONS, ())
    for place, condition in enumerate(conditions, start=1):
        name, _, values = condition.partition("=")
        if name not in found or not values:
            raise AddressFileError(
                f"{where}: word {place} is no condition: write name=NAME, rollouts=NAMESPACE/NAME,... or reasons=REASON,..."
            )
        found[name] = tuple(filter(None, values.split(",")))
    own = ",".join(found["name"])
    if own and _NAME.fullmatch(own) is None:
        raise AddressFileError(f"{where}: a name is up to 63 lower-case letters, digits, hyphens and points, as in on-call")
    if any(pattern.count("/") != 1 for pattern in found["rollouts"]):
        raise AddressFileError(f"{where}: rollouts are named by namespace/name, with * for any, as in shop/*")
    if any(reason not in REASONS for reason in found["reasons"]):
        raise AddressFileError(
            f"{where}: names a reason that does not exist: docs/reasons.md has them all, as in CriterionBreached"
        )
    return own, found["rollouts"], found["reasons"]
