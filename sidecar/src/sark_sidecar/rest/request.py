"""A request as the data plane hands it over."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import parse_qs

_MAX_PARAMETERS = 64


class BadTarget(ValueError):  # noqa: N818 - the client's mistake
    """The query string cannot be read."""


@dataclass(frozen=True, slots=True)
class RestRequest:
    """What a client sent; `target` is path and query string as received."""

    method: str
    target: str
    headers: Sequence[tuple[str, str]]
    body: bytes

    @property
    def path(self) -> str:
        """The path without its query string."""
        return self.target.partition("?")[0]

    def parameters(self) -> dict[str, list[str]]:
        """Return the values of each query parameter.

        Raises:
            BadTarget: there are more than 64.
        """
        try:
            return parse_qs(self.target.partition("?")[2], keep_blank_values=True, max_num_fields=_MAX_PARAMETERS)
        except ValueError as error:
            raise BadTarget(f"the query string has more than {_MAX_PARAMETERS} parameters") from error

    def is_on(self, name: str) -> bool:
        """Return whether a switch is on by OPA's reading: it stands alone, or one of its values is `true` in any case."""
        values = self.parameters().get(name, [])
        return values == [""] or any(value.lower() == "true" for value in values)
