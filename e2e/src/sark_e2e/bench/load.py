"""One run of the load generator, and what it prints."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any, Final

from .failure import BenchError

AWAKE_SECONDS: Final = 0.0001
"""How long before a question is due a generator wakes that may sleep: awake all the time, it takes a core from its subject."""
_PATIENCE_SECONDS: Final = 60


@dataclass(frozen=True)
class Load:
    """What one run saw. Times in microseconds, to the last byte of the answer from the first of the question.

    In an open loop they count from when the question was due.
    """

    answers: int
    per_second: float
    p50_us: float
    p95_us: float
    p99_us: float


def run_load(
    client: Path,
    *,
    url: str,
    bodies: Path,
    connections: int,
    seconds: float,
    answers: Path | None = None,
    per_second: float | None = None,
    awake_seconds: float | None = None,
) -> Load:
    """Ask `url` the questions in `bodies` over and over for `seconds`, and return what was seen.

    `answers` are the bodies of the right answers, a line for each line of `bodies`; without them any decision will do.
    With `per_second` questions are sent by the clock, and latencies count from when each was due. The generator does not sleep
    then, or only until `awake_seconds` before a question is due: its waking up is in the figures, and a core is free.

    Raises:
        BenchError: the server could not be asked, or an answer was not the right one.
    """
    options: dict[str, object] = {"--url": url, "--bodies": bodies, "--connections": connections, "--seconds": seconds}
    if answers is not None:
        options["--answers"] = answers
    if per_second is not None:
        options["--rate"] = per_second
        if awake_seconds is not None:
            options["--awake"] = awake_seconds
    mode = "load" if per_second is None else "paced"
    command = [str(client), mode, *(str(part) for option in options.items() for part in option)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=seconds + _PATIENCE_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BenchError(f"the load on {url} did not run to its end: {error}") from error
    if done.returncode != 0:
        raise BenchError(f"the load on {url} failed: {done.stderr.strip()}")
    return parse_load(done.stdout)


def parse_load(text: str) -> Load:
    """Return the run that `sark-bench load` or `paced` printed. Raises BenchError unless every answer was right."""
    try:
        members = json.loads(text)
        answers, errors = int(members["answers"]), int(members["errors"])
        load = Load(answers, *(_number(members, name) for name in ("per_second", "p50_us", "p95_us", "p99_us")))
    except (ValueError, KeyError, TypeError) as error:
        raise BenchError(f"the load generator printed something else than a result: {text.strip()[:200]!r}") from error
    if errors:
        raise BenchError(f"{errors} of {answers} answers were wrong; the first: {members.get('first_error')}")
    if answers == 0:
        raise BenchError("the load got no answer at all in its time")
    return load


def _number(members: dict[str, Any], name: str) -> float:
    value = float(members[name])
    if not isfinite(value) or value < 0:
        raise ValueError(name)
    return value
