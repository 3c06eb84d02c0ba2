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


class CacheStats(NamedTuple):
    """What a decision cache did since it was made, and what it holds now."""

    hits: int
    """Questions answered by the bytes of their input."""
    canonical_hits: int
    """Questions whose input was spelled anew (other order or white space), answered by what it means."""
    misses: int
    """Questions that found no decision and nobody who was about to make it."""
    flights_joined: int
    """Questions that found another thread evaluating the same and waited for it."""
    inserts: int
    """Entries written, one for each spelling of an input."""
    evictions: int
    """Entries that made room for others."""
    expired: int
    """Entries found too old and removed."""
    revision_dropped: int
    """Entries removed because policies or data they depend on were replaced."""
    entries: int
    """Entries held now."""
    bytes: int
    """Weight of the entries held now against `cache_max_bytes`; a small entry weighs its share of the limit."""
