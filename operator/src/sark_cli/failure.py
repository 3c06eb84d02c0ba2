"""Expected failures: one sentence for the person, one exit status for the script."""

from __future__ import annotations

from .exit_code import ExitCode


class CommandError(Exception):
    """The command cannot do what was asked; the message is one sentence that says what to do instead."""

    def __init__(self, message: str, code: ExitCode = ExitCode.FAILED) -> None:
        super().__init__(message)
        self.code = code


class StaleError(CommandError):
    """The rollout is no longer in the state the intent was meant for."""


class UnavailableError(CommandError):
    """The API server did not answer, or asked to come back later: the same may be asked again."""


class WrittenError(CommandError):
    """What was asked is written; only what came of it could not be read."""
