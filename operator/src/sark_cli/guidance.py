"""What would take a rollout back, and what its reader may do: the two questions an SRE asks at night."""

from __future__ import annotations

from datetime import datetime

from sark_api import reasons
from sark_api.duration import format_duration
from sark_api.spec import Mode
from sark_api.status import ConditionStatus, Phase, Verdict
from sark_operator.core.doubts import doubts as doubts_of
from sark_operator.core.doubts import silent_for
from sark_operator.core.ways_back import ways_back

from .exit_code import ExitCode
from .intents import has_yet_to_begin
from .rollout import Rollout
from .times import age, moment

_ENDED = (Phase.REVERTED, Phase.COMPLETED)


def standing(rollout: Rollout, now: datetime | None = None) -> ExitCode:
    """Return how the rollout stands, as `status` tells scripts.

    A rollout is held when its condition Progressing is false: time alone will not bring it further. A status of an earlier spec
    tells of how the last attempt ended, not of the one that is asked for. With `now` one that no operator has evaluated for too
    long is held as well, whatever its status said last.
    """
    told = _told(rollout)
    silent = now is not None and silent_for(rollout.spec, rollout.status, now) is not None
    return ExitCode.HELD if told is ExitCode.PROGRESSING and silent else told


def _told(rollout: Rollout) -> ExitCode:
    phase = rollout.status.phase
    if phase is Phase.REVERTING:
        return ExitCode.REVERTED  # whatever was asked for meanwhile: nothing stops a revert
    if not rollout.answered or rollout.status.reason == reasons.ATTEMPT_WAITS.name:
        return ExitCode.PROGRESSING
    if phase is Phase.REVERTED:
        return ExitCode.REVERTED
    if phase is Phase.COMPLETED:
        return ExitCode.DONE
    if phase is Phase.PAUSED:
        return ExitCode.HELD
    progressing = next((each for each in rollout.status.conditions if each.type == "Progressing"), None)
    held = progressing is not None and progressing.status is ConditionStatus.FALSE
    return ExitCode.HELD if held else ExitCode.PROGRESSING


def dangers(rollout: Rollout, now: datetime) -> list[str]:
    """Return what would take the share back to 0%, each as a clause; nothing when there is nothing to take back."""
    ways = ways_back(rollout.spec, rollout.status)
    clauses = [*(f"{name} beyond {limit}" for name, limit in ways.criteria), *ways.besides]
    if ways.blind_for is not None:
        until = ways.blind_until
        at = f" (so at {moment(until)}, in {age(until - now)})" if until else ""
        clauses.append(f"not seen for {format_duration(ways.blind_for)}{at}")
    return clauses


def moves(rollout: Rollout) -> list[str]:
    """Return the commands that make sense now, each with what it does."""
    phase, mode = rollout.status.phase, rollout.spec.mode
    able: list[tuple[str, str]] = []
    if mode is Mode.PAUSED:
        able.append(("resume", "go on"))
    elif mode is Mode.ROLLBACK:
        able += [("resume", "begin with the first step")] if has_yet_to_begin(rollout) else []
    elif phase not in (*_ENDED, Phase.REVERTING):
        able.append(("pause", "stay at this share; a breach still reverts"))
    if phase is Phase.PROGRESSING and mode is Mode.AUTO and rollout.status.step is not None:
        able.append(("promote", "go on without the rest of the bake"))
        able += [("skip", "leave out the steps between")] if _later(rollout) > 1 else []
    if rollout.status.awaited is not None:
        able.append(("approve", f"let the step of {rollout.status.awaited.percent}% begin"))
    if phase in _ENDED:
        able.append(("retry", "start again from the first step"))
    if rollout.status.step is not None and mode is not Mode.ROLLBACK:
        able.append(("rollback", "restore the baseline now"))
    commands = [(_command(rollout, verb), text) for verb, text in able]
    width = max((len(command) for command, _ in commands), default=0)
    return [f"{command:{width}}  {text}" for command, text in commands]


def _later(rollout: Rollout) -> int:
    """Return how many steps come after the present one."""
    present = rollout.status.step.percent if rollout.status.step else 0
    return sum(step.percent > present for step in rollout.spec.plan())


def _command(rollout: Rollout, verb: str) -> str:
    """Return what to type, the namespace named, so that it can be copied as it is."""
    return f"sark-rollout {verb} {rollout.short_name}{_meant(rollout, verb)} -n {rollout.namespace}"


def _meant(rollout: Rollout, verb: str) -> str:
    """Return what the verb is meant for: typed a step later it must be refused, and not ask for the next thing."""
    step, awaited = rollout.status.step, rollout.status.awaited
    if verb == "skip":
        return f" --to {rollout.spec.plan()[-1].percent}"
    if verb == "promote" and step is not None:
        return f" --percent {step.percent}"
    if verb == "approve" and awaited is not None:
        return f" --percent {awaited.percent}"
    return ""


def doubts(rollout: Rollout, now: datetime) -> list[str]:
    """Return why what is shown may not be so: an operator that is not there, or has not seen the last edit."""
    return doubts_of(rollout.spec, rollout.status, rollout.generation, now)


def weak(rollout: Rollout) -> list[str]:
    """Return the sentences of the criteria that do not pass."""
    return [each.message for each in rollout.status.criteria if each.verdict is not Verdict.PASS]
