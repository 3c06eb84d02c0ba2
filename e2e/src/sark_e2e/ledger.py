"""What the books of a rollout must show, whatever died in between.

No advance without evidence, no record lost or doubled, no revision used twice, and never more in force than the status allows.
An account is what was really stored, in its order: as the proxy between operator and API server saw it, or whoever watches
(see `books`).
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import pairwise
from typing import Any, Final

from sark_api.evidence import EvidenceRecord, to_record, verify
from sark_api.flags import FlagDocument, parse_flag_document
from sark_api.names import FLAGS_KEY, PLURAL
from sark_api.spec import Action, OnDelete, SarkRolloutSpec
from sark_api.status import HISTORY_LIMIT, Phase, SarkRolloutStatus, Verdict
from sark_operator.core.lifecycle import wanted_percent
from sark_operator.core.proof import MAX_GAP_INTERVALS
from sark_operator.core.worth import longest_wait

from .faults.api_proxy import Exchange

_ONE_SECOND: Final = timedelta(seconds=1)
_RAISING: Final = ("Started", "Advanced")
_PROVEN: Final = ("Advanced", "Completed")


@dataclass(frozen=True, slots=True)
class State:
    """A rollout as it was stored at one moment."""

    status: SarkRolloutStatus
    slack: timedelta = MAX_GAP_INTERVALS * _ONE_SECOND
    """What a bake may have grown by since it was stored: what one evaluation adds, and what one without news keeps back."""
    follows: bool = True
    """Whether it is known that nothing was stored between the state before and this one."""


@dataclass(slots=True)
class Account:
    """Everything that was stored of one rollout."""

    key: str
    uid: str = ""
    states: list[State] = field(default_factory=list)
    documents: list[FlagDocument] = field(default_factory=list)
    """Flag documents the operator wrote for it."""
    in_force: FlagDocument | None = None
    """The document in its ConfigMap in the end, where that is one of this rollout; whoever wrote it."""
    records: dict[int, set[str]] = field(default_factory=dict)
    """Every text that stood in a ConfigMap of its evidence, by number."""
    spec: SarkRolloutSpec | None = None
    """The last one."""
    gone: bool = False
    """Whether it was deleted, by now."""

    def store(self, spec: SarkRolloutSpec, status: SarkRolloutStatus, *, follows: bool) -> None:
        """Note a state."""
        self.spec = spec
        slack = MAX_GAP_INTERVALS * spec.interval + longest_wait(spec)
        self.states.append(State(status, slack, follows))

    def broken(self) -> list[str]:
        """Return every promise that was not kept, with the states between which it was broken."""
        if not self.states:
            return []
        final = self.states[-1].status
        found = [*_in_order(self.states), *_revisions(self.documents), *_repeated(final), *self._of_the_end(final)]
        if self.uid:
            found += self._of_the_evidence(final)
        return [f"{self.key}: {problem}" for problem in found]

    def _of_the_end(self, final: SarkRolloutStatus) -> Iterator[str]:
        """Yield what is more in force than should be."""
        if self.in_force is None:
            return
        percent, wanted = self.in_force.percentage, wanted_percent(final)
        released = self.gone and self.spec is not None and self.spec.rollback.on_delete is OnDelete.BASELINE
        if percent > (0 if released else wanted):
            yield f"{'it is deleted' if released else f'the status wants {wanted}%'}, and the flags ask for {percent}%"
        if final.phase is Phase.REVERTED and percent:
            yield f"it is Reverted, and the flags ask for {percent}%"

    def _of_the_evidence(self, final: SarkRolloutStatus) -> Iterator[str]:
        """Yield what is wrong with the chain, and every step that was taken without proof."""
        changed = [number for number, found in self.records.items() if len(found) > 1]
        if changed:
            yield f"record {changed[0]} was changed"
            return
        texts = {number: next(iter(each)) for number, each in self.records.items()}
        if not self.gone:  # of one that is gone nobody holds the end any more
            broken = verify(self.uid, final.ledger, texts.items())
            if broken is not None:
                yield f"its evidence is broken at record {broken.number}: {broken.message}"
        for number in sorted(texts):
            with contextlib.suppress(ValueError):  # one that cannot be read breaks the chain
                yield from _unproven(to_record(texts[number]))


def broken_promises(journal: Sequence[Exchange]) -> list[str]:
    """Return every promise that was not kept, by the journal of a proxy that one rollout's operator went through."""
    stored, written = statuses(journal), documents(journal)
    if not stored or not written:
        return [f"{len(stored)} statuses and {len(written)} documents were stored"]
    account = Account("the journal", states=[State(status) for status in stored], documents=written, in_force=written[-1])
    found = account.broken()
    if written[-1].percentage != wanted_percent(stored[-1]):
        found.append(f"the flags ask for {written[-1].percentage}%, the status for {wanted_percent(stored[-1])}%")
    return found


def statuses(journal: Iterable[Exchange]) -> list[SarkRolloutStatus]:
    """Return every status that was stored, oldest first."""
    stored = (each for each in journal if each.had_effect and f"/{PLURAL}/" in each.path and "/status" in each.path)
    return [SarkRolloutStatus.model_validate(json.loads(each.body)["status"]) for each in stored]


def documents(journal: Iterable[Exchange]) -> list[FlagDocument]:
    """Return every flag document that was written, oldest first."""
    stored = (each for each in journal if each.had_effect and "/configmaps/" in each.path)
    texts: list[Any] = [(json.loads(each.body).get("data") or {}).get(FLAGS_KEY) for each in stored]
    return [parse_flag_document(text) for text in texts if text]


def _in_order(states: Sequence[State]) -> Iterator[str]:
    for before, after in pairwise(states):
        if after.follows:
            yield from _history(before.status, after.status)
            yield from _advance(before, after.status)


def _history(before: SarkRolloutStatus, after: SarkRolloutStatus) -> Iterator[str]:
    """Yield it when the history did anything but grow at its end, or the ledger does not count it."""
    kept = len(before.history) if len(before.history) + len(after.history) < HISTORY_LIMIT else 0
    if after.history[:kept] != before.history[:kept]:
        yield f"a record is lost: {before.history} then {after.history}"
    known = {entry.number for entry in before.history}
    more = sum(entry.number not in known for entry in after.history)
    if after.ledger.records - before.ledger.records != more:
        yield f"{more} decisions, and {before.ledger.records} records have become {after.ledger.records}"


def _advance(before: State, after: SarkRolloutStatus) -> Iterator[str]:
    """Yield it when a step was left for a higher one, or ended, unless all was proven in the state before, and confirmed."""
    old, new, step = wanted_percent(before.status), wanted_percent(after), before.status.step
    completed = after.phase is Phase.COMPLETED is not before.status.phase
    if step is None or not (new > old or completed):
        return
    what = f"completed at {old}%" if completed else f"advanced from {old}% to {new}%"
    bake = before.status.bake
    promoted = step.promoted_to is not None or after.request != before.status.request
    missing = timedelta(seconds=bake.required_seconds, milliseconds=-bake.proven_milliseconds) if bake else None
    if not promoted and (missing is None or missing > before.slack):
        yield f"{what} unproven: {bake}"
    confirmed = before.status.convergence
    if confirmed is None or not confirmed.confirmed == confirmed.total > 0:
        yield f"{what} unconfirmed: {confirmed}"


def _revisions(written: Sequence[FlagDocument]) -> Iterator[str]:
    for old, new in pairwise(written):
        if new.revision <= old.revision:
            yield f"revision {new.revision} follows {old.revision}"


def _repeated(final: SarkRolloutStatus) -> Iterator[str]:
    """Yield it when the history tells of one thing twice: an entry, or a share that was reached without having been left."""
    if len({(each.time, each.reason) for each in final.history}) != len(final.history):
        yield f"a record is doubled: {final.history}"
    reached = -1
    for entry in final.history:
        if entry.to_percent < entry.from_percent or entry.reason in ("AttemptRaised", "Retried"):
            reached = -1
        elif entry.reason in _RAISING:
            if entry.to_percent <= reached:
                yield f"{entry.to_percent}% was reached twice: {final.history}"
            reached = entry.to_percent


def _unproven(record: EvidenceRecord) -> Iterator[str]:
    """Yield it when the record of a step that was proven names a criterion that did not pass, or none at all."""
    if record.reason not in _PROVEN or record.shortened:
        return
    judged: Mapping[str, Verdict] = {each.name: each.verdict for each in record.criteria if each.action != Action.WARN}
    failed = {name: str(verdict) for name, verdict in judged.items() if verdict is not Verdict.PASS}
    if failed or not judged:
        yield f"record {record.number}, {record.reason} to {record.to_percent}%, rests on {failed or 'no criterion'}"
