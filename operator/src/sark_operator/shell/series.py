"""The series of an answer of Prometheus, one at a time.

An answer about a thousand rollouts has some ten thousand series. As one document of Python's it is many times as large as its
text; read series by series it is hardly larger.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, overload

import msgspec


class SeriesError(ValueError):
    """The answer, or a series in it, is not in the form of the query API."""


class _Data(msgspec.Struct):
    result: list[msgspec.Raw]


_TRUE = b"true"


class _Answer(msgspec.Struct, rename="camel"):
    data: _Data
    status: str = ""
    is_partial: msgspec.Raw = msgspec.Raw(b"false")


_ANSWER = msgspec.json.Decoder(_Answer)
_ONE = msgspec.json.Decoder()


class Series(Sequence[Any]):
    """`data.result` of an answer; each of its parts is read anew whenever it is asked for, and may raise `SeriesError`."""

    def __init__(self, parts: list[msgspec.Raw], *, status: str = "", is_partial: bool = False) -> None:
        self._parts = parts
        self.status = status
        """What the server says of its answer: success, where there is one."""
        self.is_partial = is_partial
        """Whether it says that the answer is not whole, as VictoriaMetrics does."""

    @classmethod
    def of(cls, body: bytes) -> Series:
        """Return the series of an answer. Raises `SeriesError`."""
        try:
            answer = _ANSWER.decode(body)
        except (msgspec.DecodeError, RecursionError) as error:
            raise SeriesError(str(error)) from error
        return cls(answer.data.result, status=answer.status, is_partial=bytes(answer.is_partial) == _TRUE)

    def __len__(self) -> int:
        return len(self._parts)

    @overload
    def __getitem__(self, index: int) -> Any: ...
    @overload
    def __getitem__(self, index: slice) -> Series: ...
    def __getitem__(self, index: int | slice) -> Any:
        return Series(self._parts[index]) if isinstance(index, slice) else _read(self._parts[index])

    def __iter__(self) -> Iterator[Any]:
        return map(_read, self._parts)


def _read(part: msgspec.Raw) -> Any:
    try:
        return _ONE.decode(part)
    except (msgspec.DecodeError, RecursionError) as error:
        raise SeriesError(str(error)) from error
