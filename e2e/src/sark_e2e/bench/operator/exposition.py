"""What the simulated sidecars of one rollout count, in the text Prometheus scrapes: all pods of a rollout count alike."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from sark_api.flags import FlagDocument
from sark_api.names import (
    ARM_BASELINE,
    ARM_NEW,
    METRIC_CACHE_SECONDS,
    METRIC_CPU,
    METRIC_FALLBACK,
    METRIC_FLAG_REVISION,
    METRIC_MEMORY,
    METRIC_OPA_SECONDS,
    METRIC_REQUEST_SECONDS,
    METRIC_REQUESTS,
)

PODS: Final = 3
RATE: Final = 40.0
"""Requests a second of one pod."""
_BOUNDS: Final = ("0.0005", "0.00075", "0.001", "0.005", "0.0075", "0.025", "0.1", "+Inf")
_FAST: Final = 0.001
"""Every request, evaluation and look-up takes no longer."""


@dataclass(slots=True)
class Pods:
    """The sidecars of one rollout."""

    key: str
    """namespace/name."""
    document: FlagDocument | None = None
    failing: bool = False
    """Whether every request of the new arm fails."""
    failed_at: float | None = None
    """Monotonic time at which the first failed request was shown to Prometheus."""
    good: float = 0.0
    bad: float = 0.0
    baseline: float = 0.0
    template: str = field(default="", repr=False)

    @property
    def percent(self) -> int:
        """The share they serve."""
        return self.document.percentage if self.document else 0

    def text(self, seconds: float) -> str:
        """Return their metrics after `seconds` more of traffic."""
        new = RATE * seconds * self.percent / 100
        self.baseline += RATE * seconds - new
        if self.failing:
            self.bad += new
        else:
            self.good += new
        revision = self.document.revision if self.document else 0
        self.template = self.template or _template(self.key)
        good, bad, total = int(self.good), int(self.bad), int(self.good) + int(self.bad)
        return self.template % {"good": good, "bad": bad, "new": total, "old": int(self.baseline), "revision": revision}


def _template(key: str) -> str:
    return "".join(_pod(f'sark_rollout="{key}",pod="{key.partition("/")[2]}-{number}"') for number in range(PODS))


def _pod(labels: str) -> str:
    lines = [
        f"{METRIC_FLAG_REVISION}{{{labels}}} %(revision)d",
        f"{METRIC_MEMORY}{{{labels}}} 50000000",
        f"{METRIC_CPU}{{{labels}}} 1",
        f'{METRIC_FALLBACK}{{{labels},feature="rust_opa",error_type="timeout"}} 0',
        f'{METRIC_REQUESTS}{{{labels},implementation="{ARM_NEW}",result="allow"}} %(good)d',
        f'{METRIC_REQUESTS}{{{labels},implementation="{ARM_NEW}",result="error"}} %(bad)d',
        f'{METRIC_REQUESTS}{{{labels},implementation="{ARM_BASELINE}",result="allow"}} %(old)d',
        f'{METRIC_REQUESTS}{{{labels},implementation="{ARM_BASELINE}",result="error"}} 0',
    ]
    for metric, more, arms in (
        (METRIC_REQUEST_SECONDS, "", ((ARM_NEW, "new"), (ARM_BASELINE, "old"))),
        (METRIC_OPA_SECONDS, "", ((ARM_NEW, "new"),)),
        (METRIC_CACHE_SECONDS, 'operation="get",', ((ARM_NEW, "new"),)),
    ):
        for arm, count in arms:
            for bound in _BOUNDS:
                number = f"%({count})d" if float(bound) >= _FAST or metric == METRIC_CACHE_SECONDS else "0"
                lines.append(f'{metric}_bucket{{{labels},implementation="{arm}",{more}le="{bound}"}} {number}')
    return "".join(f"{line}\n" for line in lines)
