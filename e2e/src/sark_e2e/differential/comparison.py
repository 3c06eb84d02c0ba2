"""Puts one case to both engines and sorts what comes back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Self

from .case import Case
from .oracle import Oracle, Refusal
from .outcome import Answer, Failed, Inconsistent, Mistyped, Outcome, Panicked, Refused, Undefined, same
from .subject import Subject, compile_or_reason


@dataclass(frozen=True, slots=True)
class Disagreement:
    """One question to which the two gave different answers."""

    case: Case
    """The single question. When it needs others before it, they are its first inputs, and it is the last one."""
    opa: Outcome
    engine: Outcome

    @property
    def kind(self) -> str:
        """Which sorts of answers stand against each other, OPA's first: `answer/undefined`."""
        return f"{type(self.opa).__name__}/{type(self.engine).__name__}".lower()


@dataclass(slots=True)
class Result:
    """What comparing one case came to."""

    refused_by_opa: Refusal | None = None
    refused_by_engine: str | None = None
    equal: int = 0
    undefined: int = 0
    failed: int = 0
    refused: list[str] = field(default_factory=list)
    disagreements: list[Disagreement] = field(default_factory=list)
    tiers: Counter[str] = field(default_factory=Counter)
    """Questions compared, by how the engine answers their path."""


class Comparison:
    """Asks OPA in one thread while the engine evaluates in another. A context manager: leaving it ends both."""

    def __init__(self, oracle: Oracle) -> None:
        self._oracle = oracle
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="opa")

    def compare(self, case: Case) -> Result:
        """Return how the two answer `case`. Raises OracleError."""
        loading = self._thread.submit(self._oracle.load, case)
        subject = compile_or_reason(case)
        result = Result(refused_by_opa=loading.result())
        if not isinstance(subject, Subject):
            result.refused_by_engine = subject.reason
        if result.refused_by_opa is None and isinstance(subject, Mistyped):
            asked = case.single(case.paths[0], case.inputs[-1])
            opa = self._oracle.ask_one(asked.paths[0], asked.inputs[-1])
            result.disagreements.append(Disagreement(asked, opa, subject))
        if result.refused_by_opa is None and isinstance(subject, Subject):
            asking = self._thread.submit(self._oracle.ask, case.paths, case.inputs, apart=case.apart)
            ours = subject.ask(case.paths, case.inputs)
            tiers = {path: subject.tier(path) for path in case.paths}
            self._sort(case, asking.result(), ours, tiers, result)
        return result

    def outcomes(self, case: Case) -> tuple[Outcome, Outcome]:
        """Return what OPA and the engine, both freshly loaded, say to the last input of a case with one path."""
        subject = compile_or_reason(case)
        refusal = self._oracle.load(case)
        opa = self._oracle.ask_one(case.paths[0], case.inputs[-1]) if refusal is None else Refused(refusal.reason)
        if not isinstance(subject, Subject):
            return opa, subject
        # The inputs before are asked too: an engine must not remember them.
        return opa, subject.ask(case.paths, case.inputs)[-1][0]

    def disagreement(self, case: Case) -> Disagreement | None:
        """Return the disagreement about the last input of a case with one path, asked afresh; None when there is none."""
        opa, engine = self.outcomes(case)
        return None if agree(opa, engine) else Disagreement(case, opa, engine)

    def _sort(
        self, case: Case, theirs: list[list[Outcome]], ours: list[list[Outcome]], tiers: dict[str, str], into: Result
    ) -> None:
        for number, path, opa, engine in _pairs(case, theirs, ours):
            match opa, engine:
                case (_, Refused(reason)) | (Refused(reason), Answer() | Undefined() | Failed()):
                    into.refused.append(reason)
                    continue
                case (Answer() | Undefined(), Failed(reason)) if is_conflict(reason):
                    into.refused.append(f"conflict: {reason}")
                    continue
                case _ if not agree(opa, engine):
                    asked = replace(case, inputs=case.inputs[: number + 1], paths=(path,))
                    into.disagreements.append(Disagreement(asked, opa, engine))
                case (Answer(), _):
                    into.equal += 1
                case (Undefined(), _):
                    into.undefined += 1
                case _:
                    into.failed += 1
            into.tiers[tiers[path]] += 1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._thread.shutdown()
        self._oracle.close()


def agree(opa: Outcome, engine: Outcome) -> bool:
    """Whether the two outcomes are the same answer, or one of them is none."""
    match opa, engine:
        case (_, Inconsistent() | Panicked()):
            return False
        case (Refused(), _) | (_, Refused()):
            return True
        case Answer(one), Answer(other):
            return same(one, other)
        case (Undefined(), Undefined()) | (Failed(), Failed()):
            return True
        case (Answer() | Undefined(), Failed(reason)):
            return is_conflict(reason)
        case _:
            return False


def is_conflict(reason: str) -> bool:
    """Whether the engine ended with two values for one rule, call or key.

    Which definitions are evaluated at all is a question of the order of evaluation, so OPA may never see the second value.
    The engine then answers nothing, and the request goes to the baseline: nobody is told another answer.
    """
    return "must not produce multiple outputs" in reason or "object keys must be unique" in reason


def _pairs(case: Case, theirs: list[list[Outcome]], ours: list[list[Outcome]]) -> Iterator[tuple[int, str, Outcome, Outcome]]:
    for number, (their_row, our_row) in enumerate(zip(theirs, ours, strict=True)):
        for path, opa, engine in zip(case.paths, their_row, our_row, strict=True):
            yield number, path, opa, engine
