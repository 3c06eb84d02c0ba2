"""What a verb asks of a rollout: a pure function from what was shown to a JSON patch, or to the reason why it makes no sense.

Every patch begins with tests: the object must still be the one that was shown, with the same spec, and in the same phase. An
intent therefore never applies to a state its author has not seen. Going back is the exception: it asks only for the same
object, because it is right in every state.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sark_api import reasons
from sark_api.spec import Approval, Mode, RequestAction
from sark_api.status import Phase

from .failure import CommandError
from .rollout import Rollout

Change = list[dict[str, Any]]
MAX_BY = 96
"""Longest name the CRD takes."""
_MOVING = (Phase.PENDING, Phase.PROGRESSING)
_ENDED = (Phase.REVERTED, Phase.COMPLETED)


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be done about one rollout."""

    change: Change
    """The patch; empty when it is as asked already."""
    said: str
    """What has been asked for, or that it is so already."""
    met: Callable[[Rollout], bool]
    """Whether the operator has done this very thing. Raises CommandError, with the reason, when it will not."""


@dataclass(frozen=True, slots=True)
class Intent:
    """One verb."""

    verb: str
    plan: Callable[[Rollout], Plan]
    """Raises CommandError, with the reason, when the verb makes no sense in the rollout's state."""
    in_any_state: bool = False
    """Whether it asks only for the same object, whatever became of it since it was shown."""
    of_a_step: bool = False
    """Whether it is meant for the very step that was shown: at the next one it would ask for something else."""


def _pause(rollout: Rollout) -> Plan:
    phase, mode = rollout.status.phase, rollout.spec.mode
    if mode is Mode.PAUSED:
        return Plan([], "is paused already", _is_paused)
    if mode is Mode.ROLLBACK or phase not in _MOVING:
        raise _senseless(rollout, "there is nothing to pause")
    return Plan([*_unchanged(rollout), _put("mode", Mode.PAUSED)], "was asked to pause", _is_paused)


def _resume(rollout: Rollout) -> Plan:
    mode = rollout.spec.mode
    if mode is Mode.AUTO:
        return Plan([], "is not paused", _goes_on)
    if mode is Mode.ROLLBACK and has_yet_to_begin(rollout):
        return Plan([*_unchanged(rollout), _put("mode", Mode.AUTO)], "was asked to begin", _goes_on)
    if mode is Mode.ROLLBACK:
        raise _senseless(rollout, "it was rolled back, not paused; start it again with `retry`")
    return Plan([*_unchanged(rollout), _put("mode", Mode.AUTO)], "was asked to go on", _goes_on)


def _roll_back(rollout: Rollout) -> Plan:
    # Written also where it stands there already: what was read may be old, and somebody may have asked for a retry since.
    said = "was asked to go back already" if rollout.spec.mode is Mode.ROLLBACK else "was asked to go back to 0%"
    return Plan(way_back(rollout.body), said, is_restored)


def way_back(body: Mapping[str, Any]) -> Change:
    """Return what asks an object to go back: also one of which no more than the metadata can be read."""
    return [*_same(body), _put("mode", Mode.ROLLBACK)]


def _retry(rollout: Rollout) -> Plan:
    status, spec = rollout.status, rollout.spec
    if status.phase is Phase.REVERTING:
        raise _senseless(rollout, "it is still on its way back; try again when it is Reverted")
    if spec.mode is Mode.ROLLBACK and has_yet_to_begin(rollout):
        raise _senseless(rollout, "it was rolled back before it began; let it begin with `resume`")
    if status.phase not in _ENDED:
        raise _senseless(rollout, "only a reverted or completed rollout can be started again")
    if spec.attempt > status.attempt and spec.mode is not Mode.ROLLBACK:
        return Plan([], f"was asked for attempt {spec.attempt} already: {status.message}", _taken_up)
    attempt = max(spec.attempt, status.attempt) + 1
    change = [*_unchanged(rollout), _put("attempt", attempt), _put("mode", Mode.AUTO)]
    return Plan(change, f"was asked for attempt {attempt}, from the first step", _taken_up)


def _senseless(rollout: Rollout, why: str) -> CommandError:
    return CommandError(f"{rollout.name} is {rollout.status.phase} with mode {rollout.spec.mode}: {why}")


def _put(field: str, value: object) -> dict[str, Any]:
    """Return the operation that sets a field of the spec, whether or not it was there."""
    return {"op": "add", "path": f"/spec/{field}", "value": value}


def _same(body: Mapping[str, Any]) -> Change:
    """Return the test that it is the same object, and not a later one of its name."""
    return [_test("/metadata/uid", body["metadata"]["uid"])]


def _unchanged(rollout: Rollout) -> Change:
    """Return the tests that spec and phase are what was shown.

    The resourceVersion would be stricter than is meant: it changes with every evaluation, and an intent that can lose against
    the operator's clock would teach people to repeat it blindly.
    """
    tests = [*_same(rollout.body), _test("/metadata/generation", rollout.generation)]
    phase = (rollout.body.get("status") or {}).get("phase")
    return [*tests, _test("/status/phase", phase)] if phase else tests


def _test(path: str, value: object) -> dict[str, Any]:
    return {"op": "test", "path": path, "value": value}


def has_yet_to_begin(rollout: Rollout) -> bool:
    """Return whether it stands in front of its first step."""
    return rollout.status.phase in (Phase.PENDING, Phase.PAUSED) and rollout.status.step is None


def is_back(rollout: Rollout) -> bool:
    """Return whether the baseline is known to be restored: every sidecar has confirmed 0% to this rollout."""
    status, seen = rollout.status, rollout.status.convergence
    if not rollout.answered or status.step is not None:
        return False
    if status.phase is Phase.REVERTED:
        return True
    # A new attempt is in front of its first step while sidecars still leave the share of the last one.
    asked = status.flags is not None and status.flags.percent == 0 and not held_by(rollout)
    return has_yet_to_begin(rollout) and asked and seen is not None and 0 < seen.total == seen.confirmed


def never_began(rollout: Rollout) -> bool:
    """Return whether nothing of the rollout can be in force: it has written no flags yet, or another one holds its target.

    What the sidecars serve then is not its own, and not known from it.
    """
    return rollout.answered and has_yet_to_begin(rollout) and (rollout.status.flags is None or bool(held_by(rollout)))


def held_by(rollout: Rollout) -> str:
    """Return the sentence about the other rollout that holds the target; empty when there is none."""
    taken = (each.message for each in rollout.status.conditions if each.reason == reasons.TARGET_TAKEN.name)
    return next(taken, "")


def is_restored(rollout: Rollout) -> bool:
    """Return whether a rollback has come to its end: the baseline is restored, or nothing was in force."""
    return is_back(rollout) or never_began(rollout)


def _is_paused(rollout: Rollout) -> bool:
    return rollout.status.phase is Phase.PAUSED


def _goes_on(rollout: Rollout) -> bool:
    return rollout.status.phase is not Phase.PAUSED


def _taken_up(rollout: Rollout) -> bool:
    """Return whether the new attempt has begun, or only waits for the last one's requests to leave the metric window."""
    return rollout.status.attempt == rollout.spec.attempt or rollout.status.reason == reasons.ATTEMPT_WAITS.name


def promote(percent: int | None, by: str) -> Intent:
    """Return the intent to go on without the rest of bake and hold of the step of `percent`; when None, of the one it is in."""

    def plan(rollout: Rollout) -> Plan:
        present = _present(rollout)
        if percent not in (None, present):
            raise _senseless(rollout, f"it is at {present}%, not at {percent}%")
        return _request(rollout, RequestAction.PROMOTE, present, by)

    return Intent("promote", plan, of_a_step=True)


def skip(to: int, by: str) -> Intent:
    """Return the intent to go on to a later step, leaving out those in between."""

    def plan(rollout: Rollout) -> Plan:
        percent, shares = _present(rollout), [step.percent for step in rollout.spec.plan()]
        if to not in shares or to <= percent:
            later = ", ".join(f"{share}%" for share in shares if share > percent) or "none"
            raise _senseless(rollout, f"there is no later step of {to}%; there are {later}")
        return _request(rollout, RequestAction.SKIP, percent, by, to=to)

    return Intent("skip", plan, of_a_step=True)


def approve(percent: int | None, by: str) -> Intent:
    """Return the intent to let the step of `percent` begin; when None, of the one waited for.

    Ahead only a step that is named is approved: of two people who answer the same wait the second must not approve the next.
    """

    def plan(rollout: Rollout) -> Plan:
        step, awaited = rollout.status.step, rollout.status.awaited
        # As in the operator: before the first step one of 0% is a later one, too.
        present = step.percent if step else -1
        steps = [each.percent for each in rollout.spec.plan() if each.percent > present and each.approval is Approval.REQUIRED]
        if percent is None and awaited is None and steps:
            named = " or ".join(f"--percent {each}" for each in steps)
            raise _senseless(rollout, f"it waits for no approval now; to give one ahead say for which step: {named}")
        wanted = awaited.percent if percent is None and awaited is not None else percent
        if wanted is None or wanted not in steps:
            asked = "no later step needs an approval" if wanted is None else f"no later step of {wanted}% needs an approval"
            raise _senseless(rollout, asked)
        return _request(rollout, RequestAction.APPROVE, wanted, by)

    return Intent("approve", plan, of_a_step=True)


def _present(rollout: Rollout) -> int:
    step = rollout.status.step
    if step is None or rollout.status.phase is not Phase.PROGRESSING:
        raise _senseless(rollout, "only one that is in a step can go on")
    return step.percent


def _request(rollout: Rollout, action: RequestAction, percent: int, by: str, to: int | None = None) -> Plan:
    """Return the plan that asks for something once. Its number is above every one known, or it would have no effect.

    One that waits for its answer is not written over: whoever asked for it would never be told what came of it.
    """
    before, answered = rollout.spec.request, rollout.status.request
    last = answered.id if answered else 0
    if before is not None and before.id > last:
        asker = f" by {before.by}" if before.by else ""
        waiting = f"request {before.id} ({before.action} for {before.percent}%{asker}) has not been answered yet"
        raise _senseless(rollout, f"{waiting}; ask again when it is")
    number = last + 1
    request: dict[str, Any] = {
        "id": number,
        "action": str(action),
        "attempt": rollout.status.attempt or rollout.spec.attempt,
        "percent": percent,
        "by": by[:MAX_BY],
    }
    if to is not None:
        request["to"] = to
    what = f"{action} for {percent}%" if to is None else f"{action} from {percent}% to {to}%"
    change = [*_unchanged(rollout), _put("request", request)]
    return Plan(change, f"was asked to {what} (request {number})", lambda seen: _granted(seen, number))


def _granted(rollout: Rollout, number: int) -> bool:
    """Return whether the request of this number was granted.

    Raises:
        CommandError: it was refused, with the operator's reason, or another one has taken its place.
    """
    asked, answer = rollout.spec.request, rollout.status.request
    if answer is not None and answer.id == number:
        if not answer.granted:
            raise CommandError(f"{rollout.name}: {answer.message}")
        return True
    later = max(asked.id if asked else 0, answer.id if answer else 0)
    if later > number:
        raise CommandError(f"{rollout.name}: request {number} was superseded by request {later} before its answer was seen")
    if asked is None or asked.id != number:
        raise CommandError(f"{rollout.name}: request {number} was taken out of spec.request before it was answered")
    return False


PAUSE = Intent("pause", _pause)
RESUME = Intent("resume", _resume)
RETRY = Intent("retry", _retry)
ROLLBACK = Intent("rollback", _roll_back, in_any_state=True)
BY_VERB = {intent.verb: intent for intent in (PAUSE, RESUME, RETRY)}
