"""Policies changed a little: what reads alike may mean something else, and both engines must agree about what."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

from .case import Case
from .mining import ANY, Path, Vocabulary, mine
from .parts import parts
from .tokens import Token, glued, source_of, tokens

Words = list[Token]
_SIGNS: Final = {
    "==": ("!=", "=", "<", ">="),
    "!=": ("==", ">"),
    "<": ("<=", ">", "=="),
    "<=": ("<", ">="),
    ">": (">=", "<"),
    ">=": (">", "<="),
    ":=": ("=", "==", "in"),
    "=": (":=", "=="),
    "+": ("-", "*", "|"),
    "-": ("+", "&"),
    "*": ("/", "+"),
    "/": ("*", "%"),
    "|": ("&", "-"),
    "&": ("|", "-"),
    "%": ("/",),
}
_NAMES: Final = {
    "startswith": ("endswith", "contains"),
    "endswith": ("startswith",),
    "count": ("sum", "max"),
    "max": ("min", "sort"),
    "lower": ("upper",),
    "true": ("false", "null", "1"),
    "false": ("true", "null"),
    "every": ("some",),
    "some": ("every",),
    "null": ("false", "{}"),
    "sum": ("count", "product"),
    "union": ("intersection",),
    "sort": ("count",),
    "concat": ("contains",),
    "is_string": ("is_number", "is_array", "is_null"),
    "contains": ("if",),
}
_CONSTANTS: Final = ("1", "1.0", "0", '""', '"a"', "true", "null", "[]", "{}", "set()", "-1", "1e0", "2")
_TARGETS: Final = ("input", "input.user", "data.x", "input.a")


def mutant(case: Case, chance: random.Random) -> Case:
    """Return `case` with one to three changes to its modules; its name says so."""
    modules = list(case.modules)
    vocabulary = mine((source for _, source in modules), case.data)
    for _ in range(chance.choice([1, 1, 2, 3])):
        number = chance.randrange(len(modules))
        name, source = modules[number]
        modules[number] = (name, _changed(source, chance, vocabulary))
    return replace(case, origin=case.origin.replace("corpus", "mutated"), modules=tuple(modules))


def _changed(source: str, chance: random.Random, vocabulary: Vocabulary) -> str:
    if chance.random() < 0.2:
        return _with_parts(source, chance)
    words = tokens(source)
    changes: tuple[Callable[[Words, random.Random, Vocabulary], Words], ...] = (
        *(_another_sign, _another_sign, _another_constant, _another_constant, _another_path, _another_path),
        *(_negated, _without_statement, _twice_statement, _swapped_statements, _under_with, _another_name, _another_name),
        *(_swapped_sides, _wrapped, _without_words, _defaulted, _complete_or_partial, _quantified),
    )
    return source_of(chance.choice(changes)(words, chance, vocabulary))


def _with_parts(source: str, chance: random.Random) -> str:
    """Drop, repeat or reorder whole rules."""
    head, *rules = parts(source)
    if not rules:
        return source
    place = chance.randrange(len(rules))
    match chance.randrange(3):
        case 0:
            del rules[place]
        case 1:
            rules.insert(chance.randrange(len(rules)), rules[place])
        case _:
            chance.shuffle(rules)
    return head + "".join(part if part.endswith("\n") else f"{part}\n" for part in rules)


def _at(words: Words, chance: random.Random, fits: Callable[[Token], bool]) -> int | None:
    places = [place for place, word in enumerate(words) if fits(word)]
    return chance.choice(places) if places else None


def _put(words: Words, place: int, length: int, text: str) -> Words:
    """Replace `length` words by `text`, which keeps the space before it."""
    new = glued(text)
    if new and length:
        new[0] = replace(new[0], spaced=words[place].spaced)
    return [*words[:place], *new, *words[place + length :]]


def _another_sign(words: Words, chance: random.Random, _: Vocabulary) -> Words:
    place = _at(words, chance, lambda word: word.text in _SIGNS)
    return words if place is None else _put(words, place, 1, chance.choice(_SIGNS[words[place].text]))


def _another_name(words: Words, chance: random.Random, _: Vocabulary) -> Words:
    place = _at(words, chance, lambda word: word.text in _NAMES)
    return words if place is None else _put(words, place, 1, chance.choice(_NAMES[words[place].text]))


def _another_constant(words: Words, chance: random.Random, vocabulary: Vocabulary) -> Words:
    place = _at(words, chance, lambda word: word.kind in {"string", "number"})
    strings = [word.text for word in words if word.kind == "string"]
    choices: Sequence[str] = [*_CONSTANTS, *strings, *vocabulary.numbers]
    return words if place is None else _put(words, place, 1, chance.choice(choices))


def _another_path(words: Words, chance: random.Random, vocabulary: Vocabulary) -> Words:
    """Let one reference into the input or data point elsewhere."""
    place = _at(words, chance, lambda word: word.text in {"input", "data"})
    if place is None or not vocabulary.paths:
        return words
    end = place + 1
    while end + 1 < len(words) and words[end].text == "." and words[end + 1].kind == "name":
        end += 2
    return _put(words, place, end - place, _reference(chance.choice(vocabulary.paths)))


def _reference(path: Path) -> str:
    return "input" + "".join("[_]" if key == ANY else f".{key}" if key.isidentifier() else f'["{key}"]' for key in path)


def _lines(words: Words) -> list[tuple[int, int]]:
    """Return start and end of each line of words that stands inside brackets of a body."""
    found, start, depth = [], 0, 0
    for place, word in enumerate(words):
        if word.kind == "break":
            inside = words[start:place]
            if depth > 0 and inside and inside[-1].text not in {"{", "[", "(", ","} and inside[0].text not in {"}", "]", ")"}:
                found.append((start, place))
            start = place + 1
        depth += (word.text in {"{", "[", "("}) - (word.text in {"}", "]", ")"})
    return found


def _statement(words: Words, chance: random.Random) -> tuple[int, int] | None:
    lines = _lines(words)
    return chance.choice(lines) if lines else None


def _negated(words: Words, chance: random.Random, _: Vocabulary) -> Words:
    at = _statement(words, chance)
    if at is None:
        return words
    return _put(words, at[0], 1, "") if words[at[0]].text == "not" else _put(words, at[0], 0, "not")


def _without_statement(words: Words, chance: random.Random, _: Vocabulary) -> Words:
    at = _statement(words, chance)
    return words if at is None else [*words[: at[0]], *words[at[1] + 1 :]]


def _twice_statement(words: Words, chance: random.Random, _: Vocabulary) -> Words:
    at, to = _statement(words, chance), _statement(words, chance)
    if at is None or to is None:
        return words
    return [*words[: to[0]], *words[at[0] : at[1] + 1], *words[to[0] :]]


def _swapped_statements(words: Words, chance: random.Random, _: Vocabulary) -> Words:
    lines = _lines(words)
    if len(lines) < 2:
        return words
    one, other = sorted(chance.sample(lines, 2))
    first, second = words[slice(*one)], words[slice(*other)]
    return [*words[: one[0]], *second, *words[one[1] : other[0]], *first, *words[other[1] :]]


def _under_with(words: Words, chance: random.Random, vocabulary: Vocabulary) -> Words:
    at = _statement(words, chance)
    if at is None:
        return words
    paths = [_reference(path) for path in vocabulary.paths if ANY not in path]
    target = chance.choice(paths or _TARGETS)
    value = chance.choice([*_CONSTANTS, "input", *(word.text for word in words if word.kind == "string")])
    return _put(words, at[1], 0, f"with {target} as {value}")


def _swapped_sides(words: Words, chance: random.Random, _: Vocabulary) -> Words:
    """Turn `a == b` around, when it is a statement of its own."""
    lines = [at for at in _lines(words) if sum(word.text in {"==", "="} for word in words[slice(*at)]) == 1]
    if not lines:
        return words
    start, end = chance.choice(lines)
    middle = next(place for place in range(start, end) if words[place].text in {"==", "="})
    return [*words[:start], *words[middle + 1 : end], words[middle], *words[start:middle], *words[end:]]


def _wrapped(words: Words, chance: random.Random, _: Vocabulary) -> Words:
    """Put a statement into a comprehension, or behind another quantifier."""
    at = _statement(words, chance)
    if at is None:
        return words
    forms = [("count([1 |", "]) > 0"), ("count({1 |", "}) == 1"), ("not count([1 |", "]) == 0"), ("[", "][0]")]
    before, after = chance.choice(forms)
    return _put(_put(words, at[1], 0, after), at[0], 0, before)


def _without_words(words: Words, chance: random.Random, _: Vocabulary) -> Words:
    start = chance.randrange(max(1, len(words)))
    return [*words[:start], *words[start + chance.randint(1, 4) :]]


def _heads(words: Words) -> list[int]:
    """Return the places of names that begin a rule."""
    found, depth = [], 0
    for place, word in enumerate(words):
        begins = depth == 0 and word.kind == "name" and (place == 0 or words[place - 1].kind == "break")
        if begins and word.text not in {"package", "import", "default", "else"}:
            found.append(place)
        depth += (word.text in {"{", "[", "("}) - (word.text in {"}", "]", ")"})
    return found


def _defaulted(words: Words, chance: random.Random, _: Vocabulary) -> Words:
    heads = _heads(words)
    if not heads:
        return words
    place = chance.choice(heads)
    line = [*glued(f"default {words[place].text} := {chance.choice(_CONSTANTS)}"), Token("break", "\n")]
    return [*words[:place], *line, *words[place:]]


def _complete_or_partial(words: Words, chance: random.Random, _: Vocabulary) -> Words:
    """Turn all definitions of a name that are complete into a set's, or the other way round."""
    heads = _heads(words)
    if not heads:
        return words
    name = words[chance.choice(heads)].text
    for place in reversed([head for head in heads if words[head].text == name]):
        after = words[place + 1].text if place + 1 < len(words) else ""
        if after == ":=":
            words = _put(words, place + 1, 1, "contains")
        elif after == "contains":
            words = _put(words, place + 1, 1, ":=")
        elif after == "if":
            words = _put(words, place + 1, 0, f"contains {chance.choice(_CONSTANTS)}")
    return words


def _quantified(words: Words, chance: random.Random, vocabulary: Vocabulary) -> Words:
    """Add a guard on one of the paths to a body."""
    at = _statement(words, chance)
    if at is None or not vocabulary.paths:
        return words
    path = _reference(chance.choice(vocabulary.paths))
    constant = chance.choice([*_CONSTANTS, *(word.text for word in words if word.kind == "string")])
    forms = [f"{path} == {constant}", f"{constant} == {path}", f"not {path} == {constant}", f"{path} != {constant}", path]
    return [*words[: at[0]], *glued(chance.choice(forms)), Token("break", "\n"), *words[at[0] :]]
