"""The engine under test: the wheel `sark_engine`, in process."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Final

from sark_engine import Engine, EvaluationError, InputError, Policies, PolicyError, UnsupportedPath

from .case import Case, Text
from .outcome import Answer, Failed, Inconsistent, Mistyped, Outcome, Panicked, Refused, Undefined, read, same

TIMEOUT_SECONDS: Final = 5.0
_DECLINED: Final = frozenset({"timeout", "unsupported_input", "unsupported_builtin"})
"""Kinds of errors that leave the question to the baseline."""
_OF_TYPES: Final = re.compile(
    r"rule \S+: (operand \d+ of |a reference goes into |.+ is compared with |.+ is looked for among elements )"
)


class Subject:
    """One case compiled by the embedded engine."""

    def __init__(self, case: Case) -> None:
        """Compile `case`. Raises PolicyError."""
        self._policies = Policies(list(case.modules), case.data.encode())
        self._engine = Engine(self._policies, evaluation_timeout_seconds=TIMEOUT_SECONDS)

    def tier(self, path: str) -> str:
        """Return how the engine answers `path`: `compiled`, `interpreter`, or `baseline` when it does not."""
        return self._policies.verdict(path).tier or "baseline"

    def ask(self, paths: Sequence[str], inputs: Sequence[Text | None]) -> list[list[Outcome]]:
        """Return, for each input, the outcome of each path."""
        evaluated = [[self.ask_one(path, given) for path in paths] for given in inputs]
        # Once it decides on all it remembers them, under keys by which each has to be told from all others.
        for _ in range(2):
            for row, given in zip(evaluated, inputs, strict=True):
                row[:] = [self._decided(path, given, outcome) for path, outcome in zip(paths, row, strict=True)]
        return evaluated

    def ask_one(self, path: str, given: Text | None) -> Outcome:
        """Evaluate `path`, past the decision cache."""
        return self._outcome(self._engine.evaluate, path, given)

    def _decided(self, path: str, given: Text | None, evaluated: Outcome) -> Outcome:
        """Return what was `evaluated` if that is decided too; a busy machine has no time for either now and then."""
        if isinstance(evaluated, Inconsistent) or _is_late(evaluated):
            return evaluated
        decided = self._outcome(self._engine.decide, path, given)
        if _is_same(evaluated, decided) or _is_late(decided):
            return evaluated
        if not _is_same(evaluated, self.ask_one(path, given)):
            return evaluated  # it is no matter of the input alone: what depends on the time is evaluated each time
        return Inconsistent(f"it evaluates to {evaluated}, and is decided to be {decided}")

    @staticmethod
    def _outcome(ask: Callable[[str, bytes | None], bytes | None], path: str, given: Text | None) -> Outcome:
        try:
            answer = ask(path, None if given is None else given.encode())
        except UnsupportedPath as error:
            return Refused(f"baseline: {'; '.join(error.reasons) or error}")
        except EvaluationError as error:
            if error.kind == "panic":
                return Panicked(str(error))
            return Refused(f"{error.kind}: {error}") if error.kind in _DECLINED else Failed(str(error))
        except InputError as error:
            return Refused(f"input: {error}")
        return Undefined() if answer is None else Answer(read(answer))


def _is_same(one: Outcome, other: Outcome) -> bool:
    """Whether the engine said the same twice; errors by their kind, for their texts may tell of the moment."""
    if isinstance(one, Answer) and isinstance(other, Answer):
        return same(one.value, other.value)
    return type(one) is type(other)


def _is_late(outcome: Outcome) -> bool:
    return isinstance(outcome, Refused) and outcome.reason.startswith("timeout: ")


def compile_or_reason(case: Case) -> Subject | Refused | Mistyped:
    """Return the compiled case, or why the engine refuses it."""
    try:
        return Subject(case)
    except PolicyError as error:
        return Mistyped(str(error)) if _OF_TYPES.match(str(error)) else Refused(str(error))
