"""The Helm chart: the rights it grants, and `helm` itself to look at what it makes."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from .binaries import program
from .program import ROOT

CHART: Final = ROOT / "charts" / "sark-rollout"
_HELM_SECONDS: Final = 60


class ChartError(RuntimeError):
    """helm refused; the message is what it said."""


def rules(name: str, **names: str) -> tuple[dict[str, Any], ...]:
    """Return the RBAC rules in the chart's files/`name`.yaml, with {placeholders} filled in.

    The local cluster grants what the chart grants, so that each scenario shows that it is enough.
    """
    text = (CHART / "files" / f"{name}.yaml").read_text(encoding="utf-8")
    for placeholder, value in names.items():
        text = text.replace(f"{{{placeholder}}}", value)
    return tuple(yaml.safe_load(text))


def helm(*arguments: str | Path, environment: Mapping[str, str] | None = None, seconds: float = _HELM_SECONDS) -> str:
    """Return what helm prints; `environment` is laid over this process's. Raises ChartError."""
    answer = subprocess.run(
        [program("helm"), *arguments],
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
        cwd=ROOT,
        env={**os.environ, **(environment or {})},
    )
    if answer.returncode != 0:
        raise ChartError((answer.stderr + answer.stdout).strip())
    return answer.stdout


def template(values: Mapping[str, Any], folder: Path, *, namespace: str = "sark-system", hooks: bool = True) -> str:
    """Return the manifests of the release `sark` with `values`, which are written below `folder`. Raises ChartError.

    Without `hooks` what helm runs before or after something is left out.
    """
    path = folder / "values.yaml"
    path.write_text(yaml.safe_dump(dict(values)), encoding="utf-8")
    more = [] if hooks else ["--no-hooks"]
    return helm("template", "sark", CHART, f"--namespace={namespace}", f"--values={path}", *more)


def objects(manifests: str) -> list[dict[str, Any]]:
    """Return the objects in `manifests`, in order."""
    return [each for each in yaml.safe_load_all(manifests) if each]
