"""A series of numbers over time in little room.

An hour of memory of three thousand pods is 180,000 points. As pairs of Python's floats they are 20 MB, and twice that while the
next answer is read; as one row of times that many pods share, and a packed row of values for each, a tenth.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from operator import eq
from typing import overload

Point = tuple[float, float]
"""A time in Unix seconds, and a value."""


class Points(Sequence[Point]):
    """Pairs of (time, value). It is equal to any sequence of the same pairs."""

    __slots__ = ("times", "values")

    def __init__(self, times: tuple[float, ...], values: Sequence[float]) -> None:
        """Take as many times as values; who has many series at the same times gives each the same tuple."""
        if len(times) != len(values):
            raise ValueError(f"{len(times)} times and {len(values)} values: as many of one as of the other are needed")
        self.times = times
        self.values = array("d", values)

    def __len__(self) -> int:
        return len(self.times)

    @overload
    def __getitem__(self, index: int) -> Point: ...
    @overload
    def __getitem__(self, index: slice) -> Points: ...
    def __getitem__(self, index: int | slice) -> Point | Points:
        if isinstance(index, slice):
            return Points(self.times[index], self.values[index])
        return self.times[index], self.values[index]

    def __iter__(self) -> Iterator[Point]:
        return zip(self.times, self.values, strict=True)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and len(self) == len(other) and all(map(eq, self, other))

    __hash__ = None  # type: ignore[assignment] # values of floats that are compared, never looked up

    def __repr__(self) -> str:
        return f"Points({list(self)!r})"
