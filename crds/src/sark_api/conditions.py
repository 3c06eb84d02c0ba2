"""Every condition of a rollout, in one table: its type, and what True, False and Unknown mean.

A type is a contract: programs wait for it. Its reason and sentence come from the table of reasons.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class ConditionType:
    """One condition, and what each of its states means."""

    name: str
    """CamelCase word a program can wait for."""
    true: str
    false: str
    unknown: str = ""
    """Empty where it is never Unknown."""


_TABLE: dict[str, ConditionType] = {}


def _condition(name: str, *, true: str, false: str, unknown: str = "") -> str:
    """Take a condition into the table, and return its type."""
    _TABLE[name] = ConditionType(name, true, false, unknown)
    return name


READY: Final = _condition(
    "Ready",
    true="Nothing has to be mended: the target is free, its pods, flags and metrics can be read.",
    false="Something has to be, the gravest of it first: the target is taken, the ConfigMap is not there, cannot be read or is "
    "held by others, no pod is ready, pods cannot be listed, or what a criterion with action Revert or Hold rests on cannot be "
    "read. Nothing is started, raised or proven; a revert goes on. At its end a rollout needs neither target nor metrics.",
)
PROGRESSING: Final = _condition(
    "Progressing",
    true="It goes on by itself, in time.",
    false="It does not: paused, going back, at its end, being deleted, or waiting for somebody, which the reason names.",
)
CONVERGED: Final = _condition(
    "Converged",
    true="Every ready sidecar has confirmed the share that is wanted, and both arms of all serve one policy revision.",
    false="One has not, or no pod is ready.",
    unknown="The pods could not be listed.",
)
METRICS_AVAILABLE: Final = _condition(
    "MetricsAvailable",
    true="Prometheus has answered every query, and sees every ready sidecar that follows the rollout.",
    false="It has not, or does not. Ready stays True where no criterion with action Revert or Hold rests on it.",
)
SAMPLE_SUFFICIENT: Final = _condition(
    "SampleSufficient",
    true="No criterion with action Revert or Hold is Unknown for want of samples.",
    false="One has fewer than its minSamples.",
    unknown="Nothing has been judged in this attempt.",
)
CRITERIA_MET: Final = _condition(
    "CriteriaMet",
    true="Every criterion with action Revert or Hold passes.",
    false="One is breached.",
    unknown="None is breached and one is Unknown, or nothing has been judged in this attempt.",
)
PAUSED: Final = _condition(
    "Paused",
    true="spec.mode is Paused and the rollout is on its way: the share stays, the bake is frozen.",
    false="It is not, or there is nothing to pause.",
)
REVERTING: Final = _condition(
    "Reverting",
    true="The share is being taken back, and not every ready sidecar has confirmed 0%.",
    false="No revert is under way; one that has ended is in status.revert.",
)
COMPLETED: Final = _condition(
    "Completed",
    true="The last step was proven. It stays True when the watch is over.",
    false="It was not, or was taken back after it.",
)
FLAGS_OWNED: Final = _condition(
    "FlagsOwned",
    true="The operator alone writes flags.json and flagd.json of the ConfigMap.",
    false="Others wrote them too; the sentence names their field managers.",
    unknown="The ConfigMap could not be read, or is not there.",
)
DEGRADED: Final = _condition(
    "Degraded",
    true="Something of its own is not as it should be: the flag document is mangled, gone, another's, held by others or "
    "cannot get a higher revision, or evidence cannot be filed.",
    false="All is as it should be.",
)

CONDITIONS: Final[Mapping[str, ConditionType]] = _TABLE
"""All conditions by type, in the order in which the status holds them."""
