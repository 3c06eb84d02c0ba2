"""What can go wrong with the parts of a target, and how it is mended."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from sark_e2e.simulated_target import SimulatedSidecar, SimulatedTarget
from sark_operator.core.observation import Missing

from .symptoms import AWAY

NO_TIME = timedelta(0)


def _with(**parts: Any) -> Callable[[SimulatedTarget], None]:
    def happen(target: SimulatedTarget) -> None:
        for name, value in parts.items():
            setattr(target, name, value)

    return happen


TROUBLES: Mapping[str, Callable[[SimulatedTarget], None]] = {
    "rival": _with(rival="shop/other"),
    "pods cannot be listed": _with(pods_missing=Missing("PodsUnavailable", "503")),
    "config map gone": SimulatedTarget.lose_config_map,
    "config map away": _with(flags=Missing("FlagsUnavailable", "503")),
    "flags are refused": _with(flags_refused=True),
    "the namespace ends": _with(namespace_ending=True),
    "document gone": lambda target: target.put(None, by="kubectl-edit"),
    "document mangled": lambda target: target.put(None, "not JSON", by="kubectl-edit"),
    "evidence cannot be filed": _with(filing_fails="forbidden"),
    "a sidecar is not scraped": _with(unscraped=1),
    "a target of another namespace names it": _with(foreign=("billing",)),
    "Prometheus' clock is behind": _with(clock_behind=timedelta(seconds=30)),
    "Prometheus' clock is ahead": _with(clock_ahead=timedelta(seconds=30)),
    "Prometheus' clock is minutes behind": _with(clock_behind=timedelta(minutes=5)),
    "Prometheus' clock is minutes ahead": _with(clock_ahead=timedelta(minutes=5)),
    "the answers of Prometheus are old": _with(metrics_age=timedelta(seconds=12)),
    "counting windows cannot be read": _with(windows_missing=AWAY),
    "counting windows count nonsense": _with(windows_unsound=True),
}
SIDECAR_TROUBLES: list[dict[str, Any] | None] = [
    None,  # it is gone
    {"document": None},
    {"following": False},
    {"document": None, "following": False},
    {"reachable": False},
    {"policy": "policy-2"},
    {"baseline_policy": ""},
]


def mend(target: SimulatedTarget) -> None:
    """Take away everything that is wrong with the target; clocks that differ are set right."""
    target.now += target.clock_ahead
    _with(
        rival="",
        pods_missing=None,
        flags_refused=False,
        namespace_ending=False,
        filing_fails="",
        unscraped=0,
        foreign=(),
        clock_behind=NO_TIME,
        clock_ahead=NO_TIME,
        metrics_age=NO_TIME,
        windows_missing=None,
        windows_unsound=False,
    )(target)
    for name in list(target.sidecars):
        target.sidecars[name] = SimulatedSidecar(target.sidecars[name].document)
    if isinstance(target.flags, Missing) or target.flags.error:
        target.put(None)
    elif target.flags.owners:
        target.put(target.document)  # they have let go of it
    target.deliver()
