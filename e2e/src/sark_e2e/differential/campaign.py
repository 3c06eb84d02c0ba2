"""A run: cases from all sources until the time is over, each compared, and what differs made small and written down."""

from __future__ import annotations

import itertools
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from sark_e2e.progress import Report, silent

from .case import Case
from .comparison import Comparison, Disagreement, Result
from .corpus import Specimen
from .finding import as_text, signature
from .grammar import calls, guards, merged, numerals, overlap, policy, replaced, tangle
from .known import Known, recognised, recognised_at
from .minimiser import Minimiser
from .mutation import mutant
from .parts import without_rows
from .tally import Tally

SOURCES: Final = ("corpus", "mutated", "grammar", "builtins", "tangle", "numerals", "guards", "overlap", "replaced", "merged")
_REPAIRS: Final = 6
_REPORT_SECONDS: Final = 10.0


@dataclass(frozen=True, slots=True)
class Plan:
    """What to ask, how long, and when to give up."""

    seed: int
    seconds: float
    specimens: list[Specimen]
    sources: tuple[str, ...] = SOURCES
    inputs: int = 40
    most_findings: int = 20
    minimise_seconds: float = 20.0
    known: list[Known] = field(default_factory=list)
    """Differences that are counted and not reported."""
    most_cases: int | None = None
    """Ends a run by what it asked and not by the clock, so that it asks the same on every machine."""


@dataclass(slots=True)
class Campaign:
    """A run and what has come of it."""

    plan: Plan
    comparison: Comparison
    folder: Path
    """Where findings are written."""
    report: Report = silent
    tallies: dict[str, Tally] = field(default_factory=dict)
    findings: list[Path] = field(default_factory=list)
    _signatures: set[str] = field(default_factory=set)

    def run(self) -> None:
        """Compare until the time is over or enough has been found. Raises OracleError."""
        started = reported = time.monotonic()
        busy = 0.0
        for source, case in itertools.islice(cases(self.plan), self.plan.most_cases):
            before = time.monotonic()
            if before - started > self.plan.seconds or len(self.findings) >= self.plan.most_findings:
                return
            if before - reported > _REPORT_SECONDS:
                reported = before
                self.report(self._progress(before - started, busy))
            self._compare(source, case)
            busy += time.monotonic() - before

    def _progress(self, elapsed: float, busy: float) -> str:
        compared = sum(tally.compared for tally in self.tallies.values())
        rate = compared / max(busy, 0.001)
        return f"{elapsed:.0f} s: {compared:,} questions compared, {rate:,.0f}/s, {len(self.findings)} findings"

    def _compare(self, source: str, case: Case) -> None:
        tally = self.tallies.setdefault(source, Tally())
        for _ in range(_REPAIRS):
            result = self.comparison.compare(case)
            tally.add(result)
            self._keep(result.disagreements, tally)
            repaired = _repaired(case, result)
            if repaired is None:
                return
            case = repaired

    def _keep(self, disagreements: list[Disagreement], tally: Tally) -> None:
        """Write one finding of each kind and path; the others of this policy are mostly the same."""
        seen: set[tuple[str, str]] = set()
        for found in disagreements:
            key = (found.kind, found.case.paths[0])
            known = recognised_at(found.case, self.plan.known)
            if known is None and key not in seen and len(self.findings) < self.plan.most_findings:
                seen.add(key)
                small = self._smallest(found)
                known = recognised(small.case, self.plan.known)
                if known is None:
                    self._write(small)
            if known is not None:
                tally.known[known.name] += 1

    def _smallest(self, found: Disagreement) -> Disagreement:
        alone = self.comparison.disagreement(found.case.single(found.case.paths[0], found.case.inputs[-1]))
        again = alone or self.comparison.disagreement(found.case)
        if again is None:
            # Seen once, and not when asked again: worth a file all the same.
            return found
        return Minimiser(self.comparison.disagreement, seconds=self.plan.minimise_seconds).smallest(again)

    def _write(self, small: Disagreement) -> None:
        name = signature(small)
        if name in self._signatures:
            return
        self._signatures.add(name)
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / f"{name}.yaml"
        path.write_text(as_text(small), encoding="utf-8")
        self.findings.append(path)
        self.report(f"finding {len(self.findings)}: {path}")


def cases(plan: Plan) -> Iterator[tuple[str, Case]]:
    """Yield cases without end, equal ones for an equal seed; first the corpus as it is."""
    chance = random.Random(plan.seed)
    makers: dict[str, Callable[[], Case]] = {
        "grammar": lambda: policy(chance, plan.inputs),
        "builtins": lambda: calls(chance, plan.inputs),
        "tangle": lambda: tangle(chance, plan.inputs),
        "numerals": lambda: numerals(chance, plan.inputs),
        "guards": lambda: guards(chance, plan.inputs),
        "overlap": lambda: overlap(chance, plan.inputs),
        "replaced": lambda: replaced(chance, plan.inputs),
        "merged": lambda: merged(chance, plan.inputs),
    }
    if plan.specimens:
        makers["corpus"] = lambda: chance.choice(plan.specimens).case(chance, plan.inputs)
        makers["mutated"] = lambda: mutant(chance.choice(plan.specimens).case(chance, plan.inputs), chance)
        if "corpus" in plan.sources:
            yield from (("corpus", _without_null(specimen.case(chance, plan.inputs))) for specimen in plan.specimens)
    weights = {"corpus": 1, "mutated": 4, "grammar": 4, "builtins": 1, "tangle": 3}
    chosen = [source for source in makers if source in plan.sources]
    while True:
        source = chance.choices(chosen, weights=[weights.get(name, 2) for name in chosen])[0]
        yield source, _without_null(makers[source]())


def _without_null(case: Case) -> Case:
    """Return `case` with no input where it has null: they are the same to the data API, and not to a query or in process."""
    return replace(case, inputs=tuple(None if given == "null" else given for given in case.inputs))


def _repaired(case: Case, result: Result) -> Case | None:
    """Return `case` without the rules OPA complains about, so that the rest of a random policy is not lost."""
    return without_rows(case, result.refused_by_opa.places) if result.refused_by_opa is not None else None
