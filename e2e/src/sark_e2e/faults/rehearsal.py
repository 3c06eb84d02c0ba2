"""One fault from beginning to end: made, seen in the status, mended, recovered from; and what the answers were."""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from sark_e2e.deadline import eventually

from .fault import Fault
from .prober import Prober, Sighting, Verdict
from .stand import Stand

_QUIET = 40
"""Right answers of each arm in a row that make a recovery."""
_SECONDS = 60.0
_UNDER_WAY_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a fault did. Times in seconds."""

    fault: str
    noticed: float
    """From the fault until the status says it."""
    recovered: float
    """From the mending until the last answer that was not the policy's; 0 when there was none."""
    settled: float
    """From the mending until the status told of it no longer; 0 when it never tells."""
    asked: int
    """Between the fault and the recovery."""
    answers: dict[str, int]
    """By verdict."""
    new_arm_answers: dict[str, int]
    new_arm_p50: float
    """Median seconds of the new arm during the fault."""
    new_arm_p50_ratio: float
    """Median latency of the new arm during the fault, over the one before it."""
    longest_wait: float
    """Of any question in that time."""
    wrong: int
    """Decisions that are not the policy's: an allow among them would be what must never be."""
    problems: tuple[str, ...]
    """What must not be, as sentences."""


def rehearse(stand: Stand, fault: Fault, *, lasting: float) -> Outcome:
    """Let a fault happen, last for some seconds after it was noticed, and pass.

    Raises TimeoutError when the sidecar does not notice it or does not recover.
    """
    stand.follow(stand.flags.write())
    with Prober(stand.host, 8180, stand.patterns, stand.numbers) as prober:
        _await_calm(stand, fault, "nothing of it in the status before")
        calm = time.monotonic()
        prober.wait(_all_well, since=calm, what=f"{fault.name}: right answers before it", seconds=_SECONDS)
        made = time.monotonic()
        kept: list[str] = []
        try:
            fault.make(stand)
            _await_word(stand, fault, prober, made)
            noticed = time.monotonic()
            with _watched(stand, fault, kept):
                time.sleep(lasting)
                prober.wait(lambda seen: len(seen) >= _QUIET, since=noticed, what=f"{fault.name}: answers", seconds=_SECONDS)
        finally:
            fault.mend(stand)
            mended = time.monotonic()
        recovered = _recovery(prober, mended, fault.name)
        _await_calm(stand, fault, "no more of it in the status")
        settled = time.monotonic() - mended if fault.passes else 0.0
    times = _Times(calm, made, noticed, mended, recovered, settled)
    return _outcome(fault, prober.sightings, times, kept, running=stand.sidecar.running)


@dataclass(frozen=True, slots=True)
class _Times:
    """Of the monotonic clock, but for the last two, which count from the mending."""

    calm: float
    made: float
    noticed: float
    mended: float
    recovered: float
    settled: float


@contextlib.contextmanager
def _watched(stand: Stand, fault: Fault, problems: list[str]) -> Iterator[None]:
    """Add what the fault does beside the answers, and must not, to `problems`."""
    # What was under way when it was noticed is counted when it ends.
    time.sleep(_UNDER_WAY_SECONDS)
    before = stand.in_new_arm() if fault.all_on_baseline else 0.0
    if not fault.holds(stand.status()):
        problems.append("the status does not say what it must when it is noticed")
    yield
    if not fault.holds(stand.status()):
        problems.append("the status does not say what it must as long as it lasts")
    if fault.all_on_baseline and (moved := stand.in_new_arm() - before):
        problems.append(f"{moved:.0f} requests were given to the new arm")


def _await_word(stand: Stand, fault: Fault, prober: Prober, made: float) -> None:
    """Wait until the status tells of the fault; if it does not, say what it told, and what was asked meanwhile."""
    try:
        eventually(lambda: fault.clear(stand.status()), what=f"{fault.name}: a word of it in the status", seconds=_SECONDS)
    except TimeoutError as error:
        status = stand.status()
        asked = Counter((each.new_arm, each.verdict.value) for each in prober.sightings if each.answered >= made)
        told = {name: status[name] for name in ("opa", "cache", "policies", "flags", "faults")}
        raise TimeoutError(f"{error}; answers since: {dict(asked)}; the status: {told}") from error


def _all_well(seen: list[Sighting]) -> bool:
    last = {arm: [each.verdict for each in seen if each.new_arm is arm][-_QUIET:] for arm in (True, False)}
    return all(len(verdicts) == _QUIET and set(verdicts) == {Verdict.RIGHT} for verdicts in last.values())


def _recovery(prober: Prober, mended: float, name: str) -> float:
    prober.wait(_all_well, since=mended, what=f"{name}: recovery", seconds=_SECONDS)
    late = [each.answered for each in prober.sightings if each.answered >= mended and each.verdict is not Verdict.RIGHT]
    return max(late, default=mended) - mended


def _await_calm(stand: Stand, fault: Fault, what: str) -> None:
    if fault.passes:
        eventually(lambda: not fault.clear(stand.status()), what=f"{fault.name}: {what}", seconds=_SECONDS)


def _outcome(fault: Fault, sightings: list[Sighting], times: _Times, kept: list[str], *, running: bool) -> Outcome:
    before = [each for each in sightings if times.calm <= each.asked < times.made]
    during = [each for each in sightings if each.answered >= times.made and each.asked <= times.mended + times.recovered]
    hurt = Counter(each.verdict.value for each in during)
    new_arm = Counter(each.verdict.value for each in during if each.new_arm)
    wrong = sum(each.verdict is Verdict.WRONG for each in sightings)
    problems = [*kept, *([f"{wrong} answers are not what the policy gives"] if wrong else [])]
    if not running:
        problems.append("the sidecar has ended")
    for arm, may_hurt in ((True, fault.hurts_new_arm), (False, fault.hurts_baseline)):
        bad = sum(each.verdict is not Verdict.RIGHT and each.new_arm is arm for each in during)
        if bad and not may_hurt:
            problems.append(f"{bad} questions of the {'new' if arm else 'baseline'} arm were not answered")
    return Outcome(
        fault=fault.name,
        noticed=times.noticed - times.made,
        recovered=times.recovered,
        settled=times.settled,
        asked=len(during),
        answers=dict(hurt),
        new_arm_answers=dict(new_arm),
        new_arm_p50=_median(during),
        new_arm_p50_ratio=_median(during) / _median(before),
        longest_wait=max((each.seconds for each in during), default=0.0),
        wrong=wrong,
        problems=tuple(problems),
    )


def _median(sightings: list[Sighting]) -> float:
    seconds = sorted(each.seconds for each in sightings if each.new_arm)
    return seconds[len(seconds) // 2] if seconds else float("nan")
