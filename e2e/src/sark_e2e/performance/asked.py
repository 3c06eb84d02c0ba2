"""What is asked in the suite, with the right answer to every question: OPA's, asked before anything is measured.

One folder of policies serves all of it: the example's gateway, the simple and the complex policy of tests/performance.
"""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sark_e2e.bench.engine import gateway, tenancy
from sark_e2e.bench.engine.corpus import Asker, compact
from sark_e2e.bench.questions import MARK
from sark_e2e.program import ROOT
from sark_e2e.traffic.mix import Mix

EXAMPLE: Final = ROOT / "examples" / "policies"
DECISION: Final = "mcp/gateway/decision"
SIMPLE: Final = "gateway/authz/allow"
COMPLEX: Final = "tenancy/decision/decision"
MISS_SHARE: Final = 0.2
"""Of the mixed questions, those that nobody has asked before."""
_QUESTIONS: Final = 500
_SEED: Final = 11


@dataclass(frozen=True)
class Asked:
    """Questions about one path as files: bodies, and the right answers line by line."""

    path: str
    bodies: Path
    answers: Path


def copy_policies(folder: Path) -> Path:
    """Put all policies of the suite into `folder`, and return it."""
    shutil.copytree(EXAMPLE, folder)
    for source in (gateway.POLICIES, tenancy.POLICIES):
        for path in source.iterdir():
            shutil.copy(path, folder / path.name)
    return folder


def mixed(share_new: float) -> list[dict[str, Any]]:
    """Return inputs of the example's gateway as applications ask them; a share carries the mark that makes each ask unique."""
    mix, draw = Mix(seed=_SEED), random.Random(_SEED)
    inputs = []
    for _ in range(_QUESTIONS):
        question: dict[str, Any] = mix.question()["input"]
        if draw.random() < share_new:
            question["parameters"]["query"] = MARK
        inputs.append(question)
    return inputs


def simple() -> list[dict[str, Any]]:
    """Return inputs of the simple policy, each made unique."""
    draw = random.Random(_SEED)
    return [gateway.question(draw, MARK) for _ in range(_QUESTIONS)]


def complicated() -> list[dict[str, Any]]:
    """Return inputs of the complex policy, each made unique."""
    draw = random.Random(_SEED)
    return [tenancy.question(draw, MARK) for _ in range(_QUESTIONS)]


KINDS: Final[dict[str, tuple[str, Callable[[], list[dict[str, Any]]]]]] = {
    "mixed": (DECISION, lambda: mixed(MISS_SHARE)),
    "hit": (DECISION, lambda: mixed(0.0)),
    "miss": (DECISION, lambda: mixed(1.0)),
    "simple": (SIMPLE, simple),
    "complex": (COMPLEX, complicated),
}
"""By name: path and inputs."""


def write(kind: str, ask: Asker, folder: Path) -> Asked:
    """Ask OPA every question of a kind and write both files below `folder`. Raises BenchError."""
    path, draw = KINDS[kind]
    inputs = draw()
    bodies, answers = folder / f"{kind}.jsonl", folder / f"{kind}.answers.jsonl"
    bodies.write_text("".join(json.dumps({"input": each}, separators=(",", ":")) + "\n" for each in inputs), encoding="utf-8")
    answers.write_text("".join(compact(ask(path, each)) + "\n" for each in inputs), encoding="utf-8")
    return Asked(path, bodies, answers)
