"""What can go wrong, as exceptions. Each message is one sentence for people; attributes are for programs."""

from __future__ import annotations

from collections.abc import Sequence


class EngineError(Exception):
    """Base of every error of the engine."""


class PolicyError(EngineError):
    """A policy or its data was refused at load; the message names the file, the line and the reason."""


class InputError(EngineError):
    """The caller's input is at fault: it is not JSON, or not made of what JSON is made of."""

    place: str
    """Where in an input object, as in `input.user.roles[3]`; empty when it is not known."""

    def __init__(self, message: str = "", *, place: str = "") -> None:
        super().__init__(message)
        self.place = place


class PathError(InputError):
    """A path that cannot be asked for: too long, or with characters that no path has."""


class EvaluationError(EngineError):
    """An evaluation gave no genuine decision. It is never to be taken for an allow or a deny."""

    kind: str
    """`evaluation` (a builtin failed, definitions conflict), `timeout`, `panic` (contained), `unsupported_builtin` or
    `unsupported_input`."""
    path: str
    """The path that was asked, as in `authz/allow`."""

    def __init__(self, message: str = "", *, kind: str = "evaluation", path: str = "") -> None:
        Exception.__init__(self, message)
        self.kind = kind
        self.path = path


class EvaluationTimeout(EvaluationError):  # noqa: N818 - named as it is called: the evaluation timed out
    """The evaluation ran longer than the engine's `evaluation_timeout_seconds`."""

    def __init__(self, message: str = "", *, kind: str = "timeout", path: str = "") -> None:
        super().__init__(message, kind=kind, path=path)


class UnsupportedInput(EvaluationError, InputError):  # noqa: N818 - as above
    """The input is JSON, but beyond what the engine is willing to hold or can hold exactly: OPA may still answer.

    More than 100 levels or 200,000 values, or a number that the engine would have to change.
    """

    def __init__(self, message: str = "", *, kind: str = "unsupported_input", path: str = "", place: str = "") -> None:
        EvaluationError.__init__(self, message, kind=kind, path=path)
        self.place = place


class UnsupportedPath(EvaluationError):  # noqa: N818 - as above
    """The engine does not answer for this path, whatever the input; `Policies.verdict` says so before it is asked."""

    reasons: tuple[str, ...]
    """Why, as clauses."""

    def __init__(
        self, message: str = "", *, kind: str = "unsupported_builtin", path: str = "", reasons: Sequence[str] = ()
    ) -> None:
        super().__init__(message, kind=kind, path=path)
        self.reasons = tuple(reasons)


class MissingBuiltin(UnsupportedPath):
    """The path reaches builtins that OPA has and this engine does not."""

    builtins: tuple[str, ...]
    """Their names, sorted, as in `http.send`."""

    def __init__(
        self,
        message: str = "",
        *,
        kind: str = "unsupported_builtin",
        path: str = "",
        reasons: Sequence[str] = (),
        builtins: Sequence[str] = (),
    ) -> None:
        super().__init__(message, kind=kind, path=path, reasons=reasons)
        self.builtins = tuple(builtins)
