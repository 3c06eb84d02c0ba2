"""Questions as bytes in memory, each with the answer that is right, for callers in Python."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Callable, Sequence
from typing import Final

from sark_e2e.bench.failure import BenchError
from sark_e2e.bench.questions import MARK

from .asked import Asked

_numbers: Final = itertools.count(int(time.time() * 1e6))


def fresh(asked: Asked, count: int) -> tuple[list[bytes], list[bytes]]:
    """Return `count` bodies in turn and their answers; where a body carries the mark, no two are the same."""
    bodies, answers = (path.read_text(encoding="utf-8").splitlines() for path in (asked.bodies, asked.answers))
    pairs = itertools.islice(itertools.cycle(zip(bodies, answers, strict=True)), count)
    made = []
    for body, answer in pairs:
        digits = f"{next(_numbers):0{len(MARK)}d}"
        made.append((body.replace(MARK, digits).encode(), answer.replace(MARK, digits).encode()))
    return [body for body, _ in made], [answer for _, answer in made]


def check(ask: Callable[[bytes], bytes | None], bodies: Sequence[bytes], answers: Sequence[bytes]) -> None:
    """Ask every question once and compare. Raises BenchError at the first wrong decision."""
    for body, expected in zip(bodies, answers, strict=True):
        answer = ask(body) or b"{}"
        if answer.strip() != expected and json.loads(answer) != json.loads(expected):
            raise BenchError(f"the decision was {answer[:300]!r}; expected was {expected[:300]!r}")


def inputs(bodies: Sequence[bytes]) -> list[bytes]:
    """Return the inputs inside the bodies, for an engine that is asked in process."""
    return [json.dumps(json.loads(body)["input"], separators=(",", ":")).encode() for body in bodies]


def results(answers: Sequence[bytes]) -> list[bytes]:
    """Return the results inside the answers."""
    return [json.dumps(json.loads(answer).get("result"), separators=(",", ":")).encode() for answer in answers]
