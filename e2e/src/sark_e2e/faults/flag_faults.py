"""Faults of what steers the sidecar: the API server, the flags ConfigMap, and the disk that keeps the last good document."""

from __future__ import annotations

import resource
from collections.abc import Callable
from typing import Final

from .fault import Fault, Status
from .flags_map import FlagsMap
from .link import Weather
from .prober import SHARE
from .stand import Stand

_SOON: Final = 3.0
"""Seconds that a document is valid for which is to end."""


def _keeps_the_share(status: Status) -> bool:
    return bool(status["flags"]["percentage"] == SHARE)


def _is_expired(status: Status) -> bool:
    flags = status["flags"]
    return bool(flags["state"] == "expired" and flags["percentage"] == 0)


def _refused_because(words: str) -> Callable[[Status], bool]:
    return lambda status: any(words in refusal["reason"] for refusal in status["flags"]["last_refusals"])


def _lose_the_api_server(stand: Stand) -> None:
    stand.follow(stand.flags.write(seconds=_SOON))
    stand.api_link.become(Weather.CUT)


def _cut_the_api_server(stand: Stand) -> None:
    stand.api_link.become(Weather.CUT)


def _find_the_api_server(stand: Stand) -> None:
    """As the operator does: it renews the validity whenever it is due."""
    stand.api_link.become(Weather.FAIR)
    stand.flags.write()


def _renew(stand: Stand) -> None:
    stand.flags.write()


def _write_half(stand: Stand) -> None:
    text = FlagsMap.document(stand.flags.revision + 1, percentage=100).to_json()
    stand.flags.write_text(text[: len(text) // 2])


def _write_by_hand(stand: Stand) -> None:
    """Everybody into the new arm, by somebody who does not know of the checksum."""
    text = FlagsMap.document(stand.flags.revision + 1).to_json()
    stand.flags.write_text(text.replace(f'"rollout_percentage": {SHARE}', '"rollout_percentage": 100'))


class _Lowered:
    """An older revision that would move everybody: a controller that does not know of a rollback."""

    def __init__(self) -> None:
        self._before = 0

    def make(self, stand: Stand) -> None:
        self._before = int(stand.status()["flags"]["ignored"])
        stand.flags.write_text(FlagsMap.document(stand.flags.revision - 1, percentage=100).to_json())

    def clear(self, status: Status) -> bool:
        return bool(int(status["flags"]["ignored"]) > self._before)


class _FullDisk:
    """No file of the sidecar's can grow any more, its log among them: what `RLIMIT_FSIZE` is for, and no root is needed."""

    def __init__(self) -> None:
        self._before = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)

    def make(self, stand: Stand) -> None:
        self._before = resource.prlimit(stand.sidecar.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(stand.sidecar.pid, resource.RLIMIT_FSIZE, (0, self._before[1]))
        stand.follow(stand.flags.write())

    def mend(self, stand: Stand) -> None:
        resource.prlimit(stand.sidecar.pid, resource.RLIMIT_FSIZE, self._before)

    @staticmethod
    def missing() -> str:
        return "" if hasattr(resource, "prlimit") else "this system cannot limit the files of a running process (prlimit)"


_LOWERED: Final = _Lowered()
_FULL_DISK: Final = _FullDisk()
FLAG_FAULTS: Final = (
    Fault(
        "API server away",
        _cut_the_api_server,
        _find_the_api_server,
        lambda status: bool(status["flags"]["state"] == "stale"),
        hurts_baseline=False,
        holds=_keeps_the_share,
    ),
    Fault(
        "API server away for longer than the flags are valid",
        _lose_the_api_server,
        _find_the_api_server,
        _is_expired,
        hurts_baseline=False,
        holds=_is_expired,
        all_on_baseline=True,
    ),
    Fault(
        "flags ConfigMap deleted",
        lambda stand: stand.flags.delete(),
        _renew,
        lambda status: "was deleted" in status["flags"]["problem"],
        hurts_baseline=False,
        holds=_keeps_the_share,
    ),
    Fault(
        "flag document cut in half",
        _write_half,
        _renew,
        _refused_because("is not JSON"),
        hurts_baseline=False,
        passes=False,
        holds=_keeps_the_share,
    ),
    Fault(
        "flag document edited by hand (sha256)",
        _write_by_hand,
        _renew,
        _refused_because("sha256 does not match"),
        hurts_baseline=False,
        passes=False,
        holds=_keeps_the_share,
    ),
    Fault(
        "flag document with a lower revision",
        _LOWERED.make,
        _renew,
        _LOWERED.clear,
        hurts_baseline=False,
        passes=False,
        holds=_keeps_the_share,
    ),
    Fault(
        "disk full",
        _FULL_DISK.make,
        _FULL_DISK.mend,
        lambda status: bool(status["flags"]["state_file_problem"]),
        hurts_baseline=False,
        holds=_keeps_the_share,
        missing=_FULL_DISK.missing,
    ),
)
