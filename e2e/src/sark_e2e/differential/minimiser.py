"""Makes a finding small: drops rules, lines, words and parts of documents for as long as the two engines still disagree."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Final, TypeVar

from .case import Case
from .comparison import Disagreement
from .document import Document, Number, children, parse, render, with_child, without_child
from .parts import parts
from .tokens import source_of, tokens

Disagree = Callable[[Case], Disagreement | None]
SECONDS: Final = 20.0
Item = TypeVar("Item")


class Minimiser:
    """Shrinks one disagreement; every step is asked of both engines again and must show a disagreement of the same kind."""

    def __init__(self, disagree: Disagree, *, seconds: float = SECONDS) -> None:
        self._disagree = disagree
        self._seconds = seconds
        self._deadline = 0.0

    def smallest(self, found: Disagreement) -> Disagreement:
        """Return the smallest disagreement of the same kind that could be reached in time."""
        self._deadline = time.monotonic() + self._seconds
        best = found
        while True:
            before = best.case
            for shrink in (_fewer_inputs, _fewer_modules, _fewer_rules, _fewer_lines, _less_input, _less_data, _fewer_words):
                best = self._shrunk(best, shrink)
            if best.case == before or time.monotonic() > self._deadline:
                return best

    def _shrunk(self, best: Disagreement, shrink: Callable[[Case], Iterator[Case]]) -> Disagreement:
        """Take the first smaller case that still disagrees, and go on from it, until none does."""
        progress = True
        while progress:
            progress = False
            for smaller in shrink(best.case):
                if time.monotonic() > self._deadline:
                    return best
                again = self._disagree(smaller)
                if again is not None and again.kind == best.kind:
                    best = again
                    progress = True
                    break
        return best


def _without_runs(items: Sequence[Item]) -> Iterator[list[Item]]:
    """Yield `items` without ever shorter runs: halves first, single ones last."""
    length = len(items)
    while length:
        for start in range(0, len(items), length):
            yield [*items[:start], *items[start + length :]]
        length //= 2


def _fewer_inputs(case: Case) -> Iterator[Case]:
    """The last input is the question; the ones before it are there in case the engine remembers."""
    for fewer in _without_runs(case.inputs[:-1]):
        yield replace(case, inputs=(*fewer, case.inputs[-1]))


def _fewer_modules(case: Case) -> Iterator[Case]:
    if len(case.modules) > 1:
        for fewer in _without_runs(case.modules):
            if fewer:
                yield replace(case, modules=tuple(fewer))


def _with_source(case: Case, number: int, source: str) -> Case:
    modules = list(case.modules)
    modules[number] = (modules[number][0], source)
    return replace(case, modules=tuple(modules))


def _fewer_rules(case: Case) -> Iterator[Case]:
    for number, (_, source) in enumerate(case.modules):
        for fewer in _without_runs(parts(source)):
            yield _with_source(case, number, "".join(fewer))


def _fewer_lines(case: Case) -> Iterator[Case]:
    for number, (_, source) in enumerate(case.modules):
        for fewer in _without_runs(source.replace("; ", "\n\t").splitlines(keepends=True)):
            yield _with_source(case, number, "".join(fewer))


def _fewer_words(case: Case) -> Iterator[Case]:
    for number, (_, source) in enumerate(case.modules):
        words = tokens(source)
        for width in (12, 8, 6, 5, 4, 3, 2, 1):
            for start in range(len(words) - width + 1):
                run = words[start : start + width]
                if all(word.kind != "break" for word in run) and _balanced([word.text for word in run]):
                    yield _with_source(case, number, source_of([*words[:start], *words[start + width :]]))


def _balanced(words: list[str]) -> bool:
    depth = 0
    for word in words:
        depth += (word in {"{", "[", "("}) - (word in {"}", "]", ")"})
        if depth < 0:
            return False
    return depth == 0


def _less_input(case: Case) -> Iterator[Case]:
    *before, last = case.inputs
    if last is not None:
        for smaller in _smaller(parse(last)):
            # To the data API a null input is no input.
            yield replace(case, inputs=(*before, None if smaller is None else render(smaller)))


def _less_data(case: Case) -> Iterator[Case]:
    for smaller in _smaller(parse(case.data)):
        yield replace(case, data=render(smaller))


def _smaller(document: Document) -> Iterator[Document]:
    """Yield simpler documents: without a part, a part alone, simpler parts, simpler words."""
    below = children(document)
    for place, _ in below:
        yield without_child(document, place)
    for place, part in below:
        for simpler in _smaller(part):
            yield with_child(document, place, simpler)
    match document:
        case str() if len(document) > 1:
            yield document[: len(document) // 2]
        case Number(text) if text not in {"0", "1"}:
            yield Number("1")
        case _ if below:
            yield None
