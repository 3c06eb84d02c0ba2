"""`python -m sark_e2e.performance.stability`: a sidecar asked for a day at an even pace while its memory is watched.

Each sample is a line of a file. Started again with the same file it goes on: the lines before count, the new sidecar begins a
new line of memory, and the slope is taken within each stretch, because a process that starts anew starts small.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import groupby, pairwise
from pathlib import Path
from typing import Final

from sark_e2e import run_folder
from sark_e2e.bench.failure import BenchError
from sark_e2e.bench.load_generator import build
from sark_e2e.process import ProcessError
from sark_e2e.progress import to_stderr
from sark_operator.core.theil_sen import Slope, theil_sen

from . import stand as stands
from .bodies import fresh
from .callers import RawCaller
from .sampling import Sampler
from .scenarios import DEFAULT_SCALE
from .stand import ARMS, Stand
from .suite import Recording, Suite

HOURS: Final = 24.0
_YOUNG_SHARE: Final = 0.25
"""Of a stretch, at its beginning: pools and caches fill."""
_BATCH: Final = 2_000
_SECONDS_OF_HOUR: Final = 3600.0


@dataclass(frozen=True)
class Sample:
    """One look."""

    stretch: int
    """Number of the sidecar process, from 0."""
    at: float
    """Hours in which questions were asked, over all stretches."""
    memory_mb: float
    requests: int
    """Since the beginning, over all stretches."""


def read(state: Path) -> list[Sample]:
    """Return the samples kept so far. A line that was cut off by a crash is the end of the file, and is dropped."""
    if not state.exists():
        return []
    samples = []
    for line in state.read_text(encoding="utf-8").splitlines():
        try:
            samples.append(Sample(**json.loads(line)))
        except (ValueError, TypeError):
            break
    return samples


def slope(samples: Sequence[Sample]) -> Slope:
    """Return the slope in MB an hour of the longest stretch, without its young part. Raises BenchError for too few samples."""
    stretches = [list(group) for _, group in groupby(samples, lambda each: each.stretch)]
    longest = max(stretches, key=len, default=[])
    old = longest[int(len(longest) * _YOUNG_SHARE) :]
    found = theil_sen([(each.at, each.memory_mb) for each in old])
    if found is None:
        raise BenchError(f"{len(old)} samples are too few for a slope: let it run longer")
    return found


def growth(samples: Sequence[Sample]) -> float:
    """Return by how many MB memory grew, from the end of the young part of each stretch to the stretch's end, all together."""
    total = 0.0
    for _, group in groupby(samples, lambda each: each.stretch):
        old = list(group)
        old = old[int(len(old) * _YOUNG_SHARE) :]
        total += sum(after.memory_mb - before.memory_mb for before, after in pairwise(old))
    return total


def ask(stand: Stand, arm: str, state: Path, *, hours: float, rate: float) -> list[Sample]:
    """Ask until `hours` are full, those of the file included; return all samples. Raises BenchError at a wrong decision."""
    samples = read(state)
    begun = samples[-1].at if samples else 0.0
    number = samples[-1].requests if samples else 0
    stretch = samples[-1].stretch + 1 if samples else 0
    every = max(hours * _SECONDS_OF_HOUR / 400, 0.5)
    asked = stand.asked["mixed"]
    url = stand.url(arm, asked.path)
    caller = RawCaller(url)
    began = time.monotonic()
    due, next_look, asked_here = began, began + every, 0
    with state.open("a", encoding="utf-8") as file, Sampler(stand.servers(arm), every=min(every, 5.0)) as usage:
        while (now := time.monotonic()) - began < (hours - begun) * _SECONDS_OF_HOUR:
            if asked_here % _BATCH == 0:
                questions, answers = fresh(asked, _BATCH)
            place = asked_here % _BATCH
            answer = caller(questions[place])
            if answer.strip() != answers[place] and json.loads(answer) != json.loads(answers[place]):
                raise BenchError(f"the decision was {answer!r}; expected was {answers[place]!r}")
            asked_here += 1
            if now >= next_look and usage.memory_mb:
                next_look += every
                at = begun + (now - began) / _SECONDS_OF_HOUR
                sample = Sample(stretch, at, usage.memory_by_name["sidecar"], number + asked_here)
                samples.append(sample)
                file.write(json.dumps(asdict(sample)) + "\n")
                file.flush()
            due += 1 / rate
            time.sleep(max(due - time.monotonic(), 0))
    caller.close()
    return samples


def keep(recording: Recording, samples: Sequence[Sample], *, hours: float, rate: float) -> None:
    """Put a finished run into its raw file. Raises BenchError when it is too short for a slope."""
    found = slope(samples)
    recording.keep(
        {
            "hours": (hours, "h"),
            "rate": (rate, "1/s"),
            "initial": (samples[0].memory_mb, "MB"),
            "final": (samples[-1].memory_mb, "MB"),
            "growth": (growth(samples), "MB"),
            "slope": (found.value, "MB/h"),
            "slope-lower": (found.lower, "MB/h"),
            "slope-upper": (found.upper, "MB/h"),
            "requests": (samples[-1].requests, ""),
            "stretches": (samples[-1].stretch + 1, ""),
            "wrong": (0, ""),
        },
        {"memory": ("MB", [each.at * _SECONDS_OF_HOUR for each in samples], [each.memory_mb for each in samples])},
        notes=["memory of the sidecar process alone; the slope's interval is of 99.9 %, without the first quarter"],
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one arm, or go on with it."""
    parser = argparse.ArgumentParser(prog="python -m sark_e2e.performance.stability", description=__doc__)
    parser.add_argument("arm", choices=ARMS)
    parser.add_argument("--hours", type=float, default=HOURS)
    parser.add_argument("--rate", type=float, default=200.0, help="questions a second (default: 200)")
    parser.add_argument("--state", type=Path, required=True, help="file of the samples; the same again goes on with it")
    parser.add_argument("--run", default="latest", help="name of the folder below reports/")
    options = parser.parse_args(arguments)
    if options.hours <= 0 or options.rate <= 0:
        parser.error("--hours and --rate must be above 0")
    suite = Suite(options.run, min(options.hours / HOURS, 1.0) or DEFAULT_SCALE, build(to_stderr), to_stderr)
    try:
        with stands.running(run_folder.create("stability"), to_stderr, arms=(options.arm,)) as stand:
            recording = Recording(suite, "memory", "stability", options.arm, "psutil", HOURS * _SECONDS_OF_HOUR)
            samples = ask(stand, options.arm, options.state, hours=options.hours, rate=options.rate)
            keep(recording, samples, hours=options.hours, rate=options.rate)
    except (BenchError, ProcessError, OSError) as error:
        to_stderr(f"error: {error}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
