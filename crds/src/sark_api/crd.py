"""The CustomResourceDefinition, built from the models: `python -m sark_api.crd` prints it."""

from __future__ import annotations

import sys
from datetime import timedelta
from typing import Any

import yaml
from pydantic.json_schema import GenerateJsonSchema

from .duration import format_duration
from .names import GROUP, KIND, PLURAL, VERSION
from .spec import SarkRolloutSpec
from .status import SarkRolloutStatus
from .structural import JsonSchema, structural

_COLUMNS = (
    ("Phase", "string", ".status.phase", 0, "Where the rollout is."),
    ("Traffic", "string", ".status.summary.traffic", 0, "Share asked for and share observed."),
    ("Step", "string", ".status.summary.step", 0, "Step of all steps."),
    ("Bake", "string", ".status.summary.bake", 0, "Proven time of the time the step needs."),
    ("Verdict", "string", ".status.summary.verdict", 0, "What the criteria say together."),
    ("Replicas", "string", ".status.summary.replicas", 0, "Sidecars that confirmed the share, of the ready ones."),
    ("Reason", "string", ".status.reason", 0, "Why the rollout is not further."),
    ("Age", "date", ".metadata.creationTimestamp", 0, "Time since creation."),
    ("Evaluated", "date", ".status.evaluatedAt", 1, "When the criteria were last evaluated."),
    ("Message", "string", ".status.message", 1, "Why the rollout is not further, in a sentence."),
)

_GROWS = "self.request.id > oldSelf.request.id"
_SPEC_RULES = (
    (
        "has(self.steps) != has(self.schedule)",
        "give either steps (a list such as 5, 10, 25, 50, 100 percent) or schedule (Seed, Migration), and not both",
    ),
    (
        "!has(self.steps) || self.steps.all(s, duration(s.bake) >= duration(self.criteria.window))",
        "a step's bake must be at least criteria.window: raise the bake or shorten the window",
    ),
    (
        f"!has(self.request) || !has(oldSelf.request) || self.request == oldSelf.request || {_GROWS}",
        "a new request needs a request.id higher than the last one's",
    ),
    (
        "self.windows.all(w, timestamp('2026-01-01T00:00:00Z').getHours(w.timeZone) >= 0)",
        "every window's timeZone must be a name of the IANA time zone database, as in Europe/Berlin",
    ),
    (
        "duration(self.interval) >= duration('1s') && duration(self.interval) <= duration('10m')",
        "interval must be between 1s and 10m",
    ),
    ("duration(self.validFor) >= duration('10s')", "validFor must be at least 10s"),
    (
        "duration(self.validFor) >= duration(self.interval) + duration(self.interval)",
        "validFor must be at least twice the interval, or sidecars would expire between two evaluations",
    ),
    ("duration(self.criteria.window) >= duration('5s')", "criteria.window must be at least 5s"),
    ("duration(self.criteria.memoryGrowth.window) >= duration('30s')", "criteria.memoryGrowth.window must be at least 30s"),
    (
        "duration(self.prometheus.timeout) >= duration('1s') && duration(self.prometheus.timeout) <= duration('60s')",
        "prometheus.timeout must be between 1s and 60s",
    ),
)


class _KubernetesDefaults(GenerateJsonSchema):
    """Spells default durations as the wire does; pydantic would write ISO 8601."""

    def encode_default(self, dft: Any) -> Any:
        return format_duration(dft) if isinstance(dft, timedelta) else super().encode_default(dft)


class _PlainDumper(yaml.SafeDumper):
    """Writes equal values out in full: anchors would be valid YAML and unreadable."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - the name is PyYAML's
        return True


def schema() -> JsonSchema:
    """Return the structural OpenAPI schema of one SarkRollout."""
    spec = structural(SarkRolloutSpec.model_json_schema(by_alias=True, schema_generator=_KubernetesDefaults))
    spec["x-kubernetes-validations"] = [{"rule": expression, "message": message} for expression, message in _SPEC_RULES]
    spec["description"] = "What the user asks for."
    status = structural(SarkRolloutStatus.model_json_schema(by_alias=True))
    status["description"] = "What the operator has observed and decided. Written by the operator alone."
    return {
        "type": "object",
        "description": (
            "A SarkRollout moves the sidecars of one target from the baseline arm to the embedded engine, step by step, "
            "proves every step with numbers, and restores the baseline by itself when the proof fails."
        ),
        "required": ["spec"],
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {"type": "object"},
            "spec": spec,
            "status": status,
        },
    }


def manifest() -> dict[str, Any]:
    """Return the CustomResourceDefinition as the API server takes it."""
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{PLURAL}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {
                "kind": KIND,
                "listKind": f"{KIND}List",
                "plural": PLURAL,
                "singular": KIND.lower(),
                "shortNames": ["srol"],
                "categories": ["sark"],
            },
            "versions": [
                {
                    "name": VERSION,
                    "served": True,
                    "storage": True,
                    "subresources": {"status": {}},
                    "additionalPrinterColumns": [
                        {"name": name, "type": kind, "jsonPath": path, "priority": priority, "description": description}
                        for name, kind, path, priority, description in _COLUMNS
                    ],
                    "schema": {"openAPIV3Schema": schema()},
                }
            ],
        },
    }


def render() -> str:
    """Return the manifest as the YAML text that is committed."""
    head = "# Generated by `make crds` from crds/src/sark_api; edit the models, not this file.\n"
    return head + yaml.dump(manifest(), Dumper=_PlainDumper, sort_keys=False, width=140, allow_unicode=True)


if __name__ == "__main__":
    sys.stdout.write(render())
