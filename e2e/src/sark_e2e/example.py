"""The example rollout of the repository, adapted to where it runs: what the demonstration and the scenarios apply."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import yaml

from .fleet import Fleet
from .program import ROOT

EXAMPLE: Final = ROOT / "examples" / "gateway.yaml"


def example_rollout(name: str, fleet: Fleet, *, prometheus: str, edits: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return examples/gateway.yaml as rollout `name` of `fleet`, asking the Prometheus at `prometheus`.

    `edits` are laid over its spec: mappings are merged, everything else is replaced.
    """
    body: dict[str, Any] = yaml.safe_load(EXAMPLE.read_text(encoding="utf-8"))
    body["metadata"] = {"name": name, "namespace": fleet.namespace}
    place = {
        "target": {"matchLabels": fleet.labels, "flagsConfigMap": fleet.config_map},
        "prometheus": {"address": prometheus},
    }
    body["spec"] = merged(merged(body["spec"], place), edits or {})
    return body


def steps(percents: Sequence[int], *, bake: str) -> list[dict[str, Any]]:
    """Return a plan that proves each of `percents` for `bake`."""
    return [{"percent": percent, "bake": bake} for percent in percents]


def quick(*percents: int, bake: str = "6s", **criteria: Any) -> dict[str, Any]:
    """Return edits that make the example last seconds: it looks every second, at windows of 5 s. `criteria` are laid over.

    Absolute times say nothing on a machine that runs a whole cluster and its load, so their limits are out of reach.
    """
    slow = {"limitMicroseconds": 2_000_000, "warningMicroseconds": 0}
    few = {"minSamples": 20}
    counted = dict.fromkeys(("errorRate", "latencyP95", "denyShift", "sampleRatio", "fallbackRate"), few)
    small = {"window": "5s", **counted, "opaP95": slow, "cacheP95": slow}
    return {"steps": steps(percents, bake=bake), "interval": "1s", "criteria": merged(small, criteria)}


def merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Return `base` with `over` laid on it; neither is changed."""
    result = dict(base)
    for key, value in over.items():
        before = result.get(key)
        result[key] = merged(before, value) if isinstance(before, Mapping) and isinstance(value, Mapping) else value
    return result
