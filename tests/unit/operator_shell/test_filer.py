"""Filing evidence: each record once and in its place, whatever dies, whoever is faster, and however full a ConfigMap is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import pytest
import structlog
from structlog.testing import capture_logs

from sark_api.evidence import EvidenceRecord, digest, record_key, record_number, segment_name, to_text, verify
from sark_api.status import Ledger, SarkRolloutStatus
from sark_e2e.decided import decided
from sark_e2e.simulated_target import SimulatedTarget
from sark_operator.core.ledger import settled
from sark_operator.shell.api import ObjectMissingError, RefusedError, RolloutObject, StaleVersionError, UnavailableError
from sark_operator.shell.evidence_store import StoredSegment
from sark_operator.shell.filer import Filer
from sark_operator.shell.telemetry import Telemetry

pytestmark = pytest.mark.asyncio

UID = "6f1c0c0e-0000-4000-8000-000000000001"
ROLLOUT = RolloutObject({"metadata": {"namespace": "shop", "name": "gateway", "uid": UID, "resourceVersion": "5"}})


class Killed(BaseException):
    """The process is gone: nothing catches this."""


@dataclass
class Shelf:
    """Stands for the API server: keeps ConfigMaps, refuses what is stale or closed, and can kill who writes."""

    segments: dict[str, StoredSegment] = field(default_factory=dict)
    requests: int = 0
    kill_at: int = 0
    """The number of the request that kills; its write has happened already when `after` is set."""
    after: bool = False
    refuse: Exception | None = None
    keep: bool = False
    """Whether it lets nothing be deleted."""
    behind: dict[str, str] = field(default_factory=dict)
    """By name of a segment: that of the one it was made behind."""
    faster: list[tuple[str, Mapping[str, str]]] = field(default_factory=list)
    """What others write, each just before a write of ours."""

    async def read(self, _namespace: str, name: str) -> StoredSegment:
        self._step(lambda: None)
        if name not in self.segments:
            raise ObjectMissingError(name)
        return self.segments[name]

    async def create(self, rollout: RolloutObject, name: str, records: Mapping[str, str], after: StoredSegment | None) -> None:
        def write() -> None:
            if name in self.segments:
                raise StaleVersionError(f"{name} exists")
            if after is not None:
                self.behind[name] = after.name
            self.segments[name] = StoredSegment(name, f"u-{name}", "1", rollout.uid, closed=False, records=dict(records))

        self._step(write)

    async def replace(
        self, _rollout: RolloutObject, segment: StoredSegment, records: Mapping[str, str], *, closed: bool
    ) -> None:
        def write() -> None:
            present = self.segments[segment.name]
            if present.resource_version != segment.resource_version:
                raise StaleVersionError(segment.name)
            if present.closed:
                raise RefusedError(f"{segment.name} is immutable")
            version = str(int(present.resource_version) + 1)
            self.segments[segment.name] = replace(present, resource_version=version, closed=closed, records=dict(records))

        self._step(write)

    async def delete(self, _namespace: str, segment: StoredSegment) -> None:
        if self.keep:
            raise RefusedError(f"delete {segment.name}: forbidden")
        self._step(lambda: self.segments.pop(segment.name))

    def _step(self, write: object) -> None:
        self.requests += 1
        if self.refuse is not None:
            raise self.refuse
        dies = self.requests == self.kill_at
        if dies and not self.after:
            raise Killed
        if self.faster and getattr(write, "__name__", "") == "write":
            name, records = self.faster.pop(0)
            before = self.segments.get(name) or StoredSegment(name, f"u-{name}", "0", UID, closed=False)
            version = str(int(before.resource_version) + 1)
            self.segments[name] = replace(before, resource_version=version, records={**before.records, **records})
        assert callable(write)
        write()
        if dies:
            raise Killed

    def filed(self) -> list[tuple[int, str]]:
        """Return every record with its number, those that are there twice twice."""
        pairs = [pair for segment in self.segments.values() for pair in segment.records.items()]
        return sorted((record_number(key) or 0, text) for key, text in pairs)


def chain(ledger: Ledger, count: int) -> Ledger:
    """Return the ledger with `count` more decisions that wait."""
    return decided(ledger, count, rollout="shop/gateway", uid=UID)


SIZE = len(to_text(EvidenceRecord.model_validate_json(chain(Ledger(), 1).unfiled[0])).encode())


def filer(shelf: Shelf, *, room_for: float = 3.5) -> Filer:
    return Filer(shelf, Telemetry(), segment_bytes=round(room_for * (SIZE + 14)))


async def story(shelf: Shelf, *, kill_at: int, after: bool) -> tuple[Ledger, int]:
    """Decide nine times and file; the process is killed at one request and followed by another. Return the last status."""
    shelf.kill_at, shelf.after = kill_at, after
    ledger, present = Ledger(), filer(shelf)
    for _ in range(9):
        ledger = chain(settled(ledger, present.filing(UID)), 1)
        try:
            await present.file(ROLLOUT, ledger)
        except Killed:
            present = filer(shelf)
    await present.file(ROLLOUT, ledger)
    return settled(ledger, present.filing(UID)), shelf.requests


async def test_records_fill_config_maps_that_are_closed_when_full():
    shelf = Shelf()
    ledger, _ = await story(shelf, kill_at=0, after=False)
    assert [(segment.index, segment.first) for segment in ledger.segments] == [(1, 1), (2, 4), (3, 7)]
    assert [segment.closed for segment in shelf.segments.values()] == [True, True, False]
    first, second, third = shelf.segments
    assert shelf.behind == {second: first, third: second}
    assert ledger.unfiled == []
    assert verify(UID, ledger, shelf.filed()) is None


@pytest.mark.parametrize("after", [False, True], ids=["before the write", "after the write"])
@pytest.mark.parametrize("request_number", range(1, 31))
async def test_wherever_the_operator_is_killed_no_record_is_lost_or_there_twice(request_number: int, after: bool):
    # Given an operator that is killed at one of its requests, and another that follows it
    shelf = Shelf()
    ledger, requests = await story(shelf, kill_at=request_number, after=after)

    # Then every record is filed once, and the chain holds
    assert requests >= 20
    assert [number for number, _ in shelf.filed()] == list(range(1, 10))
    assert ledger.unfiled == []
    assert verify(UID, ledger, shelf.filed()) is None


async def test_a_process_that_has_filed_does_not_ask_again():
    shelf = Shelf()
    ledger, present = chain(Ledger(), 2), filer(shelf)
    await present.file(ROLLOUT, ledger)
    before = shelf.requests
    await present.file(ROLLOUT, ledger)
    assert shelf.requests == before


async def test_two_operators_that_file_the_same_record_leave_one():
    # Given another operator that is faster by one write, each time
    shelf, ledger = Shelf(), chain(Ledger(), 2)
    name = segment_name("gateway", UID, 1)
    shelf.faster = [(name, {record_key(1): ledger.unfiled[0]}), (name, {record_key(2): ledger.unfiled[1]})]

    # When both have filed
    await filer(shelf).file(ROLLOUT, ledger)

    # Then each record is there once
    assert [number for number, _ in shelf.filed()] == [1, 2]
    assert verify(UID, ledger, shelf.filed()) is None


async def test_a_record_that_somebody_else_wrote_is_not_overwritten():
    shelf, ledger = Shelf(), chain(Ledger(), 1)
    name = segment_name("gateway", UID, 1)
    shelf.segments[name] = StoredSegment(name, "u", "1", UID, closed=False, records={record_key(1): "forged"})
    present = filer(shelf)
    await present.file(ROLLOUT, ledger)
    filing = present.filing(UID)
    assert filing is not None
    assert "another text under 000000001.json" in filing.problem
    assert shelf.filed() == [(1, "forged")]
    assert settled(ledger, filing).unfiled == ledger.unfiled


async def test_a_config_map_that_is_not_ours_is_left_alone():
    shelf = Shelf()
    name = segment_name("gateway", UID, 1)
    shelf.segments[name] = StoredSegment(name, "u", "1", "", closed=False, records={"notes": "of a person"})
    present = filer(shelf)
    await present.file(ROLLOUT, chain(Ledger(), 1))
    filing = present.filing(UID)
    assert filing is not None
    assert "does not belong to this rollout" in filing.problem
    assert shelf.segments[name].records == {"notes": "of a person"}


async def test_a_config_map_that_was_deleted_is_not_made_again_and_the_check_says_what_is_gone():
    # Given four records in two ConfigMaps, and a person who deletes the second
    shelf, ledger = Shelf(), chain(Ledger(), 4)
    present = filer(shelf)
    await present.file(ROLLOUT, ledger)
    ledger = settled(ledger, present.filing(UID))
    del shelf.segments[segment_name("gateway", UID, 2)]

    # When the next decision is filed, then it goes into a third, and what is missing is named
    ledger = chain(ledger, 1)
    await present.file(ROLLOUT, ledger)
    assert segment_name("gateway", UID, 3) in shelf.segments
    found = verify(UID, settled(ledger, present.filing(UID)), shelf.filed())
    assert found is not None
    assert found.message == "record 4 is missing"


@pytest.mark.parametrize(
    "error",
    [UnavailableError("503"), RefusedError("forbidden"), StaleVersionError("always somebody else"), ValueError("odd")],
)
async def test_what_cannot_be_filed_waits_and_is_told(error: Exception):
    # Given a server that does not take it
    shelf, ledger = Shelf(refuse=error), chain(Ledger(), 1)
    present = filer(shelf)
    await present.file(ROLLOUT, ledger)
    filing = present.filing(UID)
    assert filing is not None
    assert str(error) in filing.problem
    assert settled(ledger, filing).unfiled == ledger.unfiled

    # When it does, then it is filed, and the trouble is over
    shelf.refuse = None
    await present.file(ROLLOUT, ledger)
    filing = present.filing(UID)
    assert filing is not None
    assert (filing.last, filing.problem) == (ledger.head, "")


async def test_the_oldest_config_map_is_given_up_only_when_the_status_no_longer_keeps_it():
    shelf = Shelf()
    ledger, _ = await story(shelf, kill_at=0, after=False)
    present = filer(shelf)
    assert len(shelf.segments) == 3

    # When the status keeps the last two only, then the first goes with the next record
    ledger = chain(ledger.model_copy(update={"segments": ledger.segments[1:]}), 1)
    await present.file(ROLLOUT, ledger)
    assert segment_name("gateway", UID, 1) not in shelf.segments
    ledger = settled(ledger, present.filing(UID))
    assert ledger.kept_from == 4
    assert verify(UID, ledger, shelf.filed()) is None


async def given_up(shelf: Shelf) -> tuple[Filer, Ledger]:
    """Return who files the next record of a chain of which the status has just given up the first ConfigMap."""
    ledger, _ = await story(shelf, kill_at=0, after=False)
    return filer(shelf), chain(ledger.model_copy(update={"segments": ledger.segments[1:]}), 1)


async def test_what_is_given_up_and_cannot_be_deleted_is_tried_again_with_the_next_record():
    shelf = Shelf()
    present, ledger = await given_up(shelf)
    shelf.keep = True
    await present.file(ROLLOUT, ledger)
    assert segment_name("gateway", UID, 1) in shelf.segments

    shelf.keep = False
    ledger = chain(settled(ledger, present.filing(UID)), 1)
    await present.file(ROLLOUT, ledger)
    assert segment_name("gateway", UID, 1) not in shelf.segments


async def test_what_is_known_to_be_gone_is_not_asked_for_again():
    shelf = Shelf()
    present, ledger = await given_up(shelf)
    await present.file(ROLLOUT, ledger)
    ledger = chain(settled(ledger, present.filing(UID)), 1)
    before = shelf.requests
    await present.file(ROLLOUT, ledger)
    assert shelf.requests - before == 2  # the open one is read and written


async def test_somebody_elses_config_map_under_the_name_of_what_is_given_up_is_left_alone():
    shelf = Shelf()
    present, ledger = await given_up(shelf)
    name = segment_name("gateway", UID, 1)
    shelf.segments[name] = StoredSegment(name, "u", "1", "", closed=False, records={"notes": "of a person"})
    await present.file(ROLLOUT, ledger)
    assert shelf.segments[name].records == {"notes": "of a person"}


async def test_trouble_is_over_where_nothing_waits_any_more():
    # Given a record that is filed, and a second one that cannot be
    shelf, first = Shelf(), chain(Ledger(), 1)
    present = filer(shelf)
    await present.file(ROLLOUT, first)
    shelf.refuse = UnavailableError("503")
    await present.file(ROLLOUT, chain(first, 1))

    # When the status says that there is only the first
    await present.file(ROLLOUT, first)
    filing = present.filing(UID)
    assert filing is not None
    assert filing.problem == ""


async def test_a_status_that_was_set_back_writes_nothing_behind_what_was_filed_from_it_before():
    # Given records in three ConfigMaps, each known to be there, and a status that is set back to before the first
    shelf, ledger = Shelf(), Ledger()
    present = filer(shelf)
    for _ in range(8):
        ledger = chain(settled(ledger, present.filing(UID)), 1)
        await present.file(ROLLOUT, ledger)
    before = shelf.filed()
    assert len(shelf.segments) == 3

    # When other things are decided than then
    other = decided(Ledger(), 1, rollout="shop/other", uid=UID)
    await present.file(ROLLOUT, other)

    # Then nothing of it is put behind the others under a number that is taken
    filing = present.filing(UID)
    assert filing is not None
    assert "another text under 000000001.json" in filing.problem
    assert shelf.filed() == before


async def test_the_log_has_every_record_with_its_digest_before_it_is_filed():
    structlog.reset_defaults()
    shelf, ledger = Shelf(refuse=UnavailableError("503")), chain(Ledger(), 2)
    present = filer(shelf)
    with capture_logs() as lines:
        await present.file(ROLLOUT, ledger)
        await present.file(ROLLOUT, ledger)
    told = [line for line in lines if line["event"] == "evidence"]
    assert [(line["number"], line["record"]) for line in told] == list(enumerate(ledger.unfiled, start=1))
    assert [line["sha256"] for line in told] == [digest(text) for text in ledger.unfiled]


class Target(SimulatedTarget):
    """A rollout whose evidence is filed by the test, as an operator does it after each tick."""

    def _file(self, *, died: bool) -> None:
        pass

    async def live(self, present: Filer, seconds: int) -> list[int]:
        """Tick for so long, and return the numbers of what was decided."""
        numbers = []
        for _ in range(seconds):
            self.filing = present.filing(UID)
            numbers += [record.number for record in self.tick(1).records]
            if self.status.ledger.unfiled:
                await present.file(ROLLOUT, self.status.ledger)
        return numbers


async def at_25_percent(shelf: Shelf, present: Filer) -> tuple[Target, list[SarkRolloutStatus]]:
    """Return a rollout that has come to 25 % with three records, all filed, and the statuses it had on the way."""
    target, statuses = Target(), []
    while target.percent < 25:
        await target.live(present, 1)
        statuses.append(target.status)
    await target.live(present, 1)
    assert (len(shelf.filed()), target.status.ledger.unfiled) == (3, [])
    return target, statuses


@pytest.mark.parametrize("kept", [None, 0, 1], ids=["wiped", "one record left", "one record left, as before it was filed"])
@pytest.mark.parametrize("restarted", [False, True], ids=["living", "restarted"])
async def test_a_status_that_was_set_back_holds_its_advance_and_overwrites_nothing(kept: int | None, restarted: bool):
    # Given a rollout with three records filed, whose status somebody wipes or sets back to where it had one
    structlog.reset_defaults()
    shelf = Shelf()
    present = filer(shelf, room_for=100)
    target, statuses = await at_25_percent(shelf, present)
    before = shelf.filed()
    one = [status for status in statuses if status.ledger.records == 1]
    waits = [bool(status.ledger.unfiled) for status in one]
    target.status = SarkRolloutStatus() if kept is None else one[waits.index(bool(kept))]

    # When the operator that has filed them goes on, or another one that knows of nothing
    present = filer(shelf, room_for=100) if restarted else present
    with capture_logs() as lines:
        numbers = await target.live(present, 90)

    # Then it decides once more, in a number that is taken, and then holds, saying where it is taken
    assert numbers == [1 if kept is None else 2]
    assert target.status.reason == "EvidenceNotFiled"
    assert f"ConfigMap {segment_name('gateway', UID, 1)} has another text under" in target.status.message
    assert target.percent == target.status.step.percent <= 10

    # And what is filed stays as it is, what waits is in the status, and the log has it once
    assert shelf.filed() == before
    told = [line["record"] for line in lines if line["event"] == "evidence"]
    assert told[-1:] == target.status.ledger.unfiled
    assert len(told) == len(set(told))

    # And when the keys are taken away, as the message says, it goes on
    for name, segment in shelf.segments.items():
        records = {key: text for key, text in segment.records.items() if (record_number(key) or 0) < numbers[0]}
        shelf.segments[name] = replace(segment, records=records)
    await target.live(present, 20)
    assert target.status.history[-1].reason == "Advanced"
    assert [number for number, _ in shelf.filed()] == list(range(1, target.status.ledger.records + 1))


async def test_operators_that_lead_by_turns_file_each_record_once():
    # Given two operators that lead by turns, each knowing only what it has filed itself
    shelf, ledger = Shelf(), Ledger()
    operators = [filer(shelf), filer(shelf)]
    for turn in (0, 0, 1, 1, 0, 1, 0, 0):
        ledger = chain(settled(ledger, operators[turn].filing(UID)), 1)
        await operators[turn].file(ROLLOUT, ledger)

    # Then each record is filed once, and nothing waits
    ledger = settled(ledger, operators[0].filing(UID))
    assert ledger.unfiled == []
    assert [number for number, _ in shelf.filed()] == list(range(1, 9))
    assert verify(UID, ledger, shelf.filed()) is None


async def test_a_status_that_is_read_too_old_once_is_no_trouble():
    # Given an operator that has filed three records, each known to the status by the next
    shelf = Shelf()
    present = filer(shelf)
    first = chain(Ledger(), 1)
    await present.file(ROLLOUT, first)
    third = chain(settled(first, present.filing(UID)), 2)
    await present.file(ROLLOUT, third)

    # When it sees once more what was stored before, then it finds that filed
    await present.file(ROLLOUT, first)
    assert settled(first, present.filing(UID)).unfiled == []

    # And what was filed since is found as well
    await present.file(ROLLOUT, third)
    filing = present.filing(UID)
    assert filing is not None
    assert filing.problem == ""
    assert settled(third, filing).unfiled == []
    assert [number for number, _ in shelf.filed()] == [1, 2, 3]


async def test_a_record_of_many_that_wait_is_logged_once_while_they_cannot_be_filed():
    # Given ConfigMaps that cannot be written, and decisions that come meanwhile
    structlog.reset_defaults()
    shelf, ledger = Shelf(), chain(Ledger(), 1)
    present = filer(shelf)
    with capture_logs() as lines:
        await present.file(ROLLOUT, ledger)
        shelf.refuse = UnavailableError("503")
        ledger = settled(ledger, present.filing(UID))
        for _ in range(4):
            ledger = chain(ledger, 1)
            await present.file(ROLLOUT, ledger)
        shelf.refuse = None
        await present.file(ROLLOUT, ledger)

    # Then each is in the log once
    assert [line["number"] for line in lines if line["event"] == "evidence"] == [1, 2, 3, 4, 5]
