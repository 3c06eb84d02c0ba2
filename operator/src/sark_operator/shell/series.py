"""The series of an answer of Prometheus, one at a time.

An answer about a thousand rollouts has some ten thousand series. As one document of Python's it is many times as large as its
text; read series by series it is hardly larger.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final, overload

import msgspec

MAX_SERIES: Final = 200_000
"""Series in one answer. A thousand rollouts have some ten thousand."""
MAX_POINTS: Final = 1_500_000
"""Points in one answer."""
MAX_VALUES: Final = 4_000_000
"""Times, numbers, labels and whatever else there may be between two commas."""
MAX_SAID: Final = 64 * 1024
"""Bytes of warnings, or of an error, that are read."""


class SeriesError(ValueError):
    """The answer, or a series in it, is not in the form of the query API."""


class TooMuchError(SeriesError):
    """The answer has more in it than is read."""


class _Data(msgspec.Struct):
    result: list[msgspec.Raw]


_NOTHING = msgspec.Raw(b"null")
_TRUE = b"true"


class _Object(msgspec.Struct):
    """Any object, without what is in it."""


class _Objects(msgspec.Struct):
    result: list[_Object]


class _Outline(msgspec.Struct):
    data: _Objects


class _Said(msgspec.Struct):
    status: msgspec.Raw = _NOTHING
    error: msgspec.Raw = _NOTHING


class _Answer(msgspec.Struct, rename="camel"):
    data: _Data
    status: str = ""
    is_partial: msgspec.Raw = _NOTHING
    warnings: msgspec.Raw = _NOTHING


_UNREADABLE: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What comes of what is not JSON. Bytes that are no UTF-8 within a text are the decoder's last thought, and another error."""

_ANSWER = msgspec.json.Decoder(_Answer)
_OUTLINE = msgspec.json.Decoder(_Outline)
_SAID = msgspec.json.Decoder(_Said)
_ONE = msgspec.json.Decoder()


class Series(Sequence[Any]):
    """`data.result` of an answer; each of its parts is read anew whenever it is asked for, and may raise `SeriesError`."""

    def __init__(
        self, parts: list[msgspec.Raw], *, status: str = "", is_partial: bool = False, warnings: Sequence[str] = ()
    ) -> None:
        self._parts = parts
        self.status = status
        """What the server says of its answer: success, where there is one."""
        self.is_partial = is_partial
        """Whether it says that the answer is not whole, as VictoriaMetrics does."""
        self.warnings = warnings
        """What it warns of."""

    @classmethod
    def of(cls, body: bytes) -> Series:
        """Return the series of an answer. Raises `SeriesError`."""
        try:
            _look_over(body)
            answer = _ANSWER.decode(body)
        except _UNREADABLE as error:
            raise SeriesError(str(error)) from error
        return cls(
            answer.data.result,
            status=answer.status,
            is_partial=bytes(answer.is_partial) == _TRUE,
            warnings=_warnings(answer.warnings),
        )

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


def said(body: bytes) -> tuple[str | None, str | None]:
    """Return status and error of an answer, so much of it as may be read; None for each that it does not have."""
    try:
        found = _SAID.decode(body)
        return _text(found.status), _text(found.error)
    except (*_UNREADABLE, SeriesError):
        return None, None


def _look_over(body: bytes) -> None:
    """Raise `SeriesError` for too many parts, before they are made: each takes many times the two bytes it may have been."""
    values = body.count(b",")
    if values < MAX_SERIES:
        return
    # A series has two objects, and there may be some braces and brackets in its labels.
    if values > MAX_VALUES or body.count(b"[") > MAX_POINTS or body.count(b"{") > 4 * MAX_SERIES:
        raise TooMuchError
    # What is no object is refused at the first, so there are no more of them than that.
    if len(_OUTLINE.decode(body).data.result) > MAX_SERIES:
        raise TooMuchError


def _text(part: msgspec.Raw) -> str | None:
    found = _small(part)
    return None if found is None else str(found)


def _warnings(part: msgspec.Raw) -> list[str]:
    found = _small(part)
    return [str(each) for each in found] if isinstance(found, list) else []


def _small(part: msgspec.Raw) -> Any:
    """Return what is said beside the series."""
    if len(bytes(part)) > MAX_SAID:
        return ["more than can be quoted"]
    return _read(part)


def _read(part: msgspec.Raw) -> Any:
    try:
        return _ONE.decode(part)
    except _UNREADABLE as error:
        raise SeriesError(str(error)) from error
