"""The books of a rollout, kept by the proxy between operator and API server: what was really stored, in its order.

They are what the promises are checked against, whatever died in between: no advance without evidence, no record lost or
doubled, no revision used twice.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Any

from sark_api.flags import FlagDocument, parse_flag_document
from sark_api.names import FLAGS_KEY, PLURAL
from sark_api.status import HISTORY_LIMIT, SarkRolloutStatus
from sark_operator.core.lifecycle import wanted_percent

from .faults.api_proxy import Exchange


def statuses(journal: Iterable[Exchange]) -> list[SarkRolloutStatus]:
    """Return every status that was stored, oldest first."""
    stored = (each for each in journal if each.had_effect and f"/{PLURAL}/" in each.path and "/status" in each.path)
    return [SarkRolloutStatus.model_validate(json.loads(each.body)["status"]) for each in stored]


def documents(journal: Iterable[Exchange]) -> list[FlagDocument]:
    """Return every flag document that was written, oldest first."""
    stored = (each for each in journal if each.had_effect and "/configmaps/" in each.path)
    texts: list[Any] = [(json.loads(each.body).get("data") or {}).get(FLAGS_KEY) for each in stored]
    return [parse_flag_document(text) for text in texts if text]


def broken_promises(journal: Sequence[Exchange]) -> list[str]:
    """Return every promise that was not kept, with the states between which it was broken."""
    stored, written = statuses(journal), documents(journal)
    if not stored or not written:
        return [f"{len(stored)} statuses and {len(written)} documents were stored"]
    final = stored[-1]
    found = [problem for before, after in pairwise(stored) for problem in (*_record(before, after), *_advance(before, after))]
    found += [
        f"revision {new.revision} follows {old.revision}" for old, new in pairwise(written) if new.revision <= old.revision
    ]
    if len({(each.time, each.reason) for each in final.history}) != len(final.history):
        found.append(f"a record is doubled: {final.history}")
    if written[-1].percentage != wanted_percent(final):
        found.append(f"the flags ask for {written[-1].percentage}%, the status for {wanted_percent(final)}%")
    return found


def _record(before: SarkRolloutStatus, after: SarkRolloutStatus) -> Iterator[str]:
    """Yield it when the history did anything but grow at its end."""
    kept = len(before.history) if len(before.history) + len(after.history) < HISTORY_LIMIT else 0
    if after.history[:kept] != before.history[:kept]:
        yield f"a record is lost: {before.history} then {after.history}"


def _advance(before: SarkRolloutStatus, after: SarkRolloutStatus) -> Iterator[str]:
    """Yield it when a share above 0% was left for a higher one unless all but proven in the status before, and confirmed."""
    old, new = wanted_percent(before), wanted_percent(after)
    if new <= old or old == 0:
        return
    if before.bake is None or before.bake.required_seconds * 1000 - before.bake.proven_milliseconds > _ONE_TICK_MILLISECONDS:
        yield f"advanced from {old}% to {new}% unproven: {before.bake}"
    confirmed = before.convergence
    if confirmed is None or not confirmed.confirmed == confirmed.total > 0:
        yield f"advanced from {old}% to {new}% unconfirmed: {confirmed}"


_ONE_TICK_MILLISECONDS = 3_000
"""What the tick that advances may add itself: a gap counts for at most three intervals, of a second in these scenarios."""
