"""One load of the open loop: questions are sent by the clock, whatever the answers do, and each answer is compared.

What is late, refused or unanswered is a result; a wrong decision ends the run.
"""

from __future__ import annotations

import json
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil

from sark_e2e.bench.failure import BenchError
from sark_e2e.bench.load import AWAKE_SECONDS

GIVE_UP_SECONDS: Final = 5
_PATIENCE_SECONDS: Final = 60


@dataclass(frozen=True)
class OpenLoop:
    """What was seen. Times in milliseconds, from when a question was due to the last byte of its answer."""

    asked: int
    answers: int
    refused: int
    """Answered with another status than 200: no decision, and no allow."""
    unanswered: int
    """When the load gave up, five seconds after the last question was due. They count with the time they had waited."""
    seconds: float
    per_second: float
    """Right answers a second."""
    p50_ms: float
    p95_ms: float
    p99_ms: float
    mean_ms: float
    max_ms: float
    late_p99_ms: float
    """How late the generator itself was."""
    generator_cpu_percent: float
    answers_each_second: tuple[int, ...]

    @property
    def error_percent(self) -> float:
        """Questions without a genuine decision, of all."""
        return 100 * (self.refused + self.unanswered) / max(self.asked, 1)


def run(
    client: Path, *, url: str, bodies: Path, answers: Path, rate: float, connections: int, seconds: float, ramp: float = 0.0
) -> OpenLoop:
    """Ask `url` at `rate` questions a second, growing to it in `ramp` seconds.

    Raises:
        BenchError: the server could not be asked, or a decision was wrong.
    """
    options: dict[str, object] = {
        "--url": url,
        "--bodies": bodies,
        "--answers": answers,
        "--rate": rate,
        "--connections": connections,
        "--seconds": seconds,
        "--ramp": ramp,
        "--give-up": GIVE_UP_SECONDS,
        "--awake": AWAKE_SECONDS,
    }
    command = [str(client), "paced", *(str(part) for option in options.items() for part in option)]
    began = time.monotonic()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
        watched = psutil.Process(child.pid)
        cpu = 0.0
        while child.poll() is None and time.monotonic() - began < seconds + _PATIENCE_SECONDS:
            try:
                cpu = sum(watched.cpu_times()[:2])
            except psutil.Error:
                break
            time.sleep(0.2)
        try:
            out, complaint = child.communicate(timeout=_PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            child.kill()
            raise BenchError(f"the load on {url} did not end") from None
    if child.returncode != 0:
        raise BenchError(f"the load on {url} failed: {complaint.strip()}")
    return parse(out, 100 * cpu / max(time.monotonic() - began, 0.1))


def parse(text: str, generator_cpu_percent: float = 0.0) -> OpenLoop:
    """Return what `sark-bench paced --give-up` printed. Raises BenchError when a decision was wrong."""
    try:
        members = json.loads(text)
        answers, errors, refused, unanswered = (int(members[name]) for name in ("answers", "errors", "refused", "unanswered"))
        seconds = float(members["seconds"])
        times = {name: float(members[f"{name}_us"]) / 1e3 for name in ("p50", "p95", "p99", "mean", "max", "late_p99")}
        each_second = tuple(int(each) for each in members["answers_each_second"])
    except (ValueError, KeyError, TypeError) as error:
        raise BenchError(f"the load generator printed something else than a result: {text.strip()[:200]!r}") from error
    if errors > refused:
        raise BenchError(
            f"{errors - refused} of {answers} decisions were wrong; the first objection: {members.get('first_error')}"
        )
    if answers == refused:
        raise BenchError(f"the load got no decision at all; the first objection: {members.get('first_error')}")
    return OpenLoop(
        asked=answers + unanswered,
        answers=answers,
        refused=refused,
        unanswered=unanswered,
        seconds=seconds,
        per_second=(answers - refused) / seconds,
        p50_ms=times["p50"],
        p95_ms=times["p95"],
        p99_ms=times["p99"],
        mean_ms=times["mean"],
        max_ms=times["max"],
        late_p99_ms=times["late_p99"],
        generator_cpu_percent=generator_cpu_percent,
        answers_each_second=each_second,
    )
