"""What a verb asks of a rollout: a pure function from what was shown to a JSON patch, or to the reason why it makes no sense.

Every patch begins with tests: the object must still be the one that was shown, with the same spec, and in the same phase. An
intent therefore never applies to a state its author has not seen. Going back is the exception: it asks only for the same
object, because it is right in every state.
"""

from __future__ import annotations

from collections.abc import Callable
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


@dataclass(frozen=True, slots=True)
class Intent:
    """One verb."""

    verb: str
    plan: Callable[[Rollout], Plan]
    """Raises CommandError, with the reason, when the verb makes no sense in the rollout's state."""
    met: Callable[[Rollout], bool]
    """Whether the operator has done what was asked."""
    in_any_state: bool = False
    """Whether it asks only for the same object, whatever became of it since it was shown."""


def _pause(rollout: Rollout) -> Plan:
    phase, mode = rollout.status.phase, rollout.spec.mode
    if mode is Mode.PAUSED:
        return Plan([], "is paused already")
    if mode is Mode.ROLLBACK or phase not in _MOVING:
        raise _senseless(rollout, "there is nothing to pause")
    return Plan([*_unchanged(rollout), _put("mode", Mode.PAUSED)], "was asked to pause")


def _resume(rollout: Rollout) -> Plan:
    mode = rollout.spec.mode
    if mode is Mode.AUTO:
        return Plan([], "is not paused")
    if mode is Mode.ROLLBACK and has_yet_to_begin(rollout):
        return Plan([*_unchanged(rollout), _put("mode", Mode.AUTO)], "was asked to begin")
    if mode is Mode.ROLLBACK:
        raise _senseless(rollout, "it was rolled back, not paused; start it again with `retry`")
    return Plan([*_unchanged(rollout), _put("mode", Mode.AUTO)], "was asked to go on")


def _roll_back(rollout: Rollout) -> Plan:
    if rollout.spec.mode is Mode.ROLLBACK:
        return Plan([], "was asked to go back already")
    return Plan([*_same(rollout), _put("mode", Mode.ROLLBACK)], "was asked to go back to 0%")


def _retry(rollout: Rollout) -> Plan:
    status, spec = rollout.status, rollout.spec
    if status.phase is Phase.REVERTING:
        raise _senseless(rollout, "it is still on its way back; try again when it is Reverted")
    if spec.mode is Mode.ROLLBACK and has_yet_to_begin(rollout):
        raise _senseless(rollout, "it was rolled back before it began; let it begin with `resume`")
    if status.phase not in _ENDED:
        raise _senseless(rollout, "only a reverted or completed rollout can be started again")
    if spec.attempt > status.attempt and spec.mode is not Mode.ROLLBACK:
        return Plan([], f"was asked for attempt {spec.attempt} already: {status.message}")
    attempt = max(spec.attempt, status.attempt) + 1
    change = [*_unchanged(rollout), _put("attempt", attempt), _put("mode", Mode.AUTO)]
    return Plan(change, f"was asked for attempt {attempt}, from the first step")


def _senseless(rollout: Rollout, why: str) -> CommandError:
    return CommandError(f"{rollout.name} is {rollout.status.phase} with mode {rollout.spec.mode}: {why}")


def _put(field: str, value: object) -> dict[str, Any]:
    """Return the operation that sets a field of the spec, whether or not it was there."""
    return {"op": "add", "path": f"/spec/{field}", "value": value}


def _same(rollout: Rollout) -> Change:
    """Return the test that it is the same object, and not a later one of its name."""
    return [_test("/metadata/uid", (rollout.body["metadata"])["uid"])]


def _unchanged(rollout: Rollout) -> Change:
    """Return the tests that spec and phase are what was shown.

    The resourceVersion would be stricter than is meant: it changes with every evaluation, and an intent that can lose against
    the operator's clock would teach people to repeat it blindly.
    """
    tests = [*_same(rollout), _test("/metadata/generation", rollout.generation)]
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


def _taken_up(rollout: Rollout) -> bool:
    """Return whether the new attempt has begun, or only waits for the last one's requests to leave the metric window."""
    return rollout.status.attempt == rollout.spec.attempt or rollout.status.reason == reasons.ATTEMPT_WAITS.name


def promote(by: str) -> Intent:
    """Return the intent to go on without the rest of bake and hold."""
    return Intent("promote", lambda seen: _request(seen, RequestAction.PROMOTE, _present(seen), by), _granted)


def skip(to: int, by: str) -> Intent:
    """Return the intent to go on to a later step, leaving out those in between."""

    def plan(rollout: Rollout) -> Plan:
        percent, shares = _present(rollout), [step.percent for step in rollout.spec.plan()]
        if to not in shares or to <= percent:
            later = ", ".join(f"{share}%" for share in shares if share > percent) or "none"
            raise _senseless(rollout, f"there is no later step of {to}%; there are {later}")
        return _request(rollout, RequestAction.SKIP, percent, by, to=to)

    return Intent("skip", plan, _granted)


def approve(percent: int | None, by: str) -> Intent:
    """Return the intent to let the step of `percent` begin; when None, of the one waited for, else of the next to need it."""

    def plan(rollout: Rollout) -> Plan:
        step, awaited = rollout.status.step, rollout.status.awaited
        # As in the operator: before the first step one of 0% is a later one, too.
        present = step.percent if step else -1
        steps = [each.percent for each in rollout.spec.plan() if each.percent > present and each.approval is Approval.REQUIRED]
        asked_for = awaited.percent if percent is None and awaited is not None and awaited.percent in steps else percent
        wanted = next((each for each in steps if asked_for in (None, each)), None)
        if wanted is None:
            asked = "no later step needs an approval" if percent is None else f"no later step of {percent}% needs an approval"
            raise _senseless(rollout, asked)
        return _request(rollout, RequestAction.APPROVE, wanted, by)

    return Intent("approve", plan, _granted)


def _present(rollout: Rollout) -> int:
    step = rollout.status.step
    if step is None or rollout.status.phase is not Phase.PROGRESSING:
        raise _senseless(rollout, "only one that is in a step can go on")
    return step.percent


def _request(rollout: Rollout, action: RequestAction, percent: int, by: str, to: int | None = None) -> Plan:
    """Return the plan that asks for something once. Its number is above every one known, or it would have no effect."""
    before, answered = rollout.spec.request, rollout.status.request
    known = max(before.id if before else 0, answered.id if answered else 0)
    request: dict[str, Any] = {
        "id": known + 1,
        "action": str(action),
        "attempt": rollout.status.attempt or rollout.spec.attempt,
        "percent": percent,
        "by": by[:MAX_BY],
    }
    if to is not None:
        request["to"] = to
    what = f"{action} for {percent}%" if to is None else f"{action} from {percent}% to {to}%"
    return Plan([*_unchanged(rollout), _put("request", request)], f"was asked to {what} (request {known + 1})")


def _granted(rollout: Rollout) -> bool:
    """Return whether the last request was answered. Raises CommandError, with the operator's reason, when it was refused."""
    asked, answer = rollout.spec.request, rollout.status.request
    if asked is None or answer is None or answer.id < asked.id:
        return False
    if answer.id == asked.id and not answer.granted:
        raise CommandError(f"{rollout.name}: {answer.message}")
    return True


PAUSE = Intent("pause", _pause, lambda seen: seen.status.phase is Phase.PAUSED)
RESUME = Intent("resume", _resume, lambda seen: seen.status.phase is not Phase.PAUSED)
RETRY = Intent("retry", _retry, _taken_up)
ROLLBACK = Intent("rollback", _roll_back, lambda seen: is_back(seen) or never_began(seen), in_any_state=True)
BY_VERB = {intent.verb: intent for intent in (PAUSE, RESUME, RETRY)}
