"""What is asked: modules, base data, and every path on every input."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

Text = str
"""A JSON text, kept as text: `1.0`, duplicate keys and long numbers are part of the question."""


@dataclass(frozen=True, slots=True)
class Case:
    """Modules and base data that belong together, and the questions put to them."""

    origin: str
    """Where it comes from, for people: `corpus rbac`, `mutated rbac`, `grammar`."""
    modules: tuple[tuple[str, str], ...]
    """Pairs of file name and Rego source."""
    data: Text
    inputs: tuple[Text | None, ...]
    """None asks without an input."""
    paths: tuple[str, ...]
    """Decision paths, as in `authz/allow`."""
    apart: bool = False
    """Whether OPA is asked each question in a query of its own, for as long as which it keeps some of what `with` writes."""

    def single(self, path: str, given: Text | None) -> Self:
        """Return the case that asks only `path` on `given`."""
        return replace(self, inputs=(given,), paths=(path,))
