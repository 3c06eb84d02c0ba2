"""The engine under test: the wheel `sark_engine`, in process."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sark_engine import Engine, EvaluationError, InputError, Policies, PolicyError

from .case import Case, Text
from .outcome import Answer, Failed, Outcome, Refused, Undefined, read

TIMEOUT_SECONDS: Final = 5.0


class Subject:
    """One case compiled by the embedded engine."""

    def __init__(self, case: Case) -> None:
        """Compile `case`. Raises PolicyError."""
        policies = Policies(list(case.modules), case.data.encode())
        self._engine = Engine(policies, evaluation_timeout_seconds=TIMEOUT_SECONDS)
        self._unsupported = policies.unsupported

    def ask(self, paths: Sequence[str], inputs: Sequence[Text | None]) -> list[list[Outcome]]:
        """Return, for each input, the outcome of each path."""
        left = {path: self._left_to_baseline(path) for path in paths}
        return [[left[path] or self.ask_one(path, given) for path in paths] for given in inputs]

    def ask_one(self, path: str, given: Text | None) -> Outcome:
        """Evaluate `path`, past the decision cache."""
        try:
            answer = self._engine.evaluate(path, None if given is None else given.encode())
        except InputError as error:
            return Refused(f"input: {error}")
        except EvaluationError as error:
            return _sorted(str(error))
        return Undefined() if answer is None else Answer(read(answer))

    def _left_to_baseline(self, path: str) -> Refused | None:
        """The verdict at load: what an evaluation of `path` may reach decides who serves it."""
        reached = [names for rule, names in self._unsupported.items() if _related(rule, path)]
        missing = sorted({name for names in reached for name in names})
        return Refused(f"baseline: {', '.join(missing)}") if missing else None


def compile_or_reason(case: Case) -> Subject | str:
    """Return the compiled case, or why the engine refuses it."""
    try:
        return Subject(case)
    except PolicyError as error:
        return str(error)


def _sorted(message: str) -> Outcome:
    """Tell an evaluation that ended with an error from one that was declined."""
    if "time limit" in message:
        return Refused("out of time")
    return Refused(message) if "cannot hold the input" in message else Failed(message)


def _related(rule: str, path: str) -> bool:
    return rule == path or rule.startswith(f"{path}/") or path.startswith(f"{rule}/")
