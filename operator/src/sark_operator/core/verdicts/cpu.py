"""cpu: how much of the CPU it may use the busiest sidecar uses."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from math import isfinite
from typing import Final

from sark_api.duration import format_duration
from sark_api.spec import Cpu
from sark_api.status import CriterionStatus
from sark_operator.core.figures import count, percents
from sark_operator.core.observation import Missing

from .ruling import Ruling

NAME: Final = "cpu"


def judge_cpu(settings: Cpu, window: timedelta, cpu: Mapping[str, float] | Missing, query: str = "") -> CriterionStatus:
    """Return Breach when any sidecar's average over `window` (cores, by pod) is above the limit."""
    ruling = Ruling(NAME, settings.action, query, min_samples=1)
    limit = settings.limit_percent / 100
    limit_text = percents(limit, limit)[1]
    if isinstance(cpu, Missing):
        return ruling.unknown(cpu.message, limit=limit_text)
    used = {pod: cores for pod, cores in cpu.items() if isfinite(cores) and cores >= 0}
    if not used:
        return ruling.unknown(f"no sidecar has told its CPU time in {format_duration(window)}", limit=limit_text)
    pod, cores = max(used.items(), key=lambda item: item[1])
    share = cores * 1000 / settings.millicores
    breach = share > limit
    value, limit_text = percents(share, limit)
    message = (
        f"{value} {'>' if breach else '<='} {limit_text} of {settings.millicores:,} millicores over {format_duration(window)}: "
        f"pod {pod}, the busiest of {count(len(used), 'pod')}"
    )
    return ruling.measured(breach=breach, message=message, value=value, limit=limit_text, samples=len(used))
