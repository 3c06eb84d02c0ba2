"""Filing: what the stored status says is in no ConfigMap yet is put there, once, whoever did what before.

It comes after the writes of a tick and stops none of them. A record has one place, the key of its number, and one text, fixed
by the status that was stored; so trying again is harmless, and two operators that file the same record write the same. Every
write carries the version that was read: of two at once one loses, reads again, and finds the record there.

A ConfigMap that is full is closed (immutable), and the next one made; what is closed is never opened again. Whoever was killed
in between is followed by one that walks from the last ConfigMap the status knows of to the one that is open.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import structlog

from sark_api.evidence import digest, record_key, segment_name
from sark_api.status import Ledger, LedgerSegment
from sark_operator.core.ledger import count_through, numbered
from sark_operator.core.observation import Filing
from sark_operator.shell.api import ClusterError, ObjectMissingError, RolloutObject, StaleVersionError
from sark_operator.shell.evidence_store import EvidenceStore, StoredSegment
from sark_operator.shell.telemetry import Telemetry

SEGMENT_BYTES: Final = 256 * 1024
"""A ConfigMap takes no record that would make it larger. The API server allows 1 MiB, but each record rewrites the whole."""
MAX_TRIES: Final = 5
"""How often a write is tried anew when someone else was faster."""
_MAX_WALK: Final = 8
"""ConfigMaps looked at beyond the last one the status knows of."""
_MAX_ROLLOUTS: Final = 20_000

_log = structlog.get_logger("sark.evidence")


class _RefusedError(Exception):
    """A record cannot be filed where it belongs; the message says what to mend."""


@dataclass(slots=True)
class _Place:
    """Where the chain goes on: an index, and what is there."""

    index: int
    stored: StoredSegment | None
    """The ConfigMap; None when there is none yet."""
    before: StoredSegment | None = None
    """The one that was closed before it, where it was met on the way."""


class Filer:
    """Puts records into ConfigMaps, and remembers what this process knows to be there."""

    def __init__(self, store: EvidenceStore, telemetry: Telemetry, *, segment_bytes: int = SEGMENT_BYTES) -> None:
        self._store = store
        self._telemetry = telemetry
        self._segment_bytes = segment_bytes
        self._filings: OrderedDict[str, Filing] = OrderedDict()
        self._logged: OrderedDict[str, str] = OrderedDict()
        """By uid of the rollout: the digest of the last record this process has logged."""
        self._given_up: OrderedDict[str, int] = OrderedDict()
        """By uid of the rollout: the last of the segments that this process knows to be gone."""

    def filing(self, uid: str) -> Filing | None:
        """Return what this process knows to be filed of the rollout with `uid`."""
        return self._filings.get(uid)

    async def file(self, rollout: RolloutObject, ledger: Ledger) -> None:
        """File what `ledger`, as it is stored in the status of `rollout`, has unfiled. Never raises for what can go wrong."""
        before = self._filings.get(rollout.uid) or Filing()
        filed = count_through(ledger.unfiled, before.last)
        if not filed:
            # Where the status was set back, its records belong nowhere behind those that were filed from it before: they must
            # meet what is there under their numbers.
            before = Filing()
        try:
            records = numbered(ledger.unfiled[filed:])
            self._log_records(rollout, records)
            filing = await self._filed(rollout, ledger, before, records)
        except (ClusterError, _RefusedError) as error:
            filing = self._failed(rollout, before, str(error))
        except Exception as error:  # noqa: BLE001 - whatever filing meets, the rollout goes on
            filing = self._failed(rollout, before, f"{type(error).__name__}: {error}")
        self._filings[rollout.uid] = filing
        self._filings.move_to_end(rollout.uid)
        for memory in (self._filings, self._logged, self._given_up):
            while len(memory) > _MAX_ROLLOUTS:
                memory.popitem(last=False)

    def _failed(self, rollout: RolloutObject, before: Filing, problem: str) -> Filing:
        self._telemetry.evidence(rollout.key, "failed")
        _log.warning("evidence not filed", rollout=rollout.key, uid=rollout.uid, problem=problem)
        return replace(before, problem=problem)

    def _log_records(self, rollout: RolloutObject, records: Sequence[tuple[int, str]]) -> None:
        """Put each record into the log before it is tried: at least once; its digest tells doubles of a restart apart."""
        logged = count_through([text for _, text in records], self._logged.get(rollout.uid, ""))
        for number, text in records[logged:]:
            sha256 = digest(text)
            _log.info("evidence", rollout=rollout.key, uid=rollout.uid, number=number, sha256=sha256, record=text)
            self._logged[rollout.uid] = sha256

    async def _filed(
        self, rollout: RolloutObject, ledger: Ledger, before: Filing, records: Sequence[tuple[int, str]]
    ) -> Filing:
        known = {segment.index: segment for segment in (*ledger.segments, *before.segments)}
        filing = before
        for number, text in records:
            segment = await self._put(rollout, known, number, text)
            known.setdefault(segment.index, segment)
            latest = tuple(known[index] for index in sorted(known))[-_MAX_WALK:]
            filing = Filing(digest(text), latest)
        await self._give_up_older(rollout, ledger)
        return replace(filing, problem="")

    async def _put(self, rollout: RolloutObject, known: dict[int, LedgerSegment], number: int, text: str) -> LedgerSegment:
        """Put one record where it belongs, and return the segment it is in."""
        key = record_key(number)
        for _ in range(MAX_TRIES):
            try:
                place = await self._find(rollout, known, key)
                if place.stored is None:
                    await self._store.create(rollout, self._name(rollout, place.index), {key: text}, place.before)
                    self._telemetry.evidence(rollout.key, "filed")
                    return LedgerSegment(index=place.index, first=number)
                if key in place.stored.records:
                    _check_same(place.stored, key, text)
                    return _segment(place.index, place.stored)
                if await self._closed(rollout, place.stored, key, text):
                    continue
                await self._store.replace(rollout, place.stored, {**place.stored.records, key: text}, closed=False)
                self._telemetry.evidence(rollout.key, "filed")
                return _segment(place.index, place.stored)
            except StaleVersionError as error:
                stale = error
        raise _RefusedError(f"record {number} met another writer {MAX_TRIES} times: {stale}")

    async def _find(self, rollout: RolloutObject, known: dict[int, LedgerSegment], key: str) -> _Place:
        """Return where `key` is or belongs: the last known segment, or the first one after it that is not closed.

        A known segment that is gone is not made again: its records are lost, and the chain shows it.
        """
        last = max(known, default=0)
        index = max(1, last)
        before: StoredSegment | None = None
        for _ in range(_MAX_WALK):
            try:
                stored = await self._store.read(rollout.namespace, self._name(rollout, index))
            except ObjectMissingError:
                if index in known:
                    index += 1
                    continue
                return _Place(index, None, before)
            if stored.rollout != rollout.uid:
                raise _RefusedError(f"ConfigMap {stored.name} is in the way: it does not belong to this rollout; delete it")
            if key in stored.records or not stored.closed:
                return _Place(index, stored)
            index, before = index + 1, stored
        raise _RefusedError(f"{_MAX_WALK} ConfigMaps from {self._name(rollout, max(1, last))} on are closed or gone")

    async def _closed(self, rollout: RolloutObject, stored: StoredSegment, key: str, text: str) -> bool:
        """Close a segment that has no room for one more record, and return whether it had none."""
        size = sum(len(part.encode("utf-8", "replace")) for pair in stored.records.items() for part in pair)
        if not stored.records or size + len(key) + len(text.encode("utf-8", "replace")) <= self._segment_bytes:
            return False
        await self._store.replace(rollout, stored, stored.records, closed=True)
        return True

    async def _give_up_older(self, rollout: RolloutObject, ledger: Ledger) -> None:
        """Delete the segment before the oldest that the stored status keeps.

        The status says first that it is not kept any longer, so that a check never misses what should be there. Without the
        right to delete it stays, and costs room only.
        """
        index = ledger.segments[0].index - 1 if ledger.segments else 0
        if index < 1 or index <= self._given_up.get(rollout.uid, 0):
            return
        try:
            stored = await self._store.read(rollout.namespace, self._name(rollout, index))
            if stored.rollout == rollout.uid:
                await self._store.delete(rollout.namespace, stored)
        except ObjectMissingError:
            pass
        except ClusterError as error:
            _log.warning("old evidence not deleted", rollout=rollout.key, uid=rollout.uid, problem=str(error))
            return
        self._given_up[rollout.uid] = index

    @staticmethod
    def _name(rollout: RolloutObject, index: int) -> str:
        return segment_name(rollout.name, rollout.uid, index)


def _segment(index: int, stored: StoredSegment) -> LedgerSegment:
    """Return the segment as the status names it."""
    numbers = [int(key.partition(".")[0]) for key in stored.records if key.partition(".")[0].isdecimal()]
    return LedgerSegment(index=index, first=min(numbers, default=1))


def _check_same(stored: StoredSegment, key: str, text: str) -> None:
    if stored.records[key] != text:
        raise _RefusedError(
            f"ConfigMap {stored.name} has another text under {key} than was decided: someone wrote it, or set the status back; "
            f"export it for the inquiry, then delete that {'ConfigMap, which is closed' if stored.closed else 'key'}"
        )
