"""Values that calls hand out."""

from __future__ import annotations

from enum import Enum
from typing import Final, Literal, NamedTuple


class Undefined(Enum):
    """The type of `UNDEFINED`: "this path has no value for this input", which is not null and not false."""

    UNDEFINED = "undefined"

    def __bool__(self) -> Literal[False]:
        """Return False, so that `if engine.evaluate_object(...)` fails closed."""
        return False

    def __repr__(self) -> str:
        """Return the name it is imported by."""
        return "UNDEFINED"


UNDEFINED: Final = Undefined.UNDEFINED
"""As a decision: the path has no value. As an input: there is none (None is the input null)."""


class Verdict(NamedTuple):
    """Who answers for a path, known when the policies are loaded."""

    served_by: Literal["rust", "baseline"]
    """`rust`: this engine. `baseline`: this engine refuses the path; evaluating it raises UnsupportedPath."""
    tier: Literal["compiled", "interpreter"] | None
    """How this engine answers; None when it does not."""
    reasons: tuple[str, ...]
    """Why it is not the compiled program of this engine, as clauses."""
